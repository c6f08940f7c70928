package fleet

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheTextIsReadHoweverItIsWritten(t *testing.T) {
	want := []Environment{{Name: "a", Account: "111122223333", Region: "eu-west-1", Cluster: "main", Wave: 1,
		Services: []ServiceSpec{{Name: "web", ECSName: "web"}}}}
	tests := []struct{ name, src string }{
		{"blocks", "version: 1\nenvironments:\n  a:\n    account: 111122223333\n    region: eu-west-1\n    cluster: main\n    service: web\n"},
		{"brackets", `{version: 1, environments: {a: {account: "111122223333", region: eu-west-1, cluster: main, service: web}}}`},
		{"JSON", `{"version": 1, "environments": {"a": {"account": 111122223333, "region": "eu-west-1", "cluster": "main", "service": "web"}}}`},
		{"an editor on Windows", "\ufeffversion: 1\r\nenvironments:\r\n  a: {account: '111122223333', region: eu-west-1, cluster: main, service: web}\r\n"},
		{"a document header", "---\nversion: 1\nenvironments: {a: {account: 111122223333, region: eu-west-1, cluster: main, service: web}}\n...\n"},
		{"a tag for a string", "version: 1\nenvironments: {a: {account: !!str 111122223333, region: eu-west-1, cluster: main, service: web}}\n"},
		{"question marks", "? version\n: 1\n? environments\n: a: {account: 111122223333, region: eu-west-1, cluster: main, service: web}\n"},
		{"an alias", "version: 1\nenvironments: {a: {account: 111122223333, region: eu-west-1, cluster: &c main, service: web, labels: {x: null}}}\npolicy: {note: *c}\n"},
		{"a merge key", "version: 1\ndefaults: &d {region: us-east-1, cluster: main}\nenvironments:\n  a:\n    <<: *d\n    account: 111122223333\n    region: eu-west-1\n    service: web\n"},
		{"merge keys of which the first wins", "version: 1\ndefaults: {vars: {x: y}}\nenvironments:\n  a:\n    <<: [{cluster: main, service: web}, {cluster: other}]\n    account: 111122223333\n    region: eu-west-1\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ms := Parse([]byte(tt.src), "f", Base{})
			if diff := cmp.Diff(want, got.Environments, withoutPlaces); diff != "" || len(ms) > 0 {
				t.Errorf("-want +got:\n%s\nmistakes:\n%s", diff, messages(ms))
			}
		})
	}
}

func TestYAMLThatIsNoneSaysWhereAndWhy(t *testing.T) {
	const one = "version: 1\nenvironments: {a: {region: eu-west-1, cluster: x, service: x}}\n"
	tests := []struct{ name, src, want string }{
		{"an open bracket", "version: 1\nenvironments: {a: {\n", "f:2:19: this is not YAML: could not find flow mapping end token '}'; correct the indentation, brackets or quotes there\n"},
		{"a wrong indentation", "version: 1\n  environments: {}\n", "f:1:10: this is not YAML: mapping value is not allowed in this context; correct the indentation, brackets or quotes there\n"},
		{"a placeholder without quotes", "version: 1\ndefaults:\n  cluster: {environment}-main\n",
			"f:3:25: this is not YAML: value is not allowed in this context; write a value that begins with a placeholder in quotes: \"{environment}-main\"\n"},
		{"a second document", one + "---\nversion: 1\n", "f:4:8: a second YAML document begins; write one document, without ---\n"},
		{"an anchor that holds itself", "version: 1\nenvironments: {a: &a {region: eu-west-1, cluster: x, service: x, labels: *a}}\n",
			"f:2:74: no anchor \"&a\" stands above this alias; define it first, or write the value out\n"},
		{"a merge of a list in a list", "version: 1\nenvironments: {a: {<<: [[{x: y}]], region: eu-west-1, cluster: x, service: x}}\n",
			"f:2:25: a merge key is given a list in a list; write << with an alias of a mapping\n"},
		{"an alias for a key", "version: 1\nenvironments:\n  a: {region: eu-west-1, cluster: x, service: x}\npolicy:\n  *b : 1\n",
			"f:5:3: a key is not a plain word; write KEY: VALUE\n"},
		{"a merge of a word", "version: 1\nenvironments: {a: {<<: b, region: eu-west-1, cluster: x, service: x}}\n",
			"f:2:24: a merge key is given a string; write << with an alias of a mapping\n"},
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

// Each of these texts would keep a runner busy for minutes, or take all of its
// memory, if it was read to its end.
func TestAHostileTextEndsInAMistake(t *testing.T) {
	laughs := func(n int) string {
		var b strings.Builder
		b.WriteString("- {name: a, region: eu-west-1, cluster: x, service: x, labels: {x: &l0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]}}\n")
		for i := range n {
			fmt.Fprintf(&b, "- &l%d [%s]\n", i+1, strings.Repeat(fmt.Sprintf("*l%d, ", i), 10))
		}
		return b.String()
	}
	var crowd strings.Builder // every environment has every service of its anchor
	crowd.WriteString("- {name: first, region: eu-west-1, cluster: first, services: &s [s0")
	for i := range 2000 {
		fmt.Fprintf(&crowd, ", s%d", i+1)
	}
	crowd.WriteString("]}\n")
	for i := range 2000 {
		fmt.Fprintf(&crowd, "- {name: e%d, region: eu-west-1, cluster: e%d, services: *s}\n", i, i)
	}
	var keys strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&keys, "k%d: , ", i)
	}
	tests := []struct{ name, src, want string }{
		{"a billion laughs", laughs(9), `label`},
		{"many services in many environments", crowd.String(), "more than 500000 values"},
		{"merge keys of a large mapping", "- &m {" + keys.String() + "}\n" + strings.Repeat("- {<<: *m}\n", 2000), "merge keys copy more than 500000 values"},
		{"nothing but mistakes", strings.Repeat("- x\n", 2000), "input environments: there are more than 1000 mistakes; correct the first ones\n"},
		{"too long a text", "- " + strings.Repeat("x", maxBytes), "write at most 1048576"},
		{"too many words", strings.Repeat("- {a: b, c: d}\n", 40_000), "more than 200000 words and signs"},
		{"too many keys", "version: 1\n" + strings.Repeat("k: v\n", 60_000), "a mapping has more than 10000 keys"},
		{"too many documents", strings.Repeat("--- a\n", 60_000), "a second YAML document begins"},
		{"nested brackets", "- " + strings.Repeat("[", 100_000), "nest more than 50 deep"},
		{"nested dashes", strings.Repeat("- ", 100_000), "nest more than 50 deep"},
		{"nested question marks", "- " + strings.Repeat("? ", 100_000), "nest more than 50 deep"},
		{"nested indentation", func() string {
			var b strings.Builder
			for i := range 60 {
				b.WriteString(strings.Repeat(" ", i) + "k:\n")
			}
			return b.String()
		}(), "nest more than 50 deep"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, ms := ParseInline(tt.src, Base{})
			if len(ms) > maxMistakes+1 || !strings.Contains(messages(ms), tt.want) {
				t.Errorf("%d mistakes; wanted %q", len(ms), tt.want)
			}
		})
	}
}

func TestTheLimitsLeaveRoomForALargeFleet(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: 1\ndefaults:\n  region: eu-west-1\n  role-arn: \"arn:aws:iam::{account}:role/deploy\"\n  services:\n")
	for _, s := range []string{"rails", "nextjs", "nginx", "cron"} {
		fmt.Fprintf(&b, "    %s: {service: \"{environment}-{service}\", container: app}\n", s)
	}
	b.WriteString("environments:\n")
	for i := range 3000 {
		fmt.Fprintf(&b, "  tenant-%d: {account: \"111122223333\", cluster: tenant-%d, wave: 3, labels: {ring: early, size: small}, services: {rails: {desired-count: 8}}}\n", i, i)
	}
	f, ms := Parse([]byte(b.String()), "f", Base{})
	if len(ms) > 0 || len(f.Environments) != 3000 {
		t.Errorf("%d environments, mistakes:\n%.1000s", len(f.Environments), messages(ms))
	}
}

func TestKeysOfDifferentMappingsAreNotCountedTogether(t *testing.T) {
	var list, file strings.Builder
	file.WriteString("version: 1\nenvironments:\n")
	for i := range 3000 {
		keys := fmt.Sprintf("region: eu-west-1\n    cluster: c%d\n    service: web\n    wave: 2\n", i)
		fmt.Fprintf(&list, "-   name: e%d\n    %s", i, keys)
		fmt.Fprintf(&file, "  e%d:\n    %s", i, keys)
	}
	if envs, ms := ParseInline(list.String(), Base{}); len(envs) != 3000 || len(ms) > 0 {
		t.Errorf("%d environments of the list, mistakes:\n%.1000s", len(envs), messages(ms))
	}
	if f, ms := Parse([]byte(file.String()), "f", Base{}); len(f.Environments) != 3000 || len(ms) > 0 {
		t.Errorf("%d environments of the file, mistakes:\n%.1000s", len(f.Environments), messages(ms))
	}
}

// wellFormed wants messages of one line, and no environment without its parts
// where nothing is said to be wrong.
func wellFormed(t *testing.T, envs []Environment, ms []Mistake) {
	t.Helper()
	for _, m := range ms {
		if strings.ContainsAny(m.Error(), "\r\n") || m.Problem == "" || m.Instead == "" {
			t.Errorf("not a message: %q", m.Error())
		}
	}
	if len(ms) > 0 {
		return
	}
	if len(envs) == 0 {
		t.Error("no environment, and that is no mistake")
	}
	for _, e := range envs {
		if !isName(e.Name) || e.Region == "" || e.Cluster == "" || e.Wave < 1 || len(e.Services) == 0 || e.At.Line == 0 {
			t.Errorf("an incomplete environment: %+v", e)
		}
		for _, s := range e.Services {
			if !isName(s.Name) || s.ECSName == "" {
				t.Errorf("an incomplete service: %+v", s)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"company.yml", "mistakes.yml", "inline.yml"} {
		f.Add(string(fleetFile(f, name)))
	}
	f.Add("version: 1\nenvironments: &e\n  a: {<<: *e}\n  ? [b]\n  : !!str {c: |\n    d}\n")
	f.Fuzz(func(t *testing.T, src string) {
		file, ms := Parse([]byte(src), "f", Base{Region: "eu-west-1", Account: "111122223333", Cluster: "{environment}"})
		wellFormed(t, file.Environments, ms)
	})
}

func FuzzParseInline(f *testing.F) {
	f.Add(string(fleetFile(f, "inline.yml")))
	f.Add(`[{"name": "a", "service": "{v}", "vars": {"v": "{service}", "w": "{v}{v}"}, "labels": {"x": null}}]`)
	f.Add("- &a {name: a, services: [x, *b]}\n- *a\n- name: c\n  services:\n    <<: [*a, {x: {}}]\n")
	f.Fuzz(func(t *testing.T, src string) {
		envs, ms := ParseInline(src, Base{Region: "eu-west-1", Cluster: "{environment}"})
		wellFormed(t, envs, ms)
	})
}
