package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"ecs-fleet/internal/cloud"
	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/plan"
	"ecs-fleet/internal/report"
)

// looking is how many calls of the inspection are under way at once. The quotas
// pace them; this only bounds goroutines and connections.
const looking = 64

// Inspect looks at everything that AWS shows of the fleet and plans each
// service; it writes nothing. It returns the mistakes that only AWS could tell
// (a cluster, service, container or image that does not exist, the wrong
// account), all of them: with one, the run must not go on. An environment that
// may not be read is no mistake: it fails in Run, and the others go on.
func (r *Rollout) Inspect(ctx context.Context) []string {
	if r.scales() {
		return r.inspectScale(ctx)
	}
	r.enterAll(ctx)
	r.inspectServices(ctx)
	r.inspectGroups(ctx)
	r.readTargets(ctx, slices.DeleteFunc(r.sound(), func(u *unit) bool { return !r.countAsked(u) }))
	r.inspectSuspended(ctx)
	r.findPrepared(ctx, r.sound())
	images := r.inspectImages(ctx)
	moved := r.movedTags(ctx, images)
	var definitions []fleet.TaskDefinition
	for _, u := range r.sound() {
		r.make(u, moved[u])
		u.keep(r.addScale(u))
		definitions = append(definitions, u.draft.Base)
	}
	mistakes := append(r.mistakes(), r.quietAlarms(ctx)...)
	if len(definitions) == len(r.units) { // else the container may be in what could not be read
		mistakes = append(mistakes, r.options.Images.Unmatched(definitions)...)
	}
	return mistakes
}

// Refuse ends every service as not started: the run had mistakes.
func (r *Rollout) Refuse() {
	for _, u := range r.units {
		why := "the run was refused before it began"
		if u.wrong != "" {
			why = u.wrong
		}
		r.end(u, ending{status: report.NotStarted, reason: why})
	}
}

// DryRun ends every service as planned, or as the plan says already.
func (r *Rollout) DryRun() {
	for _, u := range r.units {
		if s, _ := u.last(); s.Suspended != nil && u.plan.Refuse == "" {
			u.plan.Warnings = append(u.plan.Warnings, "an earlier run has ended before it could restore dynamic scaling: a run that is no dry run restores it, suspended: "+s.Suspended.String())
		}
		if e, over := settled(u); over {
			r.end(u, e)
		} else {
			r.end(u, ending{status: report.Planned})
		}
	}
}

func (r *Rollout) mistakes() []string {
	var mistakes []string
	for _, u := range r.units {
		if u.wrong != "" && !slices.Contains(mistakes, u.wrong) {
			mistakes = append(mistakes, u.wrong)
		}
	}
	return mistakes
}

// sound are the units of which nothing bad is known so far.
func (r *Rollout) sound() []*unit {
	return slices.DeleteFunc(slices.Clone(r.units), func(u *unit) bool { return u.err != nil || u.wrong != "" })
}

// keep sorts an error of the inspection: what does not exist is the user's
// mistake, anything else is the environment's trouble.
func (u *unit) keep(err error) {
	missing, account := (*cloud.MissingError)(nil), (*cloud.WrongAccountError)(nil)
	wrong, credentials := (*mistake)(nil), (*cloud.NoCredentialsError)(nil)
	switch {
	case err == nil:
	case errors.As(err, &credentials):
		u.wrong = err.Error()
	case errors.As(err, &account):
		u.wrong = fmt.Sprintf("environment %q: %v", u.env.Name, err)
	case errors.As(err, &missing), errors.As(err, &wrong):
		u.wrong = fmt.Sprintf("%s: %v", u.ref, err)
	default:
		u.err = err
	}
}

// mistake is something that the user has to correct, seen in what AWS shows.
type mistake struct{ text string }

func (m *mistake) Error() string { return m.text }

// enterAll finds out whether every environment's role and account are as they
// should be.
func (r *Rollout) enterAll(ctx context.Context) {
	var all errgroup.Group
	all.SetLimit(looking)
	for _, u := range r.units {
		all.Go(func() error {
			client, err := faultless(func() (*cloud.Client, error) { return r.cloud.Client(ctx, cloud.PlaceOf(u.env)) })
			u.client = client
			u.keep(err)
			return nil
		})
	}
	_ = all.Wait() // never an error: each unit has its own
}

// inspectServices describes all services of a cluster together, and goes on at
// once to their task definitions: the two have quotas of their own, and neither
// is to be idle.
func (r *Rollout) inspectServices(ctx context.Context) {
	r.lookAtAll(ctx, deployable, func(u *unit) {
		draft, err := faultless(func() (fleet.Draft, error) { return r.draft(ctx, u) })
		u.draft = draft
		u.keep(err)
	})
}

// lookAtAll describes all services, those of a cluster together, and hands on
// each of which nothing bad is known then.
func (r *Rollout) lookAtAll(ctx context.Context, fit func(fleet.Service) error, then func(*unit)) {
	clusters := make(map[clusterKey][]*unit)
	for _, u := range r.sound() {
		clusters[clusterOf(u)] = append(clusters[clusterOf(u)], u)
	}
	var all errgroup.Group
	all.SetLimit(looking)
	for _, units := range clusters {
		for chunk := range slices.Chunk(units, cloud.ServicesPerCall) {
			all.Go(func() error {
				_, fault := faultless(func() (any, error) { look(ctx, chunk, fit); return nil, nil })
				for _, u := range chunk {
					u.keep(fault)
					if u.err == nil && u.wrong == "" {
						then(u)
					}
				}
				return nil
			})
		}
	}
	_ = all.Wait() // never an error: each unit has its own
}

// clusterKey is a cluster seen with one role.
type clusterKey struct {
	client *cloud.Client
	name   string
}

func clusterOf(u *unit) clusterKey { return clusterKey{u.client, u.env.Cluster} }

// look describes services of one cluster, at most as many as fit in one call,
// and checks each.
func look(ctx context.Context, units []*unit, check func(fleet.Service) error) {
	names := make([]string, len(units))
	for i, u := range units {
		names[i] = u.spec.ECSName
	}
	client, cluster := units[0].client, units[0].env.Cluster
	found, err := client.Services(ctx, cluster, names)
	for _, u := range units {
		s, ok := found[u.spec.ECSName]
		switch {
		case err != nil:
			u.keep(err)
		case !ok:
			u.keep(client.MissingService(ctx, cluster, u.spec.ECSName))
		default:
			u.saw(s)
			u.keep(check(s))
		}
	}
}

// saw remembers what AWS showed of the service just now.
func (u *unit) saw(s fleet.Service) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if s.Controller == "CODE_DEPLOY" { // what the service itself does not tell
		s.Group, s.Pace = u.seen.Group, u.seen.Pace
	}
	u.seen, u.at = s, time.Now()
}

func deployable(s fleet.Service) error {
	switch {
	case s.Status == "DRAINING":
		return &mistake{fmt.Sprintf("service %q is being deleted", s.Name)}
	case s.Controller != "ECS" && s.Controller != "CODE_DEPLOY":
		return &mistake{fmt.Sprintf("service %q has the deployment controller %s: whatever else manages its task sets deploys it; leave it out of the fleet", s.Name, s.Controller)}
	case s.Primary().TaskDefinition == "":
		return &mistake{fmt.Sprintf("service %q has no primary deployment to start from", s.Name)}
	}
	return nil
}

// draft finds out which revision the service is to run.
func (r *Rollout) draft(ctx context.Context, u *unit) (fleet.Draft, error) {
	base, err := u.client.TaskDefinition(ctx, u.seen.Primary().TaskDefinition)
	if err != nil {
		return fleet.Draft{}, err
	}
	if r.options.Return {
		return r.formerly(ctx, u, base)
	}
	edits, err := r.options.Images.Edits(u.spec, base)
	if err != nil {
		return fleet.Draft{}, &mistake{err.Error()}
	}
	return u.client.Draft(ctx, base, edits, r.options.Size)
}

// make plans the service from what has been seen.
func (r *Rollout) make(u *unit, moved string) {
	o := r.options
	u.plan = plan.Make(plan.In{
		Environment: u.env, Spec: u.spec, Seen: u.seen, Draft: u.draft, Moved: moved, Force: o.Force, OnInProgress: o.OnInProgress, Prepare: o.Prepare,
		Run: o.Run, AllowOlder: o.AllowOlder, Suspend: r.holds(u),
	})
	u.warnOfGuess()
	u.warnOfTrackers()
	if given := cmp.Or(u.env.Timeout, o.Timeout); given > 0 && given <= takes(u.seen, o.WaitFor == "stable") && len(u.plan.Steps) > 0 {
		u.plan.Warnings = append(u.plan.Warnings, fmt.Sprintf("the timeout of %s is up before the deployment can have ended: the %s strategy takes %s on purpose", report.Duration(given), u.seen.Strategy, u.seen.Pace))
	}
}

// inspectImages asks the registries for the wanted images: each image once,
// whoever wants it. It returns the digests of those that could be read.
func (r *Rollout) inspectImages(ctx context.Context) map[cloud.Image]string {
	wanted := make(map[cloud.Image][]*unit)
	elsewhere := make(map[string]bool)
	for _, u := range r.sound() {
		for _, reference := range u.draft.Edits {
			if image, ok := cloud.ParseImage(reference); ok {
				wanted[image] = append(wanted[image], u)
			} else {
				elsewhere[plan.Repository(reference)] = true
			}
		}
	}
	if len(elsewhere) > 0 {
		r.notes = append(r.notes, "not checked before the deploy, since not in a private ECR registry: "+strings.Join(slices.Sorted(maps.Keys(elsewhere)), ", "))
	}
	digests := make(map[cloud.Image]string)
	var mu sync.Mutex
	var all errgroup.Group
	all.SetLimit(looking)
	for image, units := range wanted {
		all.Go(func() error {
			digest, err := digestFor(ctx, image, units)
			mu.Lock()
			defer mu.Unlock()
			r.keepDigest(digests, image, units, digest, err)
			return nil
		})
	}
	_ = all.Wait() // never an error: see keepDigest
	slices.Sort(r.notes)
	return digests
}

// digestFor asks with one client after the other until one may read the
// registry: the roles of a fleet need not all have the permission.
func digestFor(ctx context.Context, image cloud.Image, units []*unit) (digest string, err error) {
	asked := make(map[*cloud.Client]bool)
	for _, u := range units {
		if asked[u.client] {
			continue
		}
		asked[u.client] = true
		digest, err = u.client.Digest(ctx, image)
		if !cloud.Denied(err) {
			return digest, err
		}
	}
	return "", err
}

func (r *Rollout) keepDigest(digests map[cloud.Image]string, image cloud.Image, units []*unit, digest string, err error) {
	var missing *cloud.MissingError
	switch {
	case err == nil:
		digests[image] = digest
	case errors.As(err, &missing):
		for _, u := range units {
			u.wrong = fmt.Sprintf("%v, wanted by %s", err, units[0].ref)
			if more := len(units) - 1; more > 0 {
				u.wrong += fmt.Sprintf(" and %d more", more)
			}
			u.wrong += "; check the tag, and that the build has pushed it to this registry"
		}
	default:
		r.notes = append(r.notes, fmt.Sprintf("not checked before the deploy: image %s:%s: %v", image.Repository, image.Tag, err))
	}
}

// movedTags finds the services that would be left alone although their tag
// means other bytes by now, and says which.
func (r *Rollout) movedTags(ctx context.Context, digests map[cloud.Image]string) map[*unit]string {
	byClient := make(map[*cloud.Client][]*unit)
	for _, u := range r.sound() {
		same := u.draft.Equal == u.seen.Primary().TaskDefinition && len(u.draft.Edits) > 0 && len(u.seen.Revisions) > 0
		if same && !r.options.Force && !plan.InProgress(u.seen) {
			byClient[u.client] = append(byClient[u.client], u)
		}
	}
	moved := make(map[*unit]string)
	var mu sync.Mutex
	var all errgroup.Group
	all.SetLimit(looking)
	for client, units := range byClient {
		all.Go(func() error {
			var revisions []fleet.ARN
			for _, u := range units {
				revisions = append(revisions, u.seen.Revisions...)
			}
			running, err := client.RunningDigests(ctx, revisions)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				r.notes = append(r.notes, fmt.Sprintf("whether tags have moved could not be checked: %v", err))
				return nil
			}
			for _, u := range units {
				if what := movedTag(u, digests, running); what != "" {
					moved[u] = what
				}
			}
			return nil
		})
	}
	_ = all.Wait() // never an error: it becomes a note
	return moved
}

func movedTag(u *unit, digests map[cloud.Image]string, running map[fleet.ARN]map[string]string) string {
	for _, container := range slices.Sorted(maps.Keys(u.draft.Edits)) {
		image, _ := cloud.ParseImage(u.draft.Edits[container])
		want := digests[image]
		for _, revision := range u.seen.Revisions {
			if got := running[revision][container]; want != "" && got != "" && got != want {
				return fmt.Sprintf("%s: %s → %s", container, short(got), short(want))
			}
		}
	}
	return ""
}

// short is enough of a digest to tell it from another.
func short(digest string) string { return digest[:min(len(digest), len("sha256:")+12)] }
