package fleet

import "strings"

// longestName bounds the names that are compared: nobody mistypes more.
const longestName = 255

// nearest is the known name that is most probably meant by a mistyped one, or
// "" when none is near: more than a third of the letters would have to change.
// Of two equally near ones it is the first.
func nearest(name string, known []string) string {
	best, distance := "", len(name)/3+1
	for _, k := range known {
		if strings.EqualFold(name, k) {
			return k
		}
		if d := edits(name, k, distance); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// edits counts the letters to insert, delete, replace or swap with their
// neighbour to get from a to b; limit stands for any number from limit on.
func edits(a, b string, limit int) int {
	if len(a) > longestName || len(b) > longestName || max(len(a)-len(b), len(b)-len(a)) >= limit {
		return limit
	}
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j-1]+change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return min(last[len(b)], limit)
}
