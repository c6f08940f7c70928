package fleet

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlaceholdersWorkInEveryString(t *testing.T) {
	got := parseOne(t, `{vars: {team: core, stack: "{team}-{environment}", own: default}}`, `{account: "111122223333", region: eu-west-1, role-arn: "arn:aws:iam::{account}:role/{team}", external-id: "{stack}/{region}", `+
		`cluster: "{stack}", container: "{service}-app", labels: {where: "{region}", who: "{own}"}, alarms: ["{cluster}-errors"], `+
		`timeout: "{minutes}m", vars: {minutes: 45, own: environment, per: "{service}-x"}, `+
		`services: {rails: {service: "{cluster}-{service}", image: "{account}.dkr.ecr.{region}.amazonaws.com/{per}", desired-count: "{minutes}", `+
		`codedeploy: {application: "{service}", deployment-group: "{environment}-{service}"}}, web: {container: ["{per}", sidecar]}}}`)
	want := Environment{
		Name: "a", Account: "111122223333", Region: "eu-west-1", RoleARN: "arn:aws:iam::111122223333:role/core", ExternalID: "core-a/eu-west-1",
		Cluster: "core-a", Wave: 1, Labels: map[string]string{"where": "eu-west-1", "who": "environment"}, Alarms: []string{"core-a-errors"},
		Timeout: 45 * 60e9,
		Services: []ServiceSpec{
			{Name: "rails", ECSName: "core-a-rails", Containers: []string{"rails-app"}, Image: "111122223333.dkr.ecr.eu-west-1.amazonaws.com/rails-x",
				DesiredCount: "45", CodeDeploy: CodeDeploy{Application: "rails", DeploymentGroup: "a-rails"}},
			{Name: "web", ECSName: "web", Containers: []string{"web-x", "sidecar"}},
		},
	}
	if diff := cmp.Diff(want, got, withoutPlaces); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestPlaceholdersThatHaveNoValueAreMistakes(t *testing.T) {
	const known = "{environment}, {service}, {region}, {account} and {cluster}"
	tests := []struct{ name, keys, want string }{
		{"a misspelt one gets the nearest and all", `{cluster: "{regoin}"}`,
			"f:3:16: cluster holds the unknown placeholder {regoin}; write {region} (known are " + known + ")\n"},
		{"a strange one gets all, own variables included", `{cluster: "{x}", vars: {stack: blue}}`,
			"f:3:16: cluster holds the unknown placeholder {x}; write {environment}, {service}, {region}, {account}, {cluster} or {stack}\n"},
		{"two in one string", `{cluster: "{foo1}-{bar1}"}`,
			"f:3:16: cluster holds the unknown placeholder {foo1}; write {environment}, {service}, {region}, {account} or {cluster}\n" +
				"f:3:16: cluster holds the unknown placeholder {bar1}; write {environment}, {service}, {region}, {account} or {cluster}\n"},
		{"an account that is not given", `{cluster: "{account}"}`,
			"f:3:3: environment \"a\" has no account, which cluster uses as {account}; write account: \"111122223333\" there, or no placeholder\n"},
		{"an empty variable", `{cluster: "x{stack}", vars: {stack: ""}}`,
			"f:3:3: environment \"a\" has an empty variable stack, which cluster uses as {stack}; give the variable a value\n"},
		{"a missing cluster is reported once", `{cluster: "", external-id: "{cluster}"}`,
			"f:3:3: environment \"a\" has no cluster; write cluster: NAME there or under defaults, or give the input cluster\n"},
		{"an account with a mistake is reported once", `{cluster: x, account: 0123, external-id: "{account}"}`,
			"f:3:28: account \"0123\" begins with a zero, which YAML drops from a number; write it in quotes: \"0123\"\n"},
		{"the service outside of services", `{cluster: "{service}"}`,
			"f:3:16: cluster holds {service}, which is known only inside of services; write the service's name, or another placeholder\n"},
		{"the service through a variable outside of services", `{cluster: "{v}", vars: {v: "{service}"}}`,
			"f:3:33: variable v holds {service}, which is known only inside of services; write the service's name, or another placeholder\n"},
		{"an open brace", `{cluster: "{region"}`,
			"f:3:16: cluster holds a { that begins no placeholder; write {environment}, {service}, {region}, {account} or {cluster}\n"},
		{"a circle through a builtin one", `{cluster: "{v}", vars: {v: "{cluster}-x"}}`,
			"f:3:16: {v} is made of itself: {v} holds {cluster} holds {v}; write one of them without a placeholder\n" +
				"f:3:33: {cluster} is made of itself: {cluster} holds {v} holds {cluster}; write one of them without a placeholder\n"},
		{"a variable that nothing uses", `{cluster: x, vars: {v: "{nowhere}"}}`,
			"f:3:29: variable v holds the unknown placeholder {nowhere}; write {environment}, {service}, {region}, {account}, {cluster} or {v}\n"},
		{"a shape that is wrong only when filled in", `{cluster: "{v}", vars: {v: "a b"}}`,
			"f:3:16: cluster is \"a b\"; write the cluster's name (letters, digits, - and _) or its ARN\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := "version: 1\nenvironments:\n  a: " + tt.keys + "\n"
			_, ms := Parse([]byte(strings.Replace(src, "}\n", ", region: eu-west-1, service: web}\n", 1)), "f", Base{})
			if diff := cmp.Diff(tt.want, messages(ms)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Ten variables that double each other are a thousand times as long; a hundred
// would fill the memory of the world.
func TestVariablesOfVariablesStayShort(t *testing.T) {
	chain := func(n int, each string) string {
		vars := []string{"v0: xxxx"}
		for i := range n {
			vars = append(vars, fmt.Sprintf("v%d: %q", i+1, strings.ReplaceAll(each, "N", fmt.Sprint(i))))
		}
		return fmt.Sprintf(`- {name: a, region: eu-west-1, cluster: "{v%d}", service: web, vars: {%s}}`, n, strings.Join(vars, ", "))
	}
	tests := []struct{ name, src, want string }{
		{"doubled", chain(100, "{vN}{vN}"), "longer than 2048 characters"},
		{"a long chain", chain(100, "{vN}"), "go more than 10 deep"},
		{"long as written", "- {name: a, region: eu-west-1, service: web, cluster: " + strings.Repeat("x", 3000) + "}", "cluster is longer than 2048 characters"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, ms := ParseInline(tt.src, Base{})
			if len(ms) == 0 || !strings.Contains(messages(ms), tt.want) {
				t.Errorf("got %s", messages(ms))
			}
		})
	}
}
