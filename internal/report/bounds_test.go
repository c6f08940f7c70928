package report

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// crowd is 5,000 services, all failing, each for a reason of 10 KB of its own.
func crowd(text string) Run {
	r := succeeded()
	r.Status = "failed"
	for i := range 5000 {
		s := service(fmt.Sprintf("tenant-%04d", i+1), "rails")
		s.Status = Failed
		s.Reason = fmt.Sprintf("cause%dx", i) + strings.Repeat(text, 10_000/len(text))
		s.Details = []string{s.Reason}
		r.Services = append(r.Services, s)
	}
	return r
}

func TestSummaryOfManyFailuresKeepsEveryRowAndReason(t *testing.T) {
	for _, c := range []struct{ name, text, form string }{
		{"in plain words", "no such thing, ", "full"},
		{"made of markup", "<|>", "full"},
		{"in Japanese", "失敗", "compact"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := crowd(c.text)
			rest := r.Summary(c.form)
			if len(rest) > summaryBudget {
				t.Errorf("%d bytes, want at most %d", len(rest), summaryBudget)
			}
			for i, s := range r.Services { // rows keep the run's order
				_, row, found := strings.Cut(rest, s.Of.String()+" |")
				row, rest, _ = strings.Cut(row, "\n")
				if !found || !strings.Contains(row, fmt.Sprintf("cause%dx", i)) {
					t.Fatalf("%s or its reason is missing", s.Of)
				}
			}
		})
	}
}

func TestSummaryOfManyHealthyServicesDropsTheirRows(t *testing.T) {
	r := succeeded()
	for i := range 20_000 {
		r.Services = append(r.Services, service(fmt.Sprintf("tenant-%05d", i+1), "rails"))
	}
	r.Status = "failed"
	r.Services[19_999].Status, r.Services[19_999].Reason = Failed, "the last one fails"
	got := r.Summary("full")
	if len(got) > summaryBudget || len(got) < summaryBudget*9/10 {
		t.Errorf("%d bytes, want nearly %d", len(got), summaryBudget)
	}
	for _, want := range []string{"tenant-20000/rails: failed", "the last one fails", "| tenant-20000 | rails | ❌ failed |", "rows omitted, all of healthy services"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

func TestSummaryIsCutAtAnyPrice(t *testing.T) {
	r := crowd("x")
	for i := range r.Services {
		r.Services[i].Of.Environment += strings.Repeat("<", 1000)
	}
	if n := len(r.Summary("full")); n > summaryBudget {
		t.Errorf("%d bytes, want at most %d", n, summaryBudget)
	}
	many := refused()
	for range 20_000 {
		many.Mistakes = append(many.Mistakes, strings.Repeat("mistake ", 20))
	}
	if n := len(many.Summary("full")); n > summaryBudget {
		t.Errorf("refused: %d bytes, want at most %d", n, summaryBudget)
	}
	if n := len(many.JSON()); n > outputBudget {
		t.Errorf("refused: result of %d bytes, want at most %d", n, outputBudget)
	}
}

func TestResultGivesUpHealthyServicesThenDetailsThenReasons(t *testing.T) {
	healthy := succeeded()
	for i := range 2000 {
		healthy.Services = append(healthy.Services, service(fmt.Sprintf("tenant-%04d", i+1), "rails"))
	}
	few := healthy
	few.Services = append([]Result(nil), healthy.Services...)
	few.Services[7].Status, few.Services[7].Reason, few.Services[7].Details = Failed, "broken", []string{"evidence"}
	detailed := crowd("long ")
	detailed.Services = detailed.Services[:35]
	long := crowd("long ")
	long.Services = long.Services[:300]
	for _, c := range []struct {
		name     string
		run      Run
		services int
		details  bool
		reason   int // characters of the first, at least
	}{
		{"healthy services go", healthy, 0, false, 0},
		{"details of failures stay when they fit", few, 1, true, 6},
		{"details go before reasons", detailed, 35, false, 10_000},
		{"reasons are shortened before services go", long, 300, false, 100},
		{"at last services go", crowd("x"), 1, false, 50},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := c.run.JSON()
			if len(text) > outputBudget {
				t.Fatalf("%d bytes, want at most %d", len(text), outputBudget)
			}
			var d document
			if err := json.Unmarshal(text, &d); err != nil {
				t.Fatal(err)
			}
			if !d.Truncated {
				t.Error("it does not say that it is truncated")
			}
			if got := len(d.Services) + d.Omitted; c.services > 1 && got != c.services || len(d.Services) < c.services {
				t.Errorf("%d services, want %d", len(d.Services), c.services)
			}
			if c.services == 0 {
				return
			}
			if got := len(d.Services[0].Details) > 0; got != c.details {
				t.Errorf("details: %v, want %v", got, c.details)
			}
			if got := len(d.Services[0].Reason); got < c.reason {
				t.Errorf("the reason has %d bytes, want %d", got, c.reason)
			}
		})
	}
	if n := len(healthy.Document()); n < outputBudget {
		t.Errorf("the whole document has %d bytes: it must not be cut", n)
	}
}

// UnmarshalJSON lets tests read what MarshalJSON wrote.
func (s *seconds) UnmarshalJSON(text []byte) error {
	d, err := time.ParseDuration(string(text) + "s")
	*s = seconds(d)
	return err
}
