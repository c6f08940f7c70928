package action

import (
	"fmt"
	"slices"
	"strings"
)

// ReadFlags reads inputs from a command line: an optional command, then flags
// named like the inputs (--image-tag v1, --image-tag=v1; a boolean alone is
// true). Every mistake is returned; when help is asked for it is ErrHelp alone.
// An empty value is the same as no flag.
func ReadFlags(args []string) (Raw, []error) {
	if slices.ContainsFunc(args, func(a string) bool { return a == "-h" || a == "--help" }) {
		return Raw{}, []error{ErrHelp}
	}
	line := flagLine{rest: args, seen: map[string]bool{}}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		line.rest = args[1:]
		line.set("command", args[0])
	}
	for len(line.rest) > 0 {
		line.next()
	}
	return line.raw, line.mistakes
}

type flagLine struct {
	rest     []string
	seen     map[string]bool
	raw      Raw
	mistakes []error
}

// next takes one flag, with its value, from the rest.
func (l *flagLine) next() {
	arg := l.rest[0]
	l.rest = l.rest[1:]
	name, value, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	in, known := lookup(name)
	switch {
	case !strings.HasPrefix(arg, "-"):
		l.mistake("argument %q: not a flag; write --name=value", arg)
	case !known:
		l.mistake("flag --%s: not known; %s", name, meantFlag(name))
		l.skipValue(hasValue)
	case !strings.HasPrefix(arg, "--"):
		l.mistake("flag %q: flags have two dashes; write --%s", arg, name)
		l.skipValue(hasValue || in.Kind == Boolean)
	case hasValue:
		l.set(name, value)
	case in.Kind == Boolean:
		l.set(name, "true")
	case len(l.rest) == 0 || strings.HasPrefix(l.rest[0], "--"):
		l.mistake("flag --%s: its value is missing; write --%s=value", name, name)
	default:
		l.set(name, l.rest[0])
		l.rest = l.rest[1:]
	}
}

// skipValue drops what is most likely the value of a flag that is a mistake:
// one mistake is to be told once.
func (l *flagLine) skipValue(hasValue bool) {
	if !hasValue && len(l.rest) > 0 && !strings.HasPrefix(l.rest[0], "-") {
		l.rest = l.rest[1:]
	}
}

func (l *flagLine) set(name, value string) {
	if l.seen[name] {
		l.mistake("flag --%s: given twice; leave one", name)
		return
	}
	l.seen[name] = true
	l.raw = l.raw.with(name, value, "input "+name)
}

func (l *flagLine) mistake(format string, args ...any) {
	l.mistakes = append(l.mistakes, fmt.Errorf(format, args...))
}

func meantFlag(name string) string {
	if meant := nearest(name, inputNames()); meant != "" {
		return "did you mean --" + meant + "?"
	}
	return "see --help"
}

// Usage is the help text about the flags.
func Usage() string {
	var text strings.Builder
	text.WriteString("Usage: ecs-fleet deploy --environments=WHICH --image-tag=TAG [flags]\n")
	text.WriteString("       ecs-fleet scale --environments=WHICH --services=NAMES --desired-count=NUMBER [flags]\n\n")
	text.WriteString("Flags are the action's inputs; INPUT_* variables count where a flag is missing.\n")
	for _, in := range Table() {
		fmt.Fprintf(&text, "\n  --%s  (%s)\n      %s\n", in.Name, in.unset(), strings.ReplaceAll(in.Description, "`", ""))
	}
	return text.String()
}
