package action

import (
	"errors"
	"fmt"
	"maps"
	"strings"
)

// ErrHelp is returned by ReadFlags when help is asked for (-h, --help): print
// Usage.
var ErrHelp = errors.New("help is asked for")

// Raw is inputs as they were given: text. The zero value has none. It is a
// value; methods that add to it return a new one.
type Raw struct{ given map[string]given }

type given struct {
	value string // trimmed, never empty
	place string // of mistakes in it: "input timeout", ".github/ecs-fleet.yml:3:12: timeout"
}

// ReadEnv reads the inputs of a workflow step: the runner puts each into
// INPUT_NAME, upper-cased, dashes kept.
// https://github.com/actions/runner/blob/main/src/Runner.Worker/Handlers/Handler.cs
func ReadEnv(getenv func(string) string) Raw {
	var r Raw
	for _, name := range inputNames() {
		r = r.with(name, getenv(variable(name)), "input "+name)
	}
	return r
}

func variable(name string) string { return "INPUT_" + strings.ToUpper(name) }

// Misspelt lists the mistakes of variables (NAME=value, as os.Environ has them)
// that are no input but nearly one: a run with "dry_run: true" must not deploy.
// The runner only warns about unknown inputs. Names that are not near to any
// input are left alone: variables of other programs may begin with INPUT_, too.
func Misspelt(environ []string) []error {
	var mistakes []error
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		name, is := strings.CutPrefix(name, "INPUT_")
		name = strings.ToLower(name)
		if _, known := lookup(name); !is || known || strings.TrimSpace(value) == "" {
			continue
		}
		if meant := nearest(name, inputNames()); meant != "" {
			mistakes = append(mistakes, fmt.Errorf("input %s: is not known; did you mean %q?", name, meant))
		}
	}
	return mistakes
}

// Or is r, with other's inputs where r has none: flags.Or(env).
func (r Raw) Or(other Raw) Raw {
	all := maps.Clone(other.given)
	if all == nil {
		all = map[string]given{}
	}
	maps.Copy(all, r.given)
	return Raw{all}
}

// Value is the trimmed text of an input, or its default when it is unset or
// empty, which are the same. It is empty for a name that is no input.
func (r Raw) Value(name string) string {
	if g, ok := r.given[name]; ok {
		return g.value
	}
	in, _ := lookup(name)
	return in.Default
}

// Setting is a line under policy: in the fleet file.
type Setting struct {
	Name, Value string
	Place       string // ".github/ecs-fleet.yml:14:5"
}

// WithPolicy is r, with the settings where r has no input of that name. A
// setting that is no input, or not one that may stand under policy, is a
// mistake.
func (r Raw) WithPolicy(settings []Setting) (Raw, []error) {
	var policy Raw
	var mistakes []error
	for _, s := range settings {
		in, known := lookup(s.Name)
		switch {
		case !known:
			mistakes = append(mistakes, fmt.Errorf("%s: policy %q is not known; %s", s.Place, s.Name, didYouMean(s.Name, policyNames())))
		case !in.Policy:
			mistakes = append(mistakes, fmt.Errorf("%s: %q cannot stand under policy; give it as an input in the workflow", s.Place, s.Name))
		default:
			policy = policy.with(s.Name, s.Value, s.Place+": "+s.Name)
		}
	}
	return r.Or(policy), mistakes
}

func (r Raw) with(name, value, place string) Raw {
	value = strings.TrimSpace(value)
	if value == "" {
		return r
	}
	return Raw{map[string]given{name: {value, place}}}.Or(r)
}

// place is where a mistake in an input is to be mended.
func (r Raw) place(name string) string {
	if g, ok := r.given[name]; ok {
		return g.place
	}
	return "input " + name
}
