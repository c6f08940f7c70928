package fleet

import (
	"fmt"
	"slices"
	"strconv"
)

// said is a string as somebody wrote it: placeholders not filled in. The zero
// value means that nobody wrote it, which is not the same as writing "".
type said struct {
	text  string
	at    Position
	given bool
	wrong bool // given, with a mistake that is reported: nothing more is to be said of it
}

// or is s, or what else says where s does not speak.
func (s said) or(other said) said {
	if s.given {
		return s
	}
	return other
}

// pair is an entry of a mapping of strings. A pair whose value is not given
// removes what the defaults say under its key.
type pair struct {
	key   string
	at    Position
	value said
}

// level is what one place says about an environment: the inputs, the defaults
// or the environment itself. Kinds of values and keys are checked; the values
// are not, since they may hold placeholders.
type level struct {
	at         Position
	account    said
	region     said
	roleARN    said
	externalID said
	cluster    said
	timeout    said
	wave       int // 0: not said
	containers []said
	alarms     []said // nil: not said; empty: none
	labels     []pair
	vars       []pair
	services   servicesLevel
	unread     bool // an ecspresso configuration says the rest
}

// environmentKeys are the keys of an environment and of the defaults; name comes
// in addition in an inline list.
func environmentKeys() []string {
	return []string{"account", "region", "role-arn", "external-id", "cluster", "service", "services", "container",
		"wave", "labels", "timeout", "alarms", "vars", "ecspresso", "envfile"}
}

// ownKeys are the keys of a selector KEY=VALUE that are not labels.
func ownKeys() []string { return []string{"region", "account", "wave"} }

// reader reads levels from nodes and collects the mistakes.
type reader struct {
	*mistakes
	values int // read so far, each as often as aliases and defaults ask for it
}

// spend counts values that are read, and reports whether that is still within
// the limit. The first excess is a mistake; what follows it is not read.
func (r *reader) spend(n int, at Position) bool {
	if r.values <= maxValues && r.values+n > maxValues {
		r.add(at, fmt.Sprintf("with aliases and defaults the text has more than %d values", maxValues), "describe fewer environments or services")
	}
	r.values += n
	return !r.spent()
}

// spent reports whether the limit is exceeded; it is reported then, and all
// that would follow from what has not been read must not be.
func (r *reader) spent() bool { return r.values > maxValues }

// wrong reports a value of another kind than its key needs.
func (r *reader) wrong(n *node, key, instead string) {
	is := n.kind.String()
	if n.kind == isNumber || n.kind == isBool {
		is += " (" + quote(n.text) + ")"
	}
	r.add(n.at, key+" is "+is, instead)
}

// entries are the entries of a mapping; no value at all is an empty mapping.
func (r *reader) entries(n *node, key, instead string) []entry {
	switch {
	case n.kind == isNull:
		return nil
	case n.kind != isMap:
		r.wrong(n, key, instead)
		return nil
	case !r.spend(1+len(n.entries), n.at):
		return nil
	}
	return n.entries
}

// items are the items of a list; anything but a list is a list of itself.
func (r *reader) items(n *node) []*node {
	if n.kind != isList {
		return []*node{n}
	}
	if !r.spend(len(n.items), n.at) {
		return nil
	}
	return n.items
}

// string reads a string; a key without a value says nothing.
func (r *reader) string(n *node, key string) said {
	if n.wrong {
		return mistaken(n)
	}
	switch n.kind {
	case isText:
		return said{text: n.text, at: n.at, given: true}
	case isNull:
		return said{}
	case isNumber, isBool:
		r.wrong(n, key, fmt.Sprintf("write it in quotes: %q", n.text))
	default:
		r.wrong(n, key, insteadOfMapping(n))
	}
	return mistaken(n)
}

// mistaken is a value whose mistake has been reported.
func mistaken(n *node) said { return said{at: n.at, given: true, wrong: true} }

// insteadOfMapping recognises {environment} without quotes, which YAML reads as
// a mapping.
func insteadOfMapping(n *node) string {
	if n.kind == isMap && len(n.entries) == 1 && n.entries[0].value.kind == isNull {
		return fmt.Sprintf("write a placeholder in quotes: %q", "{"+n.entries[0].key+"}")
	}
	return "write one string"
}

// scalar reads a string, a number or a boolean as it is written.
func (r *reader) scalar(n *node, key string) said {
	if n.kind == isNumber || n.kind == isBool {
		return said{text: n.text, at: n.at, given: true}
	}
	return r.string(n, key)
}

// strings reads a list of strings, or one string.
func (r *reader) strings(n *node, key string) []said {
	if n.kind == isNull {
		return nil
	}
	all := []said{}
	for _, item := range r.items(n) {
		if item.kind == isNull && !item.wrong {
			r.add(item.at, key+" has an empty item", "write a name, or leave the item out")
			all = append(all, mistaken(item))
			continue
		}
		all = append(all, r.string(item, key))
	}
	return all
}

// account reads an account id. YAML readers take 012345678901 for a number, some
// for an octal one, so an id with a leading zero needs its quotes.
func (r *reader) account(n *node) said {
	switch {
	case n.kind == isNumber && !onlyDigits(n.text):
		r.wrong(n, "account", shapes["account"].instead)
		return mistaken(n)
	case n.quoted || !onlyDigits(n.text):
		return r.string(n, "account")
	case n.text[0] == '0':
		r.add(n.at, "account "+quote(n.text)+" begins with a zero, which YAML drops from a number", fmt.Sprintf("write it in quotes: %q", n.text))
		return mistaken(n)
	case len(n.text) == accountDigits-1:
		r.add(n.at, fmt.Sprintf("account %s has %d digits, so a leading zero is probably lost", n.text, len(n.text)), fmt.Sprintf("write all %d digits in quotes: %q", accountDigits, "0"+n.text))
		return mistaken(n)
	}
	return said{text: n.text, at: n.at, given: true}
}

// wave reads a wave's number: 1 or more.
func (r *reader) wave(n *node) int {
	if n.kind == isNull {
		return 0
	}
	if n.kind != isNumber {
		r.wrong(n, "wave", "write a whole number from 1 on, without quotes")
		return 0
	}
	w, err := strconv.Atoi(n.text)
	if err != nil || w < 1 {
		r.add(n.at, "wave is "+quote(n.text), "write a whole number from 1 on")
		return 0
	}
	return w
}

// pairs reads a mapping of strings; numbers and booleans are read as written.
func (r *reader) pairs(n *node, key, example string) []pair {
	entries := r.entries(n, key, "write a mapping: "+example)
	ps := make([]pair, 0, len(entries))
	for _, e := range entries {
		ps = append(ps, pair{key: e.key, at: e.at, value: r.scalar(e.value, key+" "+quote(e.key))})
	}
	return ps
}

// labels reads labels. Their keys stand in front of the = of a selector.
func (r *reader) labels(n *node) []pair {
	return slices.DeleteFunc(r.pairs(n, "labels", "{ring: early}"), func(p pair) bool {
		switch {
		case slices.Contains(ownKeys(), p.key):
			r.add(p.at, fmt.Sprintf("the label %s hides what the selector %s=… selects by", quote(p.key), p.key), "give the label another name")
		case !isName(p.key):
			r.add(p.at, "the label "+quote(p.key)+" is not a name", nameRule)
		default:
			return false
		}
		return true
	})
}

// vars reads the user's own placeholders.
func (r *reader) vars(n *node) []pair {
	return slices.DeleteFunc(r.pairs(n, "vars", "{stack: blue}"), func(p pair) bool {
		switch {
		case slices.Contains(builtins(), p.key):
			r.add(p.at, fmt.Sprintf("the placeholder {%s} exists already", p.key), "give the variable another name")
		case !isName(p.key):
			r.add(p.at, "the variable "+quote(p.key)+" is not a name", nameRule)
		default:
			return false
		}
		return true
	})
}

// level reads the keys of an environment or of the defaults. In an inline list
// the name is one of them and read before.
func (r *reader) level(n *node, what string, inline bool) level {
	l := level{at: n.at}
	known := environmentKeys()
	if inline {
		known = append(known, "name")
	}
	for _, e := range r.entries(n, what, "write a mapping of its keys, such as {cluster: main}") {
		v := e.value
		switch e.key {
		case "account":
			l.account = r.account(v)
		case "region":
			l.region = r.string(v, e.key)
		case "role-arn":
			l.roleARN = r.string(v, e.key)
		case "external-id":
			l.externalID = r.string(v, e.key)
		case "cluster":
			l.cluster = r.string(v, e.key)
		case "timeout":
			l.timeout = r.timeout(v)
		case "wave":
			l.wave = r.wave(v)
		case "container":
			l.containers = r.strings(v, e.key)
		case "alarms":
			l.alarms = r.strings(v, e.key)
		case "labels":
			l.labels = r.labels(v)
		case "vars":
			l.vars = r.vars(v)
		case "service", "services":
			l.services = r.services(l.services, e)
		case "ecspresso", "envfile":
			l.unread = true
			r.string(v, e.key)
			r.add(e.at, "this version does not read ecspresso configurations, so "+e.key+" would be ignored", "write region, cluster and services instead")
		case "name":
			if !inline {
				r.add(e.at, "name belongs into an inline list only", "leave it out: the name stands in front of the colon")
			}
		default:
			r.unknown(e, what, known)
		}
	}
	return l
}

// timeout reads a duration, of which 30 without its unit is the usual mistake.
func (r *reader) timeout(n *node) said {
	if n.kind == isNumber {
		r.wrong(n, "timeout", fmt.Sprintf("write it with a unit: %sm", n.text))
		return mistaken(n)
	}
	return r.string(n, "timeout")
}

// unknown reports a key that is not known, with the nearest one or the place
// where it belongs.
func (r *reader) unknown(e entry, what string, known []string) {
	if r.full() { // looking for the nearest key takes time
		return
	}
	instead := ""
	switch near := nearest(e.key, known); {
	case slices.Contains(environmentKeys(), e.key):
		instead = "write it in an environment, or under defaults"
	case slices.Contains(serviceKeys(), e.key):
		instead = fmt.Sprintf("write it in a service: services: {NAME: {%s: …}}", e.key)
	case near != "":
		instead = "write " + near
	default:
		instead = "known are " + listed(known, "and")
	}
	r.add(e.at, fmt.Sprintf("unknown key %s in %s", quote(e.key), what), instead)
}
