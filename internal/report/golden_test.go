package report

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/plan"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestSummaries(t *testing.T) {
	for name, text := range map[string]string{
		"all-well":         allWell().Summary("full"),
		"all-well-compact": manyWell().Summary("compact"),
		"rolled-back":      rolledBack().Summary("full"),
		"refused":          refused().Summary("full"),
		"cancelled":        cancelled().Summary("full"),
		"thousand":         thousand().Summary("compact"),
		"dry-run":          dryRun().Summary("full"),
	} {
		t.Run(name, func(t *testing.T) { golden(t, name+".md", text) })
	}
}

func dryRun() Run {
	r := Run{Command: "deploy", Status: "succeeded", API: forecast().Usage, Forecast: forecast()}
	for _, p := range plans() {
		r.Services = append(r.Services, FromPlan(p))
	}
	return r
}

func TestPlanText(t *testing.T) { golden(t, "plan.txt", Plan(plans(), forecast())) }

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs; if that is wanted, run go test ./internal/report -update and read it (-want +got):\n%s", path, diff)
	}
}

// The runs below are what the golden files, and many other tests, show.

const repository = "444455556666.dkr.ecr.ap-northeast-1.amazonaws.com/"

// service is a healthy one: rails, nextjs or nginx of an environment.
func service(environment, name string) Result {
	image := repository + name
	return Result{
		Of:      fleet.ServiceRef{Environment: environment, Service: name},
		Account: "444455556666", Region: "ap-northeast-1", Cluster: environment, ECSService: environment + "-" + name,
		Wave: 1, Strategy: "rolling", Status: Deployed,
		From:    State{name + ":41", map[string]string{"app": image + ":v1.7.0", "agent": "public.ecr.aws/agent:3"}, 8},
		To:      State{name + ":42", map[string]string{"app": image + ":v1.8.0", "agent": "public.ecr.aws/agent:3"}, 8},
		Running: 8, Duration: 121 * time.Second,
	}
}

func succeeded(services ...Result) Run {
	return Run{
		Command: "deploy", Status: "succeeded", Started: time.Date(2026, 1, 31, 4, 5, 6, 0, time.UTC), Duration: 148200 * time.Millisecond,
		Services: services,
		API: []Usage{
			{"444455556666", "ap-northeast-1", "ecs:service-modify", 3, 0, 0},
			{"444455556666", "ap-northeast-1", "ecs:task-definition-modify", 24, 0, 3100 * time.Millisecond},
		},
	}
}

func allWell() Run {
	staging := service("staging", "rails")
	staging.Status, staging.Duration, staging.From = Unchanged, 0, staging.To
	a, b := service("tenant-a", "rails"), service("tenant-a", "nextjs")
	a.Wave, b.Wave = 2, 2
	a.Warnings = []string{"0 tasks desired: the new revision stays unproven until a task starts"}
	a.From.Desired, a.To.Desired, a.Running = 0, 0, 0
	return succeeded(staging, a, b)
}

func manyWell() Run {
	var all []Result
	for i := range 40 {
		all = append(all, service(fmt.Sprintf("tenant-%02d", i+1), "rails"))
	}
	return succeeded(all...)
}

func rolledBack() Run {
	r := manyWell()
	r.Status = "failed"
	bad := &r.Services[11]
	bad.Status, bad.Running = RolledBack, 8
	bad.Reason = "deployment ecs-svc/0123456789 failed: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref " + repository + "rails:v1.8.0: not found"
	bad.Details = []string{
		"task 0f1e2d3c4b5a69788796a5b4c3d2e1f0 stopped, TaskFailedToStart: CannotPullContainerError: not found",
		"",
		"04:06:10 (service tenant-12-rails) was unable to start tasks consistently.",
	}
	r.Services = r.Services[8:14]
	r.API[1].Throttled = 5
	r.Notes = []string{"registry public.ecr.aws could not be read: the agent image is not checked"}
	return r
}

func refused() Run {
	r := succeeded()
	r.Status, r.Duration, r.API = "failed", 800*time.Millisecond, nil
	r.Mistakes = []string{
		`.github/ecs-fleet.yml:14:5: unknown key "regoin"; write region`,
		`input max-failures: "ten" is not a number or a percentage; write 3 or 10%`,
	}
	return r
}

func cancelled() Run {
	r := manyWell()
	r.Status, r.Services, r.API = "cancelled", r.Services[:6], nil
	for i, status := range []Status{Deployed, Deployed, Cancelled, Cancelled, NotStarted, NotStarted} {
		s := &r.Services[i]
		s.Status = status
		if status == Cancelled {
			s.Reason, s.Running = "cancelled while 6 of 8 new tasks were running", 12
		}
		if status == NotStarted {
			s.Reason, s.Running, s.Duration, s.To = "the run was cancelled", 0, 0, State{}
		}
	}
	return r
}

// thousand has 1,000 environments in two waves, 31 of which fail alike.
func thousand() Run {
	r := succeeded()
	r.Status = "failed"
	for i := range 1000 {
		s := service(fmt.Sprintf("tenant-%04d", i+1), "rails")
		if i >= 100 {
			s.Wave = 2
		}
		if i%32 == 5 && i < 992 {
			s.Status, s.Running = Failed, 3
			s.Reason = fmt.Sprintf("timed out after 30m waiting for 8 healthy tasks of %s; 3 run: task %032x failed ELB health checks in target group %[1]s", s.ECSService, i)
		}
		r.Services = append(r.Services, s)
	}
	return r
}

// plans are one of each kind, written out: which plan is made when is package
// plan's affair, and so are the words of its reasons.
func plans() []plan.Plan {
	next := map[string]string{"app": repository + "rails:v1.8.0"}
	of := func(environment string, wave int, tag string) plan.Plan {
		td := fleet.ARN("arn:aws:ecs:ap-northeast-1:444455556666:task-definition/" + environment + "-rails:41")
		return plan.Plan{
			Of:   fleet.ServiceRef{Environment: environment, Service: "rails"},
			Spec: fleet.ServiceSpec{Name: "rails", ECSName: environment + "-rails"},
			Wave: wave, Strategy: "rolling",
			From: plan.State{TaskDefinition: td, Images: map[string]string{"app": repository + "rails:" + tag}, Desired: 1},
			To:   plan.State{Images: next, Desired: 1},
		}
	}
	staging, a, b := of("staging", 1, "v1.8.0"), of("tenant-a", 2, "v1.7.0"), of("tenant-b", 2, "v1.7.0")
	staging.Skip = "already runs v1.8.0 (staging-rails:41)"
	base := fleet.TaskDefinition{ARN: a.From.TaskDefinition}
	a.Steps = []plan.Step{plan.Register{Draft: fleet.Draft{Base: base, Images: next, Edits: next}}, plan.Deploy{Replaces: base.ARN}}
	a.Undo = []plan.Step{plan.Deploy{TaskDefinition: base.ARN}}
	a.Warnings = []string{"the deployment cannot start or stop a task: desired 1 with minimum healthy 100% and maximum 100%"}
	b.Refuse = "a deployment of tenant-b-rails:41 is in progress already (on-in-progress: skip)"
	return []plan.Plan{staging, a, b}
}

func forecast() Forecast {
	return Forecast{Usage: []Usage{{"444455556666", "ap-northeast-1", "ecs:task-definition-modify", 24, 0, 4 * time.Second}}}
}
