package sim

import "maps"

// ecsAPI is Amazon ECS: clusters, task definitions, services, their
// deployments, and tasks, each in a file of its own.
func ecsAPI() api {
	actions := map[string]action{
		"CreateService":    {bucket: "ecs:service-modify", do: createService},
		"UpdateService":    {bucket: "ecs:service-modify", do: updateService},
		"DeleteService":    {bucket: "ecs:service-modify", do: deleteService},
		"DescribeServices": {bucket: "ecs:service-read", do: describeServices},
		"ListServices":     {bucket: "ecs:service-read", do: listServices},

		"TagResource":         {bucket: "ecs:tag-modify", do: tagResource},
		"UntagResource":       {bucket: "ecs:tag-modify", do: untagResource},
		"ListTagsForResource": {bucket: "ecs:tag-read", do: listTags},
	}
	for _, more := range []map[string]action{clusterAPI(), taskDefinitionAPI(), serviceDeploymentAPI(), taskAPI()} {
		maps.Copy(actions, more)
	}
	return api{name: "ecs", target: "AmazonEC2ContainerServiceV20141113", actions: actions}
}
