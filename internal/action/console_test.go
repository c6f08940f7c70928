package action

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

func onLaptop(string) string { return "" }

func onGitHub(name string) string {
	return map[string]string{"GITHUB_ACTIONS": "true", "RUNNER_DEBUG": "1"}[name]
}

func TestEveryKindOfLine(t *testing.T) {
	print := func(a *Action) {
		a.Line("tenant-a", "deployed\n::error::x")
		a.Group("tenant-a: events", []string{"::one", " two"})
		a.Progress("12 of 40")
		a.Error("tenant-a", "100% broken\nsee a,b", "fleet.yml", 14)
		a.Warning("", "w", "", 9)
		a.Debug("d")
	}
	for name, c := range map[string]struct {
		getenv func(string) string
		want   []string
	}{
		"on a laptop all is plain text, and debug lines are not printed": {onLaptop, []string{
			"[tenant-a] deployed ::error::x",
			"== tenant-a: events",
			"| ::one",
			"|  two",
			"... 12 of 40",
			"error: fleet.yml:14: tenant-a: 100% broken see a,b",
			"warning: w",
			"",
		}},
		"on GitHub they are commands, and line breaks stay in annotations": {onGitHub, []string{
			"[tenant-a] deployed ::error::x",
			"::group::tenant-a: events",
			"| ::one",
			"|  two",
			"::endgroup::",
			"... 12 of 40",
			"::error file=fleet.yml,line=14,title=tenant-a::100%25 broken%0Asee a,b",
			"::warning::w",
			"::debug::d",
			"",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			print(New(c.getenv, &log))
			if diff := cmp.Diff(c.want, strings.Split(log.String(), "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDebugLinesOnALaptopNeedRunnerDebug(t *testing.T) {
	var log strings.Builder
	New(func(name string) string { return map[string]string{"RUNNER_DEBUG": "1"}[name] }, &log).Debug("d")
	if log.String() != "debug: d\n" {
		t.Errorf("%q", log.String())
	}
}

func TestAnnotationsBeyondTenOfALevelBecomeLogLines(t *testing.T) {
	var log strings.Builder
	a := New(onGitHub, &log)
	for i := range 12 {
		a.Error("t", fmt.Sprint(i), "", 0)
	}
	a.Warning("t", "w", "", 0)
	lines := strings.Split(log.String(), "\n")
	want := []string{"::error title=t::9", "error: t: 10", "error: t: 11", "::warning title=t::w", ""}
	if diff := cmp.Diff(want, lines[9:]); diff != "" {
		t.Error(diff)
	}
}

func TestTruncateCountsAsDotNetAndCutsBetweenRunes(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"what fits stays":                    {"abcd", "abcd"},
		"one too many makes room for a mark": {"abcde", "abc…"},
		"two units make one emoji":           {"ab😀", "ab😀"},
		"an emoji is not cut in half":        {"ab😀c", "ab…"},
		"an emoji that fits before the mark": {"a😀bc", "a😀…"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := truncate(c.text, 4); got != c.want || len(utf16.Encode([]rune(got))) > 4 {
				t.Errorf("truncate(%q) = %q, want %q", c.text, got, c.want)
			}
		})
	}
}

func TestLongAnnotationsAreCutWhereGitHubCuts(t *testing.T) {
	var log strings.Builder
	New(onGitHub, &log).Error("", strings.Repeat("é", 5000), "", 0)
	want := "::error::" + strings.Repeat("é", 4095) + "…\n"
	if log.String() != want {
		t.Errorf("%d bytes, want %d", log.Len(), len(want))
	}
}

// writes records each Write. It has no lock of its own: the race detector
// tells when the Action does not serialise.
type writes struct{ all []string }

func (w *writes) Write(p []byte) (int, error) {
	w.all = append(w.all, string(p))
	return len(p), nil
}

func TestBlocksOfManyGoroutinesAreOneWriteEach(t *testing.T) {
	var log writes
	a := New(onGitHub, &log)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { a.Group("g", []string{"1", "2"}) })
		wg.Go(func() { a.Line("e", "text") })
	}
	wg.Wait()
	count := map[string]int{}
	for _, block := range log.all {
		count[block]++
	}
	want := map[string]int{"::group::g\n| 1\n| 2\n::endgroup::\n": 20, "[e] text\n": 20}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Error(diff)
	}
}

type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

func TestCloseTellsThatTheLogCouldNotBeWritten(t *testing.T) {
	a := New(onGitHub, broken{io.ErrClosedPipe})
	a.Line("e", "text")
	a.Error("t", "m", "", 0)
	if err := a.Close(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Close: %v", err)
	}
}
