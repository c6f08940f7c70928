package action_test

import (
	"fmt"

	"ecs-fleet/internal/action"
)

// Flags win over the step's variables, and both over the fleet file's policy;
// what is wrong is told all at once.
func ExampleRaw_Parse() {
	env := map[string]string{"INPUT_ENVIRONMENTS": "tenant-*", "INPUT_MAX-PARALLEL": "0"}
	flags, _ := action.ReadFlags([]string{"deploy", "--image-tag=v1.8.0", "--wait-for=stabel"})
	raw, _ := flags.Or(action.ReadEnv(func(name string) string { return env[name] })).WithPolicy([]action.Setting{
		{Name: "max-failures", Value: "ten", Place: ".github/ecs-fleet.yml:14:17"},
	})
	_, mistakes := raw.Parse(action.Known{Buckets: []string{"codedeploy"}})
	for _, mistake := range mistakes {
		fmt.Println(mistake)
	}
	// Output:
	// input wait-for: "stabel" is not known; did you mean "stable"?
	// input max-parallel: "0" is not a number of 1 or more; write 10, or leave it out for no limit
	// .github/ecs-fleet.yml:14:17: max-failures: "ten" is not a number or a percentage; write 3 or 10%
}
