package report

import (
	"fmt"
	"strings"
)

// failures tells what failed: the causes that hit most at length, the others
// in a table. Every failed service is named here with its reason, whatever
// else has to go.
func (s summary) failures() {
	var broken []group
	for _, g := range s.groups {
		if g.first().Status.Broken() {
			broken = append(broken, g)
		}
	}
	if len(broken) == 0 {
		return
	}
	s.line("### What failed")
	n := min(len(broken), s.sections)
	for _, g := range broken[:n] {
		if !s.overflows() {
			s.failure(g)
		}
	}
	s.failureTable(broken[n:])
}

// failure tells of services that failed alike.
func (s summary) failure(g group) {
	if len(g.members) == 1 {
		r := g.first()
		s.line(fmt.Sprintf("#### %s %s: %s", r.Status.sign(), Escape(r.Of.String()), Escape(g.outcome)))
	} else {
		s.line(fmt.Sprintf("#### %s %s: %s, all for the same reason", g.first().Status.sign(), g.scope(), Escape(g.outcome)))
	}
	reason := Escape(shorten(g.reason, s.reason, "…"))
	if g.general {
		reason += " (what is in braces differs from service to service)"
	}
	s.line(reason)
	if hint := g.hint(); hint != "" && s.hints {
		s.line("**What to do:** " + hintMarkdown(hint))
	}
	s.line(s.names(g))
	s.proof(g)
}

// scope is "31 environments (rails)", or "12 services" where their names differ.
func (g group) scope() string {
	if name := g.sameService(); name != "" {
		return count(len(g.members), "environment") + " (" + Escape(name) + ")"
	}
	return count(len(g.members), "service")
}

// names lists the members with links to the console.
func (s summary) names(g group) string {
	same := g.sameService() != "" && len(g.members) > 1
	parts := make([]string, len(g.members))
	for i, r := range g.members {
		name := r.Of.String()
		if same {
			name = r.Of.Environment
		}
		parts[i] = Escape(name)
		if url := r.consoleURL(); url != "" && s.links {
			parts[i] = "[" + parts[i] + "](" + url + ")"
		}
	}
	switch {
	case len(parts) > 1:
		return "Where: " + strings.Join(parts, ", ")
	case s.links && g.first().consoleURL() != "":
		return "[Open the service in the ECS console](" + g.first().consoleURL() + ")"
	}
	return ""
}

// proof shows the evidence of one member, folded away. <pre> stands at the
// beginning of a line of its own: only there do empty lines in it not end it.
// (https://spec.commonmark.org/0.31.2/#html-blocks)
func (s summary) proof(g group) {
	r := g.first()
	lines := r.Details[:min(len(r.Details), s.evidence)]
	if len(lines) == 0 {
		return
	}
	title := count(len(r.Details), "line") + " of evidence"
	if len(g.members) > 1 {
		title += " from " + r.Of.String()
	}
	fmt.Fprintf(s.b, "<details><summary>%s</summary>\n\n<pre>\n", Escape(title))
	for _, line := range lines {
		if s.overflows() {
			return
		}
		s.b.WriteString(escapeHTML(line) + "\n")
	}
	if more := len(r.Details) - len(lines); more > 0 {
		fmt.Fprintf(s.b, "… %d more\n", more)
	}
	s.b.WriteString("</pre>\n\n</details>\n\n")
}

// failureTable has a row for each service of the remaining failures.
func (s summary) failureTable(rest []group) {
	if len(rest) == 0 {
		return
	}
	s.row("service", "status", "image", "tasks", "reason")
	s.row("---", "---", "---", "---:", "---")
	for _, g := range rest {
		for _, r := range g.members {
			if s.overflows() {
				return
			}
			s.row(Escape(r.Of.String()), r.Status.sign()+" "+Escape(g.outcome), Escape(r.change()), r.tasks(), Escape(r.why(s.reason)))
		}
	}
	s.b.WriteString("\n")
}

// leftAlone lists services that ended in a status which is no failure of
// theirs, by reason.
func (s summary) leftAlone(heading, meaning string, status Status) {
	found := false
	for _, g := range s.groups {
		if g.first().Status != status || s.overflows() {
			continue
		}
		if !found {
			s.line("### " + heading)
			s.line(meaning)
			found = true
		}
		text := ""
		if g.reason != "" {
			text = ": " + Escape(shorten(g.reason, s.reason, "…"))
		}
		names := make([]string, len(g.members))
		for i, r := range g.members {
			names[i] = r.Of.String()
		}
		fmt.Fprintf(s.b, "- %s%s\n", Escape(strings.Join(names, ", ")), text)
	}
	if found {
		s.b.WriteString("\n")
	}
}
