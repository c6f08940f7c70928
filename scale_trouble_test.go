package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// Whatever AWS answers on the way, a temporary scale-out gets there and ends:
// two hours later everything is as it was, in three services of which one has
// policies, one has none, and one had no scalable target.
func TestScaleGoesThroughTrouble(t *testing.T) {
	useSimulation(t)
	const register, put = "application-autoscaling:RegisterScalableTarget", "application-autoscaling:PutScheduledAction"
	fault := func(action, code string, status, times int, done bool) string {
		return fmt.Sprintf(`{"action": %q, "code": %q, "message": "trouble", "status": %d, "times": %d, "done": %v}`, action, code, status, times, done)
	}
	for name, faults := range map[string][]string{
		"none":                                    {},
		"another update of the same target":       {fault(register, "ConcurrentUpdateException", 500, 5, false), fault(put, "ConcurrentUpdateException", 500, 5, false)},
		"throttled writes":                        {fault(register, "ThrottlingException", 400, 6, false), fault(put, "ThrottlingException", 400, 6, false)},
		"throttled reads":                         {fault("application-autoscaling:Describe*", "ThrottlingException", 400, 6, false)},
		"writes that fail":                        {fault(register, "InternalServiceException", 500, 3, false), fault(put, "InternalServiceException", 500, 3, false)},
		"writes of which nobody knows":            {fault(register, "InternalServiceException", 500, 3, true), fault(put, "InternalServiceException", 500, 3, true)},
		"ECS's writes of which nobody knows":      {fault("ecs:UpdateService", "ServerException", 500, 3, true), fault("ecs:TagResource", "ServerException", 500, 3, true)},
		"ECS's writes that fail and are accepted": {fault("ecs:UpdateService", "ServerException", 500, 3, false)},
		"slow answers":                            {`{"action": "application-autoscaling:*", "delay": "7s"}`},
	} {
		t.Run(name, func(t *testing.T) {
			parts := play(t, txtar.Parse(fmt.Appendf(nil, temporary, strings.Join(faults, ", "))))
			got := make(map[string]string)
			for _, p := range parts {
				got[p.Name] = string(p.Data)
			}
			if !strings.HasPrefix(got["exit"], "0 after") {
				t.Errorf("exit %s%s", got["exit"], got["log"])
			}
			want := `tenant-1/rails: rails:1 COMPLETED, 2 of 2 run; app: 2 × rails:v1; scales 2–10; ecs-fleet-scale-for: at(2026-02-01T13:01:00), 2–10
tenant-2/rails: rails:1 COMPLETED, 4 of 4 run; app: 4 × rails:v1; scales 2–10; ecs-fleet-scale-for: at(2026-02-01T13:01:00), 4–4; ecs-fleet-scale-for-bounds: at(2026-02-01T13:02:00), 2–10
tenant-3/rails: rails:1 COMPLETED, 4 of 4 run; app: 4 × rails:v1; scales 4–4; ecs-fleet-scale-for: at(2026-02-01T13:01:00), 4–4
`
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got["after"], "\n")); diff != "" {
				t.Errorf("two hours later (-want +got):\n%s", diff)
			}
			if !strings.Contains(got["outputs"], `changed=["tenant-1/rails","tenant-2/rails","tenant-3/rails"]`) {
				t.Error(got["outputs"])
			}
		})
	}
}

const temporary = `-- clock --
2026-02-01T12:00:00Z
-- world.json --
{
  "accounts": {"444455556666": {"regions": {"eu-west-1": {
    "services": [{"count": 3, "cluster": "tenant-{n}", "name": "rails", "family": "rails", "containers": {"app": "444455556666.dkr.ecr.eu-west-1.amazonaws.com/rails:v1"}, "desired": 4, "load": 40}],
    "scalable-targets": [
      {"cluster": "tenant-1", "service": "rails", "min": 2, "max": 10, "policies": [{"name": "cpu", "target": 50}]},
      {"cluster": "tenant-2", "service": "rails", "min": 2, "max": 10}
    ]
  }}}},
  "answer-faults": [%s]
}
-- fleet.yml --
version: 1
defaults: {account: "444455556666", region: eu-west-1, cluster: "{environment}", services: [rails]}
environments: {tenant-1: {}, tenant-2: {}, tenant-3: {}}
-- inputs --
command: scale
environments: *
desired-count: 12
scale-for: 1h
create-scalable-target: true
-- later --
2h
`
