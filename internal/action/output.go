package action

import (
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Output is a value that later steps can read.
type Output struct{ Name, Value string }

// SetOutputs hands the outputs to later steps, in a single write: the runner
// fails the step when the file ends in the middle of a value, so call it once,
// at the end. It does nothing where GITHUB_OUTPUT is not set, as on a laptop.
// A name that action.yml does not have is an error, and so is a value that
// holds the delimiter; nothing is written then.
func (a *Action) SetOutputs(outputs []Output) error {
	if a.outputFile == "" {
		return nil
	}
	block, err := heredocs(outputs, "ghadelimiter_"+rand.Text())
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := appendTo(a.outputFile, block); err != nil {
		return fmt.Errorf("outputs: %w", err)
	}
	return nil
}

// heredocs is the text of an output file.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#multiline-strings
//
// The delimiter is random, unlike go-githubactions' constant one, since a
// value that holds it could set other outputs behind itself.
func heredocs(outputs []Output, delimiter string) (string, error) {
	var block strings.Builder
	for _, o := range outputs {
		if !slices.ContainsFunc(outputTable(), func(row outputRow) bool { return row.Name == o.Name }) {
			return "", fmt.Errorf("output %q: not in action.yml; add it to the table of outputs", o.Name)
		}
		if strings.Contains(o.Value, delimiter) {
			return "", fmt.Errorf("output %s: the value holds the delimiter of the output file; run again", o.Name)
		}
		block.WriteString(o.Name + "<<" + delimiter + "\n" + o.Value + "\n" + delimiter + "\n")
	}
	return block.String(), nil
}

func appendTo(path, block string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := file.WriteString(block); err != nil {
		_ = file.Close() // the write's error tells more
		return err
	}
	return file.Close()
}
