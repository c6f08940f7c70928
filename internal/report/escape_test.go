package report

import (
	"html"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"ecs-fleet/internal/fleet"
)

func TestEscape(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain text stays", "tenant-a/rails:42 (8 of 8)", "tenant-a/rails:42 (8 of 8)"},
		{"a pipe does not end the cell", "a|b", "a&#124;b"},
		{"tags are text", "</details><img src=x>", "&lt;/details&gt;&lt;img src=x&gt;"},
		{"entities are text", "&lt;", "&amp;lt;"},
		{"emphasis and code are text", "*a* _b_ `c` ~d~", "&#42;a&#42; &#95;b&#95; &#96;c&#96; &#126;d&#126;"},
		{"links are text", "[a](b)", "&#91;a&#93;(b)"},
		{"a backslash escapes nothing", `\|`, "&#92;&#124;"},
		{"mathematics is text", "$x$", "&#36;x&#36;"},
		{"line breaks become spaces", "a\r\nb\tc", "a b c"},
		{"colours of a terminal go", "\x1b[31;1mred\x1b[0m", "red"},
		{"other control characters become spaces", "a\x00b\x1bc", "a b c"},
		{"turned writing is straightened", "a\u202Eb", "ab"},
		{"bytes that are no text show as such", "a\xffb", "a\uFFFDb"},
		{"a heading is text", "# a", "&#35; a"},
		{"a list is text", "- a", "&#45; a"},
		{"a numbered list is text", "12. a", "12&#46; a"},
		{"a number is a number", "12 a", "12 a"},
		{"a quotation is text", "> a", "&gt; a"},
		{"an indented line is no code", "    a", "a"},
		{"a mention calls nobody", "ask @octocat", "ask &#64;&#8203;octocat"},
		{"a mail address is no link", "a@b.com", "a&#64;&#8203;b.com"},
		{"a digest can be copied", "rails@sha256:12", "rails@sha256:12"},
		{"an address is no link", "see https://x.y", "see https&#8203;://x.y"},
		{"an address without scheme is no link", "see WWW.x.y", "see WWW&#8203;.x.y"},
		{"nothing stays nothing", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Escape(c.in); got != c.want {
				t.Errorf("Escape(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"a|b", "</pre>", "@x", "https://x", "1. x", "\x1b[31m", "www.x", "&#124;"} {
		f.Add(s)
	}
	markup := regexp.MustCompile("[|<>`*_~$\\\\\\[\\]]|^[#+=-]")
	// What GitHub links is looked for in the text, after entities are characters.
	link := regexp.MustCompile(`(?i)[a-z]://|www\.|@[^\s\x{200B}s]|@s[^h]`)
	f.Fuzz(func(t *testing.T, s string) {
		got := Escape(s)
		if bad := markup.FindString(got) + link.FindString(html.UnescapeString(got)); bad != "" {
			t.Errorf("Escape(%q) = %q has the markup %q", s, got, bad)
		}
		if strings.ContainsAny(got, "\r\n\t") || !utf8.ValidString(got) {
			t.Errorf("Escape(%q) = %q is not one line of text", s, got)
		}
		if shown := strings.ReplaceAll(html.UnescapeString(got), "\u200B", ""); shown != clean(s) {
			t.Errorf("Escape(%q) shows as %q, want %q", s, shown, clean(s))
		}
		if pre := escapeHTML(s); strings.ContainsAny(pre, "<>\r\n") {
			t.Errorf("escapeHTML(%q) = %q can break out", s, pre)
		}
	})
}

// ourTags are all that a summary has of HTML.
var ourTags = regexp.MustCompile(`<details><summary>[^<>]*</summary>|</details>|</?pre>|<br>`)

// FuzzSummary puts one text everywhere, and then reads the summary as GitHub's
// parser would: lines by what they begin with, tables by their pipes.
func FuzzSummary(f *testing.F) {
	for _, s := range []string{"a|b", "</pre></details>", "```\n# x", "a\n\n| b |", "<script>", "@all https://evil", "[a](b)", "\x1b[2J"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := rolledBack()
		bad := &r.Services[3]
		bad.Of = fleet.ServiceRef{Environment: s, Service: s}
		bad.Region, bad.Cluster, bad.ECSService, bad.Account = fleet.Region(s), s, s, fleet.AccountID(s)
		bad.Reason, bad.Hint, bad.Details, bad.Warnings = s, s, []string{s, s}, []string{s}
		bad.To.Images = map[string]string{"app": s, s: s}
		r.Services[4].Status, r.Services[4].Reason = NotStarted, s
		r.Notes, r.API[0].Account, r.API[0].Region, r.API[0].Bucket = []string{s}, s, s, s
		dry := rolledBack()
		dry.Services[0].Status, dry.Services[0].Steps, dry.Services[0].Undo = Planned, []string{s, s}, []string{s}
		wrong := refused()
		wrong.Mistakes = append(wrong.Mistakes, s)
		for _, run := range []Run{r, dry, wrong} {
			checkMarkdown(t, run.Summary("full"))
		}
		for _, a := range r.Annotations() {
			if strings.ContainsAny(a.Title+a.Message, "\r\n\x1b") {
				t.Errorf("annotation %q is not one line", a)
			}
		}
	})
}

func checkMarkdown(t *testing.T, text string) {
	t.Helper()
	if rest := ourTags.ReplaceAllString(text, ""); strings.Contains(rest, "<") {
		t.Errorf("the summary has foreign HTML: %.100s", rest[strings.IndexByte(rest, '<'):])
	}
	pre, columns := false, 0
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case line == "<pre>":
			pre = true
		case line == "</pre>":
			pre = false
		case pre:
		case strings.HasPrefix(line, "| "):
			if columns == 0 {
				columns = strings.Count(line, "|")
			}
			if got := strings.Count(line, "|"); got != columns {
				t.Errorf("a row has %d pipes, its table %d: %q", got, columns, line)
			}
		case line == "":
			columns = 0
		default:
			if strings.Contains(line, "|") || strings.Contains(line, "`") {
				t.Errorf("a line has markup that is not ours: %q", line)
			}
		}
	}
	if pre {
		t.Error("<pre> is not closed")
	}
}
