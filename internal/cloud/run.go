package cloud

import (
	"context"
	"fmt"

	"ecs-fleet/internal/fleet"
)

// The tags by which a run is known again. They stand on the revisions that it
// registers, and on a service that it has made run a revision that was there
// already: that one bears the mark of whoever registered it.
const (
	runTag    = "ecs-fleet:run"
	commitTag = "ecs-fleet:commit"
)

// mostTags is how many tags a resource can have.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html
const mostTags = 50

// marked is content with the tags of the run, as far as there is room for them;
// false where there is no run, or its tags were refused.
func (c *Client) marked(content object) (object, bool) {
	o := c.cloud.options
	if o.Run == (fleet.Run{}) || c.untagged.Load() {
		return content, false
	}
	m := clone(content).(object)
	tags := list(m["tags"])
	for _, t := range []struct{ key, value string }{{runTag, o.Run.String()}, {commitTag, o.Commit}} {
		if t.value != "" && len(tags) < mostTags {
			tags = append(tags, object{"key": t.key, "value": t.value})
		}
	}
	m["tags"] = tags
	return m, true
}

// Mark leaves the run's mark on a service that runs a revision which another run
// has registered. It does nothing where there is no run.
func (c *Client) Mark(ctx context.Context, service fleet.ARN) error {
	run := c.cloud.options.Run
	if run == (fleet.Run{}) {
		return nil
	}
	return c.TagService(ctx, service, runTag, run.String())
}

// runOf is the run whose mark is among the tags of an answer.
func runOf(tags []any) fleet.Run {
	for _, t := range tags {
		if tag, ok := t.(object); ok && tag["key"] == runTag {
			return fleet.ParseRun(fmt.Sprint(tag["value"]))
		}
	}
	return fleet.Run{}
}
