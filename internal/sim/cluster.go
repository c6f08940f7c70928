package sim

import (
	"slices"
	"strings"
	"time"
)

// cluster is an ECS cluster with what runs in it.
type cluster struct {
	region   *region
	name     string
	status   string // ACTIVE, INACTIVE
	tags     []tag
	services map[string]*service
	tasks    map[string]*task // by id
	created  time.Time
}

func (c *cluster) arn() string { return c.region.arn("ecs", "cluster/"+c.name) }

// addCluster makes a cluster, or returns the one of this name.
func (r *region) addCluster(name string) *cluster {
	if c, ok := r.clusters[name]; ok {
		c.status = "ACTIVE"
		return c
	}
	c := &cluster{
		region: r, name: name, status: "ACTIVE", created: r.aws.clock,
		services: map[string]*service{}, tasks: map[string]*task{},
	}
	r.clusters[name] = c
	return c
}

// findCluster takes a name or an ARN; empty is "default", as in every ECS
// request.
func (r *region) findCluster(nameOrARN string) (*cluster, error) {
	c, ok := r.clusters[r.own(nameOrARN, "cluster/", "default")]
	if !ok || c.status != "ACTIVE" {
		return nil, fault("ClusterNotFoundException", "Cluster not found.")
	}
	return c, nil
}

func clusterAPI() map[string]action {
	return map[string]action{
		"CreateCluster":    {bucket: "ecs:cluster-modify", do: createCluster},
		"DeleteCluster":    {bucket: "ecs:cluster-modify", do: deleteCluster},
		"DescribeClusters": {bucket: "ecs:cluster-read", do: describeClusters},
		"ListClusters":     {bucket: "ecs:cluster-read", do: listClusters},
	}
}

func createCluster(c *call) (any, error) {
	var in struct {
		Name string `json:"clusterName"`
		Tags []tag  `json:"tags"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Name == "" {
		in.Name = "default"
	}
	if !nameOK(in.Name) {
		return nil, fault("InvalidParameterException", "Cluster name contains invalid characters.")
	}
	made := c.region.addCluster(in.Name)
	if len(in.Tags) > 0 {
		made.tags = in.Tags
	}
	return map[string]any{"cluster": made.render(true)}, nil
}

func deleteCluster(c *call) (any, error) {
	var in struct {
		Cluster string `json:"cluster"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	gone, err := c.region.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	for _, s := range gone.services {
		if s.status != "INACTIVE" {
			return nil, fault("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
		}
	}
	if gone.running()+gone.pending() > 0 {
		return nil, fault("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
	}
	gone.status = "INACTIVE"
	return map[string]any{"cluster": gone.render(true)}, nil
}

func describeClusters(c *call) (any, error) {
	var in struct {
		Clusters []string `json:"clusters"`
		Include  []string `json:"include"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if len(in.Clusters) == 0 {
		in.Clusters = []string{"default"}
	}
	if len(in.Clusters) > 100 {
		return nil, fault("InvalidParameterException", "Clusters cannot have more than 100 elements.")
	}
	found, missing := []any{}, []any{}
	for _, name := range in.Clusters {
		if k, ok := c.region.clusters[c.region.own(name, "cluster/", "default")]; ok {
			found = append(found, k.render(slices.Contains(in.Include, "TAGS")))
		} else {
			missing = append(missing, c.region.failure("cluster/", name))
		}
	}
	return map[string]any{"clusters": found, "failures": missing}, nil
}

// failure is the entry of a batch answer for what is not there.
func (r *region) failure(kind, nameOrARN string) map[string]string {
	if !strings.HasPrefix(nameOrARN, "arn:") {
		nameOrARN = r.arn("ecs", kind+nameOrARN)
	}
	return map[string]string{"arn": nameOrARN, "reason": "MISSING"}
}

func listClusters(c *call) (any, error) {
	var arns []string
	for _, k := range c.region.clusters {
		if k.status == "ACTIVE" {
			arns = append(arns, k.arn())
		}
	}
	slices.Sort(arns)
	return c.page(arns, "clusterArns", 100)
}

func (c *cluster) render(tags bool) map[string]any {
	active := 0
	for _, s := range c.services {
		if s.status == "ACTIVE" {
			active++
		}
	}
	out := map[string]any{
		"clusterArn": c.arn(), "clusterName": c.name, "status": c.status,
		"registeredContainerInstancesCount": 0, "activeServicesCount": active,
		"runningTasksCount": c.running(), "pendingTasksCount": c.pending(),
		"statistics": []any{}, "settings": []any{}, "tags": []tag{},
		"capacityProviders": []any{}, "defaultCapacityProviderStrategy": []any{},
	}
	if tags && c.tags != nil {
		out["tags"] = c.tags
	}
	return out
}

func (c *cluster) running() int { return countTasks(c.tasks, (*task).isRunning) }
func (c *cluster) pending() int { return countTasks(c.tasks, (*task).isPending) }
