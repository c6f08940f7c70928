// Package sim is AWS in memory: an http.Handler that speaks the wire protocols
// of ECS, CodeDeploy, Application Auto Scaling, STS, ECR, Elastic Load
// Balancing, CloudWatch and its Logs, with AWS's quotas, validation, task life
// cycles and every kind of deployment. Tests, the demo and any other client
// (SDKs, the AWS CLI) use it in place of AWS.
//
// Its one idea is that the world moves lazily: what happens in AWS between two
// requests (a task starts, a deployment ends) is kept as events with a time,
// and each request first lets happen what is due. There is no goroutine and no
// timer, so the package works the same in real time and in a testing/synctest
// bubble, and an idle world costs nothing.
//
// The package is the project's independent witness: it imports the standard
// library alone, its numbers come from AWS's documents, and it is not bent to
// make a client look good. Where AWS's behaviour is not documented, a comment
// says that the code guesses.
//
// Limits: signatures are not verified; task sets are made by CodeDeploy alone;
// nothing is stored beyond the process.
//
// Read next: world.go (what can be set up), wire.go (a request's way),
// rolling.go, native.go and codedeployment.go (a deployment's way).
package sim

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// AWS is the simulation. Make one with New. It is safe for concurrent use.
type AWS struct {
	world  World
	born   time.Time // real time of New
	timing timing
	lag    lag
	apis   []api

	mu        sync.Mutex
	clock     time.Time // simulated time of what is happening
	agenda    agenda
	regions   map[string]*region // by "account/region"
	sessions  map[string]session // by access key id
	faultHits []int              // of each answer fault
	random    *rand.Rand
	tasksMade int
	calls     []Call
	forgetful bool
}

// New makes a simulation of a world. The error lists everything that is wrong
// with it.
func New(w World) (*AWS, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	now := time.Now()
	if w.Start.IsZero() {
		w.Start = now
	}
	// Without the monotonic clock: instants of the world are compared with
	// and printed from sums.
	w.Start = w.Start.UTC().Round(0)
	if w.Speed == 0 {
		w.Speed = 1
	}
	if w.DefaultAccount == "" {
		w.DefaultAccount = defaultAccount
	}
	a := &AWS{
		world: w, born: now, timing: w.Timing.withDefaults(), lag: w.Consistency.withDefaults(), apis: apis(),
		regions: map[string]*region{}, sessions: map[string]session{}, faultHits: make([]int, len(w.AnswerFaults)),
		random: rand.New(rand.NewPCG(1, 2)),
	}
	a.build()
	return a, nil
}

// Now is the simulated time.
func (a *AWS) Now() time.Time {
	passed := time.Since(a.born)
	return a.world.Start.Add(time.Duration(float64(passed) * a.world.Speed))
}

// Call is one request as AWS saw it.
type Call struct {
	At        time.Time // simulated
	Account   string
	Region    string
	Service   string // as in IAM actions: "ecs", "application-autoscaling", "sts", …
	Action    string // "UpdateService"
	Bucket    string // "ecs:service-modify"; empty: no quota applies
	Code      string // the error's code; empty: success
	Throttled bool
	Client    string // access key id
}

// ForgetCalls keeps Calls empty from now on, for a server that runs for days.
func (a *AWS) ForgetCalls() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls, a.forgetful = nil, true
}

// Calls are all requests so far, in the order of their arrival.
func (a *AWS) Calls() []Call {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]Call(nil), a.calls...)
}

// ServiceState is what really runs of a service, without the lag of reads.
type ServiceState struct {
	TaskDefinition string // ARN that the PRIMARY deployment wants
	// Images of the running tasks: container → image → number of tasks.
	Images           map[string]map[string]int
	Desired          int
	Running, Pending int
	RolloutState     string // of the PRIMARY deployment
	// ServiceDeployment is the status of the newest service deployment, and
	// Stage its lifecycleStage; empty, where it has none.
	ServiceDeployment, Stage string
	// Traffic is who has how many percent of the production traffic, by task
	// definition ARN, where a strategy shifts it. Nil: everyone who runs.
	Traffic map[string]float64
	// CodeDeployment is the status of the newest CodeDeploy deployment of the
	// service's group.
	CodeDeployment string
	Deployments    []DeploymentState // as in DescribeServices
	Events         []string          // oldest first
}

// DeploymentState is one entry of a service's deployments.
type DeploymentState struct {
	ID, Status, RolloutState, Reason, TaskDefinition string
	Desired, Running, Pending, FailedTasks           int
}

// Service is the present state of a service; false if there is none.
func (a *AWS) Service(account, region, cluster, name string) (ServiceState, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.advance(a.Now())
	k := a.regionOf(account, region).clusters[cluster]
	if k == nil || k.services[name] == nil {
		return ServiceState{}, false
	}
	return k.services[name].state(), true
}

func (s *service) state() ServiceState {
	out := ServiceState{
		TaskDefinition: s.definition.arn(), Images: map[string]map[string]int{}, Desired: s.desired,
		Running: s.count((*task).isRunning), Pending: s.count((*task).isPending),
	}
	for _, t := range tasksOf(s.deployments, (*task).isRunning) {
		for _, c := range t.containers {
			if out.Images[c.name] == nil {
				out.Images[c.name] = map[string]int{}
			}
			out.Images[c.name][c.image]++
		}
	}
	for _, d := range s.deployments {
		if d.production > 0 {
			if out.Traffic == nil {
				out.Traffic = map[string]float64{}
			}
			out.Traffic[d.definition.arn()] += d.production
		}
		out.Deployments = append(out.Deployments, DeploymentState{
			ID: d.id(), Status: d.status, RolloutState: d.state, Reason: d.reason, TaskDefinition: d.definition.arn(),
			Desired: d.wanted(), Running: d.count((*task).isRunning), Pending: d.count((*task).isPending), FailedTasks: d.failed,
		})
	}
	if len(s.deployments) > 0 {
		out.RolloutState = s.deployments[0].state
	}
	if len(s.rollouts) > 0 {
		out.ServiceDeployment, out.Stage = s.rollouts[0].status, s.rollouts[0].stage()
	}
	if s.group != nil && s.group.last != nil {
		out.CodeDeployment = s.group.last.status
	}
	for _, e := range s.events {
		out.Events = append(out.Events, e.text)
	}
	return out
}

// RoundTripper lets an HTTP client call a handler directly, in the client's
// goroutine: sockets do not work in a synctest bubble. A request whose context
// ends while the handler is at work returns the context's error, although the
// handler may have done what was asked: an outcome as unknown as with AWS.
func RoundTripper(h http.Handler) http.RoundTripper { return direct{h} }

type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if r.Body != nil {
		defer r.Body.Close()
	}
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	if in.Host == "" {
		in.Host = in.URL.Host
	}
	answer := &recorder{status: http.StatusOK, header: http.Header{}}
	d.handler.ServeHTTP(answer, in)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", answer.status, http.StatusText(answer.status)), StatusCode: answer.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: answer.header, Body: io.NopCloser(&answer.body), ContentLength: int64(answer.body.Len()), Request: r,
	}, nil
}

// recorder keeps a handler's answer. The one of httptest would add a flag to
// every program that uses this package.
type recorder struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
