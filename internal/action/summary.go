package action

import (
	"fmt"
	"os"
	"strings"
)

// SummaryLimit is the size, in bytes, above which GitHub shows nothing of a
// step's summary.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits
const SummaryLimit = 1 << 20

// summary is what has become of the job summary so far.
type summary struct {
	opened bool
	start  int64  // where this process's text begins in the file
	gap    string // line break that the earlier text lacks
	text   string // what Close prints where there is no file
}

// Summary writes the job summary, in place of what an earlier call wrote; text
// that was in the file before the first call stays. GitHub reads the file when
// the step ends, however it ends, so an up-to-date summary should be there
// from early on. Without a summary file the last one is printed by Close. A
// summary that GitHub would not show (SummaryLimit) is an error, and the
// earlier one remains.
func (a *Action) Summary(markdown string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.summaryFile == "" {
		a.summary.text = markdown
		return nil
	}
	if err := a.summary.write(a.summaryFile, markdown); err != nil {
		return fmt.Errorf("job summary: %w", err)
	}
	return nil
}

func (s *summary) write(path, markdown string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	if err := s.rewrite(file, markdown); err != nil {
		_ = file.Close() // the first error tells more
		return err
	}
	return file.Close()
}

func (s *summary) rewrite(file *os.File, markdown string) error {
	if err := s.open(file); err != nil {
		return err
	}
	text := s.gap + markdown
	end := s.start + int64(len(text))
	if end > SummaryLimit {
		return fmt.Errorf("%d bytes are more than the %d that GitHub shows; make it shorter", end, SummaryLimit)
	}
	// Truncating first would leave nothing to show if the process were killed
	// in between.
	if _, err := file.WriteAt([]byte(text), s.start); err != nil {
		return err
	}
	return file.Truncate(end)
}

// open looks once at what was in the file before.
func (s *summary) open(file *os.File) error {
	if s.opened {
		return nil
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	s.start = info.Size()
	if s.start > 0 {
		last := make([]byte, 1)
		if _, err := file.ReadAt(last, s.start-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			s.gap = "\n"
		}
	}
	s.opened = true
	return nil
}

// printSummary prints the summary that had no file to go to, once. The caller
// holds a.mu.
func (a *Action) printSummary() {
	text := strings.TrimRight(a.summary.text, "\n")
	a.summary.text = ""
	switch lines := sanitizeLines(text); {
	case text == "":
	case a.onGitHub:
		a.group("job summary", lines)
	default:
		a.write(strings.Join(lines, "\n") + "\n")
	}
}
