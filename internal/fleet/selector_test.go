package fleet

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// company is a fleet to select from.
func company() []Environment {
	services := func(names ...string) (specs []ServiceSpec) {
		for _, n := range names {
			specs = append(specs, ServiceSpec{Name: n, ECSName: "ecs-" + n})
		}
		return specs
	}
	return []Environment{
		{Name: "staging", Account: "111122223333", Region: "eu-west-1", Wave: 1, Services: services("rails", "nginx")},
		{Name: "production", Account: "444455556666", Region: "eu-west-1", Wave: 2, Services: services("rails", "nextjs", "nginx")},
		{Name: "tenant-a", Account: "444455556666", Region: "us-east-1", Wave: 3, Services: services("rails"), Labels: map[string]string{"ring": "early", "path": "a/b"}},
		{Name: "tenant-b", Region: "us-east-1", Wave: 3, Services: services("nextjs"), Labels: map[string]string{"ring": "late"}},
	}
}

func names(envs []Environment) string {
	var all []string
	for _, e := range envs {
		all = append(all, e.Name)
	}
	return strings.Join(all, " ")
}

func TestSelectPicksEnvironmentsInTheOrderOfTheFile(t *testing.T) {
	const everything = "staging production tenant-a tenant-b"
	tests := []struct{ name, selectors, want string }{
		{"a name", "production", "production"},
		{"names unite in the order of the file", "tenant-b, staging", "staging tenant-b"},
		{"line breaks separate, blanks and empty entries do not count", "\n tenant-b ,,\r\n\tstaging\r\n", "staging tenant-b"},
		{"a star is everything", "*", everything},
		{"a star matches part of a name", "tenant-*", "tenant-a tenant-b"},
		{"a question mark is one letter", "tenant-?", "tenant-a tenant-b"},
		{"a class is one of its letters", "tenant-[b-z]", "tenant-b"},
		{"a backslash takes the meaning of a sign", `tenant\-a`, "tenant-a"},
		{"a Region", "region=us-east-1", "tenant-a tenant-b"},
		{"a glob for a Region", "region=eu-*", "staging production"},
		{"an account", "account=444455556666", "production tenant-a"},
		{"no account is none, even for a star", "account=*", "staging production tenant-a"},
		{"a wave", "wave=3", "tenant-a tenant-b"},
		{"a label", "ring=early", "tenant-a"},
		{"a glob for a label", "ring=*", "tenant-a tenant-b"},
		{"a slash in a label is a letter", "path=a*", "tenant-a"},
		{"blanks around the sign", "ring = early", "tenant-a"},
		{"subtraction after", "*,!production", "staging tenant-a tenant-b"},
		{"subtraction in front does not depend on the place", "!production,*", "staging tenant-a tenant-b"},
		{"subtraction alone subtracts from all", "!tenant-*", "staging production"},
		{"subtraction by a label", "* , ! ring=late", "staging production tenant-a"},
		{"subtraction of what is not added", "staging,!tenant-a", "staging"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ms := Select(company(), tt.selectors)
			if diff := cmp.Diff(tt.want, names(got)); diff != "" || len(ms) > 0 {
				t.Errorf("-want +got:\n%s\nmistakes:\n%s", diff, messages(ms))
			}
		})
	}
}

func TestSelectReportsSelectorsThatMatchNothing(t *testing.T) {
	const empty = "input environments: environments is empty: it never means the whole fleet; write names, globs such as tenant-*, key=value, or * for every environment\n"
	const fleet = "; write staging, production, tenant-a or tenant-b\n"
	tests := []struct{ name, selectors, want string }{
		{"nothing", "", empty},
		{"blanks and commas", " ,\n, ", empty},
		{"a mistyped name gets the nearest", "prodution", "input environments:1:1: the selector \"prodution\" matches no environment; write production\n"},
		{"another case", "STAGING", "input environments:1:1: the selector \"STAGING\" matches no environment; write staging\n"},
		{"a strange name gets all", "zzz", "input environments:1:1: the selector \"zzz\" matches no environment" + fleet},
		{"a glob", "customer-*", "input environments:1:1: the selector \"customer-*\" matches no environment" + fleet},
		{"a subtraction", "*,!tenant-c", "input environments:1:3: the selector \"tenant-c\" matches no environment; write tenant-a\n"},
		{"a lone !", "staging,!", "input environments:1:9: the selector \"\" matches no environment" + fleet},
		{"a value", "ring=erly", "input environments:1:1: the selector \"ring=erly\" matches no environment; write early\n"},
		{"an empty value", "ring=", "input environments:1:1: the selector \"ring=\" matches no environment; write early or late\n"},
		{"a key", "regoin=eu-west-1", "input environments:1:1: the selector \"regoin=eu-west-1\" selects by \"regoin\", which no environment has; write region\n"},
		{"an open class", "tenant-[a", "input environments:1:1: the selector \"tenant-[a\" is not a complete glob; close the [, or write \\[ for the sign itself\n"},
		{"all of them, with their places", "stagin, é ,x\n  tenant-z", "input environments:1:1: the selector \"stagin\" matches no environment; write staging\n" +
			"input environments:1:9: the selector \"é\" matches no environment" + fleet +
			"input environments:1:12: the selector \"x\" matches no environment" + fleet +
			"input environments:2:3: the selector \"tenant-z\" matches no environment; write tenant-a\n"},
		{"nothing is left", "staging,!staging", "input environments: nothing is selected: the selectors with ! subtract everything; subtract less\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, ms := Select(company(), tt.selectors)
			if diff := cmp.Diff(tt.want, messages(ms)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestSelectServicesKeepsMatchingServices(t *testing.T) {
	tests := []struct{ name, patterns, want string }{
		{"nothing keeps all", " ", "staging/rails staging/nginx production/rails production/nextjs production/nginx tenant-a/rails tenant-b/nextjs"},
		{"a star keeps all", "*", "staging/rails staging/nginx production/rails production/nextjs production/nginx tenant-a/rails tenant-b/nextjs"},
		{"environments without the service are dropped", "nextjs", "production/nextjs tenant-b/nextjs"},
		{"names unite in the order of the file", "nginx\nrails", "staging/rails staging/nginx production/rails production/nginx tenant-a/rails"},
		{"a glob", "n*", "staging/nginx production/nextjs production/nginx tenant-b/nextjs"},
		{"subtraction", "!n*", "staging/rails production/rails tenant-a/rails"},
		{"subtraction whatever its place", "!nginx,n*", "production/nextjs tenant-b/nextjs"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			envs := company()
			got, ms := SelectServices(envs, tt.patterns)
			var refs []string
			for _, e := range got {
				for _, s := range e.Services {
					refs = append(refs, ServiceRef{e.Name, s.Name}.String())
				}
			}
			if diff := cmp.Diff(tt.want, strings.Join(refs, " ")); diff != "" || len(ms) > 0 {
				t.Errorf("-want +got:\n%s\nmistakes:\n%s", diff, messages(ms))
			}
			if diff := cmp.Diff(company(), envs); diff != "" {
				t.Errorf("the environments given have changed:\n%s", diff)
			}
		})
	}
}

func TestSelectServicesReportsPatternsThatMatchNothingAnywhere(t *testing.T) {
	tests := []struct{ name, patterns, want string }{
		{"a mistyped name gets the nearest", "rials", "input services:1:1: the pattern \"rials\" matches no service of the selected environments; write rails\n"},
		{"a strange name gets all", "rails,worker", "input services:1:7: the pattern \"worker\" matches no service of the selected environments; write nextjs, nginx or rails\n"},
		{"an ECS name is not a short name", "ecs-rails", "input services:1:1: the pattern \"ecs-rails\" matches no service of the selected environments; write nextjs, nginx or rails\n"},
		{"an open class", "[a", "input services:1:1: the pattern \"[a\" is not a complete glob; close the [, or write \\[ for the sign itself\n"},
		{"a subtraction", "!x", "input services:1:1: the pattern \"x\" matches no service of the selected environments; write nextjs, nginx or rails\n"},
		{"nothing is left", "!*", "input services: nothing is selected: the patterns with ! subtract everything; subtract less\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, ms := SelectServices(company(), tt.patterns)
			if diff := cmp.Diff(tt.want, messages(ms)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Whatever is selected, its names written as selectors select it again.
func FuzzSelect(f *testing.F) {
	for _, s := range []string{"", "*", "!tenant-*", "tenant-?,!wave=3", "ring=[a-z]*\n,x", `\`, "[", "!", "=", "a=b=c", "é,\r\n!"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, selectors string) {
		selected, ms := Select(company(), selectors)
		for _, m := range ms {
			if strings.ContainsAny(m.Error(), "\r\n") {
				t.Errorf("message of several lines: %q", m.Error())
			}
		}
		if len(ms) > 0 {
			return
		}
		if len(selected) == 0 {
			t.Fatalf("%q selects nothing, and that is no mistake", selectors)
		}
		again, ms := Select(company(), strings.ReplaceAll(names(selected), " ", ","))
		if diff := cmp.Diff(selected, again); diff != "" || len(ms) > 0 {
			t.Errorf("-first +again:\n%s\nmistakes:\n%s", diff, messages(ms))
		}
		if !slices.IsSortedFunc(selected, func(a, b Environment) int {
			return slices.IndexFunc(company(), func(e Environment) bool { return e.Name == a.Name }) -
				slices.IndexFunc(company(), func(e Environment) bool { return e.Name == b.Name })
		}) {
			t.Errorf("%q: not in the order of the file: %s", selectors, names(selected))
		}
	})
}
