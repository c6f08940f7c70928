package action

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/sethvargo/go-githubactions"
)

// What the runner keeps of annotations: ten of a level for each step, and 4096
// characters of a message.
// https://github.com/actions/runner/blob/main/src/Runner.Worker/ExecutionContext.cs
const (
	maxAnnotations     = 10
	maxAnnotationUnits = 4096 // UTF-16 code units, as .NET counts
)

// The prefixes of lines. None begins with a colon or is blank, see sanitize.go.
const (
	titlePrefix    = "== " // of a group on a laptop
	groupPrefix    = "| "
	progressPrefix = "... "
)

// Line prints a line of an environment: "[tenant-a] text".
func (a *Action) Line(env, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.write("[" + sanitize(env) + "] " + sanitize(text) + "\n")
}

// Group prints lines that belong together, as a group that folds in GitHub's
// log. Groups do not nest and cannot grow, so it wants them all at once.
func (a *Action) Group(title string, lines []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.group(title, lines)
}

// group is Group for a caller who holds a.mu.
func (a *Action) group(title string, lines []string) {
	var block bytes.Buffer
	if a.onGitHub {
		library(&block).Group(sanitize(title))
	} else {
		block.WriteString(titlePrefix + sanitize(title) + "\n")
	}
	for _, line := range lines {
		block.WriteString(groupPrefix + sanitize(line) + "\n")
	}
	if a.onGitHub {
		library(&block).EndGroup()
	}
	a.write(block.String())
}

// Progress tells how far the run is while nothing else happens: a log line, or
// the head of the live display. The caller decides how often; a log wants it
// every ten seconds at most.
func (a *Action) Progress(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.live != nil {
		a.live.pin(sanitize(text))
		return
	}
	a.write(progressPrefix + sanitize(text) + "\n")
}

// Debug prints a line only where debug logging is on (RUNNER_DEBUG=1).
func (a *Action) Debug(text string) {
	if !a.debug {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.onGitHub {
		a.write("debug: " + sanitize(text) + "\n")
		return
	}
	var block bytes.Buffer
	library(&block).Debugf("%s", sanitize(text))
	a.write(block.String())
}

// Error annotates the run with what failed. File and line place it in the
// repository; an empty file and a line of 0 place it nowhere. The message may
// have several lines and is cut at 4096 characters. The eleventh error and
// those after it become log lines, as GitHub would drop them from its page.
func (a *Action) Error(title, message, file string, line int) {
	a.annotate("error", title, message, file, line)
}

// Warning is Error for what did not fail; it counts on its own.
func (a *Action) Warning(title, message, file string, line int) {
	a.annotate("warning", title, message, file, line)
}

func (a *Action) annotate(level, title, message, file string, line int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.annotations[level]++
	if !a.onGitHub || a.annotations[level] > maxAnnotations {
		a.write(plainAnnotation(level, title, message, file, line))
		return
	}
	var block bytes.Buffer
	to := library(&block).WithFieldsMap(annotationFields(title, file, line))
	message = truncate(strings.Join(sanitizeLines(message), "\n"), maxAnnotationUnits)
	if level == "error" {
		to.Errorf("%s", message)
	} else {
		to.Warningf("%s", message)
	}
	a.write(block.String())
}

func annotationFields(title, file string, line int) map[string]string {
	fields := map[string]string{}
	if title != "" {
		fields["title"] = sanitize(title)
	}
	if file != "" {
		fields["file"] = sanitize(file)
	}
	if file != "" && line > 0 {
		fields["line"] = strconv.Itoa(line)
	}
	return fields
}

func plainAnnotation(level, title, message, file string, line int) string {
	text := level + ": "
	if file != "" {
		text += file + ":"
		if line > 0 {
			text += strconv.Itoa(line) + ":"
		}
		text += " "
	}
	if title != "" {
		text += title + ": "
	}
	return sanitize(text+message) + "\n"
}

// truncate cuts text to at most units UTF-16 code units, between runes.
func truncate(text string, units int) string {
	const mark = "…"
	used, end := 0, 0 // end: where to cut so that the mark still fits
	for i, r := range text {
		if used <= units-1 {
			end = i
		}
		used += utf16.RuneLen(r)
		if used > units {
			return text[:end] + mark
		}
	}
	return text
}

// library renders workflow commands, which it escapes, into a buffer: written
// to stdout directly it would panic where stdout is closed.
func library(block *bytes.Buffer) *githubactions.Action {
	return githubactions.New(githubactions.WithWriter(block), githubactions.WithGetenv(func(string) string { return "" }))
}
