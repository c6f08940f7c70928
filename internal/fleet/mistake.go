package fleet

import (
	"fmt"
	"slices"
	"strings"
)

// Mistake is one thing that is wrong in what the user wrote, and what to write
// instead. Mistakes are comparable values.
type Mistake struct {
	At Position
	// Problem and Instead are clauses in lower case: "wave is 0", "write 1 or more".
	Problem, Instead string
}

// Error is one line: "PLACE: problem; what to write instead".
func (m Mistake) Error() string {
	return fmt.Sprintf("%s: %s; %s", m.At, m.Problem, m.Instead)
}

// maxMistakes bounds a list that somebody is meant to read.
const maxMistakes = 1000

// mistakes collects what is wrong. What stands in the defaults is read for
// every environment, so the same mistake comes many times and is kept once.
type mistakes struct {
	list []Mistake
	seen map[Mistake]bool
}

func (ms *mistakes) add(at Position, problem, instead string) {
	m := Mistake{At: at, Problem: problem, Instead: instead}
	if ms.seen[m] {
		return
	}
	if ms.seen == nil {
		ms.seen = map[Mistake]bool{}
	}
	if ms.full() {
		return
	}
	if len(ms.list) == maxMistakes {
		m = Mistake{At: Position{Text: at.Text}, Problem: fmt.Sprintf("there are more than %d mistakes", maxMistakes), Instead: "correct the first ones"}
	}
	ms.seen[m] = true
	ms.list = append(ms.list, m)
}

// full reports whether further mistakes are dropped.
func (ms *mistakes) full() bool { return len(ms.list) > maxMistakes }

// sorted returns the mistakes from the top of the text to its end.
func (ms *mistakes) sorted() []Mistake {
	slices.SortStableFunc(ms.list, func(a, b Mistake) int { return a.At.before(b.At) })
	return ms.list
}

// longestQuote bounds how much of the user's text a message repeats, in bytes.
const longestQuote = 80

// quote writes text of the user into a message: on one line, whatever is in it,
// and not longer than a message should be.
func quote(text string) string {
	if len(text) > longestQuote {
		text = strings.ToValidUTF8(text[:longestQuote], "") + "…"
	}
	return fmt.Sprintf("%q", text)
}

// either lists words as "a, b or c".
func either(words []string) string { return listed(words, "or") }

// listed joins words with commas, the last one with a conjunction.
func listed(words []string, conjunction string) string {
	switch n := len(words); n {
	case 0:
		return "nothing"
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " " + conjunction + " " + words[n-1]
	}
}
