package fleet

import (
	"fmt"
	"strings"
)

// environmentsInput is what messages call the input that selects environments.
const environmentsInput = "input environments"

// IsInline reports whether the environments input is an inline list: its first
// non-blank characters are "- " or "[{". Else it holds selectors. Where a fleet
// file exists, an inline list is a mistake: see InlineBesideFile.
func IsInline(text string) bool {
	text = strings.TrimSpace(text)
	return strings.HasPrefix(text, "- ") || strings.HasPrefix(text, "[{")
}

// InlineBesideFile is the mistake of an inline list where the fleet file exists:
// text from a dispatch form must not bring its own roles and clusters.
func InlineBesideFile(file string) Mistake {
	return Mistake{
		At:      Position{Text: environmentsInput},
		Problem: "an inline list stands beside the fleet file " + file,
		Instead: "write selectors, such as names that the file describes, or remove the file",
	}
}

// ParseInline reads the environments input as an inline list. base speaks where
// an environment does not. All mistakes are returned, from top to end; with any
// of them the environments are incomplete and not to be used.
func ParseInline(src string, base Base) ([]Environment, []Mistake) {
	var ms mistakes
	root := parseYAML([]byte(src), environmentsInput, &ms)
	switch {
	case root == nil && len(ms.list) > 0:
	case root == nil || root.kind == isList && len(root.items) == 0:
		ms.add(Position{Text: environmentsInput}, "environments is empty: it never means the whole fleet", "write - {name: NAME, cluster: NAME, service: NAME} for each environment")
	case root.kind != isList:
		ms.add(root.at, "the inline list is "+root.kind.String(), "begin each environment with a dash: - {name: NAME, …}")
	default:
		r := &reader{mistakes: &ms}
		return r.inline(root, base.level()), ms.sorted()
	}
	return nil, ms.sorted()
}

func (r *reader) inline(root *node, defaults level) []Environment {
	var all []Environment
	first := map[string]Position{}
	for _, item := range r.items(root) {
		if r.spent() {
			break
		}
		if item.kind != isMap {
			r.wrong(item, "an environment of the inline list", "write {name: NAME, cluster: NAME, …}")
			continue
		}
		name, ok := r.name(item)
		if before, twice := first[name]; ok && twice {
			r.add(item.at, fmt.Sprintf("the environment %s is written twice, first in line %d", quote(name), before.Line), "keep one, or rename the other")
			ok = false
		}
		l := r.level(item, "an environment", true)
		if !ok {
			continue
		}
		first[name] = item.at
		all = append(all, r.environment(name, l, defaults))
	}
	r.sameService(all)
	return all
}

// name reads the name of an environment in an inline list.
func (r *reader) name(item *node) (string, bool) {
	for _, e := range item.entries {
		if e.key != "name" {
			continue
		}
		s := r.string(e.value, "name")
		if !s.given {
			break
		}
		if !s.wrong && !isName(s.text) {
			r.add(s.at, "the environment "+quote(s.text)+" is not a name", nameRule)
		}
		return s.text, isName(s.text)
	}
	r.add(item.at, "an environment has no name", "write name: NAME first")
	return "", false
}
