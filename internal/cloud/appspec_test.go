package cloud

import (
	"strings"
	"testing"

	"ecs-fleet/internal/fleet"
)

func TestAnAppSpecFileIsMadeFromTheServiceAndKeepsTheHooks(t *testing.T) {
	const rails = "arn:aws:ecs:eu-west-1:444455556666:task-definition/rails:42"
	behind := fleet.Launch{Container: "app", Port: 3000}
	vpc := fleet.Launch{
		Container: "app", Port: 3000, PlatformVersion: "1.4.0", Subnets: []string{"subnet-1"}, SecurityGroups: []string{"sg-1"}, PublicIP: "DISABLED",
		Providers: []fleet.CapacityProvider{{Name: "FARGATE_SPOT", Base: 1, Weight: 3}},
	}
	const balancer = `"LoadBalancerInfo":{"ContainerName":"app","ContainerPort":3000}`
	tests := []struct {
		name   string
		launch fleet.Launch
		before string
		want   string // behind the task definition
	}{
		{"none before", behind, "", balancer + `}}}]}`},
		{"in a network, with capacity providers", vpc, "", balancer + `,"PlatformVersion":"1.4.0","NetworkConfiguration":{"AwsvpcConfiguration":{"Subnets":["subnet-1"],"SecurityGroups":["sg-1"],"AssignPublicIp":"DISABLED"}},"CapacityProviderStrategy":[{"CapacityProvider":"FARGATE_SPOT","Base":1,"Weight":3}]}}}]}`},
		{"hooks in JSON", behind, `{"version": 0.0, "Resources": [], "Hooks": [{"AfterInstall": "smoke"}, {"BeforeAllowTraffic": "check"}]}`, balancer + `}}}],"Hooks":[{"AfterInstall":"smoke"},{"BeforeAllowTraffic":"check"}]}`},
		{"hooks in YAML, in small letters", behind, "version: 0.0\nresources:\n  - TargetService:\n      type: AWS::ECS::Service\nhooks:\n  - AfterInstall: smoke\n", balancer + `}}}],"Hooks":[{"AfterInstall":"smoke"}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := appSpec(rails, tt.launch, tt.before)
			want := `{"version":0.0,"Resources":[{"TargetService":{"Type":"AWS::ECS::Service","Properties":{"TaskDefinition":"` + rails + `",` + tt.want
			if err != nil || got != want {
				t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
			}
			if r := appSpecRevision(got); r != rails {
				t.Errorf("it names the revision %q", r)
			}
		})
	}
	if _, err := appSpec(rails, behind, "{"); err == nil {
		t.Error("a file that cannot be read is no reason to lose its hooks")
	}
	yaml := strings.ReplaceAll("version: 0.0\nresources:\n  - targetService:\n      properties:\n        taskDefinition: \"ARN\"\n", "ARN", rails)
	if r := appSpecRevision(yaml); r != rails {
		t.Errorf("YAML in small letters names the revision %q", r)
	}
}
