package fleet

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// maxExpanded bounds a string with its placeholders filled in, in bytes: the
// longest thing AWS takes here is a role's ARN of 2048 characters. Without it a
// few variables made of each other could fill the memory.
const maxExpanded = 2048

// maxPlaceholders is how deep variables may hold variables.
const maxPlaceholders = 10

// bytesPerValue is how much text counts as one value against maxValues.
const bytesPerValue = 16

// builtins are the placeholders that need no vars.
func builtins() []string {
	return []string{"environment", "service", "region", "account", "cluster"}
}

// scope fills in the placeholders of one environment. Values are filled in when
// they are used, so that a cluster may be named after a variable and a variable
// after the Region.
type scope struct {
	*reader
	environment string
	at          Position // of the environment
	service     string   // empty outside of a service
	known       map[string]said
	filled      map[string]filling
	open        []string // placeholders being filled in, outermost first
}

// filling is the value of a placeholder, found once: variables that hold each
// other twice would take as long as there are ways through them.
type filling struct {
	value string
	ok    bool
}

// newScope is the scope of an environment's strings; own are the values of
// region, account and cluster.
func newScope(r *reader, name string, l level) *scope {
	s := &scope{reader: r, environment: name, at: l.at, filled: map[string]filling{}, known: map[string]said{
		"region": l.region, "account": l.account, "cluster": l.cluster,
	}}
	for _, v := range l.vars {
		s.known[v.key] = v.value
	}
	return s
}

// within is the scope of the strings of a service.
func (s *scope) within(service string) *scope {
	inner := *s
	inner.service = service
	inner.filled = map[string]filling{} // a variable may hold {service}
	return &inner
}

var placeholderShape = regexp.MustCompile(`^\{([A-Za-z0-9._-]+)\}`)

// expand fills in the placeholders of a string; key is what the string says. It
// is not ok when a mistake was found, which is then reported.
func (s *scope) expand(from said, key string) (string, bool) {
	if from.wrong || !s.spend(len(from.text)/bytesPerValue, from.at) {
		return "", false
	}
	var b strings.Builder
	rest, ok := from.text, true
	for {
		before, after, found := strings.Cut(rest, "{")
		b.WriteString(before)
		if !found {
			break
		}
		m := placeholderShape.FindStringSubmatch("{" + after)
		if m == nil {
			s.add(from.at, fmt.Sprintf("%s holds a { that begins no placeholder", key), "write "+either(s.placeholders()))
			return "", false
		}
		value, filled := s.fill(m[1], from, key)
		b.WriteString(value)
		ok = ok && filled
		if b.Len() > maxExpanded {
			s.add(from.at, fmt.Sprintf("%s is longer than %d characters when its placeholders are filled in", key, maxExpanded), "write shorter variables")
			return "", false
		}
		rest = after[len(m[0])-1:]
	}
	if b.Len() > maxExpanded {
		s.add(from.at, fmt.Sprintf("%s is longer than %d characters", key, maxExpanded), "write a shorter value")
		return "", false
	}
	return b.String(), ok && s.spend(b.Len()/bytesPerValue, from.at)
}

// fill is the value of one placeholder that stands in a string.
func (s *scope) fill(name string, from said, key string) (string, bool) {
	switch name {
	case "environment":
		return s.environment, true
	case "service":
		if s.service == "" {
			s.add(from.at, fmt.Sprintf("%s holds {service}, which is known only inside of services", key), "write the service's name, or another placeholder")
			return "", false
		}
		return s.service, true
	}
	v, known := s.known[name]
	switch {
	case !known:
		s.add(from.at, fmt.Sprintf("%s holds the unknown placeholder {%s}", key, name), s.insteadOfPlaceholder(name))
		return "", false
	case slices.Contains(s.open, name):
		s.add(from.at, fmt.Sprintf("{%s} is made of itself: %s", name, s.circle(name)), "write one of them without a placeholder")
		return "", false
	case len(s.open) == maxPlaceholders:
		s.add(from.at, fmt.Sprintf("placeholders in placeholders go more than %d deep", maxPlaceholders), "write out some of them")
		return "", false
	}
	f, found := s.filled[name]
	if !found {
		s.open = append(s.open, name)
		f.value, f.ok = s.expand(v, holder(name))
		s.open = s.open[:len(s.open)-1]
		s.filled[name] = f
	}
	if f.ok && f.value == "" {
		s.empty(name, key)
	}
	return f.value, f.ok && f.value != ""
}

// holder is what messages call the string that a placeholder stands for.
func holder(name string) string {
	if slices.Contains(builtins(), name) {
		return name
	}
	return "variable " + name
}

// empty reports a placeholder without a value. Every environment needs a Region
// and a cluster anyway: their absence is reported once, where it is checked.
func (s *scope) empty(name, key string) {
	switch name {
	case "region", "cluster":
	case "account":
		s.add(s.at, fmt.Sprintf("environment %s has no account, which %s uses as {account}", quote(s.environment), key), `write account: "111122223333" there, or no placeholder`)
	default:
		s.add(s.at, fmt.Sprintf("environment %s has an empty variable %s, which %s uses as {%s}", quote(s.environment), name, key, name), "give the variable a value")
	}
}

// circle writes how a placeholder leads back to itself.
func (s *scope) circle(name string) string {
	var b strings.Builder
	for _, n := range s.open[slices.Index(s.open, name):] {
		b.WriteString("{" + n + "} holds ")
	}
	return b.String() + "{" + name + "}"
}

// insteadOfPlaceholder is the nearest placeholder, and all that there are.
func (s *scope) insteadOfPlaceholder(name string) string {
	if !s.spend(len(s.known), s.at) {
		return "write " + either(builtins())
	}
	all := s.placeholders()
	if n := nearest("{"+name+"}", all); n != "" {
		return fmt.Sprintf("write %s (known are %s)", n, listed(all, "and"))
	}
	return "write " + either(all)
}

// placeholders are all that are known in the environment: the builtin ones first.
func (s *scope) placeholders() []string {
	var vars []string
	for name := range s.known {
		if !slices.Contains(builtins(), name) {
			vars = append(vars, name)
		}
	}
	slices.Sort(vars)
	all := append(builtins(), vars...)
	for i, name := range all {
		all[i] = "{" + name + "}"
	}
	return all
}
