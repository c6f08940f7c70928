package fleet

import (
	"fmt"
	"strings"
	"testing"
)

func TestAMistakeReadsAsOneLine(t *testing.T) {
	m := Mistake{At: Position{Text: ".github/ecs-fleet.yml", Line: 14, Column: 5}, Problem: "wave is \"0\"", Instead: "write a whole number from 1 on"}
	if got, want := m.Error(), `.github/ecs-fleet.yml:14:5: wave is "0"; write a whole number from 1 on`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	m.At = Position{Text: "input environments"}
	if got, want := m.Error(), `input environments: wave is "0"; write a whole number from 1 on`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNearestFindsWhatWasProbablyMeant(t *testing.T) {
	known := []string{"region", "role-arn", "cluster", "service", "services", "tenant-a", "tenant-b"}
	tests := []struct{ name, want string }{
		{"regoin", "region"},
		{"Region", "region"},
		{"clusters", "cluster"},
		{"role_arn", "role-arn"},
		{"servics", "service"},
		{"servicees", "services"},
		{"tenant-c", "tenant-a"}, // two are as near: the first
		{"account", ""},
		{"x", ""},
		{"", ""},
		{strings.Repeat("region", 100), ""},
	}
	for _, tt := range tests {
		if got := nearest(tt.name, known); got != tt.want {
			t.Errorf("nearest(%.20q) = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestQuotesStayOnOneLineAndShort(t *testing.T) {
	for text, want := range map[string]string{
		"a\nb\x1b[31m":           `"a\nb\x1b[31m"`,
		strings.Repeat("é", 100): `"` + strings.Repeat("é", 40) + `…"`,
		strings.Repeat("x", 80):  `"` + strings.Repeat("x", 80) + `"`,
	} {
		if got := quote(text); got != want {
			t.Errorf("quote(%q) = %s", text, got)
		}
	}
}

func ExampleParse() {
	file, mistakes := Parse([]byte(`version: 1
defaults: {region: eu-west-1, services: {rails: {service: "{environment}-rails"}}}
environments:
  staging: {cluster: staging}
  prod:    {clustr: prod}
`), ".github/ecs-fleet.yml", Base{})
	for _, m := range mistakes {
		fmt.Println(m.Error())
	}
	fmt.Println(file.Environments[0].Services[0].ECSName)
	// Output:
	// .github/ecs-fleet.yml:5:3: environment "prod" has no cluster; write cluster: NAME there or under defaults, or give the input cluster
	// .github/ecs-fleet.yml:5:13: unknown key "clustr" in environment "prod"; write cluster
	// staging-rails
}

func ExampleSelect() {
	fleet := []Environment{{Name: "production", Wave: 2}, {Name: "tenant-a", Wave: 3}, {Name: "tenant-b", Wave: 3}}
	selected, _ := Select(fleet, "tenant-*, !tenant-b")
	fmt.Println(selected[0].Name)
	_, mistakes := Select(fleet, "prodution")
	fmt.Println(mistakes[0].Error())
	// Output:
	// tenant-a
	// input environments:1:1: the selector "prodution" matches no environment; write production
}
