package action

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
	"golang.org/x/term"
)

// State is how far an environment is, for the live display.
type State int

const (
	Waiting   State = iota // its turn has not come; it is only counted
	Running                // shown with a bar
	Succeeded              // scrolls away as done
	Failed                 // scrolls away as failed
)

// Track shows on a terminal's live display how far an environment is: done of
// total (0: not known), and a message. Anywhere else it does nothing; print a
// Line where something happened. An environment that has succeeded or failed
// is not taken up again.
func (a *Action) Track(env string, done, total int, message string, state State) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.live == nil && a.display != nil {
		a.live = a.display()
	}
	if a.live != nil {
		a.live.track(sanitize(env), done, total, sanitize(message), state)
	}
}

const (
	liveInterval = 250 * time.Millisecond
	// rows of the terminal that are not for environments: the head, the count,
	// the cursor's own, and one for a bar that is drawn in the moment before the
	// bar that it follows scrolls away
	liveOtherRows = 4
	// messageColumns leave room for the bar on a terminal of 80 columns
	messageColumns = 56
)

// live is the display of a terminal: a pinned head, one bar for each running
// environment as far as the rows go, and the count of all. It is the rewriting
// of the last lines that go-pretty does; what has ended scrolls away above.
//
// go-pretty moves the cursor up by one row for each bar it has, and garbles
// the screen when there are more bars than rows. So it only gets those that
// fit, and the next ones as soon as others end. Not safe for concurrent use.
type live struct {
	writer   progress.Writer
	height   func() int // rows of the terminal
	finished chan struct{}
	overall  *progress.Tracker
	envs     map[string]*liveEnv
	order    []string // names in the order in which they appeared
}

type liveEnv struct {
	done, total int64
	message     string
	state       State
	index       uint64
	bar         *progress.Tracker // nil: not shown (yet)
}

func startLive(out io.Writer, height func() int) *live {
	l := &live{
		writer:   progress.NewWriter(),
		height:   height,
		finished: make(chan struct{}),
		// Never marked as done: go-pretty prints nothing, log lines included,
		// while no bar is active.
		overall: &progress.Tracker{Index: math.MaxUint64, AutoStopDisabled: true},
		envs:    map[string]*liveEnv{},
	}
	l.writer.SetOutputWriter(out)
	l.writer.SetUpdateFrequency(liveInterval)
	l.writer.SetMessageLength(messageColumns)
	l.writer.SetTrackerPosition(progress.PositionRight)
	l.writer.SetSortBy(progress.SortByIndex)
	l.writer.SetStyle(liveStyle())
	l.writer.AppendTracker(l.overall)
	go func() {
		defer close(l.finished)
		l.writer.Render()
	}()
	return l
}

func liveStyle() progress.Style {
	style := progress.StyleDefault
	style.Options.DoneString = "done"
	style.Options.ErrorString = "FAILED"
	style.Options.Separator = " "
	style.Visibility.Value = false
	style.Visibility.Time = false // since its bar was shown, which may be late
	style.Visibility.Percentage = false
	style.Visibility.TrackerOverall = false // counts only the bars that are shown
	return style
}

func stdoutHeight() int {
	_, height, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil || height <= 0 {
		return 24 // the rows of a terminal that does not tell
	}
	return height
}

// print shows a block of lines above the bars.
func (l *live) print(block string) { l.writer.Log(strings.TrimSuffix(block, "\n")) }

func (l *live) pin(text string) { l.writer.SetPinnedMessages(text) }

func (l *live) track(name string, done, total int, message string, state State) {
	env := l.envs[name]
	if env == nil {
		env = &liveEnv{index: uint64(len(l.order))}
		l.envs[name] = env
		l.order = append(l.order, name)
	}
	if env.ended() {
		return
	}
	env.done, env.total, env.state = int64(done), int64(total), state
	env.message = strings.TrimSpace(name + "  " + message)
	if env.ended() && env.bar == nil {
		l.show(env) // so that it leaves its line, too
	}
	env.update()
	l.fill()
	l.count()
}

func (e *liveEnv) ended() bool { return e.state == Succeeded || e.state == Failed }

func (e *liveEnv) update() {
	if e.bar == nil {
		return
	}
	e.bar.UpdateMessage(e.message)
	e.bar.UpdateTotal(e.total)
	e.bar.SetValue(min(e.done, e.total))
	switch e.state {
	case Succeeded:
		e.bar.MarkAsDone()
	case Failed:
		e.bar.MarkAsErrored()
	}
}

func (l *live) show(env *liveEnv) {
	env.bar = &progress.Tracker{Message: env.message, Total: env.total, Index: env.index, AutoStopDisabled: true}
	l.writer.AppendTracker(env.bar)
}

// fill gives the free rows to the running environments that have none.
func (l *live) fill() {
	rows := max(1, l.height()-liveOtherRows)
	for _, name := range l.order {
		if env := l.envs[name]; env.bar != nil && !env.ended() {
			rows--
		}
	}
	for _, name := range l.order {
		if env := l.envs[name]; rows > 0 && env.bar == nil && env.state == Running {
			l.show(env)
			env.update()
			rows--
		}
	}
}

func (l *live) count() {
	in := func(states ...State) (n int) {
		for _, env := range l.envs {
			if slices.Contains(states, env.state) {
				n++
			}
		}
		return n
	}
	text := fmt.Sprintf("%d of %d environments ended, %d running", in(Succeeded, Failed), len(l.envs), in(Running))
	if failed := in(Failed); failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	l.overall.UpdateMessage(text)
	l.overall.UpdateTotal(int64(len(l.envs)))
	l.overall.SetValue(int64(in(Succeeded, Failed)))
}

// close draws the last state and waits until nothing is drawn any more.
func (l *live) close() {
	for {
		// Render may not have begun, and forgets a Stop that came before.
		l.writer.Stop()
		select {
		case <-l.finished:
			return
		case <-time.After(liveInterval / 10):
		}
	}
}
