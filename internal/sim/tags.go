package sim

import (
	"slices"
	"strings"
)

type tagRequest struct {
	ARN  string   `json:"resourceArn"`
	Tags []tag    `json:"tags"`
	Keys []string `json:"tagKeys"`
}

// tagsOf is the place where the tags of a request's resource are kept.
func (c *call) tagsOf() (*[]tag, tagRequest, error) {
	var in tagRequest
	if err := c.decode(&in); err != nil {
		return nil, in, err
	}
	kind, rest, _ := strings.Cut(strings.TrimPrefix(in.ARN, c.region.arn("ecs", "")), "/")
	clusterName, id, _ := strings.Cut(rest, "/")
	k := c.region.clusters[clusterName]
	switch {
	case kind == "task-definition":
		if t := c.region.findTaskDefinition(in.ARN); t != nil {
			return &t.tags, in, nil
		}
	case k != nil && kind == "cluster":
		return &k.tags, in, nil
	case k != nil && kind == "service" && k.services[id] != nil:
		return &k.services[id].tags, in, nil
	case k != nil && kind == "task" && k.tasks[id] != nil:
		return &k.tasks[id].tags, in, nil
	}
	return nil, in, fault("InvalidParameterException", "The specified resource %s was not found.", in.ARN)
}

func tagResource(c *call) (any, error) {
	place, in, err := c.tagsOf()
	if err != nil {
		return nil, err
	}
	tags := tagList(*place)
	for _, t := range in.Tags {
		tags = append(slices.DeleteFunc(tags, func(o tag) bool { return o.Key == t.Key }), t)
	}
	if len(tags) > 50 {
		return nil, fault("InvalidParameterException", "Too many tags: %d. The maximum is 50.", len(tags))
	}
	*place = tags
	return struct{}{}, nil
}

func untagResource(c *call) (any, error) {
	place, in, err := c.tagsOf()
	if err != nil {
		return nil, err
	}
	*place = slices.DeleteFunc(tagList(*place), func(t tag) bool { return slices.Contains(in.Keys, t.Key) })
	return struct{}{}, nil
}

func listTags(c *call) (any, error) {
	place, _, err := c.tagsOf()
	if err != nil {
		return nil, err
	}
	return map[string]any{"tags": tagList(*place)}, nil
}
