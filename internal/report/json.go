package report

import (
	"bytes"
	"encoding/json"
	"slices"
	"sort"
	"strconv"
	"time"
)

// outputBudget is the most bytes that the result output has. GitHub drops a
// job's outputs above 1 MB, measured as UTF-16, and there are other outputs.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idoutputs
const outputBudget = 400_000

// document is the result output. Order and names of its fields are public.
type document struct {
	Version   int            `json:"version"`
	Command   string         `json:"command"`
	Status    string         `json:"status"`
	Started   string         `json:"started"`
	Seconds   seconds        `json:"seconds"`
	Services  []serviceEntry `json:"services"`
	API       []usageEntry   `json:"api"`
	Mistakes  []string       `json:"mistakes,omitempty"`
	Truncated bool           `json:"truncated,omitempty"`
	Omitted   int            `json:"omitted,omitempty"` // services that are not well and did not fit
}

type serviceEntry struct {
	Environment string        `json:"environment"`
	Service     string        `json:"service"`
	Account     string        `json:"account"`
	Region      string        `json:"region"`
	Cluster     string        `json:"cluster"`
	ECSService  string        `json:"ecs_service"`
	Strategy    string        `json:"strategy"`
	Status      string        `json:"status"`
	From        stateEntry    `json:"from"`
	To          stateEntry    `json:"to"`
	Running     int           `json:"running"`
	Seconds     seconds       `json:"seconds"`
	Reason      string        `json:"reason"`
	Hint        string        `json:"hint"`
	Details     []string      `json:"details,omitempty"`
	Warnings    []string      `json:"warnings,omitempty"`
	Steps       []string      `json:"steps,omitempty"`
	Undo        []string      `json:"undo,omitempty"`
	Scaling     *scalingEntry `json:"scaling,omitempty"`
}

type stateEntry struct {
	TaskDefinition string            `json:"task_definition"`
	Images         map[string]string `json:"images"`
	Desired        int               `json:"desired"`
}

type usageEntry struct {
	Account   string  `json:"account"`
	Region    string  `json:"region"`
	Bucket    string  `json:"bucket"`
	Calls     int     `json:"calls"`
	Throttled int     `json:"throttled"`
	Waited    seconds `json:"waited_seconds"`
}

// seconds is a time span that prints with one decimal: 121.0.
type seconds time.Duration

// MarshalJSON prints the number.
func (s seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(s).Seconds(), 'f', 1, 64), nil
}

// Document is the whole record as JSON, on one line, however long.
func (r Run) Document() []byte { return r.document(r.Services).marshal() }

// JSON is the record for the result output: no more than 400 KB. A longer one
// says "truncated": true and holds only the services that are not well; if
// that is too long still, it gives up their details, then the ends of their
// reasons, then their images, and at last some of them ("omitted").
func (r Run) JSON() []byte {
	d := r.document(r.Services)
	if d.leastSize() <= outputBudget {
		if text := d.marshal(); len(text) <= outputBudget {
			return text
		}
	}
	d.Services = slices.DeleteFunc(d.Services, func(e serviceEntry) bool { return Status(e.Status).Well() })
	d.Truncated = true
	for _, less := range []func(*document){
		func(*document) {},
		func(d *document) {
			d.each(func(e *serviceEntry) { e.Details, e.Warnings, e.Steps, e.Undo = nil, nil, nil, nil })
		},
		func(d *document) { d.shortenTexts(500) },
		func(d *document) { d.shortenTexts(100) },
		func(d *document) { d.each(func(e *serviceEntry) { e.Hint = "" }) },
		func(d *document) { d.each(func(e *serviceEntry) { e.From.Images, e.To.Images = noImages, noImages }) },
	} {
		less(&d)
		if d.leastSize() > outputBudget {
			continue
		}
		if text := d.marshal(); len(text) <= outputBudget {
			return text
		}
	}
	return d.asMuchAsFits()
}

// leastSize is what the long texts alone take: JSON is never shorter. It spares
// printing megabytes in vain.
func (d *document) leastSize() int {
	n := 0
	d.each(func(e *serviceEntry) {
		n += len(e.Reason)
		for _, line := range e.Details {
			n += len(line)
		}
	})
	return n
}

func (d *document) each(do func(*serviceEntry)) {
	for i := range d.Services {
		do(&d.Services[i])
	}
}

func (d *document) shortenTexts(limit int) {
	d.each(func(e *serviceEntry) {
		e.Reason, e.Hint = shorten(e.Reason, limit, "…"), shorten(e.Hint, limit, "…")
	})
	mistakes := make([]string, len(d.Mistakes)) // not the caller's
	for i, m := range d.Mistakes {
		mistakes[i] = shorten(m, limit, "…")
	}
	d.Mistakes = mistakes
}

// asMuchAsFits is the document with its lists cut to one length, the longest
// that fits.
func (d document) asMuchAsFits() []byte {
	first := func(n int) []byte {
		c := d
		c.Services = d.Services[:min(n, len(d.Services))]
		c.API = d.API[:min(n, len(d.API))]
		c.Mistakes = d.Mistakes[:min(n, len(d.Mistakes))]
		c.Omitted = len(d.Services) - len(c.Services)
		return c.marshal()
	}
	longest := max(len(d.Services), len(d.API), len(d.Mistakes))
	return first(sort.Search(longest, func(n int) bool { return len(first(n+1)) > outputBudget }))
}

func (r Run) document(services []Result) document {
	d := document{
		Version: 1, Command: r.Command, Status: r.Status, Started: r.Started.UTC().Format(time.RFC3339), Seconds: seconds(r.Duration),
		Services: make([]serviceEntry, len(services)), API: make([]usageEntry, len(r.API)), Mistakes: r.Mistakes,
	}
	for i, s := range services {
		d.Services[i] = s.entry()
	}
	for i, u := range r.API {
		d.API[i] = usageEntry{u.Account, u.Region, u.Bucket, u.Calls, u.Throttled, seconds(u.Waited)}
	}
	return d
}

func (r Result) entry() serviceEntry {
	return serviceEntry{
		Environment: r.Of.Environment, Service: r.Of.Service,
		Account: string(r.Account), Region: string(r.Region), Cluster: r.Cluster, ECSService: r.ECSService,
		Strategy: r.Strategy, Status: string(r.Status), From: r.From.entry(), To: r.To.entry(),
		Running: r.Running, Seconds: seconds(r.Duration), Reason: r.Reason, Hint: r.hint(),
		Details: r.Details, Warnings: r.Warnings, Steps: r.Steps, Undo: r.Undo, Scaling: r.Scaling.entry(),
	}
}

func (s State) entry() stateEntry {
	images := s.Images
	if images == nil {
		images = noImages
	}
	return stateEntry{s.TaskDefinition, images, s.Desired}
}

// noImages prints as {}, so that readers need not look for null. Never written.
var noImages = map[string]string{}

// marshal prints on one line and leaves "<", ">" and "&" as they are: the text
// goes to jq and fromJSON, not into a web page.
func (d document) marshal() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(d); err != nil {
		panic("report: strings and numbers have no JSON: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
