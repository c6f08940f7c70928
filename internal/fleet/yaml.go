package fleet

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits on a text, which may come from a dispatch form. They are far above
// what a fleet of a thousand environments needs.
const (
	maxBytes = 1 << 20
	// These keep the YAML parser short, whose time grows with the square of each
	// (measured with goccy/go-yaml v1.19.2: 50,000 keys in one block mapping take
	// 5 s and more, 10,000 nested lists 160 MB).
	maxTokens  = 200_000
	maxNesting = 50
	maxKeys    = 10_000
	// maxValues bounds what is read when every alias is followed and every
	// default is merged: a text of a few lines can ask for billions of values.
	maxValues = 500_000
)

// What is said of a text that nests deeper than maxNesting.
const (
	tooDeep  = "lists and mappings nest more than 50 deep"
	oneLevel = "write one level for each key of the reference"
)

// kind is what a YAML value is.
type kind int

const (
	isNull kind = iota // null, or no value at all
	isText
	isNumber
	isBool
	isList
	isMap
)

// String is the kind as messages call it.
func (k kind) String() string {
	return [...]string{"empty", "a string", "a number", "true or false", "a list", "a mapping"}[k]
}

// node is a YAML value with its place. Scalars keep the text as it is written,
// since 012 or 1.10 mean something else once they are numbers. An alias is the
// very node of its anchor, so that a tree never grows by aliases.
type node struct {
	kind    kind
	text    string  // of a scalar, without its quotes
	quoted  bool    // a string in quotes
	items   []*node // of a list
	entries []entry // of a mapping, in its order, each key once
	wrong   bool    // what stands here is a mistake that is reported
	at      Position
}

// entry is a key of a mapping with its value.
type entry struct {
	key   string
	at    Position // of the key
	value *node
}

// parseYAML reads one YAML document. nil means that there is none: the text is
// empty, or its mistakes hide what it says.
func parseYAML(src []byte, name string, ms *mistakes) *node {
	whole := Position{Text: name}
	if len(src) > maxBytes {
		ms.add(whole, fmt.Sprintf("the text has %d bytes", len(src)), fmt.Sprintf("write at most %d", maxBytes))
		return nil
	}
	src = bytes.TrimPrefix(src, []byte("\ufeff")) // editors on Windows write it; it would be part of the first key
	src = bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))
	tokens := lexer.Tokenize(string(src))
	if !withinLimits(tokens, name, ms) {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey()) // duplicates are reported with all other mistakes
	if err != nil {
		ms.addSyntax(err, src, name)
		return nil
	}
	return (&builder{name: name, ms: ms, anchors: map[string]*node{}}).document(file)
}

// withinLimits refuses texts that the parser would take too long for.
func withinLimits(tokens token.Tokens, name string, ms *mistakes) bool {
	if len(tokens) > maxTokens {
		ms.add(Position{Text: name}, fmt.Sprintf("the text has more than %d words and signs", maxTokens), "describe fewer environments, or put what they share under defaults")
		return false
	}
	var s size
	for _, t := range tokens {
		if problem, instead := s.add(t); problem != "" {
			ms.add(position(name, t), problem, instead)
			return false
		}
	}
	return true
}

// size is how deep and wide a text is up to some token.
type size struct {
	open, dashes int // brackets open; "- - - x" nests without any
	line         int
	documents    int
	keys         []int // how many keys the open block mappings have, by their column
}

// add counts a token, and tells what is wrong when that is too much.
func (s *size) add(t *token.Token) (problem, instead string) {
	if t.Position.Line != s.line {
		s.line, s.dashes = t.Position.Line, 0
	}
	switch t.Type {
	case token.SequenceStartType, token.MappingStartType:
		s.open++
	case token.SequenceEndType, token.MappingEndType:
		s.open--
	case token.SequenceEntryType, token.MappingKeyType:
		s.dashes++
		s.keys = s.keys[:min(len(s.keys), t.Position.Column)] // an item begins a new mapping
	case token.DocumentHeaderType:
		s.documents++
	case token.MappingValueType:
		if s.open == 0 && s.key(t) > maxKeys {
			return fmt.Sprintf("a mapping has more than %d keys", maxKeys), "describe fewer environments"
		}
	}
	switch {
	case s.open+s.dashes > maxNesting:
		return tooDeep, oneLevel
	case s.documents > 2:
		return "a second YAML document begins", "write one document, without ---"
	}
	return "", ""
}

// key counts a key of a block mapping; a key further left ends the mappings
// right of it.
func (s *size) key(colon *token.Token) int {
	column := min(colon.Position.Column, maxBytes)
	if colon.Prev != nil && colon.Prev.Position.Line == colon.Position.Line {
		column = min(colon.Prev.Position.Column, maxBytes)
	}
	if column >= len(s.keys) {
		s.keys = append(s.keys, make([]int, column+1-len(s.keys))...) // zeros, whatever stood there
	}
	s.keys = s.keys[:column+1]
	s.keys[column]++
	return s.keys[column]
}

// position is the place of a token.
func position(name string, t *token.Token) Position {
	if t == nil || t.Position == nil {
		return Position{Text: name}
	}
	return Position{Text: name, Line: t.Position.Line, Column: max(t.Position.Column, 1)}
}

// barePlaceholder finds a value that begins with a placeholder and has no
// quotes: YAML takes its brace for a mapping.
var barePlaceholder = regexp.MustCompile(`[:,\[{-]\s*(\{[A-Za-z0-9_.-]+\}[^\s,}\]]*)`)

func (ms *mistakes) addSyntax(err error, src []byte, name string) {
	at, problem := Position{Text: name}, err.Error()
	if e, ok := errors.AsType[yaml.Error](err); ok {
		at, problem = position(name, e.GetToken()), e.GetMessage()
	}
	instead := "correct the indentation, brackets or quotes there"
	lines := bytes.Split(src, []byte("\n"))
	if at.Line >= 1 && at.Line <= len(lines) {
		if m := barePlaceholder.FindSubmatch(lines[at.Line-1]); m != nil {
			instead = fmt.Sprintf("write a value that begins with a placeholder in quotes: %q", m[1])
		}
	}
	problem, _, _ = strings.Cut(problem, "\n")
	ms.add(at, "this is not YAML: "+problem, instead)
}

// builder turns the parser's tree into nodes: it resolves aliases and merge
// keys and drops what a fleet has no use for.
type builder struct {
	name    string
	ms      *mistakes
	anchors map[string]*node
	depth   int
	merged  int // entries copied by merge keys
}

func (b *builder) document(file *ast.File) *node {
	var root *node
	for _, d := range file.Docs {
		switch {
		case d.Body == nil:
		case root != nil:
			b.ms.add(position(b.name, d.Body.GetToken()), "a second YAML document begins", "write one document, without ---")
		default:
			root = b.node(d.Body)
		}
	}
	return root
}

func (b *builder) node(n ast.Node) *node {
	if b.depth++; b.depth > maxNesting {
		b.depth--
		b.ms.add(position(b.name, n.GetToken()), tooDeep, oneLevel)
		return &node{wrong: true, at: position(b.name, n.GetToken())}
	}
	defer func() { b.depth-- }()
	at := position(b.name, n.GetToken())
	switch n := n.(type) {
	case *ast.MappingNode:
		return b.mapping(at, n.Values)
	case *ast.MappingValueNode:
		return b.mapping(at, []*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		l := &node{kind: isList, at: at}
		for _, v := range n.Values {
			l.items = append(l.items, b.node(v))
		}
		return l
	case *ast.AnchorNode:
		v := b.node(n.Value)
		b.anchors[n.Name.GetToken().Value] = v // after its value: an anchor cannot hold itself
		return v
	case *ast.AliasNode:
		return b.alias(at, n)
	case *ast.TagNode:
		return b.tagged(at, n)
	default:
		return b.scalar(at, n)
	}
}

func (b *builder) scalar(at Position, n ast.Node) *node {
	switch n := n.(type) {
	case *ast.StringNode:
		quoted := n.Token.Type == token.DoubleQuoteType || n.Token.Type == token.SingleQuoteType
		return &node{kind: isText, text: n.Value, quoted: quoted, at: at}
	case *ast.LiteralNode:
		return &node{kind: isText, text: n.Value.Value, quoted: true, at: at}
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return &node{kind: isNumber, text: n.GetToken().Value, at: at}
	case *ast.BoolNode:
		return &node{kind: isBool, text: n.Token.Value, at: at}
	default:
		return &node{at: at}
	}
}

func (b *builder) alias(at Position, n *ast.AliasNode) *node {
	name := n.Value.GetToken().Value
	if v := b.anchors[name]; v != nil {
		return v
	}
	b.ms.add(at, fmt.Sprintf("no anchor %s stands above this alias", quote("&"+name)), "define it first, or write the value out")
	return &node{wrong: true, at: at}
}

// tagged reads !!str, which some use instead of quotes; other tags would change
// what a value is, and none is needed.
func (b *builder) tagged(at Position, n *ast.TagNode) *node {
	tag := n.Start.Value
	v := &node{at: at}
	if n.Value != nil {
		v = b.node(n.Value)
	}
	if tag != "!!str" || v.kind == isList || v.kind == isMap {
		b.ms.add(at, fmt.Sprintf("the tag %s is not read", quote(tag)), "leave it out")
		return v
	}
	return &node{kind: isText, text: v.text, quoted: true, at: v.at}
}

func (b *builder) mapping(at Position, values []*ast.MappingValueNode) *node {
	m := &node{kind: isMap, at: at}
	if len(values) > 0 {
		m.at = position(b.name, values[0].Key.GetToken()) // the parser names the first colon
	}
	first := map[string]Position{}
	var merges []*node
	for _, v := range values {
		if v.Key.IsMergeKey() {
			merges = append(merges, b.node(v.Value))
			continue
		}
		e, ok := b.entry(v)
		if !ok {
			continue
		}
		if before, twice := first[e.key]; twice {
			b.ms.add(e.at, fmt.Sprintf("%s is written twice, first in line %d", quote(e.key), before.Line), "keep one, or rename the other")
			continue
		}
		first[e.key] = e.at
		m.entries = append(m.entries, e)
	}
	for _, from := range merges {
		b.merge(m, first, from)
	}
	return m
}

func (b *builder) entry(v *ast.MappingValueNode) (entry, bool) {
	var key ast.Node = v.Key
	if k, ok := key.(*ast.MappingKeyNode); ok {
		key = k.Value
	}
	e := entry{value: b.node(v.Value)}
	k := b.scalar(position(b.name, key.GetToken()), key)
	if k.kind == isNull { // an alias or a list, too
		b.ms.add(k.at, "a key is not a plain word", "write KEY: VALUE")
		return entry{}, false
	}
	e.key, e.at = k.text, k.at
	return e, true
}

// merge adds the entries of a merge key's value ("<<") that the mapping does
// not have itself; of several, the first wins (https://yaml.org/type/merge.html).
func (b *builder) merge(m *node, have map[string]Position, from *node) {
	switch from.kind {
	case isMap:
		if b.merged += len(from.entries); b.merged > maxValues {
			b.ms.add(m.at, fmt.Sprintf("merge keys copy more than %d values", maxValues), "put what environments share under defaults")
			return
		}
		for _, e := range from.entries {
			if _, ok := have[e.key]; !ok {
				have[e.key] = e.at
				m.entries = append(m.entries, e)
			}
		}
	case isList:
		for _, item := range from.items {
			if item.kind == isList {
				b.ms.add(item.at, "a merge key is given a list in a list", "write << with an alias of a mapping")
				continue
			}
			b.merge(m, have, item)
		}
	default:
		if from.wrong {
			return
		}
		b.ms.add(from.at, "a merge key is given "+from.kind.String(), "write << with an alias of a mapping")
	}
}
