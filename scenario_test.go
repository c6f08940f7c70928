package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ecs-fleet/internal/sim"
)

// somebody begins the access key ids of the second client.
const somebody = "AKIASOMEBODY"

// request is a line of a meanwhile or look part:
//
//	40s 444455556666/ap-northeast-1 ecs:UpdateService {"cluster": "tenant-1", "service": "rails", "forceNewDeployment": true}
//
// The time, which a look has not, counts from the run's start; what is negative
// comes before it.
type request struct {
	at              time.Duration
	account, region string
	action          string
	body            string
}

func (p playing) requests(part string, timed bool) []request {
	var all []request
	for line := range strings.Lines(p.given(part)) {
		var r request
		rest := strings.TrimSpace(line)
		if timed {
			var at string
			at, rest, _ = strings.Cut(rest, " ")
			r.at = p.duration(at)
		}
		place, rest, _ := strings.Cut(rest, " ")
		r.account, r.region, _ = strings.Cut(place, "/")
		r.action, r.body, _ = strings.Cut(rest, " ")
		if !json.Valid([]byte(r.body)) {
			p.Fatalf("%s: %q is not: TIME ACCOUNT/REGION SERVICE:ACTION {JSON}", part, line)
		}
		all = append(all, r)
	}
	return all
}

func (p playing) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		p.Fatal(err)
	}
	return d
}

// meanwhile makes the second client's requests, each at its time.
func (p playing) meanwhile(start time.Time, requests []request) {
	for _, r := range requests {
		time.Sleep(time.Until(start.Add(r.at)))
		p.ask(r)
	}
}

// look is what AWS answers in the end.
func (p playing) look() string {
	var b strings.Builder
	for _, r := range p.requests("look", false) {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, p.ask(r), "", "  "); err != nil {
			p.Error(err)
		}
		fmt.Fprintf(&b, "%s\n", pretty.String())
	}
	return b.String()
}

// ask makes a request as any other client would: without our SDK, throttling
// or retries.
func (p playing) ask(r request) []byte {
	targets := map[string]string{"ecs": "AmazonEC2ContainerServiceV20141113", "ecr": "AmazonEC2ContainerRegistry_V20150921",
		"application-autoscaling": "AnyScaleFrontendService", "codedeploy": "CodeDeploy_20141006"}
	service, action, _ := strings.Cut(r.action, ":")
	req, err := http.NewRequestWithContext(p.Context(), http.MethodPost, fmt.Sprintf("https://%s.%s.amazonaws.com/", service, r.region), strings.NewReader(r.body))
	if err != nil {
		p.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", targets[service]+"."+action)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s%s/20260131/%s/%s/aws4_request, SignedHeaders=host, Signature=0", somebody, r.account, r.region, service))
	answer, err := sim.RoundTripper(p.aws).RoundTrip(req)
	if err != nil {
		p.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		p.Errorf("somebody's %s: status %d: %s %v", r.action, answer.StatusCode, body, err)
	}
	return body
}

// checkLog holds every line of the log against the runner's rules: a line is a
// command when it begins with "::", and, in the older form, when "##[" occurs
// anywhere in it. None may come from a text of somebody else.
// https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
func (p playing) checkLog(log string) {
	ours := []string{"::error title=", "::error file=", "::warning title=", "::group::", "::endgroup::", "::debug::"}
	for line := range strings.Lines(log) {
		begins := func(command string) bool { return strings.HasPrefix(line, command) }
		if strings.HasPrefix(strings.TrimSpace(line), "::") && !slices.ContainsFunc(ours, begins) || strings.Contains(line, "##[") {
			p.Errorf("the runner would obey this line of the log: %s", line)
		}
	}
}

// document is the result document, as far as it is checked.
type document struct {
	Version  int
	Status   string
	Services []resultService
}

type resultService struct {
	Environment, Service, Account, Region, Cluster, Status, Reason string
	ECSService                                                     string `json:"ecs_service"`
	From, To                                                       struct {
		TaskDefinition string `json:"task_definition"`
		Images         map[string]string
	}
}

// checkDocument holds the result document against the promises that every
// selected service ends in exactly one status, that the statuses, the exit
// code and the summary agree, and that no status contradicts what really runs.
func (p playing) checkDocument(code int, summary string) {
	var d document
	if err := json.Unmarshal([]byte(read(p.T, filepath.Join(p.dir, "result.json"))), &d); err != nil {
		p.Errorf("the result document: %v", err)
	}
	seen, well := make(map[string]bool), true
	for _, s := range d.Services {
		key := s.Environment + "/" + s.Service
		if seen[key] || s.Status == "" {
			p.Errorf("%s has no or two statuses", key)
		}
		seen[key] = true
		well = well && slices.Contains(wellEnded(), s.Status)
		counted := strings.Contains(summary, "not listed (summary: compact)") && slices.Contains(wellEnded(), s.Status)
		if code != 2 && !counted && !strings.Contains(summary, "| "+s.Environment+" | "+s.Service+" |") {
			p.Errorf("%s has no row in the summary", key)
		}
		p.checkStatus(key, s)
	}
	if well && len(d.Services) > 0 != (code == 0) {
		p.Errorf("exit code %d, and the services ended %+v", code, d.Services)
	}
}

// wellEnded are the statuses of a service that is well.
func wellEnded() []string { return []string{"deployed", "unchanged", "planned"} }

// checkStatus compares a status with the world.
func (p playing) checkStatus(key string, s resultService) {
	now, found := p.aws.Service(s.Account, s.Region, s.Cluster, s.ECSService)
	if !found {
		return
	}
	runs := now.TaskDefinition[strings.LastIndex(now.TaskDefinition, "/")+1:]
	ends := map[string]string{"deployed": s.To.TaskDefinition, "unchanged": s.To.TaskDefinition, "rolled-back": s.From.TaskDefinition}
	if want, ended := ends[s.Status]; ended && runs != want {
		p.Errorf("%s is %s, and the world runs %s instead of %s", key, s.Status, runs, want)
	}
	if s.Status != "deployed" || s.Reason != "" {
		return // nobody waited for the tasks, or there are none
	}
	for container, image := range s.To.Images {
		if now.Images[container][image] == 0 {
			p.Errorf("%s is deployed, and no task runs %s", key, image)
		}
	}
}
