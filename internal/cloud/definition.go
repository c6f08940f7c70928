package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/throttle"
)

// A revision is copied as the JSON that AWS sent, not through the SDK's
// structs: those drop every field that AWS has added since this SDK version,
// without a word, and the next task would run without it.

// definition is one revision.
type definition struct {
	view    fleet.TaskDefinition
	content object // what registering it again takes, tags included
}

type object = map[string]any

// answerOnly are the fields that DescribeTaskDefinition answers and
// RegisterTaskDefinition does not take.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskDefinition.html
var answerOnly = []string{
	"taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities",
	"registeredAt", "registeredBy", "deregisteredAt", "deleteRequestedAt",
}

// TaskDefinition reads a revision by its ARN, once in a run for an account and
// Region. It returns a *MissingError when there is none.
func (c *Client) TaskDefinition(ctx context.Context, arn fleet.ARN) (fleet.TaskDefinition, error) {
	// The newest revision of the family is needed anyway to find one to reuse,
	// and it mostly is the one that runs: one call instead of two.
	newest, err := c.definition(ctx, familyOf(arn))
	if err == nil && newest.view.ARN == arn {
		return newest.view, nil
	}
	d, err := c.definition(ctx, string(arn))
	if err != nil {
		return fleet.TaskDefinition{}, err
	}
	return d.view, nil
}

// Draft is the revision that base becomes with the given images, and an ACTIVE
// revision that equals it, if there is one among those looked at: base itself,
// the newest of the family (a run that stopped half-way registered it), and the
// one before base (a return to the last version).
func (c *Client) Draft(ctx context.Context, base fleet.TaskDefinition, edits map[string]string, size fleet.Size) (fleet.Draft, error) {
	from, err := c.definition(ctx, string(base.ARN))
	if err != nil {
		return fleet.Draft{}, err
	}
	content := edited(from.content, edits, size)
	d := fleet.Draft{Base: base, Images: base.Images(), Edits: edits, Size: size, Key: key(content)}
	maps.Copy(d.Images, edits)
	if d.Key == key(from.content) {
		d.Equal = base.ARN
		return d, nil
	}
	for _, name := range candidates(base) {
		// What cannot be read cannot be reused; registering anew is always right.
		if other, err := c.definition(ctx, name); err == nil && other.view.Status == "ACTIVE" && key(other.content) == d.Key {
			d.Equal = other.view.ARN
			return d, nil
		}
	}
	return d, ctx.Err()
}

func candidates(base fleet.TaskDefinition) []string {
	names := []string{base.Family}
	if base.Revision > 1 {
		names = append(names, strings.TrimSuffix(string(base.ARN), strconv.Itoa(base.Revision))+strconv.Itoa(base.Revision-1))
	}
	return names
}

// Registered looks further than Draft for an ACTIVE revision that equals the
// draft, and returns its ARN or nothing: among those that are newer than base,
// the newest first, at most so many. Revisions of one family may have been
// registered for several services or several versions ahead of a release.
func (c *Client) Registered(ctx context.Context, d fleet.Draft, most int) fleet.ARN {
	newest, err := c.definition(ctx, d.Base.Family)
	if err != nil {
		return ""
	}
	prefix := strings.TrimSuffix(string(d.Base.ARN), strconv.Itoa(d.Base.Revision))
	for n := newest.view.Revision; n > max(d.Base.Revision, newest.view.Revision-most) && ctx.Err() == nil; n-- {
		// What cannot be read cannot be reused; registering anew is always right.
		other, err := c.definition(ctx, prefix+strconv.Itoa(n))
		if err == nil && other.view.Status == "ACTIVE" && key(other.content) == d.Key {
			return other.view.ARN
		}
	}
	return ""
}

// IsActive tells whether the revision is ACTIVE now, which it need not be any more
// when it was read: no update may name one that was deregistered.
func (c *Client) IsActive(ctx context.Context, arn fleet.ARN) (bool, error) {
	d, err := c.describe(ctx, string(arn))
	if err != nil {
		return false, err
	}
	return d.view.Status == "ACTIVE", nil
}

// Forget makes the next Draft ask AWS again for the newest revision of a
// family: somebody else may have registered one meanwhile.
func (c *Client) Forget(family string) { c.location.forget(family) }

// Register makes the revision that the draft describes and returns its ARN.
// Among calls that wait for the quota, the lowest turn is served first.
// Registrations of one family wait for each other, since AWS refuses two at a
// time, and equal drafts are registered once.
func (c *Client) Register(ctx context.Context, d fleet.Draft, turn int) (fleet.ARN, error) {
	ctx = throttle.WithTurn(ctx, turn)
	f := c.location.family(d.Base.Family)
	if err := f.turn.Acquire(ctx, 1); err != nil {
		return "", context.Cause(ctx)
	}
	defer f.turn.Release(1)
	if arn, found := f.registered[d.Key]; found {
		return arn, nil
	}
	from, err := c.definition(ctx, string(d.Base.ARN))
	if err != nil {
		return "", err
	}
	content := edited(from.content, d.Edits, d.Size)
	marked, tags := c.marked(content)
	made, err := c.register(ctx, d.Base.Family, content, marked)
	if tags && Denied(err) {
		// Tags need a permission of their own, and no deployment needs ours.
		c.untagged.Store(true)
		made, err = c.register(ctx, d.Base.Family, content, content)
	}
	if err != nil {
		return "", err
	}
	for name, image := range d.Images {
		if got := made.view.Images()[name]; got != image {
			return "", fmt.Errorf("ecs:RegisterTaskDefinition on family %q: AWS registered image %q for container %q instead of %q (%s)", d.Base.Family, got, name, image, made.view.ARN.Name())
		}
	}
	c.location.remember(made)
	f.registered[d.Key] = made.view.ARN
	return made.view.ARN, nil
}

// registerAttempts is how often a registration whose outcome stays unknown is
// begun anew, after a look at what the last one left behind.
const registerAttempts = 5

// register registers content as it is when marked, which is the same but for tags
// of the run.
func (c *Client) register(ctx context.Context, family string, content, marked object) (*definition, error) {
	body, err := json.Marshal(marked)
	if err != nil {
		return nil, fmt.Errorf("task definition %q: %w", family, err)
	}
	for attempt := 1; ; attempt++ {
		var raw rawBody
		_, err = c.ecs.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
			Family: &family, ContainerDefinitions: []types.ContainerDefinition{},
		}, send(body), raw.capture)
		if err == nil {
			return decode(raw)
		}
		unknown := (*throttle.UnknownOutcome)(nil)
		if !errors.As(err, &unknown) || attempt == registerAttempts || ctx.Err() != nil {
			return nil, wrap(err, "ecs:RegisterTaskDefinition", fmt.Sprintf("family %q", family))
		}
		// The answer got lost; the revision may be there all the same.
		if c.pause(ctx, visibleAfter) != nil {
			return nil, wrap(err, "ecs:RegisterTaskDefinition", fmt.Sprintf("family %q", family))
		}
		newest, lookErr := c.describe(ctx, family)
		if lookErr == nil && key(newest.content) == key(content) {
			return newest, nil
		}
	}
}

// definition reads a revision by ARN, or the newest ACTIVE one by family, once.
func (c *Client) definition(ctx context.Context, name string) (*definition, error) {
	return c.location.definition(ctx, c, name, func() (*definition, error) { return c.describe(ctx, name) })
}

func (c *Client) describe(ctx context.Context, name string) (*definition, error) {
	var raw rawBody
	_, err := c.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{
		TaskDefinition: &name, Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags},
	}, raw.capture)
	what := fmt.Sprintf("task definition %q", fleet.ARN(name).Name())
	if code(err) == "ClientException" {
		return nil, &MissingError{What: what}
	}
	if err != nil {
		return nil, wrap(err, "ecs:DescribeTaskDefinition", what)
	}
	return decode(raw)
}

// decode reads the answer of DescribeTaskDefinition or RegisterTaskDefinition.
func decode(raw rawBody) (*definition, error) {
	var answer struct {
		TaskDefinition object `json:"taskDefinition"`
		Tags           []any  `json:"tags"`
	}
	if err := unmarshal(raw, &answer); err != nil {
		return nil, fmt.Errorf("the task definition in AWS's answer: %w", err)
	}
	var view struct {
		TaskDefinitionArn, Family, Status string
		CPU, Memory                       string
		RequiresCompatibilities           []string
		Revision                          int
		ContainerDefinitions              []struct {
			Name, Image      string
			LogConfiguration struct {
				LogDriver string
				Options   map[string]string
			}
		}
	}
	text, err := json.Marshal(answer.TaskDefinition)
	if err == nil {
		err = json.Unmarshal(text, &view)
	}
	if err != nil {
		return nil, fmt.Errorf("the task definition in AWS's answer: %w", err)
	}
	d := &definition{
		view:    fleet.TaskDefinition{ARN: fleet.ARN(view.TaskDefinitionArn), Family: view.Family, Revision: view.Revision, Status: view.Status},
		content: answer.TaskDefinition,
	}
	d.view.Size.CPU, _ = strconv.Atoi(view.CPU) // 0 where there is none
	d.view.Size.Memory, _ = strconv.Atoi(view.Memory)
	d.view.Fargate = slices.Contains(view.RequiresCompatibilities, "FARGATE")
	for _, vc := range view.ContainerDefinitions {
		container := fleet.Container{Name: vc.Name, Image: vc.Image}
		if vc.LogConfiguration.LogDriver == "awslogs" {
			o := vc.LogConfiguration.Options
			container.LogGroup, container.LogPrefix, container.LogRegion = o["awslogs-group"], o["awslogs-stream-prefix"], fleet.Region(o["awslogs-region"])
		}
		d.view.Containers = append(d.view.Containers, container)
	}
	for _, field := range answerOnly {
		delete(d.content, field)
	}
	d.view.Run = runOf(answer.Tags)
	if tags := ownTags(answer.Tags); len(tags) > 0 {
		d.content["tags"] = tags
	}
	return d, nil
}

// ownTags leaves out the tags that AWS itself put there (names beginning with
// "aws:" are reserved, and registering one is refused), and the marks of the run
// that registered the revision: equal revisions are to be equal whoever made them.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html
func ownTags(tags []any) []any {
	var own []any
	for _, t := range tags {
		tag, ok := t.(object)
		name := strings.ToLower(fmt.Sprint(tag["key"]))
		if ok && !strings.HasPrefix(name, "aws:") && name != runTag && name != commitTag {
			own = append(own, tag)
		}
	}
	return own
}

// edited is content with other images and another size; content itself stays as it is.
func edited(content object, edits map[string]string, size fleet.Size) object {
	c := clone(content).(object)
	if size.CPU > 0 {
		c["cpu"] = strconv.Itoa(size.CPU)
	}
	if size.Memory > 0 {
		c["memory"] = strconv.Itoa(size.Memory)
	}
	for _, item := range list(c["containerDefinitions"]) {
		if container, ok := item.(object); ok {
			if image, found := edits[fmt.Sprint(container["name"])]; found {
				container["image"] = image
			}
		}
	}
	return c
}

func familyOf(arn fleet.ARN) string {
	family, _, _ := strings.Cut(arn.Name(), ":")
	return family
}

// rawBody is an answer as AWS sent it.
type rawBody []byte

// capture is an option of one call that keeps the answer's body.
func (b *rawBody) capture(o *ecs.Options) {
	keep := middleware.DeserializeMiddlewareFunc("CaptureBody", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if response, ok := out.RawResponse.(*smithyhttp.Response); ok && err == nil {
			*b, err = io.ReadAll(response.Body)
			_ = response.Body.Close()
			response.Body = io.NopCloser(bytes.NewReader(*b))
		}
		return out, metadata, err
	})
	o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error { return s.Deserialize.Add(keep, middleware.After) })
}

// send is an option of one call that sends body instead of the call's input.
// ECS speaks AWS JSON 1.1, in which that is the whole request.
func send(body []byte) func(*ecs.Options) {
	replace := middleware.SerializeMiddlewareFunc("SendBody", func(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (middleware.SerializeOutput, middleware.Metadata, error) {
		request, ok := in.Request.(*smithyhttp.Request)
		if !ok {
			return middleware.SerializeOutput{}, middleware.Metadata{}, fmt.Errorf("unexpected transport %T", in.Request)
		}
		request, err := request.SetStream(bytes.NewReader(body))
		if err != nil {
			return middleware.SerializeOutput{}, middleware.Metadata{}, err
		}
		in.Request = request
		return next.HandleSerialize(ctx, in)
	})
	return func(o *ecs.Options) {
		o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error { return s.Serialize.Add(replace, middleware.After) })
	}
}

// unmarshal keeps numbers as they are written.
func unmarshal(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}
