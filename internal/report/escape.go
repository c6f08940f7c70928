package report

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// zeroWidth is an entity for U+200B, which shows as nothing. It goes where an
// entity for the character itself is not enough: GitHub links addresses and
// mentions in the parsed text, after entities have become characters again.
// (github/cmark-gfm extensions/autolink.c, postprocess_text)
const zeroWidth = "&#8203;"

// entity stands for a character that Markdown, its tables or HTML would read
// as markup; empty for others. A backslash in front would do for most, but not
// in a table's cell or an HTML block; an entity means the same everywhere.
func entity(r rune) string {
	switch r {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '\\', '|', '`', '*', '_', '~', '[', ']', '$': // $: GitHub reads $…$ as mathematics
		return "&#" + strconv.Itoa(int(r)) + ";"
	}
	return ""
}

// Escape makes text from AWS or a user safe in a paragraph or a table's cell
// of GitHub Markdown: it renders as the same visible text, on one line, and is
// neither markup nor link nor mention. Line breaks and control characters
// become spaces.
func Escape(s string) string {
	text := clean(s)
	var b strings.Builder
	b.Grow(len(text) + len(text)/4)
	marker := listMarker(text)
	for i, r := range text {
		if e := entity(r); e != "" {
			b.WriteString(e)
			continue
		}
		switch {
		case i == marker:
			fmt.Fprintf(&b, "&#%d;", r)
		case r == '@' && mentions(text, i):
			b.WriteString("&#64;" + zeroWidth)
		case r == ':' && strings.HasPrefix(text[i+1:], "//"), r == '.' && i >= 3 && strings.EqualFold(text[i-3:i], "www"):
			b.WriteString(zeroWidth)
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// escapeHTML makes one line of text safe inside <pre>, where nothing but HTML
// is read: GitHub looks for neither mentions nor links there. A log line
// cannot close the element, as no "<" of it is left.
func escapeHTML(line string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(printable(line))
}

// clean is printable text on one line, with runs of spaces as one, as a browser
// would show them.
func clean(s string) string { return strings.Join(strings.Fields(printable(s)), " ") }

// printable is valid UTF-8 without what could change how the text around it is
// read: control characters (line breaks and tabs become spaces), colour codes
// of terminals, and marks that turn the direction of writing around
// (https://trojansource.codes).
func printable(s string) string {
	if isPlain(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Bidi_Control, r), r == '\u200B':
			return -1
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		}
		return r
	}, withoutColours(strings.ToValidUTF8(s, "\uFFFD")))
}

// isPlain tells whether s is printable ASCII, as nearly all text is.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// withoutColours drops the SGR sequences ("\x1b[31m") that programs put into
// their logs; any other escape loses its control character in clean.
func withoutColours(s string) string {
	head, rest, found := strings.Cut(s, "\x1b[")
	if !found {
		return s
	}
	var b strings.Builder
	b.WriteString(head)
	for found {
		var part string
		part, rest, found = strings.Cut(rest, "\x1b[")
		if codes := strings.TrimLeft(part, "0123456789;"); strings.HasPrefix(codes, "m") {
			part = codes[1:]
		}
		b.WriteString(part)
	}
	return b.String()
}

// listMarker is the place of the character that would make text a heading, a
// list or a rule if it began a line; -1 when there is none.
func listMarker(text string) int {
	if text != "" && strings.IndexByte("#-+=:", text[0]) >= 0 {
		return 0
	}
	digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
	if 0 < digits && digits < len(text) && (text[digits] == '.' || text[digits] == ')') {
		return digits
	}
	return -1
}

// mentions tells whether the @ at i begins a mention or stands in what looks
// like a mail address. An image's digest (rails@sha256:…) is neither, and
// stays free of invisible characters for those who copy it.
func mentions(text string, i int) bool {
	digest := i > 0 && isAlnum(text[i-1]) && strings.HasPrefix(text[i+1:], "sha256:")
	return !digest && i+1 < len(text) && text[i+1] != ' '
}
