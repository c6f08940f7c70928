package action

import (
	"flag"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite action.yml from the tables")

func TestActionYAMLFileComesFromTheTables(t *testing.T) {
	const path = "../../action.yml"
	if *update {
		if err := os.WriteFile(path, []byte(ActionYAML()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ActionYAML(), string(file)); diff != "" {
		t.Errorf("action.yml differs from the tables; run go test ./internal/action -update (-tables +file):\n%s", diff)
	}
}

// metadata is action.yml as GitHub reads it.
type metadata struct {
	Name, Description, Author string
	Branding                  struct{ Icon, Color string }
	Inputs                    map[string]struct {
		Description string
		Required    bool
		Default     *string
	}
	Outputs map[string]struct{ Description string }
	Runs    struct{ Using, Image string }
}

func parseMetadata(t *testing.T) metadata {
	t.Helper()
	var m metadata
	if err := yaml.UnmarshalWithOptions([]byte(ActionYAML()), &m, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestActionYAMLHasEveryInputAndOutput(t *testing.T) {
	m := parseMetadata(t)
	if n := utf8.RuneCountInString(m.Description); n > 125 {
		t.Errorf("the Marketplace takes descriptions of 125 characters, this one has %d", n)
	}
	if m.Runs.Using != "docker" || m.Runs.Image != "Dockerfile" {
		t.Errorf("runs: %+v", m.Runs)
	}
	if len(m.Inputs) != len(Table()) || len(m.Outputs) != len(outputTable()) {
		t.Errorf("%d inputs and %d outputs, want %d and %d", len(m.Inputs), len(m.Outputs), len(Table()), len(outputTable()))
	}
	for _, in := range Table() {
		got := m.Inputs[in.Name]
		if !strings.HasPrefix(got.Description, in.Description) || got.Required != in.Required {
			t.Errorf("input %s: %+v", in.Name, got)
		}
	}
}

// The runner fills in defaults, and an input that is given wins over the fleet
// file: a default here would make the policy ineffective.
func TestPolicyInputsHaveNoDefaultInActionYAML(t *testing.T) {
	m := parseMetadata(t)
	for _, in := range Table() {
		got := m.Inputs[in.Name].Default
		switch {
		case in.Policy && got != nil:
			t.Errorf("input %s: default %q would win over policy", in.Name, *got)
		case !in.Policy && in.Default != "" && (got == nil || *got != in.Default):
			t.Errorf("input %s: default %v, want %q", in.Name, got, in.Default)
		}
	}
}

func TestTheTableDescribesItselfFully(t *testing.T) {
	seen := map[string]bool{}
	for _, in := range Table() {
		if seen[in.Name] {
			t.Errorf("input %s: twice in the table", in.Name)
		}
		seen[in.Name] = true
		if in.Description == "" || !strings.HasSuffix(in.Description, ".") {
			t.Errorf("input %s: description %q is no sentence", in.Name, in.Description)
		}
		if (in.Kind == Choice) != (len(in.Choices) > 0) {
			t.Errorf("input %s: kind %s with choices %q", in.Name, in.Kind, in.Choices)
		}
		if in.Default != "" && in.Unset != "" {
			t.Errorf("input %s: both a default and words for having none", in.Name)
		}
	}
}

func TestMarkdownHasARowForEachInput(t *testing.T) {
	table, _, _ := strings.Cut(Markdown(), "\n\n")
	rows := strings.Split(table, "\n")
	if len(rows) != len(Table())+2 {
		t.Errorf("%d rows, want %d and two of head", len(rows), len(Table()))
	}
	for _, row := range rows {
		if cells := strings.Count(strings.ReplaceAll(row, `\|`, ""), "|"); cells != 5 {
			t.Errorf("row with %d bars instead of 5: %s", cells, row)
		}
	}
	for _, want := range []string{
		"| `environments` | text | **required** | ",
		"| `on-in-progress` ¹ | `wait`, `stop`, `skip`, `fail` | `wait` | ",
		"| `timeout` ¹ | duration | 30m plus the bake and shift times that the strategy declares | How long each service",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
}
