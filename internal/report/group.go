package report

import (
	"cmp"
	"slices"
	"strings"
)

// group is services that ended alike, for the same reason: one root cause is
// told once, not four hundred times.
type group struct {
	members []Result // one at least
	outcome string
	reason  string
	general bool // reason holds {environment}, {id}, … where the members' own differ
}

// groups puts results of a kind together by outcome and reason: worst first,
// then those with evidence (a cause comes before what was taken back because of
// it), then the biggest, then by first appearance.
func groups(results []Result, is func(Status) bool) []group {
	var all []group
	at := make(map[string]int)
	for _, r := range results {
		if !is(r.Status) {
			continue
		}
		outcome, reason := r.outcome(), r.why(reasonMost)
		general := generalize(r, reason)
		key := outcome + "\x00" + general
		i, known := at[key]
		if !known {
			at[key] = len(all)
			all = append(all, group{members: []Result{r}, outcome: outcome, reason: reason})
			continue
		}
		if all[i].reason != reason {
			all[i].reason, all[i].general = general, true
		}
		all[i].members = append(all[i].members, r)
	}
	slices.SortStableFunc(all, func(a, b group) int {
		return cmp.Or(cmp.Compare(a.first().Status.rank(), b.first().Status.rank()), cmp.Compare(a.proof(), b.proof()), cmp.Compare(len(b.members), len(a.members)))
	})
	return all
}

// proof is 0 for a group with evidence, and 1 for one without.
func (g group) proof() int {
	if len(g.first().Details) > 0 {
		return 0
	}
	return 1
}

// hint is the advice for the first member; the same cause helps all.
func (g group) hint() string { return g.first().hint() }

func (g group) first() Result { return g.members[0] }

// sameService is the short name that all members share, "" when they do not.
func (g group) sameService() string {
	for _, r := range g.members {
		if r.Of.Service != g.first().Of.Service {
			return ""
		}
	}
	return g.first().Of.Service
}

// generalize is a reason without what belongs to this service alone, so that
// "…/tenant-a-rails:v2: not found" and "…/tenant-b-rails:v2: not found" are the
// same. The stand-ins are the fleet file's placeholders.
func generalize(r Result, reason string) string {
	for _, part := range []struct{ name, placeholder string }{
		{r.ECSService, "{ecs-service}"},
		{r.Of.Environment, "{environment}"},
		{r.Cluster, "{cluster}"},
		{string(r.Account), "{account}"},
		{string(r.Region), "{region}"},
	} {
		reason = replaceWord(reason, part.name, part.placeholder)
	}
	return replaceIDs(reason)
}

// replaceWord replaces word where it stands between other characters than
// letters and digits.
func replaceWord(s, word, with string) string {
	if word == "" || !strings.Contains(s, word) {
		return s
	}
	var b strings.Builder
	done := 0
	for {
		i := strings.Index(s[done:], word)
		if i < 0 {
			return b.String() + s[done:]
		}
		start, end := done+i, done+i+len(word)
		b.WriteString(s[done:start])
		if (start == 0 || !isAlnum(s[start-1])) && (end == len(s) || !isAlnum(s[end])) {
			b.WriteString(with)
		} else {
			b.WriteString(word)
		}
		done = end
	}
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// replaceIDs replaces the ids of tasks (32 hexadecimal digits) and requests
// (UUIDs, 36 with dashes), which differ in every message. An image's digest,
// 64 digits, stays: it says something.
func replaceIDs(s string) string {
	var b strings.Builder
	done := 0
	for i := 0; i < len(s); i++ {
		start := i
		for i < len(s) && isHex(s[i]) {
			i++
		}
		if n := i - start; n == 32 || n == 36 {
			b.WriteString(s[done:start] + "{id}")
			done = i
		}
	}
	return b.String() + s[done:]
}

// isHex includes the dash of UUIDs.
func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || c == '-' }
