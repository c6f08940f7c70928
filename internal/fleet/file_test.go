package fleet

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "rewrite testdata/fleets/mistakes.txt")

// withoutPlaces compares what is said and not where.
var withoutPlaces = cmpopts.IgnoreTypes(Position{})

func TestParseReadsTheExampleOfACompany(t *testing.T) {
	at := func(line, column int) Position { return Position{Text: "company.yml", Line: line, Column: column} }
	services := func(name string, rails Position, desired string) []ServiceSpec {
		return []ServiceSpec{
			{Name: "rails", ECSName: name + "-rails", Containers: []string{"app"}, DesiredCount: desired, At: rails},
			{Name: "nextjs", ECSName: name + "-nextjs", At: at(8, 5)},
			{Name: "nginx", ECSName: name + "-nginx", At: at(9, 5)},
		}
	}
	want := File{Policy: nil, Environments: []Environment{
		{Name: "staging", Account: "111122223333", Region: "ap-northeast-1", RoleARN: "arn:aws:iam::111122223333:role/deploy",
			Cluster: "staging", Services: services("staging", at(7, 5), ""), Wave: 1, At: at(11, 3)},
		{Name: "production", Account: "444455556666", Region: "ap-northeast-1", RoleARN: "arn:aws:iam::444455556666:role/deploy",
			Cluster: "production", Services: services("production", at(7, 5), ""), Wave: 2, At: at(12, 3)},
		{Name: "tenant-a", Account: "444455556666", Region: "ap-northeast-1", RoleARN: "arn:aws:iam::444455556666:role/deploy",
			Cluster: "tenant-a", Services: services("tenant-a", at(13, 103), "8"), Wave: 3,
			Labels: map[string]string{"ring": "early"}, At: at(13, 3)},
	}}
	got, ms := Parse(fleetFile(t, "company.yml"), "company.yml", Base{})
	if diff := cmp.Diff(want, got); diff != "" || len(ms) > 0 {
		t.Errorf("-want +got:\n%s\nmistakes:\n%s", diff, messages(ms))
	}
}

// The file holds one of each mistake; all of them are reported at once.
func TestParseListsEveryMistakeWithItsPlace(t *testing.T) {
	_, ms := Parse(fleetFile(t, "mistakes.yml"), "mistakes.yml", Base{})
	if *update {
		if err := os.WriteFile(filepath.Join("..", "..", "testdata", "fleets", "mistakes.txt"), []byte(messages(ms)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(fleetFile(t, "mistakes.txt")), messages(ms)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAnEnvironmentTakesFromTheDefaultsWhatItDoesNotSay(t *testing.T) {
	const place = "region: eu-west-1, cluster: main"
	tests := []struct {
		name, defaults, keys string
		want                 Environment
	}{
		{
			name:     "no keys at all",
			defaults: `{region: eu-west-1, cluster: "{environment}", services: [web], wave: 4, timeout: 45m, alarms: [errors]}`,
			keys:     "",
			want:     Environment{Cluster: "a", Services: []ServiceSpec{{Name: "web", ECSName: "web"}}, Wave: 4, Timeout: 45 * time.Minute, Alarms: []string{"errors"}},
		},
		{
			name:     "a scalar or a list replaces",
			defaults: "{" + place + ", services: [web], wave: 4, timeout: 45m, alarms: [errors], container: [app]}",
			keys:     "{cluster: other, services: [api], wave: 2, timeout: 1h30m, alarms: [slow], container: sidecar}",
			want:     Environment{Cluster: "other", Services: []ServiceSpec{{Name: "api", ECSName: "api", Containers: []string{"sidecar"}}}, Wave: 2, Timeout: 90 * time.Minute, Alarms: []string{"slow"}},
		},
		{
			name:     "an empty string or list says none",
			defaults: "{" + place + `, service: web, role-arn: "arn:aws:iam::111122223333:role/deploy", alarms: [errors]}`,
			keys:     `{role-arn: "", alarms: []}`,
			want:     Environment{Services: []ServiceSpec{{Name: "web", ECSName: "web"}}},
		},
		{
			name:     "a key without a value says nothing",
			defaults: "{" + place + ", service: web, wave: 3, alarms: [errors]}",
			keys:     "{cluster: , service: , wave: , alarms: ~, labels: , vars: }",
			want:     Environment{Services: []ServiceSpec{{Name: "web", ECSName: "web"}}, Wave: 3, Alarms: []string{"errors"}},
		},
		{
			name:     "a mapping merges by key and null removes",
			defaults: "{" + place + ", service: web, labels: {ring: late, team: core, old: yes}}",
			keys:     "{labels: {ring: early, old: null, size: 3}}",
			want:     Environment{Services: []ServiceSpec{{Name: "web", ECSName: "web"}}, Labels: map[string]string{"ring": "early", "team": "core", "size": "3"}},
		},
		{
			name:     "services merge by key down to their own keys",
			defaults: "{" + place + ", services: {rails: {service: r, container: app, codedeploy: {application: shop, deployment-group: all}}, nginx: {service: n}}}",
			keys:     "{services: {rails: {desired-count: 200%, codedeploy: {deployment-group: green}}, nginx: null, cron: {container: [job, log]}}}",
			want: Environment{Services: []ServiceSpec{
				{Name: "rails", ECSName: "r", Containers: []string{"app"}, DesiredCount: "200%", CodeDeploy: CodeDeploy{Application: "shop", DeploymentGroup: "green"}},
				{Name: "cron", ECSName: "cron", Containers: []string{"job", "log"}},
			}},
		},
		{
			name:     "a list of services replaces a mapping",
			defaults: "{" + place + ", services: {rails: {service: r}}}",
			keys:     "{services: [web, api]}",
			want:     Environment{Services: []ServiceSpec{{Name: "web", ECSName: "web"}, {Name: "api", ECSName: "api"}}},
		},
		{
			name:     "a mapping of services merges with a list",
			defaults: "{" + place + `, services: ["{environment}-web", api]}`,
			keys:     "{services: {a-web: {desired-count: +4}, api: null}}",
			want:     Environment{Services: []ServiceSpec{{Name: "a-web", ECSName: "a-web", DesiredCount: "+4"}}},
		},
		{
			name:     "services replace the default service and service the default services",
			defaults: "{" + place + ", service: web}",
			keys:     "{services: {api: {}}}",
			want:     Environment{Services: []ServiceSpec{{Name: "api", ECSName: "api"}}},
		},
		{
			name:     "service replaces the default services",
			defaults: "{" + place + ", services: {rails: {}}}",
			keys:     "{service: web}",
			want:     Environment{Services: []ServiceSpec{{Name: "web", ECSName: "web"}}},
		},
		{
			name:     "the container of a service beats that of its environment",
			defaults: "{" + place + ", container: app}",
			keys:     "{services: {rails: {container: web}, cron: {}}}",
			want: Environment{Services: []ServiceSpec{
				{Name: "rails", ECSName: "rails", Containers: []string{"web"}}, {Name: "cron", ECSName: "cron", Containers: []string{"app"}},
			}},
		},
		{
			name:     "the task definition that exists in this version",
			defaults: "{" + place + "}",
			keys:     "{services: {rails: {task-definition: current, image: 111122223333.dkr.ecr.eu-west-1.amazonaws.com/rails, desired-count: -2}}}",
			want: Environment{Services: []ServiceSpec{
				{Name: "rails", ECSName: "rails", Image: "111122223333.dkr.ecr.eu-west-1.amazonaws.com/rails", DesiredCount: "-2"},
			}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.want
			want.Name, want.Region, want.Wave = "a", "eu-west-1", max(want.Wave, 1)
			if want.Cluster == "" {
				want.Cluster = "main"
			}
			if diff := cmp.Diff(want, parseOne(t, tt.defaults, tt.keys), withoutPlaces); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestInputsSpeakWhereTheFileDoesNot(t *testing.T) {
	base := Base{Region: "eu-west-1", Account: "111122223333", RoleARN: "arn:aws:iam::{account}:role/deploy", ExternalID: "{environment}-id", Cluster: "from-input"}
	src := "version: 1\ndefaults: {cluster: from-defaults, service: web}\nenvironments:\n  a: {}\n  b: {region: us-gov-west-1, account: 444455556666, cluster: own, external-id: own-id}\n"
	want := []Environment{
		{Name: "a", Account: "111122223333", Region: "eu-west-1", RoleARN: "arn:aws:iam::111122223333:role/deploy", ExternalID: "a-id", Cluster: "from-defaults"},
		{Name: "b", Account: "444455556666", Region: "us-gov-west-1", RoleARN: "arn:aws:iam::444455556666:role/deploy", ExternalID: "own-id", Cluster: "own"},
	}
	for i := range want {
		want[i].Wave, want[i].Services = 1, []ServiceSpec{{Name: "web", ECSName: "web"}}
	}
	got, ms := Parse([]byte(src), "f", base)
	if diff := cmp.Diff(want, got.Environments, withoutPlaces); diff != "" || len(ms) > 0 {
		t.Errorf("-want +got:\n%s\nmistakes:\n%s", diff, messages(ms))
	}
}

func TestAMistakeInAnInputIsReportedOnceForAllEnvironments(t *testing.T) {
	_, ms := Parse([]byte("version: 1\nenvironments: {a: {cluster: x, service: x}, b: {cluster: y, service: y}}"), "f", Base{Region: "tokyo"})
	want := "input region: region is \"tokyo\"; write a Region such as ap-northeast-1\n"
	if diff := cmp.Diff(want, messages(ms)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestPolicyIsKeptAsTextForWhoeverKnowsTheInputs(t *testing.T) {
	src := `version: 1
policy:
  max-failures: 10%
  verify: true
  max-tasks: 0200
  timeout: ~
  alarms: [errors, "slow, very"]
environments: {a: {region: eu-west-1, cluster: x, service: x}}
`
	want := []Setting{
		{Name: "max-failures", Value: "10%", At: Position{"f", 3, 3}},
		{Name: "verify", Value: "true", At: Position{"f", 4, 3}},
		{Name: "max-tasks", Value: "0200", At: Position{"f", 5, 3}},
		{Name: "timeout", Value: "", At: Position{"f", 6, 3}},
		{Name: "alarms", Value: "errors\nslow, very", At: Position{"f", 7, 3}},
	}
	got, ms := Parse([]byte(src), "f", Base{})
	if diff := cmp.Diff(want, got.Policy); diff != "" || len(ms) > 0 {
		t.Errorf("-want +got:\n%s\nmistakes:\n%s", diff, messages(ms))
	}
}

// Files that mistakes.yml cannot be: a file has one beginning and one kind.
func TestParseRefusesAFileThatIsNone(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"an empty file", "", "f: the fleet file is empty; write version: 1 and environments:\n"},
		{"comments only", "# nothing\n", "f: the fleet file is empty; write version: 1 and environments:\n"},
		{"a list", "- name: a\n", "f:1:1: the fleet file is a list; write a mapping of version, defaults, environments or policy\n"},
		{"no version and no environments", "policy: {verify: true}", "f:1:1: version is missing; write version: 1 first\n" +
			"f:1:1: environments is missing; write environments: and under it a line for each: NAME: {cluster: NAME}\n"},
		{"no environment", "version: 1\nenvironments:\n", "f:2:1: environments is empty; write a line for each: NAME: {cluster: NAME}\n"},
		{"environments in the inline form", "version: 1\nenvironments:\n- {name: a}\n", "f:3:1: environments is a list; write a mapping in the file: NAME: {cluster: NAME}\n"},
		{"a version in quotes", "version: \"1\"\nenvironments: {a: {region: eu-west-1, cluster: x, service: x}}", "f:1:10: version is a string; write version: 1, without quotes\n"},
		{"a key written twice", "version: 1\nversion: 1\nenvironments: {a: {region: eu-west-1, cluster: x, service: x}}", "f:2:1: \"version\" is written twice, first in line 1; keep one, or rename the other\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, ms := Parse([]byte(tt.src), "f", Base{})
			if diff := cmp.Diff(tt.want, messages(ms)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestTheSameServiceInAnotherPlaceIsAnotherService(t *testing.T) {
	src := `version: 1
defaults: {region: eu-west-1, cluster: main, service: web, account: "111122223333"}
environments:
  a: {}
  b: {region: us-east-1}
  c: {cluster: other}
  d: {account: "444455556666"}
  e: {service: api}
`
	if _, ms := Parse([]byte(src), "f", Base{}); len(ms) > 0 {
		t.Errorf("mistakes:\n%s", messages(ms))
	}
}
