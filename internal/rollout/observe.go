package rollout

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"ecs-fleet/internal/cloud"
	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/watch"
)

// How often AWS is asked, on AWS's clock. Every tick costs one call for twenty
// deployments of an account and Region (DescribeServiceDeployments, 20 a second)
// or for ten services of a cluster (DescribeServices, 20 a second).
const (
	// firstPoll is when a rolling deployment can have ended at the earliest: a
	// task has to be placed, pulled and started, and an old one drained.
	firstPoll = 20 * time.Second
	// pollEvery is how late an end is noticed at the most.
	pollEvery = 10 * time.Second
	// codeDeployCall is how far apart the calls for 25 deployments of CodeDeploy
	// are: a quarter of its quota of one call a second, which is a guess.
	codeDeployCall = 4 * time.Second
	// targetEvery is how often it is seen how far a deployment of CodeDeploy is,
	// and targetEachKey how far apart such calls are for different deployments.
	targetEvery   = 30 * time.Second
	targetEachKey = 4 * time.Second
	// pollRate is how many polls of one kind are repeated a second in one account
	// and Region, by all roles and clusters together: a fifth of each read quota,
	// since the first poll of each deployment comes on top. It stretches the
	// interval for large fleets, and where polls cannot be batched, since each
	// call carries the deployments of one role, or the services of one cluster.
	pollRate = 4.0
)

// observers are the run's shared polls.
type observers struct {
	rollout *Rollout
	ctx     context.Context

	mu          sync.Mutex
	deployments map[*cloud.Client]*watch.Group[fleet.ARN, fleet.ServiceDeployment]
	services    map[clusterKey]*watch.Group[string, fleet.Service]
	codeDeploys map[*cloud.Client]*watch.Group[string, fleet.CodeDeployment]
	glances     map[clusterKey]*semaphore.Weighted

	codeDeployed map[place]int // services that CodeDeploy deploys; not changed
	asking       map[bucket]*load
	turnstiles   map[turnstileKey]*semaphore.Weighted
}

// bucket is one of the read quotas that polls use.
type bucket struct {
	place place
	name  string
}

// load is what all groups that poll from one bucket ask of it in a tick.
type load struct {
	mu    sync.Mutex
	calls map[any]int // by group
}

// every is the interval of a group that asks for so many keys, on AWS's clock: the
// groups of a bucket share pollRate.
func (l *load) every(group any, keys, chunk int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls[group] = (keys + chunk - 1) / chunk
	if keys == 0 {
		delete(l.calls, group)
	}
	sum := 0
	for _, calls := range l.calls {
		sum += calls
	}
	return max(pollEvery, time.Duration(float64(sum)/pollRate*float64(time.Second)))
}

func (o *observers) start(ctx context.Context, r *Rollout) {
	o.ctx, o.rollout = ctx, r
	o.deployments = make(map[*cloud.Client]*watch.Group[fleet.ARN, fleet.ServiceDeployment])
	o.services = make(map[clusterKey]*watch.Group[string, fleet.Service])
	o.codeDeploys = make(map[*cloud.Client]*watch.Group[string, fleet.CodeDeployment])
	o.glances = make(map[clusterKey]*semaphore.Weighted)
	o.codeDeployed = make(map[place]int)
	for _, u := range r.units {
		if u.client != nil && u.byCodeDeploy() {
			o.codeDeployed[placeOf(u)]++
		}
	}
	o.asking = make(map[bucket]*load)
	o.turnstiles = make(map[turnstileKey]*semaphore.Weighted)
}

// wait blocks until the goroutines of all polls have ended.
func (o *observers) wait() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, g := range o.deployments {
		g.Wait()
	}
	for _, g := range o.services {
		g.Wait()
	}
	for _, g := range o.codeDeploys {
		g.Wait()
	}
}

// every is the interval of one group of polls. It is called with o.mu held.
func (o *observers) every(b bucket, group any, chunk int) func(keys int) time.Duration {
	l := o.asking[b]
	if l == nil {
		l = &load{calls: make(map[any]int)}
		o.asking[b] = l
	}
	return func(keys int) time.Duration { return o.rollout.real(l.every(group, keys, chunk)) }
}

// deployment is the next snapshot of a service deployment.
func (o *observers) deployment(ctx context.Context, u *unit, arn fleet.ARN) (fleet.ServiceDeployment, error) {
	o.mu.Lock()
	g := o.deployments[u.client]
	if g == nil {
		g = watch.New(o.ctx, o.every(bucket{placeOf(u), "deployments"}, u.client, cloud.DeploymentsPerCall), cloud.DeploymentsPerCall, func(ctx context.Context, arns []fleet.ARN) (map[fleet.ARN]fleet.ServiceDeployment, error) {
			return faultless(func() (map[fleet.ARN]fleet.ServiceDeployment, error) { return u.client.ServiceDeployments(ctx, arns) })
		})
		o.deployments[u.client] = g
	}
	o.mu.Unlock()
	return g.Next(ctx, arn)
}

// codeDeployment is the next snapshot of a deployment of CodeDeploy.
func (o *observers) codeDeployment(ctx context.Context, u *unit, id string) (fleet.CodeDeployment, error) {
	o.mu.Lock()
	g := o.codeDeploys[u.client]
	if g == nil {
		every := func(keys int) time.Duration {
			calls := (keys + cloud.CodeDeploymentsPerCall - 1) / cloud.CodeDeploymentsPerCall
			return o.rollout.real(max(pollEvery, time.Duration(calls)*codeDeployCall))
		}
		g = watch.New(o.ctx, every, cloud.CodeDeploymentsPerCall, func(ctx context.Context, ids []string) (map[string]fleet.CodeDeployment, error) {
			return faultless(func() (map[string]fleet.CodeDeployment, error) { return u.client.CodeDeployments(ctx, ids) })
		})
		o.codeDeploys[u.client] = g
	}
	o.mu.Unlock()
	return g.Next(ctx, id)
}

// service is the next snapshot of a service.
func (o *observers) service(ctx context.Context, u *unit) (fleet.Service, error) {
	o.mu.Lock()
	key := clusterOf(u)
	g := o.services[key]
	if g == nil {
		g = watch.New(o.ctx, o.every(bucket{placeOf(u), "services"}, key, cloud.ServicesPerCall), cloud.ServicesPerCall, func(ctx context.Context, names []string) (map[string]fleet.Service, error) {
			return faultless(func() (map[string]fleet.Service, error) { return key.client.Services(ctx, key.name, names) })
		})
		o.services[key] = g
	}
	o.mu.Unlock()
	s, err := g.Next(ctx, u.spec.ECSName)
	if err == nil {
		u.saw(s)
		s, _ = u.last()
	}
	return s, err
}

// abreast is how many services of one account, Region and strategy are between the
// look at them and the update that follows: twice the burst of UpdateService (50),
// so that its bucket is never idle. Without a limit, a thousand would be looked at
// together, the last of them minutes before its update.
const abreast = 100

// turnstileKey is what waits for the same bucket of updates.
type turnstileKey struct {
	place    place
	strategy string
}

// turnstile blocks until the service may be looked at for its update. The caller
// calls leave when the update was answered; more than once does no harm.
func (r *Rollout) turnstile(ctx context.Context, u *unit) (leave func(), err error) {
	key := turnstileKey{placeOf(u), u.plan.Strategy}
	t := get(&r.looks.mu, r.looks.turnstiles, key, func() *semaphore.Weighted { return semaphore.NewWeighted(abreast) })
	if err := t.Acquire(ctx, 1); err != nil {
		return nil, context.Cause(ctx)
	}
	return sync.OnceFunc(func() { t.Release(1) }), nil
}

func get[K comparable, V any](mu *sync.Mutex, m map[K]V, key K, make func() V) V {
	mu.Lock()
	defer mu.Unlock()
	v, found := m[key]
	if !found {
		v = make()
		m[key] = v
	}
	return v
}

// freshFor is how old a look at a service may be when the service is updated.
const freshFor = 30 * time.Second

// glance returns what AWS shows of the service now, give or take freshFor.
func (r *Rollout) glance(ctx context.Context, u *unit) (fleet.Service, error) {
	return r.glanceSince(ctx, u, time.Now().Add(-r.real(freshFor)))
}

// glanceSince returns what AWS has shown of the service at that time or later. One
// call looks at the neighbours in the cluster, too: their turn comes next.
func (r *Rollout) glanceSince(ctx context.Context, u *unit, earliest time.Time) (fleet.Service, error) {
	turn := get(&r.looks.mu, r.looks.glances, clusterOf(u), func() *semaphore.Weighted { return semaphore.NewWeighted(1) })
	if err := turn.Acquire(ctx, 1); err != nil {
		return fleet.Service{}, context.Cause(ctx)
	}
	defer turn.Release(1)
	if s, at := u.last(); !at.Before(earliest) {
		return s, nil
	}
	units := []*unit{u}
	i := slices.Index(r.units, u)
	for _, other := range slices.Concat(r.units[i+1:], r.units[:i]) {
		if len(units) < cloud.ServicesPerCall && other.client == u.client && other.env.Cluster == u.env.Cluster && other.err == nil {
			units = append(units, other)
		}
	}
	names := make([]string, len(units))
	for i, other := range units {
		names[i] = other.spec.ECSName
	}
	found, err := u.client.Services(ctx, u.env.Cluster, names)
	if err != nil {
		return fleet.Service{}, err
	}
	for _, other := range units {
		if s, ok := found[other.spec.ECSName]; ok {
			other.saw(s)
		}
	}
	if _, ok := found[u.spec.ECSName]; !ok {
		return fleet.Service{}, u.client.MissingService(ctx, u.env.Cluster, u.spec.ECSName)
	}
	s, _ := u.last()
	return s, nil
}

func (u *unit) last() (fleet.Service, time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.seen, u.at
}
