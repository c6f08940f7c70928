package action

import (
	"strings"
	"testing"
)

func TestSummaryReplacesWhatThisProcessWroteAndNothingElse(t *testing.T) {
	for name, c := range map[string]struct{ before, want string }{
		"an empty file":              {"", "# short\n"},
		"text of an earlier command": {"earlier\n", "earlier\n# short\n"},
		"text without a line break":  {"earlier", "earlier\n# short\n"},
	} {
		t.Run(name, func(t *testing.T) {
			a, _, path := fileAction(t, "", c.before)
			for _, markdown := range []string{"# a longer one, from the middle of the run\n", "# short\n"} {
				if err := a.Summary(markdown); err != nil {
					t.Fatal(err)
				}
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			if got := fileText(t, path); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestSummaryThatGitHubWouldNotShowIsRefusedAndTheEarlierOneStays(t *testing.T) {
	a, _, path := fileAction(t, "", "12345")
	if err := a.Summary(strings.Repeat("x", SummaryLimit-6)); err != nil {
		t.Fatal(err)
	}
	err := a.Summary(strings.Repeat("y", SummaryLimit-5))
	if err == nil || !strings.Contains(err.Error(), "1048577 bytes are more than the 1048576") {
		t.Errorf("error %v", err)
	}
	if got := fileText(t, path); len(got) != SummaryLimit || strings.Contains(got, "y") {
		t.Errorf("%d bytes", len(got))
	}
}

func TestSummaryWithoutAFileIsPrintedOnceAtTheEnd(t *testing.T) {
	for name, c := range map[string]struct {
		getenv func(string) string
		want   string
	}{
		"on a laptop as it is":   {onLaptop, "[e] text\n# last\n\n- `a`  b\n"},
		"on GitHub as log lines": {onGitHub, "[e] text\n::group::job summary\n| # last\n| \n| - `a`  b\n::endgroup::\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			a := New(c.getenv, &log)
			for _, markdown := range []string{"# first\n", "# last\n\n- `a`  b\n\n"} {
				if err := a.Summary(markdown); err != nil {
					t.Fatal(err)
				}
			}
			a.Line("e", "text")
			for range 2 {
				if err := a.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if log.String() != c.want {
				t.Errorf("%q, want %q", log.String(), c.want)
			}
		})
	}
}

func TestNoSummaryPrintsNothing(t *testing.T) {
	var log strings.Builder
	if err := New(onLaptop, &log).Close(); err != nil || log.String() != "" {
		t.Errorf("%q, %v", log.String(), err)
	}
}
