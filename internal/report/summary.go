package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// summaryBudget is the most bytes a summary has. GitHub takes 1 MiB a step,
	// and shows nothing at all of a longer one; what other steps and the masks
	// add has room in between.
	// https://github.com/actions/runner/blob/main/src/Runner.Worker/FileCommandManager.cs
	summaryBudget = 900 << 10
	// fewHealthy rows are listed in the compact form, too.
	fewHealthy = 10
	// ownSection is how many different failures are told at length; nobody
	// reads more, and the rest are rows of a table.
	ownSection = 20
)

// detail is how much a summary tells.
type detail struct {
	evidence    int  // lines for each failure
	links       bool // console links of healthy services
	healthyRows int  // of services that are well
	listed      bool // services told about above the table are rows of it, too
	sections    int  // failures told at length
	hints       bool
	reason      int // characters of each reason
	others      int // warnings, notes, mistakes, buckets: lines of each
}

const everything = 1 << 30

// details are tried from the top until the summary fits: evidence goes first,
// then links, then rows of what is well, and the reasons of failures are only
// ever shortened.
var details = []detail{
	{evidence: everything, links: true, healthyRows: everything, listed: true, sections: ownSection, hints: true, reason: reasonMost, others: everything},
	{evidence: 20, links: true, healthyRows: everything, listed: true, sections: ownSection, hints: true, reason: reasonMost, others: 200},
	{evidence: 0, links: true, healthyRows: everything, listed: true, sections: ownSection, hints: true, reason: reasonMost, others: 100},
	{evidence: 0, links: false, healthyRows: everything, listed: true, sections: ownSection, hints: true, reason: reasonMost, others: 50},
	{evidence: 0, links: false, healthyRows: 0, listed: true, sections: ownSection, hints: true, reason: reasonMost, others: 50},
	{evidence: 0, links: false, healthyRows: 0, listed: false, sections: ownSection, hints: true, reason: reasonMost, others: 50},
	{evidence: 0, links: false, healthyRows: 0, listed: false, sections: ownSection, hints: true, reason: 1000, others: 50},
	{evidence: 0, links: false, healthyRows: 0, listed: false, sections: ownSection, hints: true, reason: 300, others: 20},
	{evidence: 0, links: false, healthyRows: 0, listed: false, sections: 0, hints: false, reason: 100, others: 20},
	{evidence: 0, links: false, healthyRows: 0, listed: false, sections: 0, hints: false, reason: 40, others: 10},
	{evidence: 0, links: false, healthyRows: 0, listed: false, sections: 0, hints: false, reason: 10, others: 10},
}

// Summary is the job summary in GitHub Markdown, the verdict first. The forms
// are "full", "compact" (healthy services are counted, not listed, when they
// are more than a few; failures are told whole) and "off", which is empty. It
// never has more than 900 KiB.
func (r Run) Summary(form string) string {
	if form == "off" {
		return ""
	}
	s := newSummary(r, form)
	for _, d := range details {
		if text := s.render(d); len(text) <= summaryBudget {
			return text
		}
		if d.healthyRows > 0 && !d.links {
			d.healthyRows = 0
			d.healthyRows = s.room(d, summaryBudget-len(s.render(d)))
			if text := s.render(d); d.healthyRows > 0 && len(text) <= summaryBudget {
				return text
			}
		}
	}
	// Only names of kilobytes, or tens of thousands of failures, come here.
	return cut(s.render(details[len(details)-1]), summaryBudget)
}

// room is how many rows of healthy services fit into so many bytes.
func (s summary) room(d detail, bytes int) int {
	waves := s.waves()
	bytes -= 500 * (1 + len(waves)) // the heads of tables, the line on rows omitted
	s.b, s.detail = new(strings.Builder), d
	n := 0
	for _, wave := range slices.Sorted(maps.Keys(waves)) {
		for _, r := range waves[wave] {
			if !r.Status.Well() {
				continue
			}
			if s.service(r); s.b.Len() > bytes {
				return n
			}
			n++
		}
	}
	return n
}

// cut ends the text after a whole line.
func cut(text string, limit int) string {
	const note = "\n\nThe rest does not fit: the result output has it.\n"
	text = text[:limit-len(note)]
	return text[:strings.LastIndexByte(text, '\n')+1] + note
}

// summary is a run on its way to Markdown. Its methods write one part each,
// and stop when there is too much of it: a run with thousands of failures is
// rendered several times, in the few seconds that a cancelled job has left.
type summary struct {
	Run
	all     []environment
	groups  []group // of services that are not well
	tag     string  // what the whole run deploys; empty when it is not one thing
	healthy int     // services
	dryRun  bool
	most    int // healthy rows that the form allows
	b       *strings.Builder
	detail
}

func newSummary(r Run, form string) summary {
	r.Services = withContainers(r.Services)
	s := summary{
		Run: r, all: environments(r.Services), tag: r.tag(), most: everything,
		groups: groups(r.Services, func(s Status) bool { return !s.Well() }),
		dryRun: !r.Prepared && slices.ContainsFunc(r.Services, func(r Result) bool { return r.Status == Planned }),
	}
	for _, r := range r.Services {
		if r.Status.Well() {
			s.healthy++
		}
	}
	if form == "compact" && s.healthy > fewHealthy && !s.dryRun {
		s.most = 0
	}
	return s
}

// overflows tells that the text is too long already.
func (s summary) overflows() bool { return s.b.Len() > summaryBudget }

func (s summary) render(d detail) string {
	s.b, s.detail = new(strings.Builder), d
	s.detail.healthyRows = min(d.healthyRows, s.most)
	s.line("## " + s.headline())
	s.line(s.facts())
	s.line(s.capacity())
	if len(s.Mistakes) > 0 {
		s.bullets("", s.Mistakes, "mistakes")
	} else {
		s.failures()
		s.leftAlone("Still under way", s.underWay(), Cancelled)
		s.leftAlone("Not started", "Nothing was changed in these services.", NotStarted)
		s.advice()
		s.table()
		s.bullets("### Warnings", s.warnings(), "warnings")
	}
	s.usage()
	s.bullets("### Notes", s.Notes, "notes")
	return s.b.String()
}

// line writes a paragraph; nothing for an empty one.
func (s summary) line(text string) {
	if text != "" {
		s.b.WriteString(text + "\n\n")
	}
}

// headline is the verdict.
func (s summary) headline() string {
	total := len(s.all)
	broken := named(s.all, Status.Broken)
	failed := fmt.Sprintf("%d of %s failed: %s", len(broken), count(total, "environment"), Escape(enumerate(broken, 5)))
	switch {
	case len(s.Mistakes) > 0:
		return "❌ Refused for " + count(len(s.Mistakes), "mistake") + "; nothing was changed"
	case s.Status == "cancelled" && len(broken) > 0:
		return "⏹️ Cancelled; " + failed
	case s.Status == "cancelled":
		unwell := named(s.all, func(st Status) bool { return !st.Well() })
		return fmt.Sprintf("⏹️ Cancelled: %d of %s done", total-len(unwell), count(total, "environment"))
	case len(broken) > 0:
		return "❌ " + failed
	case s.Status != "succeeded" || s.healthy < len(s.Services):
		return s.unfinished()
	}
	return s.success()
}

// unfinished is the headline when nothing failed, and not all was done either.
func (s summary) unfinished() string {
	left := named(s.all, func(st Status) bool { return !st.Well() })
	switch {
	case len(s.Services) == 0:
		return "❌ The run failed before it knew a service; nothing was changed"
	case s.dryRun:
		return fmt.Sprintf("❌ Plan: %d of %s cannot be deployed to: %s; nothing was changed", len(left), count(len(s.all), "environment"), Escape(enumerate(left, 5)))
	case len(left) == 0:
		return "❌ The run failed, although every service is well"
	}
	return fmt.Sprintf("❌ %d of %s not done: %s", len(left), count(len(s.all), "environment"), Escape(enumerate(left, 5)))
}

func (s summary) success() string {
	if s.scaled() && len(s.Services) > 0 {
		return s.scaleSuccess()
	}
	where := count(len(s.all), "environment")
	changed := len(named(s.all, func(st Status) bool { return st == Deployed || st == Planned }))
	tag := Escape(s.tag)
	switch {
	case len(s.Services) == 0:
		return "✅ Nothing to do"
	case s.dryRun && tag != "":
		return fmt.Sprintf("📋 Plan: %s to %d of %s; nothing was changed", tag, changed, where)
	case s.dryRun:
		return fmt.Sprintf("📋 Plan for %d of %s; nothing was changed", changed, where)
	case s.Prepared && changed > 0:
		what := "Prepared"
		if tag != "" {
			what = tag + " is prepared"
		}
		return fmt.Sprintf("📋 %s for %d of %s; no service was touched", what, changed, where)
	case tag == "":
		tag = "What was asked for"
		fallthrough
	default:
		verdict := "✅ " + tag + " runs in " + where
		if slices.ContainsFunc(s.Services, func(r Result) bool { return r.Status == Deployed && r.Reason != "" }) {
			verdict = "✅ " + tag + " was deployed to " + where // not waited for, maybe
		}
		if changed == 0 {
			verdict += "; it did so before"
		}
		return verdict
	}
}

// tag is what the whole run deploys, in short; empty when it is not one thing.
// Services that the run did not come to plan do not count.
func (r Run) tag() string {
	tag := ""
	for _, service := range r.Services {
		if len(service.To.Images) == 0 {
			continue
		}
		t := service.tag(service.To)
		if t == "" || tag != "" && t != tag {
			return ""
		}
		tag = t
	}
	return tag
}

// facts are the counts and the time, on one line.
func (s summary) facts() string {
	var parts []string
	if len(s.Mistakes) == 0 && len(s.Services) > 0 {
		parts = append(parts, fmt.Sprintf("%s in %s: %s", count(len(s.Services), "service"), count(len(s.all), "environment"), Escape(counts(s.Services))))
	}
	if s.Duration > 0 {
		parts = append(parts, Duration(s.Duration))
	}
	if !s.Started.IsZero() {
		parts = append(parts, "started "+s.Started.UTC().Format("2006-01-02 15:04:05")+" UTC")
	}
	return strings.Join(parts, " · ")
}

// advice says what running again will do, the next question after a failure.
func (s summary) advice() {
	if len(s.groups) == 0 || s.Command != "deploy" || s.dryRun {
		return
	}
	what := "what was asked for"
	if tag := s.tag; tag != "" {
		what = Escape(tag)
	}
	if s.Prepared {
		s.line("Running the job again reuses what is registered by then, and registers the rest.")
		return
	}
	s.line("Running the job again leaves services alone that run " + what + " by then, and deploys the others.")
}

// warnings are the services' warnings, equal ones together.
func (s summary) warnings() []string {
	var texts []string
	at := make(map[string][]string)
	for _, r := range s.Services {
		for _, w := range r.Warnings {
			if at[w] == nil {
				texts = append(texts, w)
			}
			at[w] = append(at[w], r.Of.String())
		}
	}
	for i, w := range texts {
		texts[i] = enumerate(at[w], 20) + ": " + w
	}
	return texts
}

// bullets writes a list of untrusted lines under a heading.
func (s summary) bullets(heading string, lines []string, what string) {
	if len(lines) == 0 {
		return
	}
	s.line(heading)
	for _, text := range lines[:min(len(lines), s.others)] {
		if s.overflows() {
			return
		}
		fmt.Fprintf(s.b, "- %s\n", Escape(shorten(text, s.reason, "…")))
	}
	if more := len(lines) - s.others; more > 0 {
		fmt.Fprintf(s.b, "- %d more %s\n", more, what)
	}
	s.b.WriteString("\n")
}

// usage is the API table: what the run cost of quotas that it shares.
func (s summary) usage() {
	if len(s.API) == 0 {
		return
	}
	heading, waited := "### AWS API calls", "waited"
	if s.dryRun {
		heading, waited = "### AWS API calls to come", "to wait"
	}
	s.line(heading)
	s.line(s.meaning())
	head, rule := []string{"account", "Region", "bucket", "calls", "throttled", waited}, []string{"---", "---", "---", "---:", "---:", "---:"}
	compare := !s.dryRun && s.Forecast.waits()
	if compare {
		head, rule = append(head, "forecast"), append(rule, "---:")
	}
	s.row(head...)
	s.row(rule...)
	for _, u := range s.API[:min(len(s.API), s.others)] {
		cells := []string{dash(Escape(u.Account)), Escape(u.Region), Escape(u.Bucket), fmt.Sprint(u.Calls), fmt.Sprint(u.Throttled), took(u.Waited)}
		if compare {
			cells = append(cells, s.Forecast.of(u))
		}
		s.row(cells...)
	}
	s.b.WriteString("\n")
	if more := len(s.API) - s.others; more > 0 {
		s.line(fmt.Sprintf("%d rows omitted.", more))
	}
	if s.dryRun || s.Forecast.waits() {
		s.bullets("", s.Forecast.says(), "lines")
	}
}

func (s summary) meaning() string {
	calls, throttled := 0, 0
	for _, u := range s.API {
		calls += u.Calls
		throttled += u.Throttled
	}
	switch {
	case s.dryRun:
		return "What this deployment will ask of the quotas that it shares with everything else in each account and Region, and how long it will wait for them."
	case throttled == 0:
		return fmt.Sprintf("AWS throttled none of %s: each waited for its turn in a bucket, as listed here.", count(calls, "call"))
	}
	return fmt.Sprintf("AWS throttled %d of %s, most likely because something else uses the same quotas. They were made again, more slowly: that costs time, and no service fails for it before its own timeout.", throttled, count(calls, "call"))
}

// row writes a row of a table. Its cells are Markdown already.
func (s summary) row(cells ...string) {
	s.b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func took(d time.Duration) string {
	switch {
	case d <= 0:
		return "–"
	case d < time.Second:
		return "under 1 s"
	}
	return Duration(d)
}
