package cloud

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	codedeploytypes "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"ecs-fleet/internal/fleet"
)

// How far back a return looks: deployments of a service (one page; ECS keeps
// them for 90 days), those of them whose revisions are described (one call), and
// revisions of a family that are read.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html
const (
	deploymentsListed = 100
	revisionsRead     = 50
)

// Previous is the revision of the newest deployment of a service that succeeded
// before the last one, whatever became of that, and that is another revision;
// empty when ECS knows of none.
func (c *Client) Previous(ctx context.Context, cluster, service string) (fleet.ARN, error) {
	out, err := c.ecs.ListServiceDeployments(ctx, &ecs.ListServiceDeploymentsInput{
		Cluster: &cluster, Service: &service, MaxResults: aws.Int32(deploymentsListed),
	})
	if err != nil {
		return "", wrap(err, "ecs:ListServiceDeployments", fmt.Sprintf("service %q in cluster %q", service, cluster))
	}
	past := out.ServiceDeployments
	slices.SortStableFunc(past, func(a, b types.ServiceDeploymentBrief) int { // the order is not documented
		return aws.ToTime(b.CreatedAt).Compare(aws.ToTime(a.CreatedAt))
	})
	var revisions []fleet.ARN // of the last one, and of those that succeeded before it
	for i, d := range past {
		if i == 0 || d.Status == types.ServiceDeploymentStatusSuccessful {
			revisions = append(revisions, fleet.ARN(aws.ToString(d.TargetServiceRevisionArn)))
		}
	}
	if len(revisions) < 2 {
		return "", nil
	}
	revisions = revisions[:min(len(revisions), revisionsPerCall)]
	definitions, err := c.definitionsOf(ctx, revisions)
	if err != nil {
		return "", err
	}
	for _, r := range revisions[1:] {
		if d := definitions[r]; d != "" && d != definitions[revisions[0]] {
			return d, nil
		}
	}
	return "", nil
}

// PreviousByCodeDeploy is what Previous is, for a service that CodeDeploy
// deploys: among the deployments of the group to which a deployment belongs.
// Rollbacks do not count: they are how an unsuccessful one ended. One page of ids
// is read, and as many of them described as it takes, 25 a call, the first ones
// first: that the newest come first is what AWS does, and not what it documents.
func (c *Client) PreviousByCodeDeploy(ctx context.Context, deployment string) (fleet.ARN, error) {
	known, err := c.CodeDeployments(ctx, []string{deployment})
	if err != nil {
		return "", err
	}
	of := known[deployment].Of
	if of == (fleet.CodeDeploy{}) {
		return "", nil
	}
	out, err := c.codedeploy.ListDeployments(ctx, &codedeploy.ListDeploymentsInput{ApplicationName: &of.Application, DeploymentGroupName: &of.DeploymentGroup})
	if err != nil {
		return "", wrap(err, "codedeploy:ListDeployments", named(of))
	}
	var past []fleet.CodeDeployment
	for chunk := range slices.Chunk(out.Deployments, CodeDeploymentsPerCall) {
		found, err := c.CodeDeployments(ctx, chunk)
		if err != nil {
			return "", err
		}
		past = slices.AppendSeq(past, maps.Values(found))
		if before, err := c.beforeTheNewest(ctx, past); before != "" || err != nil {
			return before, err
		}
	}
	return "", nil
}

// beforeTheNewest is the revision of the newest deployment that succeeded before
// the last one, and that is another revision; empty when there is none.
func (c *Client) beforeTheNewest(ctx context.Context, past []fleet.CodeDeployment) (fleet.ARN, error) {
	past = slices.DeleteFunc(slices.Clone(past), func(d fleet.CodeDeployment) bool { return d.Undoes != "" })
	slices.SortFunc(past, func(a, b fleet.CodeDeployment) int { return b.Created.Compare(a.Created) })
	var last fleet.ARN
	for i, d := range past {
		if i > 0 && d.Status != string(codedeploytypes.DeploymentStatusSucceeded) {
			continue
		}
		definition, err := c.deployedBy(ctx, d)
		switch {
		case err != nil:
			return "", err
		case i == 0:
			last = definition
		case definition != "" && definition.Name() != last.Name():
			return definition, nil
		}
	}
	return "", nil
}

// deployedBy is the revision that a deployment's AppSpec file names; empty where
// the file is not with CodeDeploy.
func (c *Client) deployedBy(ctx context.Context, d fleet.CodeDeployment) (fleet.ARN, error) {
	if d.TaskDefinition != "" || d.Hash == "" {
		return d.TaskDefinition, nil
	}
	text, err := c.AppSpec(ctx, d.Of, d.Hash)
	return appSpecRevision(text), err
}

// definitionsOf are the task definitions of service revisions, at most
// revisionsPerCall.
func (c *Client) definitionsOf(ctx context.Context, revisions []fleet.ARN) (map[fleet.ARN]fleet.ARN, error) {
	out, err := c.ecs.DescribeServiceRevisions(ctx, &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: texts(revisions)})
	if err != nil {
		return nil, wrap(err, "ecs:DescribeServiceRevisions", "service revisions")
	}
	definitions := make(map[fleet.ARN]fleet.ARN, len(revisions))
	for _, r := range out.ServiceRevisions {
		definitions[fleet.ARN(aws.ToString(r.ServiceRevisionArn))] = fleet.ARN(aws.ToString(r.TaskDefinition))
	}
	return definitions, nil
}

// Active is the newest ACTIVE revision of a family that is wanted, among the
// newest fifty; the zero TaskDefinition when there is none.
func (c *Client) Active(ctx context.Context, family string, wanted func(fleet.TaskDefinition) bool) (fleet.TaskDefinition, error) {
	out, err := c.ecs.ListTaskDefinitions(ctx, &ecs.ListTaskDefinitionsInput{
		FamilyPrefix: &family, Status: types.TaskDefinitionStatusActive, Sort: types.SortOrderDesc, MaxResults: aws.Int32(revisionsRead),
	})
	if err != nil {
		return fleet.TaskDefinition{}, wrap(err, "ecs:ListTaskDefinitions", fmt.Sprintf("family %q", family))
	}
	for _, arn := range out.TaskDefinitionArns {
		d, err := c.definition(ctx, arn)
		if err != nil {
			return fleet.TaskDefinition{}, err
		}
		if wanted(d.view) {
			return d.view, nil
		}
	}
	return fleet.TaskDefinition{}, nil
}
