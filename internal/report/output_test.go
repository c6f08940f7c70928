package report

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ecs-fleet/internal/fleet"
)

// oneService is the example of the documentation of the result output.
func oneService() Run {
	r := succeeded(service("tenant-a", "rails"))
	r.Status = "failed"
	s := &r.Services[0]
	s.Status, s.Reason, s.Hint = RolledBack, "no <luck> & so", "try"
	s.From.Images = map[string]string{"app": "x/rails:v1.7.0"}
	s.To.Images = map[string]string{"app": "x/rails:v1.8.0"}
	r.API = r.API[1:]
	return r
}

func TestJSON(t *testing.T) {
	planned := Run{Command: "deploy", Status: "succeeded", Services: []Result{{
		Of: fleet.ServiceRef{Environment: "a", Service: "b"}, Status: Planned, Details: []string{"d"}, Warnings: []string{"w"}, Steps: []string{"s"}, Undo: []string{"u"},
	}}}
	refusal := refused()
	refusal.Mistakes = refusal.Mistakes[1:]
	for _, c := range []struct {
		name string
		run  Run
		want string
	}{
		{"fields stand in the documented order", oneService(),
			`{"version":1,"command":"deploy","status":"failed","started":"2026-01-31T04:05:06Z","seconds":148.2,` +
				`"services":[{"environment":"tenant-a","service":"rails","account":"444455556666","region":"ap-northeast-1",` +
				`"cluster":"tenant-a","ecs_service":"tenant-a-rails","strategy":"rolling","status":"rolled-back",` +
				`"from":{"task_definition":"rails:41","images":{"app":"x/rails:v1.7.0"},"desired":8},` +
				`"to":{"task_definition":"rails:42","images":{"app":"x/rails:v1.8.0"},"desired":8},` +
				`"running":8,"seconds":121.0,"reason":"no <luck> & so","hint":"try"}],` +
				`"api":[{"account":"444455556666","region":"ap-northeast-1","bucket":"ecs:task-definition-modify",` +
				`"calls":24,"throttled":0,"waited_seconds":3.1}]}`},
		{"a refused run has its mistakes, and no null", refusal,
			`{"version":1,"command":"deploy","status":"failed","started":"2026-01-31T04:05:06Z","seconds":0.8,"services":[],"api":[],` +
				`"mistakes":["input max-failures: \"ten\" is not a number or a percentage; write 3 or 10%"]}`},
		{"what is not known is empty, what is there is shown", planned,
			`{"version":1,"command":"deploy","status":"succeeded","started":"0001-01-01T00:00:00Z","seconds":0.0,` +
				`"services":[{"environment":"a","service":"b","account":"","region":"","cluster":"","ecs_service":"","strategy":"","status":"planned",` +
				`"from":{"task_definition":"","images":{},"desired":0},"to":{"task_definition":"","images":{},"desired":0},` +
				`"running":0,"seconds":0.0,"reason":"","hint":"","details":["d"],"warnings":["w"],"steps":["s"],"undo":["u"]}],"api":[]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, string(c.run.JSON())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// each has one service of every status.
func each() Run {
	r := succeeded()
	for _, status := range []Status{Deployed, Unchanged, Planned, Failed, RolledBack, RollbackFailed, Cancelled, NotStarted} {
		s := service(string(status), "rails")
		s.Status = status
		r.Services = append(r.Services, s)
	}
	return r
}

func TestOutputs(t *testing.T) {
	run := each()
	run.Status = "failed"
	want := []Output{
		{"result", string(run.JSON())},
		{"status", "failed"},
		{"changed", `["deployed/rails"]`},
		{"unchanged", `["unchanged/rails"]`},
		{"failed", `["failed/rails","rollback-failed/rails","cancelled/rails"]`},
		{"rolled-back", `["rolled-back/rails"]`},
		{"not-started", `["not-started/rails"]`},
	}
	if diff := cmp.Diff(want, run.Outputs()); diff != "" {
		t.Error(diff)
	}
	for _, o := range refused().Outputs()[2:] {
		if o.Value != "[]" {
			t.Errorf("%s of a refused run is %q, want []", o.Name, o.Value)
		}
	}
}

func TestExitCode(t *testing.T) {
	for _, s := range each().Services {
		want := 1
		if s.Status == Deployed || s.Status == Unchanged || s.Status == Planned {
			want = 0
		}
		if got := succeeded(service("a", "b"), s).ExitCode(); got != want {
			t.Errorf("a service that is %s: exit code %d, want %d", s.Status, got, want)
		}
	}
	for _, c := range []struct {
		name string
		run  Run
		want int
	}{
		{"a refused run", refused(), 2},
		{"a run that knew no service and failed", Run{Status: "failed"}, 1},
		{"a run that was cancelled before it knew one", Run{Status: "cancelled"}, 1},
		{"a run with nothing to do", Run{Status: "succeeded"}, 0},
	} {
		if got := c.run.ExitCode(); got != c.want {
			t.Errorf("%s: exit code %d, want %d", c.name, got, c.want)
		}
	}
}

// broken is a run with n environments that failed, each for its own reason or
// all for one.
func broken(n int, reason string) Run {
	r := succeeded()
	for i := range n {
		s := service(fmt.Sprintf("tenant-%02d", i+1), "rails")
		s.Status, s.Reason, s.Hint = Failed, strings.ReplaceAll(reason, "N", string(rune('a'+i))), "look"
		s.Warnings = []string{"warning " + s.Reason}
		r.Services = append(r.Services, s)
	}
	return r
}

func TestAnnotations(t *testing.T) {
	error10 := func(r Run) []Annotation { return r.Annotations()[:min(10, len(r.Annotations()))] }
	if got, want := error10(broken(1, "no\nluck"))[0], (Annotation{"error", "tenant-01", "rails: failed: no luck – look"}); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	ten := broken(10, "cause N").Annotations()
	if len(ten) != 20 || ten[9].Title != "tenant-10" || ten[19].Level != "warning" {
		t.Errorf("ten environments: got %q, want an error and a warning for each", ten)
	}
	twelve := broken(12, "cause N").Annotations()
	if len(twelve) != 20 || twelve[9].Message != "and 3 more environments, see the summary" || twelve[19].Message != "and 3 more warnings, see the summary" {
		t.Errorf("twelve causes: got %q, want the tenth to count the rest", twelve)
	}
	same := broken(31, "cause").Annotations()
	if len(same) != 2 || !strings.Contains(same[0].Message, "tenant-31/rails") || same[0].Title != "31 services failed" {
		t.Errorf("one cause: got %q, want one error that names all", same)
	}
	stopped := cancelled().Annotations()
	if len(stopped) != 2 || !strings.Contains(stopped[0].Message, "tenant-03/rails, tenant-04/rails") {
		t.Errorf("cancelled: got %q, want one error for what goes on and one for what was not started", stopped)
	}
	if got := refused().Annotations(); len(got) != 2 || !strings.Contains(got[1].Message, `"ten"`) {
		t.Errorf("refused: got %q, want an error for each mistake", got)
	}
	if got := manyWell().Annotations(); len(got) > 0 {
		t.Errorf("all well: got %q, want none", got)
	}
	long := broken(1, strings.Repeat("x", 9000)).Annotations()
	if n := len([]rune(long[0].Message)); n > 4096 {
		t.Errorf("a message of %d characters: GitHub keeps 4096", n)
	}
}

// The row of the summary and the annotation speak of a failure in the same words.
func TestAnnotationsSayWhatTheSummarySays(t *testing.T) {
	r := rolledBack()
	message := r.Annotations()[0].Message
	for _, want := range []string{"rolled back, v1.7.0 runs again", r.Services[3].Reason, "check the tag"} {
		if !strings.Contains(message, want) || !strings.Contains(r.Summary("compact"), want) {
			t.Errorf("%q is not in both", want)
		}
	}
}

func TestDuration(t *testing.T) {
	for in, want := range map[time.Duration]string{
		0: "0 s", time.Millisecond: "1 s", 48 * time.Second: "48 s", 59_600 * time.Millisecond: "1 min 00 s",
		125 * time.Second: "2 min 05 s", 3725 * time.Second: "1 h 02 min",
	} {
		if got := Duration(in); got != want {
			t.Errorf("Duration(%v) = %q, want %q", in, got, want)
		}
	}
}

func TestShortImage(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "rails": "latest", "host:5000/rails": "latest", "host:5000/rails:v1": "v1",
		"rails@sha256:0123456789abcdef": "0123456789ab", "rails:v1@sha256:0123456789abcdef": "0123456789ab",
	} {
		if got := ShortImage(in); got != want {
			t.Errorf("ShortImage(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestChange(t *testing.T) {
	for _, c := range []struct {
		name     string
		from, to map[string]string
		only     []string
		want     string
	}{
		{"tags of the container that changes", map[string]string{"app": "r:1", "x": "x:3"}, map[string]string{"app": "r:2", "x": "x:3"}, nil, "1 → 2"},
		{"whole references where the repository changes", map[string]string{"app": "a/r:1"}, map[string]string{"app": "b/r:2"}, nil, "a/r:1 → b/r:2"},
		{"containers by name where they differ", map[string]string{"a": "r:1", "b": "s:5"}, map[string]string{"a": "r:2", "b": "s:6"}, nil, "a 1 → 2; b 5 → 6"},
		{"one tag where nothing changes", map[string]string{"a": "r:1", "b": "s:1"}, map[string]string{"a": "r:1", "b": "s:1"}, nil, "1"},
		{"the named containers alone", map[string]string{"a": "r:1", "b": "s:5"}, map[string]string{"a": "r:1", "b": "s:5"}, []string{"a"}, "1"},
		{"what runs, where nothing was planned", map[string]string{"a": "r:1"}, nil, nil, "1"},
		{"nothing, where nothing is known", nil, nil, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Result{From: State{Images: c.from}, To: State{Images: c.to}, Containers: c.only}
			if got := r.change(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestConsoleURL(t *testing.T) {
	for _, c := range []struct{ name, region, cluster, service, want string }{
		{"the commercial partition", "eu-west-1", "main", "api", "https://eu-west-1.console.aws.amazon.com/ecs/v2/clusters/main/services/api/health?region=eu-west-1"},
		{"China", "cn-north-1", "main", "api", "https://cn-north-1.console.amazonaws.cn/ecs/v2/clusters/main/services/api/health?region=cn-north-1"},
		{"GovCloud", "us-gov-west-1", "main", "api", "https://us-gov-west-1.console.amazonaws-us-gov.com/ecs/v2/clusters/main/services/api/health?region=us-gov-west-1"},
		{"a cluster's ARN", "eu-west-1", "arn:aws:ecs:eu-west-1:1:cluster/main", "api", "https://eu-west-1.console.aws.amazon.com/ecs/v2/clusters/main/services/api/health?region=eu-west-1"},
		{"names that could end the link", "eu-west-1", "a)", "b?c|", "https://eu-west-1.console.aws.amazon.com/ecs/v2/clusters/a%29/services/b%3Fc%7C/health?region=eu-west-1"},
		{"a Region that is another host", "evil.example/", "main", "api", ""},
		{"no cluster known", "eu-west-1", "", "api", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Result{Region: fleet.Region(c.region), Cluster: c.cluster, ECSService: c.service}
			if got := r.consoleURL(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestEqualReasonsAreGrouped(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 2)
	a, b, c := service("prod", "rails"), service("tenant-b", "rails"), service("tenant-c", "rails")
	a.Reason = "task " + id + " of prod-rails in production: gone"
	b.Reason = "task " + strings.Replace(id, "0", "f", 1) + " of tenant-b-rails in production: gone"
	c.Reason = "task " + id + " of tenant-c-rails in staging: gone"
	for _, r := range []*Result{&a, &b, &c} {
		r.Status = Failed
	}
	got := groups([]Result{c, a, b}, Status.Broken)
	if len(got) != 2 || len(got[0].members) != 2 {
		t.Fatalf("got %d groups, want prod and tenant-b together, and tenant-c", len(got))
	}
	if want := "task {id} of {ecs-service} in production: gone"; got[0].reason != want {
		t.Errorf("the shared reason is %q, want %q", got[0].reason, want)
	}
	if got[1].reason != c.Reason {
		t.Errorf("a reason of its own is %q, want %q", got[1].reason, c.Reason)
	}
}

func TestReplaceIDs(t *testing.T) {
	task, digest := strings.Repeat("0f", 16), strings.Repeat("0f", 32)
	uuid := "01234567-89ab-cdef-0123-456789abcdef"
	for in, want := range map[string]string{
		task: "{id}", "a task/" + task + ", request " + uuid: "a task/{id}, request {id}",
		"sha256:" + digest: "sha256:" + digest, "": "", "exit code 1": "exit code 1", task + "!": "{id}!",
	} {
		if got := replaceIDs(in); got != want {
			t.Errorf("replaceIDs(%q) = %q, want %q", in, got, want)
		}
	}
}
