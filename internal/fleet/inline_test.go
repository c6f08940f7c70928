package fleet

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseInlineReadsTheExampleInBothStyles(t *testing.T) {
	at := func(line, column int) Position {
		return Position{Text: "input environments", Line: line, Column: column}
	}
	want := []Environment{
		{Name: "tenant-a", Region: "ap-northeast-1", Cluster: "tenant-a", Wave: 1, At: at(2, 4),
			Services: []ServiceSpec{{Name: "tenant-a-rails", ECSName: "tenant-a-rails", Containers: []string{"app"}, At: at(2, 72)}}},
		{Name: "tenant-b", Region: "us-east-1", Cluster: "tenant-b", Wave: 1, At: at(3, 4),
			Services: []ServiceSpec{{Name: "tenant-b-rails", ECSName: "tenant-b-rails", At: at(3, 69)}, {Name: "tenant-b-nginx", ECSName: "tenant-b-nginx", At: at(3, 85)}}},
		{Name: "tenant-c", Account: "444455556666", Region: "us-east-1", Cluster: "tenant-c", Wave: 1, At: at(4, 4),
			Services: []ServiceSpec{{Name: "rails", ECSName: "tenant-c-rails", Containers: []string{"app"}, At: at(4, 94)}}},
	}
	got, ms := ParseInline(string(fleetFile(t, "inline.yml")), Base{})
	if diff := cmp.Diff(want, got); diff != "" || len(ms) > 0 {
		t.Errorf("YAML: -want +got:\n%s\nmistakes:\n%s", diff, messages(ms))
	}

	const json = `[{"name": "tenant-a", "region": "ap-northeast-1", "cluster": "tenant-a", "service": "tenant-a-rails", "container": "app"},
{"name":"tenant-b","region":"us-east-1","cluster":"tenant-b","services":["tenant-b-rails","tenant-b-nginx"]},
{"name":"tenant-c","account":"444455556666","region":"us-east-1","cluster":"tenant-c","services":{"rails":{"service":"tenant-c-rails","container":"app"}}}]`
	got, ms = ParseInline(json, Base{})
	if diff := cmp.Diff(want, got, withoutPlaces); diff != "" || len(ms) > 0 {
		t.Errorf("JSON: -want +got:\n%s\nmistakes:\n%s", diff, messages(ms))
	}
}

func TestInputsSpeakWhereAnInlineEnvironmentDoesNot(t *testing.T) {
	base := Base{Region: "eu-west-1", Account: "111122223333", RoleARN: "arn:aws:iam::{account}:role/{team}", Cluster: "{environment}"}
	got, ms := ParseInline("- name: a\n  service: web\n  vars: {team: core}\n  wave: 2\n", base)
	want := []Environment{{Name: "a", Account: "111122223333", Region: "eu-west-1", RoleARN: "arn:aws:iam::111122223333:role/core",
		Cluster: "a", Wave: 2, Services: []ServiceSpec{{Name: "web", ECSName: "web"}}}}
	if diff := cmp.Diff(want, got, withoutPlaces); diff != "" || len(ms) > 0 {
		t.Errorf("-want +got:\n%s\nmistakes:\n%s", diff, messages(ms))
	}
}

func TestParseInlineListsEveryMistakeWithItsPlace(t *testing.T) {
	const missing = "; write - {name: NAME, cluster: NAME, service: NAME} for each environment\n"
	const place = "region: eu-west-1, cluster: x, service: x"
	tests := []struct{ name, src, want string }{
		{"an empty list", "[]", "input environments: environments is empty: it never means the whole fleet" + missing},
		{"a comment", "# - a\n", "input environments: environments is empty: it never means the whole fleet" + missing},
		{"a mapping", "name: a", "input environments:1:1: the inline list is a mapping; begin each environment with a dash: - {name: NAME, …}\n"},
		{"names alone", "- a\n- b\n", "input environments:1:3: an environment of the inline list is a string; write {name: NAME, cluster: NAME, …}\n" +
			"input environments:2:3: an environment of the inline list is a string; write {name: NAME, cluster: NAME, …}\n"},
		{"no name", "- {" + place + "}", "input environments:1:4: an environment has no name; write name: NAME first\n"},
		{"a name that is none", "- {name: \"a b\", " + place + "}", "input environments:1:10: the environment \"a b\" is not a name; write letters, digits, -, _ and . only\n"},
		{"a number for a name", "- {name: 7, " + place + "}", "input environments:1:10: name is a number (\"7\"); write it in quotes: \"7\"\n"},
		{"a misspelt name", "- {nmae: a, " + place + "}", "input environments:1:4: an environment has no name; write name: NAME first\n" +
			"input environments:1:4: unknown key \"nmae\" in an environment; write name\n"},
		{"the same name again", "- {name: a, " + place + "}\n- {name: a, region: eu-west-1, cluster: y, service: x}",
			"input environments:2:4: the environment \"a\" is written twice, first in line 1; keep one, or rename the other\n"},
		{"the same service again", "- {name: a, " + place + "}\n- {name: b, " + place + "}",
			"input environments:2:4: \"a/x\" and \"b/x\" are the same ECS service x (cluster x, eu-west-1); remove one, or correct its service, cluster, region or account\n"},
		{"mistakes in two environments", "- {name: a, region: here, cluster: x, service: x}\n- {name: b, region: eu-west-1, cluster: y, services: 3, wave: -1}",
			"input environments:1:21: region is \"here\"; write a Region such as ap-northeast-1\n" +
				"input environments:2:54: services is a number (\"3\"); write services: [NAME, …] or services: {NAME: {service: ECS-NAME}}\n" +
				"input environments:2:63: wave is \"-1\"; write a whole number from 1 on\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, ms := ParseInline(tt.src, Base{})
			if diff := cmp.Diff(tt.want, messages(ms)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestIsInlineLooksAtTheFirstCharacters(t *testing.T) {
	tests := []struct {
		text string
		want bool
	}{
		{"- {name: a}", true},
		{"\n\n  - name: a", true},
		{" [{name: a}]", true},
		{"", false},
		{"*", false},
		{"tenant-*", false},
		{"-tenant", false},
		{"[ab]*", false},
		{"!production", false},
		{"ring=early\n- x", false},
	}
	for _, tt := range tests {
		if got := IsInline(tt.text); got != tt.want {
			t.Errorf("IsInline(%q) = %v", tt.text, got)
		}
	}
}

func TestAnInlineListBesideAFileSaysWhatToWrite(t *testing.T) {
	const want = "input environments: an inline list stands beside the fleet file .github/ecs-fleet.yml; write selectors, such as names that the file describes, or remove the file"
	if got := InlineBesideFile(".github/ecs-fleet.yml").Error(); got != want {
		t.Errorf("got %s", got)
	}
}
