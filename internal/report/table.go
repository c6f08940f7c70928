package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// table lists the services, wave by wave where there are several: environments
// in trouble first, healthy ones as far as they fit.
func (s summary) table() {
	if len(s.Services) == 0 {
		return
	}
	waves := s.waves()
	shown, healthy, written := 0, s.healthyRows, false
	for _, wave := range slices.Sorted(maps.Keys(waves)) {
		rows := s.rows(waves[wave], &healthy)
		if len(waves) > 1 {
			s.line(fmt.Sprintf("### Wave %d: %s", wave, Escape(counts(waves[wave]))))
		} else if len(rows) > 0 {
			s.line("### Services")
		}
		s.services(rows)
		shown += len(rows)
		written = written || len(rows) > 0
	}
	s.line(s.omitted(len(s.Services) - shown))
}

// waves are the services by wave, those of environments in trouble first.
func (s summary) waves() map[int][]Result {
	waves := make(map[int][]Result)
	for _, trouble := range []bool{true, false} {
		for _, e := range s.all {
			if e.any(func(st Status) bool { return !st.Well() }) != trouble {
				continue
			}
			for _, r := range e.results {
				waves[r.Wave] = append(waves[r.Wave], r)
			}
		}
	}
	return waves
}

// rows are the services that are listed. healthy is how many more of the
// healthy ones may be.
func (s summary) rows(wave []Result, healthy *int) []Result {
	var rows []Result
	for _, r := range wave {
		if r.Status.Well() {
			if *healthy == 0 {
				continue
			}
			*healthy--
		} else if !s.listed {
			continue
		}
		rows = append(rows, r)
	}
	return rows
}

// omitted says which rows are missing.
func (s summary) omitted(n int) string {
	switch {
	case n == 0:
		return ""
	case s.most == 0 && s.listed:
		return fmt.Sprintf("%s not listed (summary: compact).", count(n, "healthy service"))
	case s.listed:
		return fmt.Sprintf("%d rows omitted, all of healthy services, for GitHub's limit on summaries.", n)
	}
	return fmt.Sprintf("%d rows omitted for GitHub's limit on summaries: services that are not well are named above.", n)
}

func (s summary) services(rows []Result) {
	if len(rows) == 0 {
		return
	}
	if s.scaled() {
		s.scaleHead()
	} else if s.dryRun {
		s.row("environment", "service", "image", "steps", "the way back")
		s.row("---", "---", "---", "---", "---")
	} else {
		s.row("environment", "service", "status", "image", "tasks", "took", "console")
		s.row("---", "---", "---", "---", "---:", "---:", "---")
	}
	for _, r := range rows {
		if s.overflows() {
			return
		}
		s.service(r)
	}
	s.b.WriteString("\n")
}

func (s summary) service(r Result) {
	if s.scaled() {
		s.scaleRow(r)
		return
	}
	if s.dryRun {
		s.plan(r)
		return
	}
	s.row(Escape(r.Of.Environment), Escape(r.Of.Service), s.status(r), dash(Escape(r.change())), r.tasks(), took(r.Duration), s.console(r))
}

// status is a sign and a word, and what is to be said of a service that is
// deployed or prepared: that nobody waited for its end, say. Why others ended as they did stands
// above the table.
func (s summary) status(r Result) string {
	cell := r.Status.sign() + " " + Escape(r.Status.word())
	if (r.Status == Deployed || r.Status == Scaled || r.Status == Planned) && r.Reason != "" {
		cell += ": " + Escape(r.why(s.reason))
	}
	return cell
}

// plan tells what a run would do to a service.
func (s summary) plan(r Result) {
	steps := r.Steps
	if len(steps) == 0 {
		steps = []string{r.Status.word()}
		if r.Reason != "" {
			steps = []string{r.Status.word() + ": " + r.why(s.reason)}
		}
	}
	s.row(Escape(r.Of.Environment), Escape(r.Of.Service), dash(Escape(r.change())), lines(steps), dash(lines(r.Undo)))
}

// lines puts several lines into a cell.
func lines(texts []string) string {
	escaped := make([]string, len(texts))
	for i, text := range texts {
		escaped[i] = Escape(text)
	}
	return strings.Join(escaped, "<br>")
}

func (s summary) console(r Result) string {
	if url := r.consoleURL(); url != "" && (s.links || !r.Status.Well()) {
		return "[open](" + url + ")"
	}
	return "–"
}

// tasks is "8/8", running and desired. Of a service that was not touched,
// nobody may have looked.
func (r Result) tasks() string {
	desired := r.To.Desired
	if r.To.TaskDefinition == "" && len(r.To.Images) == 0 {
		desired = r.From.Desired
	}
	if r.Running == 0 && (r.Status == NotStarted || desired == 0 && r.Status.Broken()) {
		return "–"
	}
	return fmt.Sprintf("%d/%d", r.Running, desired)
}

func dash(cell string) string {
	if cell == "" {
		return "–"
	}
	return cell
}
