package fleet

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// pick is one selector or pattern, as the user wrote it.
type pick struct {
	text   string // without the !
	remove bool
	at     Position
}

// picks splits an input at commas and line breaks. Blank entries are dropped.
func picks(input, value string) []pick {
	var all []pick
	for i, line := range strings.Split(value, "\n") {
		column := 1
		for part := range strings.SplitSeq(line, ",") {
			blank := len(part) - len(strings.TrimLeft(part, " \t"))
			p := pick{text: strings.TrimSpace(part), at: Position{Text: input, Line: i + 1, Column: column + len([]rune(part[:blank]))}}
			column += len([]rune(part)) + 1
			if p.text == "" {
				continue
			}
			if rest, ok := strings.CutPrefix(p.text, "!"); ok {
				p.text, p.remove = strings.TrimSpace(rest), true
			}
			all = append(all, p)
		}
	}
	return all
}

// matches reports whether a glob as of path.Match matches a text, in which a
// slash is a letter like any other.
func matches(glob, text string) bool {
	ok, _ := path.Match(strings.ReplaceAll(glob, "/", "\x00"), strings.ReplaceAll(text, "/", "\x00"))
	return ok
}

// isGlob reports whether a selector is a pattern and not a name.
func isGlob(text string) bool { return strings.ContainsAny(text, `*?[\`) }

// Select picks environments by the selectors of the environments input, in the
// order of the file: names, globs and key=value, separated by commas or line
// breaks. The selectors unite, those with ! subtract whatever their place, and
// where all have ! they subtract from all. Every selector has to match
// something. All mistakes are returned; with any of them the selection is not
// to be used.
func Select(all []Environment, selectors string) ([]Environment, []Mistake) {
	ps := picks(environmentsInput, selectors)
	var ms mistakes
	if len(ps) == 0 {
		ms.add(Position{Text: environmentsInput}, "environments is empty: it never means the whole fleet", "write names, globs such as tenant-*, key=value, or * for every environment")
		return nil, ms.list
	}
	chosen := pickFrom(len(all), ps, func(i int, text string) bool { return all[i].matches(text) }, func(p pick) { ms.unmatched(p, all) })
	var selected []Environment
	for i, e := range all {
		if chosen[i] {
			selected = append(selected, e)
		}
	}
	if len(selected) == 0 && len(ms.list) == 0 {
		ms.add(Position{Text: environmentsInput}, "nothing is selected: the selectors with ! subtract everything", "subtract less")
	}
	return selected, ms.sorted()
}

// pickFrom tells which of n things are picked; unmatched gets the picks that
// match none of them.
func pickFrom(n int, ps []pick, matches func(i int, text string) bool, unmatched func(pick)) []bool {
	added, removed := make([]bool, n), make([]bool, n)
	onlyRemoves := !slices.ContainsFunc(ps, func(p pick) bool { return !p.remove })
	for _, p := range ps {
		marks, hit := added, false
		if p.remove {
			marks = removed
		}
		for i := range n {
			if matches(i, p.text) {
				marks[i], hit = true, true
			}
		}
		if !hit {
			unmatched(p)
		}
	}
	for i := range added {
		added[i] = (added[i] || onlyRemoves) && !removed[i]
	}
	return added
}

// matches reports whether a selector, without its !, is about the environment.
func (e Environment) matches(selector string) bool {
	key, glob, pair := strings.Cut(selector, "=")
	if !pair {
		return selector == e.Name || isGlob(selector) && matches(selector, e.Name)
	}
	value, has := e.property(strings.TrimSpace(key))
	return has && matches(strings.TrimSpace(glob), value)
}

// property is what key=value selects by.
func (e Environment) property(key string) (value string, has bool) {
	switch key {
	case "region":
		return string(e.Region), e.Region != ""
	case "account":
		return string(e.Account), e.Account != ""
	case "wave":
		return strconv.Itoa(e.Wave), true
	}
	value, has = e.Labels[key]
	return value, has
}

// unmatched reports a selector that matches no environment.
func (ms *mistakes) unmatched(p pick, all []Environment) {
	if ms.full() { // looking for the nearest name takes time
		return
	}
	key, value, isPair := strings.Cut(p.text, "=")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	var keys, values, names []string
	for _, e := range all {
		names = append(names, e.Name)
		for label := range e.Labels {
			keys = append(keys, label)
		}
		if v, ok := e.property(key); ok {
			values = append(values, v)
		}
	}
	keys = distinct(append(ownKeys(), keys...))
	switch {
	case badGlob(p.text):
		ms.add(p.at, "the selector "+quote(p.text)+" is not a complete glob", `close the [, or write \[ for the sign itself`)
	case !isPair:
		ms.add(p.at, "the selector "+quote(p.text)+" matches no environment", orFew(p.text, names, "a name of the fleet"))
	case !slices.Contains(keys, key):
		ms.add(p.at, "the selector "+quote(p.text)+" selects by "+quote(key)+", which no environment has", orFew(key, keys, "a label of the fleet"))
	default:
		ms.add(p.at, "the selector "+quote(p.text)+" matches no environment", orFew(value, distinct(values), "a value of "+key))
	}
}

// fewNames is how many names a message lists.
const fewNames = 10

// orFew is what to write instead of a name that nothing has: the nearest one, or
// all of them where they are few.
func orFew(name string, known []string, what string) string {
	if n := nearest(name, known); n != "" {
		return "write " + n
	}
	if len(known) > 0 && len(known) <= fewNames {
		return "write " + either(known)
	}
	return "write " + what
}

func badGlob(glob string) bool {
	_, err := path.Match(glob, "")
	return err != nil
}

func distinct(words []string) []string {
	words = slices.Clone(words)
	slices.Sort(words)
	return slices.Compact(words)
}

const servicesInput = "input services"

// SelectServices keeps the services of the environments whose short names match
// the patterns of the services input: names or globs, separated by commas or
// line breaks, with ! to subtract. Empty patterns keep all. An environment that
// is left without any service is dropped; the environments given are not changed.
// A pattern has to match somewhere. All mistakes are returned; with any of them
// the result is not to be used.
func SelectServices(envs []Environment, patterns string) ([]Environment, []Mistake) {
	ps := picks(servicesInput, patterns)
	if len(ps) == 0 {
		return envs, nil
	}
	var names []string
	for _, e := range envs {
		for _, s := range e.Services {
			names = append(names, s.Name)
		}
	}
	names = distinct(names)
	var ms mistakes
	chosen := pickFrom(len(names), ps, func(i int, text string) bool {
		return text == names[i] || isGlob(text) && matches(text, names[i])
	}, func(p pick) { ms.unmatchedService(p, names) })
	keep := map[string]bool{}
	for i, name := range names {
		keep[name] = chosen[i]
	}
	selected := keepServices(envs, keep)
	if len(selected) == 0 && len(ms.list) == 0 {
		ms.add(Position{Text: servicesInput}, "nothing is selected: the patterns with ! subtract everything", "subtract less")
	}
	return selected, ms.sorted()
}

func (ms *mistakes) unmatchedService(p pick, names []string) {
	if badGlob(p.text) {
		ms.add(p.at, "the pattern "+quote(p.text)+" is not a complete glob", `close the [, or write \[ for the sign itself`)
		return
	}
	ms.add(p.at, fmt.Sprintf("the pattern %s matches no service of the selected environments", quote(p.text)), orFew(p.text, names, "a service's short name"))
}

func keepServices(envs []Environment, keep map[string]bool) []Environment {
	var kept []Environment
	for _, e := range envs {
		e.Services = slices.DeleteFunc(slices.Clone(e.Services), func(s ServiceSpec) bool { return !keep[s.Name] })
		if len(e.Services) > 0 {
			kept = append(kept, e)
		}
	}
	return kept
}
