package action

import (
	"strings"
	"testing"
	"unicode"
)

// isCommand is the runner's rule, for any name: a line is a workflow command
// when "::…::" begins it, white space apart, or "##[…]" occurs anywhere in it.
// https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
func isCommand(line string) bool {
	if rest, ok := strings.CutPrefix(strings.TrimLeftFunc(line, unicode.IsSpace), "::"); ok && strings.Contains(rest, "::") {
		return true
	}
	_, rest, ok := strings.Cut(line, "##[")
	return ok && strings.Contains(rest, "]")
}

// logLines splits as the runner's reader may: at LF, CR and both.
func logLines(log string) []string {
	return strings.FieldsFunc(log, func(r rune) bool { return r == '\n' || r == '\r' })
}

func TestSanitizeMakesOneReadableLine(t *testing.T) {
	for text, want := range map[string]string{
		"plain: text, ünïcödé ✓ 100%":                "plain: text, ünïcödé ✓ 100%",
		"two\r\nlines\tand a tab":                    "two  lines and a tab",
		"\x1b[1;31merror\x1b[0m in \x1b]0;t\x07red":  "error in red",
		"a bell\a and half a sequence \x1b":          "a bell\uFFFD and half a sequence \uFFFD",
		"##[error]no":                                "## [error]no",
		"#\x1b[0m#\u200b[error]joined by what went":  "## [error]joined by what went",
		"\u202egnihton":                              "gnihton",
		"not utf-8 \xff.":                            "not utf-8 \uFFFD.",
		"a line separator\u2028and next line\u0085.": "a line separator and next line .",
	} {
		if got := sanitize(text); got != want {
			t.Errorf("sanitize(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzLogLinesAreNeverCommands(f *testing.F) {
	f.Add("::error::x")
	f.Add("a\n::set-output name=x::y")
	f.Add("\r ::add-mask::x\u2028::stop-commands::x")
	f.Add("##[group]x #\x1b[0m#[error]y")
	f.Add("\x1b[31m::warning::\x1b[0m")
	f.Fuzz(func(t *testing.T, text string) {
		var log strings.Builder
		a := New(onLaptop, &log)
		a.Line(text, text)
		a.Group(text, []string{text, text})
		a.Progress(text)
		a.Error(text, text, text, 1)
		for _, line := range logLines(log.String()) {
			if isCommand(line) {
				t.Errorf("a command in the log: %q", line)
			}
		}
		if n := strings.Count(log.String(), "\n"); n != 6 {
			t.Errorf("%d lines instead of 6: %q", n, log.String())
		}
	})
}

// On GitHub the only commands are the program's own, whatever the text is.
func FuzzCommandsAreOnlyOurs(f *testing.F) {
	f.Add("::error::x")
	f.Add("x\n::endgroup::\n::set-env name=A::b")
	f.Add("a,title=b::c%0A")
	f.Fuzz(func(t *testing.T, text string) {
		var log strings.Builder
		a := New(onGitHub, &log)
		a.Group(text, []string{text})
		a.Warning(text, text, text, 3)
		a.Debug(text)
		a.Line(text, text)
		var commands []string
		for _, line := range logLines(log.String()) {
			if isCommand(line) {
				name, _, _ := strings.Cut(strings.TrimPrefix(line, "::"), "::")
				name, _, _ = strings.Cut(name, " ")
				commands = append(commands, name)
			}
		}
		if got := strings.Join(commands, " "); got != "group endgroup warning debug" {
			t.Errorf("commands %q in %q", got, log.String())
		}
	})
}
