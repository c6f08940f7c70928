package sim

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRollingDeploymentReplacesAllTasksInAboutThreeMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(nil))
		old := c.service()
		c.deploy("v2")
		took := c.until(done)
		s := c.service()
		if took < 150*time.Second || took > 200*time.Second {
			t.Errorf("it took %v", took)
		}
		if diff := cmp.Diff(map[string]map[string]int{"app": {image("v2"): 2}}, s.Images); diff != "" {
			t.Errorf("images (-want +got):\n%s", diff)
		}
		if s.RolloutState != "COMPLETED" || s.ServiceDeployment != "SUCCESSFUL" || len(s.Deployments) != 1 || s.Deployments[0].ID == old.Deployments[0].ID {
			t.Errorf("%+v", s)
		}
	})
}

func TestImageThatIsNotInTheRegistryIsRolledBackByTheCircuitBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(nil))
		old := c.service()
		c.deploy("v9")
		c.until(done)
		s := c.service()
		if s.ServiceDeployment != "ROLLBACK_SUCCESSFUL" || s.TaskDefinition != old.TaskDefinition || s.Deployments[0].ID != old.Deployments[0].ID {
			t.Errorf("%+v", s)
		}
		if diff := cmp.Diff(old.Images, s.Images); diff != "" {
			t.Errorf("images (-want +got):\n%s", diff)
		}
	})
}
