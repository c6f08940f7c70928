package action

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// screen is a terminal of so many rows: it keeps the lines, and lets the
// cursor go no higher than the top of what is shown.
type screen struct {
	rows  int
	lines []string // all that were ever shown; the last rows are visible
	row   int      // of the cursor, in lines
	lost  int      // times the cursor was sent above the top
}

func (s *screen) Write(p []byte) (int, error) {
	for text := string(p); text != ""; {
		switch {
		case strings.HasPrefix(text, "\x1b[A"):
			text = text[3:]
			s.up()
		case strings.HasPrefix(text, "\x1b[K"):
			text = text[3:]
			s.put("")
		default:
			line, rest, ended := strings.Cut(text, "\n")
			if !ended {
				return 0, fmt.Errorf("half a line: %q", text)
			}
			s.put(line)
			s.row++
			text = rest
		}
	}
	return len(p), nil
}

func (s *screen) up() {
	if top := max(0, len(s.lines)+1-s.rows); s.row <= top {
		s.lost++
		return
	}
	s.row--
}

func (s *screen) put(line string) {
	if s.row == len(s.lines) {
		s.lines = append(s.lines, line)
	}
	s.lines[s.row] = line
}

// shown is the lines without bars.
func (s *screen) shown() []string {
	var lines []string
	for _, line := range s.lines {
		if cut := strings.LastIndex(line, "  ["); cut >= 0 {
			line = line[:cut]
		}
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}

// aWhile lets frames be drawn, and ends between two of them: what happens in the
// very moment of a frame may stand in it or in the next.
const aWhile = time.Second + liveInterval/2

// onScreen is an Action with a live display on s.
func onScreen(s *screen) *Action {
	a := New(onLaptop, s)
	a.display = func() *live { return startLive(s, func() int { return s.rows }) }
	return a
}

func TestLiveDisplayShowsOneFrameAndKeepsWhatEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screen{rows: 24}
		a := onScreen(s)
		a.Track("tenant-a", 0, 3, "registering", Running)
		a.Track("tenant-b", 0, 2, "queued", Waiting)
		a.Progress("waiting for tokens")
		time.Sleep(aWhile)
		a.Line("tenant-a", "a line\nof text")
		a.Track("tenant-a", 3, 3, "deployed", Succeeded)
		a.Track("tenant-b", 1, 2, "1 of 2 tasks", Running)
		time.Sleep(time.Second) // again between two frames
		a.Track("tenant-b", 1, 2, "tasks stop", Failed)
		a.Track("tenant-b", 2, 2, "too late", Running)
		if err := a.Summary("# summary\n"); err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		a.Line("tenant-b", "after the end")
		want := []string{
			"tenant-a deployed done",
			"[tenant-a] a line of text",
			"tenant-b tasks stop FAILED",
			"waiting for tokens",
			"2 of 2 environments ended, 0 running, 1 failed",
			"# summary",
			"[tenant-b] after the end",
		}
		if diff := cmp.Diff(want, s.shown()); diff != "" {
			t.Error(diff)
		}
		if s.lost > 0 {
			t.Errorf("the cursor was sent above the top %d times", s.lost)
		}
	})
}

func TestLiveDisplayNeverOutgrowsTheTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const environments = 40
		s := &screen{rows: 10}
		a := onScreen(s)
		a.Progress("before the first bar")
		for i := range environments {
			a.Track(fmt.Sprintf("tenant-%02d", i), 0, 1, "", Running)
		}
		a.Progress("head")
		time.Sleep(liveInterval / 2) // between two frames, and so are whole seconds later
		for i := range environments {
			time.Sleep(time.Second)
			a.Track(fmt.Sprintf("tenant-%02d", environments-1-i), 1, 1, "deployed", Succeeded)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		want := []string{progressPrefix + "before the first bar"}
		for i := range environments {
			want = append(want, fmt.Sprintf("tenant-%02d deployed done", environments-1-i))
		}
		want = append(want, "head", "40 of 40 environments ended, 0 running")
		if diff := cmp.Diff(want, s.shown()); diff != "" {
			t.Error(diff)
		}
		if s.lost > 0 {
			t.Errorf("the cursor was sent above the top %d times", s.lost)
		}
	})
}

func TestCloseRightAfterTheFirstTrackEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screen{rows: 24}
		a := onScreen(s)
		a.Track("tenant-a", 0, 1, "", Running)
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTrackPrintsNothingInALog(t *testing.T) {
	var log strings.Builder
	a := New(onGitHub, &log)
	a.Track("tenant-a", 0, 1, "", Running)
	if err := a.Close(); err != nil || log.String() != "" {
		t.Errorf("%q, %v", log.String(), err)
	}
}
