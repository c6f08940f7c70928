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
		"dry-run":          PlanSummary(plans(), forecast()),
	} {
		t.Run(name, func(t *testing.T) { golden(t, name+".md", text) })
	}
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

func plans() []plan.Plan {
	td := func(name string) fleet.TaskDefinition {
		return fleet.TaskDefinition{
			ARN:        fleet.ARN("arn:aws:ecs:ap-northeast-1:444455556666:task-definition/" + name),
			Containers: []fleet.Container{{Name: "app", Image: repository + "rails:v1.7.0"}},
		}
	}
	seen := func(td fleet.TaskDefinition, most int) fleet.Service {
		return fleet.Service{
			Strategy: "rolling", Desired: 1, TaskDefinition: td.ARN, MinimumHealthyPercent: 100, MaximumPercent: most,
			Deployments: []fleet.Deployment{{ID: "ecs-svc/1", Status: "PRIMARY", RolloutState: "COMPLETED", TaskDefinition: td.ARN}},
		}
	}
	next := map[string]string{"app": repository + "rails:v1.8.0"}
	var ps []plan.Plan
	for i, name := range []string{"staging", "tenant-a", "tenant-b"} {
		base := td(name + "-rails:41")
		in := plan.In{
			Environment: fleet.Environment{Name: name, Wave: min(i+1, 2)},
			Spec:        fleet.ServiceSpec{Name: "rails", ECSName: name + "-rails"},
			Seen:        seen(base, 200-i%2*100),
			Draft:       fleet.Draft{Base: base, Images: next, Edits: next},
		}
		if name == "staging" {
			in.Draft.Base.Containers[0].Image = next["app"]
			in.Draft.Equal = base.ARN
		}
		if name == "tenant-b" {
			in.Seen.Deployments[0].RolloutState, in.OnInProgress = "IN_PROGRESS", "skip"
		}
		ps = append(ps, plan.Make(in))
	}
	return ps
}

func forecast() []Usage {
	return []Usage{{"444455556666", "ap-northeast-1", "ecs:task-definition-modify", 24, 0, 4 * time.Second}}
}
