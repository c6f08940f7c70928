package sim

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// worldInREADME is the document that the README shows.
func worldInREADME(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```json\n")
	world, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("README.md shows no world")
	}
	return world
}

func TestWorldOfTheREADMELoads(t *testing.T) {
	w, err := ReadWorld(strings.NewReader(worldInREADME(t)))
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(w)
	if err != nil {
		t.Fatal(err)
	}
	s, ok := a.Service("444455556666", "eu-west-1", "tenant-1000", "tenant-1000-rails")
	if !ok || s.Running != 2 || lastPart(s.TaskDefinition) != "rails-1000:41" || s.RolloutState != "COMPLETED" {
		t.Errorf("%+v", s)
	}
	if s, ok = a.Service("444455556666", "eu-west-1", "shared", "nginx"); !ok || lastPart(s.TaskDefinition) != "nginx:7" {
		t.Errorf("%+v", s)
	}
}

func TestExampleWorldLoads(t *testing.T) {
	f, err := os.Open("../../testdata/worlds/two-environments.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := ReadWorld(f)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(w)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := a.Service("444455556666", "eu-west-1", "production", "production-rails"); !ok || s.Running != 4 {
		t.Errorf("%+v", s)
	}
}

func TestServicesOfAWorldShareARevisionWhenTheirContainersAreEqual(t *testing.T) {
	a, err := New(rails(func(s *Service) { s.Count, s.Cluster, s.Family = 3, "main-{n}", "rails" }))
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := a.Service(account, ireland, "main-3", "rails"); !ok || lastPart(s.TaskDefinition) != "rails:41" {
		t.Errorf("%+v", s)
	}
}

func TestReadWorldTellsEveryMistakeWithItsPlace(t *testing.T) {
	const text = `{
  "speed": "fast",
  "latency": 5,
  "accounts": {"111122223333": {"regions": {"eu-west-1": {
    "services": [
      {"cluster": "a", "name": "b", "desired": "two"},
      {"clustre": "a"}
    ]
  }}}},
  "answer-faults": [{"action": "ecs:*", "form": "1m"}],
  "speed": 2
}`
	_, err := ReadWorld(strings.NewReader(text))
	if err == nil {
		t.Fatal("no mistake was found")
	}
	var got []string
	for line := range strings.Lines(err.Error()) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "; there are")
		got = append(got, line)
	}
	want := []string{
		`world: 2:12: speed: string where a number belongs`,
		`world: 3:14: latency: a duration is a string such as "1m30s", not 5`,
		`world: 6:48: accounts.111122223333.regions.eu-west-1.services[0].desired: string where a number belongs`,
		`world: 7:8: accounts.111122223333.regions.eu-west-1.services[1].clustre: no such field`,
		`world: 10:41: answer-faults[0].form: no such field`,
		`world: 11:3: speed: given twice`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mistakes (-want +got):\n%s", diff)
	}
}

func TestReadWorldTellsWhereTheSyntaxIsWrong(t *testing.T) {
	_, err := ReadWorld(strings.NewReader("{\n  \"speed\": 1,\n}"))
	if err == nil || !strings.HasPrefix(err.Error(), "world: 3:") {
		t.Errorf("%v", err)
	}
}

func TestNewTellsEverythingThatIsWrongWithAWorld(t *testing.T) {
	many, zero := 2, 0.0
	_, err := New(World{
		Speed: -1,
		Accounts: map[string]Account{"123": {Regions: map[string]Region{"eu-west-1": {
			Quotas:     map[string]Quota{"ecs:everything": {}, "sts": {Rate: &zero}},
			Neighbours: []Neighbour{{Bucket: "sts"}},
			Services: []Service{
				{Cluster: "a", Name: "b", Count: many, Containers: map[string]string{"c": "d"}},
				{Cluster: "a", Name: "x", TaskDefinition: "nothing:1", CircuitBreaker: "maybe"},
			},
		}}}},
		TaskFaults:   []TaskFault{{Fails: "somehow"}},
		AnswerFaults: []AnswerFault{{Action: "UpdateService"}},
	})
	if err == nil {
		t.Fatal("no mistake was found")
	}
	var got []string
	for line := range strings.Lines(err.Error()) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "; there are")
		got = append(got, line)
	}
	const region = "world: accounts.123.regions.eu-west-1."
	want := []string{
		`world: speed: -1 is not above 0`,
		`world: accounts.123: "123" is no account number of twelve digits`,
		region + `quotas.ecs:everything: there is no bucket "ecs:everything"`,
		region + `quotas.sts: the rate 0 is not above 0`,
		region + `neighbours[0]: the rate 0 is not above 0`,
		region + `services[0]: 2 services have one name; write {n} in cluster or name`,
		region + `services[0]: the service a/b exists twice`,
		region + `services[1]: the task definition "nothing:1" is not listed in task-definitions`,
		region + `services[1].circuit-breaker: "maybe" is not one of off, on, rollback`,
		`world: task-faults[0].fails: "somehow" is not one of pull, exit, health, capacity, errors, overload`,
		`world: answer-faults[0].action: "UpdateService" is no action such as "ecs:UpdateService"`,
		`world: answer-faults[0]: has neither a code nor a delay, and so does nothing`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mistakes (-want +got):\n%s", diff)
	}
}

func TestNewTellsWhatIsWrongWithScalableTargets(t *testing.T) {
	w := scaled(func(s *Service, target *ScalableTarget) {
		s.LoadChanges = []LoadChange{{At: 2}, {At: 1}}
		target.Min = 11
		target.Policies = []TargetTracking{{Name: "cpu", Metric: "disk", Target: 1}, {Name: "cpu"}}
		target.ScheduledActions = []ScheduledAction{{Name: "a:b", Schedule: "rate(1 day)", Min: ptr(1)}, {Name: "night", Schedule: "0 22 * * *", Max: ptr(1)}}
	})
	r := w.Accounts[account].Regions[ireland]
	r.ScalableTargets = append(r.ScalableTargets, ScalableTarget{Cluster: "main", Service: "none"}, ScalableTarget{Cluster: "main", Service: "rails"})
	w.Accounts[account].Regions[ireland] = r
	w.PastActions = "gone"
	_, err := New(w)
	if err == nil {
		t.Fatal("no mistake was found")
	}
	const region = "world: accounts.111122223333.regions.eu-west-1."
	const target = region + "scalable-targets[0]"
	want := []string{
		region + `services[0].load-changes: the changes are not in order of their time`,
		target + `: min 11 and max 10 are not in order, or below 0`,
		target + `.policies[0].metric: "disk" is not one of cpu, memory, requests`,
		target + `.policies[1]: the name is empty or given twice, or the target is not above 0`,
		target + `.scheduled-actions[0]: the name "a:b" is empty, given twice or not allowed`,
		target + `.scheduled-actions[1]: "0 22 * * *" is no at(…), rate(…) or cron(…)`,
		region + `scalable-targets[1]: there is no service main/none, or it has two scalable targets`,
		region + `scalable-targets[2]: there is no service main/rails, or it has two scalable targets`,
		`world: past-actions: "gone" is not one of listed, removed`,
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("mistakes (-want +got):\n%s", diff)
	}
}

func FuzzReadWorld(f *testing.F) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		f.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```json\n")
	world, _, _ := strings.Cut(rest, "```")
	f.Add(strings.ReplaceAll(world, `"count": 1000`, `"count": 2`))
	f.Add(`{"accounts": {"111122223333": null}, "speed": null, "task-faults": [null, {"fails": "exit"}]}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, text string) {
		w, err := ReadWorld(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, account := range w.Accounts {
			for _, region := range account.Regions {
				for _, s := range region.Services {
					if s.Count > 1000 || s.Desired != nil && *s.Desired > 1000 {
						return // possible, but slow
					}
				}
				for _, target := range region.ScalableTargets {
					if target.Count > 1000 {
						return
					}
				}
			}
		}
		// Whatever can be read is either refused or built without a panic.
		_, _ = New(w)
	})
}

func TestAServerForgetsItsCalls(t *testing.T) {
	aws, err := New(World{})
	if err != nil {
		t.Fatal(err)
	}
	ask := func() {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://ecs.us-east-1.amazonaws.com/", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Amz-Target", "AmazonEC2ContainerServiceV20141113.ListClusters")
		aws.ServeHTTP(httptest.NewRecorder(), request)
	}
	ask()
	if n := len(aws.Calls()); n != 1 {
		t.Errorf("%d calls are kept, want 1", n)
	}
	aws.ForgetCalls()
	ask()
	if n := len(aws.Calls()); n != 0 {
		t.Errorf("%d calls are kept, want none", n)
	}
}

func TestNewTellsWhatIsWrongWithStrategies(t *testing.T) {
	second := Duration(90 * time.Second)
	service := func(name string, change func(*Service)) Service {
		s := Service{Cluster: "a", Name: name, Containers: map[string]string{"c": "d"}}
		change(&s)
		return s
	}
	_, err := New(World{
		Accounts: map[string]Account{account: {Regions: map[string]Region{ireland: {Services: []Service{
			service("b", func(s *Service) { s.Strategy, s.Bake = "BLUE_GREEN", &second }),
			service("c", func(s *Service) { s.Strategy, s.Linear = "CANARY", &Steps{Percent: 10} }),
			service("d", func(s *Service) { s.Strategy, s.Hooks = "CANARY", []Hook{{Stages: []string{"CLEAN_UP"}}} }),
			service("e", func(s *Service) {
				s.CodeDeploy = &DeploymentGroup{Config: "fast", Hooks: map[string]string{"Install": "f"}}
			}),
		}}}}},
		DeploymentFaults: []DeploymentFault{{Stage: "somewhere"}},
	})
	if err == nil {
		t.Fatal("no mistake was found")
	}
	for _, want := range []string{
		"services[0].bake-time: 1m30s is not a number of whole minutes",
		"services[1]: linearConfiguration is only valid when the deployment strategy is LINEAR.",
		"services[2]: Invalid lifecycle stage: CLEAN_UP.",
		"services[3].codedeploy: the service needs the controller CODE_DEPLOY and a load-balancer",
		`services[3].codedeploy.config: "fast" is not one of CodeDeployDefault.`,
		`services[3].codedeploy.hooks: there are no hooks at "Install"`,
		`deployment-faults[0].stage: "somewhere" is not one of RECONCILE_SERVICE, `,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
}
