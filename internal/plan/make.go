package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ecs-fleet/internal/fleet"
)

// In is all that a decision about one service is made from.
type In struct {
	Environment fleet.Environment
	Spec        fleet.ServiceSpec
	Seen        fleet.Service
	Draft       fleet.Draft
	// Moved says that a tag now means other bytes than those that run, as
	// "app: sha256:1… → sha256:2…"; empty when it does not, or nobody knows.
	Moved        string
	Force        bool
	OnInProgress string // wait, stop, skip, fail
	Prepare      bool   // register only, and touch no service
	Run          fleet.Run
	AllowOlder   bool // deploy also where a newer run has been
	Suspend      bool // hold dynamic scaling during the deployment
}

// TagMoved begins the warning that a tag means other bytes than those that run.
const TagMoved = "the tag has moved: "

// Make decides what to do with one service.
func Make(in In) Plan {
	primary := in.Seen.Primary()
	p := Plan{
		Of:       fleet.ServiceRef{Environment: in.Environment.Name, Service: in.Spec.Name},
		Spec:     in.Spec,
		Wave:     in.Environment.Wave,
		Strategy: in.Seen.Strategy,
		From:     State{TaskDefinition: primary.TaskDefinition, Images: in.Draft.Base.Images(), Desired: in.Seen.Desired},
		To:       State{TaskDefinition: in.Draft.Equal, Images: in.Draft.Images, Desired: in.Seen.Desired},
		Warnings: append(warnings(in.Seen), oddSize(in.Draft)...),
	}
	there := in.Draft.Equal != "" && in.Draft.Equal == primary.TaskDefinition
	forced := in.Force || in.Moved != ""
	if in.Prepare && (InProgress(in.Seen) || !there || forced || primary.RolloutState == "FAILED") {
		return prepare(in, p)
	}
	newer, deploys := Newest(in.Seen.Run, in.Draft.Base.Run), primary.TaskDefinition
	if d := in.Seen.UnderWay; d != nil {
		newer, deploys = Newest(newer, d.Run), cmp.Or(d.TaskDefinition, deploys)
	}
	if InProgress(in.Seen) {
		if !forced && underWay(in) {
			w := watch(in)
			if from := Replaced(in.Seen, w.TaskDefinition); from != p.From.TaskDefinition {
				p.From = State{TaskDefinition: from, Desired: in.Seen.Desired}
			}
			p.Steps = []Step{w}
			if p.From.TaskDefinition != "" {
				p.Undo = []Step{Deploy{TaskDefinition: p.From.TaskDefinition, Through: in.Seen.Group}}
			}
			return p
		}
		if newer.Newer(in.Run) && !in.AllowOlder {
			p.Refuse = Overtaken(newer, deploys)
			return p
		}
		if p.Refuse, p.Failed = refuse(in.OnInProgress, in.Seen); p.Refuse != "" {
			return p
		}
		p.Steps = []Step{settle(in.Seen, in.OnInProgress == "stop")}
	} else if there && !forced && primary.RolloutState != "FAILED" {
		p.Skip = "already runs " + describe(in.Draft)
		return p
	}
	if newer.Newer(in.Run) && !in.AllowOlder {
		p.Refuse = Overtaken(newer, primary.TaskDefinition)
		return p
	}
	if in.Moved != "" {
		p.Warnings = append(p.Warnings, TagMoved+in.Moved)
	}
	to := p.revision(in)
	p.Steps = append(p.Steps, Deploy{TaskDefinition: to, Replaces: primary.TaskDefinition, Force: there || in.Force, Suspend: in.Suspend, Pace: in.Seen.Pace, Through: in.Seen.Group})
	p.Undo = []Step{Deploy{TaskDefinition: primary.TaskDefinition, Force: there, Through: in.Seen.Group}}
	if ran := Replaced(in.Seen, primary.TaskDefinition); primary.RolloutState == "FAILED" && ran != "" {
		// What failed never came to run: its tasks are still those of the
		// revision before, and nobody wants to return to anything else.
		p.From = State{TaskDefinition: ran, Desired: in.Seen.Desired}
		p.Undo = []Step{Deploy{TaskDefinition: ran}}
	}
	return p
}

// revision is the one to run, registered first where it has to be: then it is
// empty.
func (p *Plan) revision(in In) fleet.ARN {
	to := in.Draft.Equal
	if to == in.Draft.Base.ARN && in.Draft.Base.Status == "INACTIVE" {
		// Its tasks may go on, and no update may name it: the same again has
		// to be registered.
		// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deregister-task-definition-v2.html
		to, p.To.TaskDefinition = "", ""
	}
	if to == "" {
		p.Steps = append(p.Steps, Register{Draft: in.Draft})
	}
	return to
}

// prepare plans what can be done before a release. A deployment in progress is
// no obstacle, since nothing is done to the service.
func prepare(in In, p Plan) Plan {
	to := p.revision(in)
	p.Steps = append(p.Steps, Leave{TaskDefinition: to})
	return p
}

// Newest is the newer one of two runs that have left their marks on a service,
// as far as they can be compared.
func Newest(a, b fleet.Run) fleet.Run {
	if a.Newer(b) || b == (fleet.Run{}) {
		return a
	}
	return b
}

// Overtaken says that a newer run has been at the service.
func Overtaken(by fleet.Run, runs fleet.ARN) string {
	return fmt.Sprintf("a newer run than this one, https://github.com/%s/actions/runs/%d, has deployed %s here; left as it is (allow-older: true deploys over it)", by.Repository, by.ID, runs.Name())
}

// Replaced is the revision that a deployment under way of another one replaces;
// empty where AWS shows none. Until CodeDeploy has shifted the traffic, it is
// the PRIMARY one's.
func Replaced(s fleet.Service, by fleet.ARN) fleet.ARN {
	for _, d := range s.Deployments {
		if (d.Status == "PRIMARY" || d.Status == "ACTIVE") && d.TaskDefinition != by {
			return d.TaskDefinition
		}
	}
	if len(s.Deployments) > 1 {
		return by // by itself
	}
	return ""
}

// InProgress tells whether a deployment of the service is under way. The
// rollout state exists for rolling deployments of the ECS controller, not
// behind a Classic Load Balancer; elsewhere more than one deployment means
// that tasks are being replaced.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
func InProgress(s fleet.Service) bool {
	if s.Controller == "CODE_DEPLOY" {
		return s.UnderWay != nil
	}
	switch s.Primary().RolloutState {
	case "IN_PROGRESS":
		return true
	case "COMPLETED", "FAILED":
		return false
	}
	return len(s.Deployments) > 1
}

// underWay tells whether the deployment in progress is of the wanted revision.
// While CodeDeploy deploys, the service's PRIMARY task set is still the old one.
func underWay(in In) bool {
	deploys := in.Seen.Primary().TaskDefinition
	if d := in.Seen.UnderWay; d != nil {
		deploys = d.TaskDefinition
	}
	return in.Draft.Equal != "" && in.Draft.Equal == deploys
}

func watch(in In) Watch {
	s := in.Seen
	if d := s.UnderWay; d != nil {
		return Watch{ID: d.ID, TaskDefinition: d.TaskDefinition, By: d.Run}
	}
	return Watch{Deployment: s.Current, ID: s.Primary().ID, TaskDefinition: s.Primary().TaskDefinition, By: Newest(s.Run, in.Draft.Base.Run)}
}

// settle ends or waits for what is in progress. A rollback of CodeDeploy is not
// stopped: that would leave the traffic in between.
func settle(s fleet.Service, stop bool) Settle {
	if d := s.UnderWay; d != nil {
		return Settle{ID: d.ID, Stop: stop && d.Undoes == "", Shifted: d.Shifted}
	}
	return Settle{Deployment: s.Current, ID: s.Primary().ID, Stop: stop && s.Current != ""}
}

func refuse(policy string, s fleet.Service) (why string, failed bool) {
	deploys, what := s.Primary().TaskDefinition, ""
	if d := s.UnderWay; d != nil {
		deploys = cmp.Or(d.TaskDefinition, "another revision")
		if d.Shifted {
			what = fmt.Sprintf("the deployment of %s is in progress until its old tasks are terminated", deploys.Name())
		}
	}
	what = cmp.Or(what, fmt.Sprintf("a deployment of %s is in progress already", deploys.Name()))
	switch policy {
	case "skip":
		return what + " (on-in-progress: skip); run again when it has ended", false
	case "fail":
		return what + " (on-in-progress: fail); run again when it has ended, or set on-in-progress to wait", true
	}
	return "", false
}

func describe(d fleet.Draft) string {
	if len(d.Edits) == 0 {
		return d.Base.ARN.Name()
	}
	var tags []string
	for _, name := range slices.Sorted(maps.Keys(d.Edits)) {
		if tag := Tag(d.Edits[name]); !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	return strings.Join(tags, ", ") + " (" + d.Equal.Name() + ")"
}

// warnings tell beforehand what a deployment of the service will suffer from.
func warnings(s fleet.Service) []string {
	var ws []string
	if s.Desired == 0 {
		ws = append(ws, "0 tasks desired: the new revision stays unproven until a task starts")
	}
	if s.Strategy == "rolling" && s.Desired > 0 && !canMove(s) {
		ws = append(ws, fmt.Sprintf("the deployment cannot start or stop a task: desired %d with minimum healthy %d%% and maximum %d%%; raise the maximum to 200%% or lower the minimum", s.Desired, s.MinimumHealthyPercent, s.MaximumPercent))
	}
	return ws
}

// canMove: the service may run one task more or one task less while deploying.
// ECS rounds the maximum down and the minimum up.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
func canMove(s fleet.Service) bool {
	most := s.Desired * s.MaximumPercent / 100
	least := (s.Desired*s.MinimumHealthyPercent + 99) / 100
	return most >= s.Desired+1 || least <= s.Desired-1
}
