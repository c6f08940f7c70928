package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"ecs-fleet/internal/cloud"
	"ecs-fleet/internal/fleet"
)

// inspectGroups finds the deployment groups of the services that CodeDeploy
// deploys, and what goes on in them, in as few calls as it can: CodeDeploy's
// quota is the smallest of all. A service's task sets name the deployments that
// made them, which name their groups, 25 a call. Only a service that CodeDeploy
// never deployed is looked for by name, and only when that fails, the whole
// account and Region is read, once.
func (r *Rollout) inspectGroups(ctx context.Context) {
	byClient := make(map[*cloud.Client][]*unit)
	for _, u := range r.sound() {
		if u.byCodeDeploy() {
			byClient[u.client] = append(byClient[u.client], u)
		}
	}
	var all errgroup.Group
	for client, units := range byClient {
		all.Go(func() error {
			if _, err := faultless(func() (any, error) { return nil, r.groupsOf(ctx, client, units) }); err != nil {
				for _, u := range units {
					u.keep(err)
				}
			}
			return nil
		})
	}
	_ = all.Wait() // never an error: each unit has its own
}

// byCodeDeploy tells whether CodeDeploy deploys the service.
func (u *unit) byCodeDeploy() bool { return u.seen.Controller == "CODE_DEPLOY" }

func (r *Rollout) groupsOf(ctx context.Context, client *cloud.Client, units []*unit) error {
	var ids []string
	for _, u := range units {
		for _, set := range u.seen.Deployments {
			if set.External != "" && !slices.Contains(ids, set.External) {
				ids = append(ids, set.External)
			}
		}
	}
	known, err := client.CodeDeployments(ctx, ids)
	if err != nil {
		return err
	}
	var unknown []*unit
	for _, u := range units {
		if !u.recognise(known) {
			unknown = append(unknown, u)
		}
	}
	for _, u := range unknown {
		u.keep(r.search(ctx, u))
	}
	if !r.options.Suspend {
		trackers(ctx, client, units)
	}
	return r.seemUnchanged(ctx, client, units)
}

// trackers finds the target tracking policies that go on while CodeDeploy shifts
// the traffic. It is for a warning: what may not be read is not warned of.
func trackers(ctx context.Context, client *cloud.Client, units []*unit) {
	services := make([]cloud.Scalable, len(units))
	for i, u := range units {
		services[i] = cloud.ScalableOf(u.env.Cluster, u.spec.ECSName)
	}
	targets, err := client.ScalableTargets(ctx, services)
	if err != nil || len(targets) == 0 {
		return
	}
	policies, err := client.ScalingPolicies(ctx, slices.Collect(maps.Keys(targets)))
	if err != nil {
		return
	}
	for i, u := range units {
		if s := targets[services[i]].Suspended; s.In && s.Out {
			continue
		}
		for _, p := range policies[services[i]] {
			if p.Type == "TargetTrackingScaling" {
				u.trackers = append(u.trackers, p.Name)
			}
		}
	}
}

// warnOfTrackers warns that the number of tasks may change during the shift.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-bluegreen.html
func (u *unit) warnOfTrackers() {
	if len(u.trackers) > 0 && len(u.plan.Steps) > 0 {
		u.plan.Warnings = append(u.plan.Warnings, fmt.Sprintf("target tracking (%s) goes on while CodeDeploy shifts the traffic, which fails a deployment whose tasks are not steady within 5 min of a change: set autoscaling to suspend, or deploy when the load is even", strings.Join(u.trackers, ", ")))
	}
}

// recognise takes the group from the deployments that made the service's task
// sets, unless the fleet file says another one.
func (u *unit) recognise(known map[string]fleet.CodeDeployment) bool {
	for _, set := range u.seen.Deployments { // newest first
		d, found := known[set.External]
		if !found || u.spec.CodeDeploy.Application != "" && u.spec.CodeDeploy != d.Of {
			continue
		}
		if u.seen.Group.Application == "" {
			u.seen.Group, u.seen.Pace = d.Of, d.Pace
		}
		if set.Status == "PRIMARY" || u.like.text == "" && u.like.hash == "" {
			u.like = appSpec{d.AppSpec, d.Hash}
		}
		if !d.Ended() && u.seen.UnderWay == nil {
			u.seen.UnderWay = &d
		}
	}
	return u.seen.Group.Application != ""
}

// appSpec is an AppSpec file, or its hash where AWS shows no more.
type appSpec struct{ text, hash string }

// search finds the group of a service that no deployment of CodeDeploy is known
// of: where the fleet file says, where the ECS console puts it, or anywhere.
func (r *Rollout) search(ctx context.Context, u *unit) error {
	service := cloud.ScalableOf(u.env.Cluster, u.spec.ECSName)
	of := u.spec.CodeDeploy
	if of.Application == "" {
		of = cloud.ConsoleGroup(service)
	}
	found, err := u.client.Groups(ctx, of.Application, []string{of.DeploymentGroup})
	if err != nil {
		return err
	}
	g, there := found[of]
	switch {
	case there && g.Deploys(service):
		return r.take(ctx, u, g)
	case there && u.spec.CodeDeploy.Application != "":
		return &mistake{fmt.Sprintf("deployment group %q of application %q does not deploy service %q in cluster %q; correct codedeploy in the fleet file", of.DeploymentGroup, of.Application, service.Service, service.Cluster)}
	case u.spec.CodeDeploy.Application != "":
		return &cloud.MissingError{What: fmt.Sprintf("deployment group %q of application %q (account %s, %s)", of.DeploymentGroup, of.Application, u.client.Account, u.client.Region)}
	}
	all, err := u.client.AllGroups(ctx)
	if err != nil {
		return err
	}
	if g, there = all[service]; !there {
		return &mistake{fmt.Sprintf("service %q is deployed by CodeDeploy, and no deployment group in account %s, %s deploys it; create one, or leave the service out of the fleet", service.Service, u.client.Account, u.client.Region)}
	}
	return r.take(ctx, u, g)
}

// take remembers a group that was found, and what goes on in it.
func (r *Rollout) take(ctx context.Context, u *unit, g cloud.Group) error {
	u.seen.Group, u.like = g.Of, appSpec{g.AppSpec, g.Hash}
	if g.Last == "" {
		return nil
	}
	known, err := u.client.CodeDeployments(ctx, []string{g.Last})
	if err != nil {
		return err
	}
	if d, found := known[g.Last]; found {
		u.seen.Pace = d.Pace
		if !d.Ended() {
			u.seen.UnderWay = &d
		}
	}
	return nil
}

// seemUnchanged looks whether the groups of the services that run what is wanted
// rest: a deployment that has just begun shows in no task set. Of all others,
// CodeDeploy itself tells when their turn comes.
func (r *Rollout) seemUnchanged(ctx context.Context, client *cloud.Client, units []*unit) error {
	groups := make(map[string][]*unit) // by application
	for _, u := range units {
		same := u.draft.Equal != "" && u.draft.Equal == u.seen.Primary().TaskDefinition
		if u.err == nil && u.wrong == "" && same && !r.options.Force && u.seen.UnderWay == nil {
			groups[u.seen.Group.Application] = append(groups[u.seen.Group.Application], u)
		}
	}
	busy := make(map[string][]*unit) // by deployment
	for application, units := range groups {
		var names []string
		for _, u := range units {
			names = append(names, u.seen.Group.DeploymentGroup)
		}
		found, err := client.Groups(ctx, application, names)
		if err != nil {
			return err
		}
		for _, u := range units {
			if g := found[u.seen.Group]; g.Busy {
				busy[g.Last] = append(busy[g.Last], u)
			}
		}
	}
	known, err := client.CodeDeployments(ctx, slices.Collect(maps.Keys(busy)))
	for id, d := range known {
		for _, u := range busy[id] {
			if !d.Ended() {
				u.seen.UnderWay = &d
			}
		}
	}
	return err
}

// lookAtGroup looks again whether a deployment is in progress in the service's
// group.
func (r *Rollout) lookAtGroup(ctx context.Context, u *unit) (err error) {
	u.seen.UnderWay, err = u.client.CodeDeployInProgress(ctx, u.seen.Group)
	return err
}
