package demo

import (
	"fmt"
	"time"

	"ecs-fleet/internal/sim"
)

const (
	home     = "444455556666" // the account whose credentials the demo starts with
	second   = "777788889999"
	registry = home + ".dkr.ecr.ap-northeast-1.amazonaws.com/shop/"
)

// place is a Region of an account and the environments in it.
type place struct {
	account, region string
	environments    []string
}

// places are where the environments of fleet.yml live.
func places() []place {
	numbered := func(prefix string, n int) []string {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("%s-%d", prefix, i+1)
		}
		return names
	}
	return []place{
		{home, "ap-northeast-1", numbered("tenant", 30)},
		{home, "us-east-1", numbered("us-tenant", 4)},
		{home, "eu-west-1", numbered("eu-tenant", 3)},
		{second, "ap-northeast-1", []string{"staging", "production"}},
		{second, "us-east-1", []string{"production-us"}},
	}
}

// services are three for each environment: one cluster each, as in fleet.yml.
func (p place) services() []sim.Service {
	var all []sim.Service
	for _, name := range p.environments {
		all = append(all,
			service(name, "rails", 2, map[string]string{
				"app": registry + "rails:" + oldTag, "log-router": "public.ecr.aws/aws-observability/aws-for-fluent-bit:stable",
			}),
			service(name, "nextjs", 2, map[string]string{"nextjs": registry + "nextjs:" + oldTag}),
			service(name, "nginx", 1, map[string]string{"nginx": registry + "nginx:" + oldTag}))
	}
	return all
}

func service(environment, name string, desired int, containers map[string]string) sim.Service {
	return sim.Service{
		Cluster: environment, Name: environment + "-" + name, Revision: 41,
		Containers: containers, Desired: &desired, CircuitBreaker: "rollback",
	}
}

// world is the simulated AWS as the demonstration finds it.
func world() sim.World {
	w := sim.World{
		Speed:    Speed,
		Latency:  sim.Duration(60 * time.Millisecond * Speed), // 60 ms of real time
		Accounts: make(map[string]sim.Account),
		TaskFaults: []sim.TaskFault{{
			Where: sim.Where{Cluster: broken}, Image: registry + "*:" + newTag, Fails: "pull",
			Reason: "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/amd64'",
		}},
	}
	for _, p := range places() {
		account, found := w.Accounts[p.account]
		if !found {
			account.Roles = []sim.Role{{Name: "deploy"}}
			account.Regions = make(map[string]sim.Region)
		}
		region := sim.Region{Services: p.services()}
		if p.region == "ap-northeast-1" && p.account == home {
			region.Repositories = make(map[string]map[string]string)
			for i, name := range []string{"rails", "nextjs", "nginx"} {
				region.Repositories["shop/"+name] = map[string]string{oldTag: digest(2 * i), newTag: digest(2*i + 1)}
			}
			// Somebody else's pipeline, in the account and Region with thirty environments.
			region.Neighbours = []sim.Neighbour{
				{Bucket: "ecs:task-definition-modify", Rate: 0.5},
				{Bucket: "ecs:service-modify", Rate: 2},
			}
		}
		account.Regions[p.region] = region
		w.Accounts[p.account] = account
	}
	return w
}

func digest(n int) string { return fmt.Sprintf("sha256:%064x", 0xd16e57+n) }
