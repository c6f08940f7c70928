package fleet

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

const accountDigits = 12

// Bounds of a timeout; the input of the same name has the same.
const (
	shortestTimeout = time.Second
	longestTimeout  = 24 * time.Hour
)

// nameRule is what to write instead of a name that is none. Selectors and
// outputs give the excluded signs a meaning.
const nameRule = "write letters, digits, -, _ and . only"

var nameShape = regexp.MustCompile(`^[A-Za-z0-9._-]{1,255}$`)

// isName reports whether text may name an environment, a service, a label or a
// variable.
func isName(text string) bool { return nameShape.MatchString(text) }

func onlyDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// A shape is what AWS accepts as a value of a key. Whether the thing exists only
// AWS can tell.
type shape struct {
	pattern *regexp.Regexp
	instead string
}

// shapes are the shapes by key.
//
//   - region: the patterns of the partitions, such as us-gov-west-1 and eusc-de-east-1:
//     https://github.com/aws/aws-sdk-go-v2/blob/main/internal/endpoints/awsrulesfn/partitions.json
//   - role-arn: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
//   - external-id: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
//   - cluster, service: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCluster.html
//     and API_CreateService.html there
//   - container: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
//   - application, deployment-group: https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_CreateDeployment.html
//   - alarms: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
//   - image: the signs of a reference, checked in full where it is used
var shapes = map[string]shape{
	"account":          {regexp.MustCompile(`^[0-9]{12}$`), `write its 12 digits in quotes: "111122223333"`},
	"region":           {regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+){1,2}-[0-9]{1,2}$`), "write a Region such as ap-northeast-1"},
	"role-arn":         {regexp.MustCompile(`^arn:aws[a-z-]*:iam::([0-9]{12}):role/[\w+=,.@/-]{1,576}$`), "write arn:aws:iam::ACCOUNT:role/NAME with the account's 12 digits"},
	"external-id":      {regexp.MustCompile(`^[\w+=,.@:/-]{2,1000}[\w+=,.@:/-]{0,224}$`), "write 2 or more letters, digits and signs of _+=,.@:/-"},
	"cluster":          {regexp.MustCompile(`^(arn:aws[a-z-]*:ecs:([a-z0-9-]+):([0-9]{12}):cluster/)?[A-Za-z0-9_-]{1,255}$`), "write the cluster's name (letters, digits, - and _) or its ARN"},
	"service":          {regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`), "write the ECS service's name: letters, digits, - and _"},
	"container":        {regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`), "write the container's name: letters, digits, - and _"},
	"image":            {regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/:@-]*$`), "write a repository such as 111122223333.dkr.ecr.ap-northeast-1.amazonaws.com/rails"},
	"desired-count":    {regexp.MustCompile(`^([+-]?[0-9]{1,6}|[0-9]{1,6}%)$`), "write a number (8), a change (+4, -2) or a share (200%)"},
	"application":      {regexp.MustCompile(`^.{1,100}$`), "write the CodeDeploy application's name"},
	"deployment-group": {regexp.MustCompile(`^.{1,100}$`), "write the CodeDeploy deployment group's name"},
	"alarms":           {regexp.MustCompile(`^.{1,255}$`), "write names of CloudWatch alarms"},
	"labels":           {regexp.MustCompile(`^[^,\x00-\x1f\x7f]*$`), "write a value without commas and line breaks, which separate selectors"},
}

// parseTimeout reads a Go duration within the bounds of a timeout.
func parseTimeout(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("timeout %s is not a duration", quote(text))
	}
	if d < shortestTimeout || d > longestTimeout {
		return 0, fmt.Errorf("timeout %s is not between 1s and 24h", quote(text))
	}
	return d, nil
}
