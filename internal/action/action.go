// Package action is the GitHub edge: what a workflow step hands in (inputs,
// or flags on a laptop) and what it gets back (outputs, job summary,
// annotations, log lines).
//
// Its one idea is that the runner is a parser: it reads workflow commands out
// of every line that is printed, and outputs out of a file. So text that this
// program did not write itself (tags, names, what AWS says) passes one
// sanitiser before it is printed and a random delimiter before it is handed
// back, and can be neither a command nor an output of its own.
//
// Inputs come from one table, which also makes action.yml, the flags and the
// reference in the README. The package knows nothing of fleets or AWS:
// selectors and fleet files are text here. It does not escape Markdown; who
// renders the summary does.
//
// Read next: table.go (the inputs), inputs.go (their values), sanitize.go (why
// a log line is safe).
package action

import (
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// Action is the way back to GitHub, or to the terminal of a laptop: where
// GITHUB_ACTIONS is not "true", annotations are plain lines, the summary is
// printed by Close, and outputs and masks do nothing.
//
// Make one with New and end it with Close. All methods are safe for concurrent
// use, and each prints what it prints in a single Write, so that the lines of
// two environments never tear each other apart.
type Action struct {
	onGitHub    bool
	debug       bool
	outputFile  string
	summaryFile string
	display     func() *live // starts the live display; nil where there is none

	mu          sync.Mutex
	stdout      io.Writer
	writeError  error          // the first one; Close returns it
	annotations map[string]int // printed so far, for each level
	summary     summary
	live        *live // nil until the first Track on a terminal, and after Close
}

// New reads where outputs and summary go (GITHUB_OUTPUT, GITHUB_STEP_SUMMARY)
// and whether debug lines are wanted (RUNNER_DEBUG=1). A live display is shown
// only when stdout is the process's own and a terminal.
func New(getenv func(string) string, stdout io.Writer) *Action {
	a := &Action{
		onGitHub:    getenv("GITHUB_ACTIONS") == "true",
		debug:       getenv("RUNNER_DEBUG") == "1",
		outputFile:  getenv("GITHUB_OUTPUT"),
		summaryFile: getenv("GITHUB_STEP_SUMMARY"),
		stdout:      stdout,
		annotations: map[string]int{},
	}
	if stdout == io.Writer(os.Stdout) && term.IsTerminal(int(os.Stdout.Fd())) {
		a.display = func() *live { return startLive(stdout, stdoutHeight) }
	}
	return a
}

// Close stops the live display and, where there is no summary file, prints the
// last summary. It returns the first error of writing to stdout, which none of
// the printing methods reports. A second call does nothing more.
func (a *Action) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.live != nil {
		a.live.close()
	}
	a.live, a.display = nil, nil
	a.printSummary()
	return a.writeError
}

// write sends a block of whole lines to the log. The caller holds a.mu.
func (a *Action) write(block string) {
	if a.live != nil {
		a.live.print(block)
		return
	}
	if _, err := io.WriteString(a.stdout, block); err != nil && a.writeError == nil {
		a.writeError = err
	}
}
