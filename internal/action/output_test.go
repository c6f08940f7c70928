package action

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fileAction is an Action whose files hold the texts, and their paths.
func fileAction(t *testing.T, output, summary string) (a *Action, outputFile, summaryFile string) {
	t.Helper()
	dir := t.TempDir()
	outputFile, summaryFile = filepath.Join(dir, "output"), filepath.Join(dir, "summary")
	for path, text := range map[string]string{outputFile: output, summaryFile: summary} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": outputFile, "GITHUB_STEP_SUMMARY": summaryFile}
	return New(func(name string) string { return env[name] }, new(strings.Builder)), outputFile, summaryFile
}

func fileText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// parseOutputFile reads name=value and name<<delimiter as the runner does on
// Linux, where only LF ends a line.
// https://github.com/actions/runner/blob/main/src/Runner.Worker/FileCommandManager.cs
func parseOutputFile(text string) ([]Output, error) {
	var outputs []Output
	for text != "" {
		line, rest, ended := strings.Cut(text, "\n")
		text = rest
		equals, heredoc := strings.Index(line, "="), strings.Index(line, "<<")
		switch {
		case line == "":
		case equals >= 0 && (heredoc < 0 || equals < heredoc):
			outputs = append(outputs, Output{line[:equals], line[equals+1:]})
		case heredoc <= 0 || line[heredoc+2:] == "" || !ended:
			return nil, errors.New("invalid format: " + line)
		default:
			value, after, err := heredocValue(text, line[heredoc+2:])
			if err != nil {
				return nil, err
			}
			outputs = append(outputs, Output{line[:heredoc], value})
			text = after
		}
	}
	return outputs, nil
}

func heredocValue(text, delimiter string) (value, after string, err error) {
	var lines []string
	for text != "" {
		line, rest, ended := strings.Cut(text, "\n")
		text = rest
		if line == delimiter {
			return strings.Join(lines, "\n"), text, nil
		}
		if !ended {
			break // the runner fails on a value without a final line break
		}
		lines = append(lines, line)
	}
	return "", "", errors.New("matching delimiter not found: " + delimiter)
}

func TestOutputsAreAppendedAndReadBackTheSame(t *testing.T) {
	a, path, _ := fileAction(t, "earlier=1\n", "")
	want := []Output{{"status", "failed"}, {"result", "{\n \"a\": 1\n}\n"}, {"changed", ""}, {"failed", "x<<y\nEOF\nstatus=succeeded\r\n"}}
	if err := a.SetOutputs(want); err != nil {
		t.Fatal(err)
	}
	got, err := parseOutputFile(fileText(t, path))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(append([]Output{{"earlier", "1"}}, want...), got); diff != "" {
		t.Error(diff)
	}
}

func TestDelimitersDifferFromRunToRun(t *testing.T) {
	a, path, _ := fileAction(t, "", "")
	for range 2 {
		if err := a.SetOutputs([]Output{{"status", "x"}}); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(fileText(t, path), "\n")
	if len(lines) != 7 || lines[0] == lines[3] {
		t.Errorf("%q", lines)
	}
}

func TestSetOutputsRefusesWhatCouldSetAnotherOutput(t *testing.T) {
	for name, outputs := range map[string][]Output{
		"a value that holds the delimiter":     {{"result", "a\nDELIMITER\nstatus=succeeded"}},
		"a value that becomes one with others": {{"status", "x"}, {"result", "DELIMITER"}},
	} {
		t.Run(name, func(t *testing.T) {
			if block, err := heredocs(outputs, "DELIMITER"); err == nil {
				t.Errorf("no error; block %q", block)
			}
		})
	}
}

func TestAnOutputThatActionYAMLDoesNotHaveIsAnErrorAndWritesNothing(t *testing.T) {
	a, path, _ := fileAction(t, "", "")
	err := a.SetOutputs([]Output{{"status", "x"}, {"chnaged", "[]"}})
	if err == nil || !strings.Contains(err.Error(), `"chnaged"`) || fileText(t, path) != "" {
		t.Errorf("error %v, file %q", err, fileText(t, path))
	}
}

func TestOutputsAreNotMissedOnALaptop(t *testing.T) {
	if err := New(onLaptop, new(strings.Builder)).SetOutputs([]Output{{"status", "x"}}); err != nil {
		t.Error(err)
	}
}

func TestAnOutputFileThatCannotBeWrittenIsAnError(t *testing.T) {
	a := New(func(string) string { return t.TempDir() + "/missing/file" }, new(strings.Builder))
	if err := a.SetOutputs([]Output{{"status", "x"}}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := a.Summary("x"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func FuzzOutputsReadBackTheSame(f *testing.F) {
	f.Add("v1", "{}\n")
	f.Add("\n", "a\nEOF\nstatus=succeeded")
	f.Add("EOF", "\r\n\x00")
	f.Fuzz(func(t *testing.T, first, second string) {
		want := []Output{{"status", first}, {"result", second}}
		block, err := heredocs(want, "EOF")
		if err != nil {
			if !strings.Contains(first+"\n"+second, "EOF") {
				t.Errorf("refused without reason: %v", err)
			}
			return
		}
		got, err := parseOutputFile(block)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}
