package command

import (
	"testing"

	"ecs-fleet/internal/action"
)

func TestAPercentageOfFailuresIsRoundedDown(t *testing.T) {
	for _, c := range []struct {
		percent      float64
		environments int
		want         int
	}{
		{10, 30, 3}, {10, 39, 3}, {10, 9, 0}, {0, 40, 0}, {100, 40, 40}, {12.5, 8, 1}, {33.4, 3, 1},
		{29, 100, 29}, {58, 100, 58}, {0.7, 1000, 7}, // of which floating point makes a little less
	} {
		s := &session{Process: Process{Getenv: func(string) string { return "" }}}
		s.inputs.MaxFailures = action.MaxFailures{Given: true, Percent: c.percent}
		if got := s.options(c.environments).MaxFailures; got == nil || *got != c.want {
			t.Errorf("%v%% of %d environments: %v may fail, not %d", c.percent, c.environments, got, c.want)
		}
	}
	s := &session{Process: Process{Getenv: func(string) string { return "" }}}
	if got := s.options(40).MaxFailures; got != nil {
		t.Errorf("without max-failures %d may fail", *got)
	}
}
