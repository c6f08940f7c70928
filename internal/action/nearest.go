package action

import (
	"fmt"
	"strings"
)

// nearest is the candidate that a misspelt word most likely means; the first
// of several, empty when none is near enough: more than a third of the word
// changed is another word.
func nearest(word string, candidates []string) string {
	word = strings.ToLower(word)
	best, least := "", max(1, len(word)/3)+1
	for _, c := range candidates {
		if max(len(word)-len(c), len(c)-len(word)) >= least {
			continue // at least as many insertions; and the word may be a whole file
		}
		if d := distance(word, c); d < least {
			best, least = c, d
		}
	}
	return best
}

// didYouMean is the end of a message about a word that is not known.
func didYouMean(word string, candidates []string) string {
	if c := nearest(word, candidates); c != "" {
		return fmt.Sprintf("did you mean %q?", c)
	}
	return "write one of " + strings.Join(candidates, ", ")
}

// distance counts the insertions, deletions and replacements of a byte, and
// swaps of neighbours, that make b of a (optimal string alignment).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replaced := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, replaced)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
