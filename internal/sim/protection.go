package sim

import (
	"slices"
	"time"
)

// isProtected says whether neither a deployment nor a scale-in may stop the
// task now. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection.html
func (t *task) isProtected() bool { return t.region.aws.clock.Before(t.protected) }

// unprotected are those of the tasks that may be stopped. The service looks
// again when the protection of another one ends.
func (s *service) unprotected(tasks []*task) []*task {
	return slices.DeleteFunc(slices.Clone(tasks), func(t *task) bool {
		if t.isProtected() {
			s.pokeAt(t.protected)
			return true
		}
		return false
	})
}

// getTaskProtection answers for tasks of services, at most a hundred.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_GetTaskProtection.html
func getTaskProtection(c *call) (any, error) {
	var in struct {
		Cluster string   `json:"cluster"`
		Tasks   []string `json:"tasks"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if len(in.Tasks) > 100 {
		return nil, fault("InvalidParameterException", "Tasks cannot have more than 100 elements.")
	}
	k, err := c.region.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	found, missing := []any{}, []any{}
	for _, id := range in.Tasks {
		t := k.tasks[k.taskID(id)]
		if t == nil || t.deployment == nil {
			missing = append(missing, c.region.failure("task/"+k.name+"/", id))
			continue
		}
		out := map[string]any{"taskArn": t.arn(), "protectionEnabled": t.isProtected()}
		if t.isProtected() {
			out["expirationDate"] = stamp(t.protected)
		}
		found = append(found, out)
	}
	return map[string]any{"protectedTasks": found, "failures": missing}, nil
}

// protect protects the tasks that a service of the world has at the start.
func (s *service) protect(until Duration) {
	for _, t := range tasksOf(s.deployments, (*task).isLive) {
		t.protected = s.region.aws.world.Start.Add(time.Duration(until))
	}
}
