package fleet_test

import (
	"testing"

	"ecs-fleet/internal/fleet"
)

func TestRunsOfOneRepositoryAreInOrder(t *testing.T) {
	run := func(id, attempt int64) fleet.Run {
		return fleet.Run{Repository: "shop/release", ID: id, Attempt: attempt}
	}
	other := fleet.Run{Repository: "shop/tools", ID: 9, Attempt: 1}
	tests := []struct {
		name        string
		a, b        fleet.Run
		newer, same bool
	}{
		{"a later run is newer", run(16123456790, 1), run(16123456789, 3), true, false},
		{"an earlier one is not, however often it is tried", run(16123456789, 3), run(16123456790, 1), false, false},
		{"a later attempt is newer, and the same run", run(7, 2), run(7, 1), true, true},
		{"a run is not newer than itself", run(7, 1), run(7, 1), false, true},
		{"another repository's runs say nothing", other, run(7, 1), false, false},
		{"no run is not newer", fleet.Run{}, run(7, 1), false, false},
		{"no run is overtaken", run(7, 1), fleet.Run{}, false, false},
		{"no runs are not the same", fleet.Run{}, fleet.Run{}, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if newer, same := tt.a.Newer(tt.b), tt.a.Same(tt.b); newer != tt.newer || same != tt.same {
				t.Errorf("newer %t, same %t", newer, same)
			}
		})
	}
}

func FuzzARunIsReadAsItIsWritten(f *testing.F) {
	for _, text := range []string{"", "shop/release:16123456789.1", "shop/release:1", ":1.1", "a:b:1.2", "shop/release:-1.99999999999999999999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := fleet.ParseRun(text)
		if again := fleet.ParseRun(r.String()); again != r {
			t.Errorf("%q is %+v, and then %+v", text, r, again)
		}
	})
}
