package action

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What the runner does with a line of stdout or stderr: after trimming white
// space on the left it is a command when it begins with "::name", and, in the
// older form, when "##[name]" occurs anywhere in it.
// https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
//
// So sanitize makes one line out of any text and breaks the older form, and
// whoever prints the line puts a prefix of its own before it.

// ansiSequence is what a program writes to colour its output: containers' log
// lines are full of it. It goes as a whole, as "[31m" alone would remain.
var ansiSequence = regexp.MustCompile(`\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])`)

// sanitize makes one printable line of text that this program did not write.
func sanitize(text string) string {
	return breakCommand(strings.Map(printable, ansiSequence.ReplaceAllString(strings.ToValidUTF8(text, "\uFFFD"), "")))
}

// sanitizeLines is sanitize for text that may keep its line breaks.
func sanitizeLines(text string) []string {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i, line := range lines {
		lines[i] = sanitize(line)
	}
	return lines
}

// breakCommand breaks the runner's older command form. It comes last: dropping
// a character can bring the three together.
func breakCommand(line string) string { return strings.ReplaceAll(line, "##[", "## [") }

func printable(r rune) rune {
	switch {
	case unicode.IsSpace(r) || r == '\u2028' || r == '\u2029':
		return ' ' // line breaks of every kind, tabs
	case unicode.Is(unicode.Cf, r):
		return -1 // reorders or hides what is printed: bidi, zero width
	case unicode.IsControl(r):
		return utf8.RuneError
	}
	return r
}
