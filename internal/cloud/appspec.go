package cloud

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/goccy/go-yaml"

	"ecs-fleet/internal/fleet"
)

// The AppSpec file of an ECS service.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-resources.html
type (
	appSpecFile struct {
		Version   json.RawMessage // the number 0.0
		Resources []appSpecResource
		Hooks     any `json:",omitempty"`
	}
	appSpecResource struct{ TargetService appSpecService }
	appSpecService  struct {
		Type       string
		Properties appSpecProperties
	}
	appSpecProperties struct {
		TaskDefinition           fleet.ARN
		LoadBalancerInfo         appSpecBalancer
		PlatformVersion          string            `json:",omitempty"`
		NetworkConfiguration     *appSpecNetwork   `json:",omitempty"`
		CapacityProviderStrategy []appSpecProvider `json:",omitempty"`
	}
	appSpecBalancer struct {
		ContainerName string
		ContainerPort int
	}
	appSpecNetwork struct{ AwsvpcConfiguration appSpecVPC }
	appSpecVPC     struct {
		Subnets, SecurityGroups []string
		AssignPublicIp          string
	}
	appSpecProvider struct {
		CapacityProvider string
		Base, Weight     int
	}
)

// appSpec is the AppSpec file that has a service run a revision, started as its
// tasks are now, with the hooks of the AppSpec file before (if any).
func appSpec(revision fleet.ARN, l fleet.Launch, before string) (string, error) {
	p := appSpecProperties{
		TaskDefinition: revision, LoadBalancerInfo: appSpecBalancer{l.Container, l.Port}, PlatformVersion: l.PlatformVersion,
	}
	if len(l.Subnets) > 0 && l.PublicIP != "" { // all three, or none and AWS keeps what there is
		groups := l.SecurityGroups
		if groups == nil {
			groups = []string{}
		}
		p.NetworkConfiguration = &appSpecNetwork{appSpecVPC{l.Subnets, groups, l.PublicIP}}
	}
	for _, provider := range l.Providers {
		p.CapacityProviderStrategy = append(p.CapacityProviderStrategy, appSpecProvider{provider.Name, provider.Base, provider.Weight})
	}
	hooks, err := appSpecValue(before, "Hooks")
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(appSpecFile{
		Version:   json.RawMessage("0.0"),
		Resources: []appSpecResource{{appSpecService{Type: "AWS::ECS::Service", Properties: p}}},
		Hooks:     hooks,
	})
	return lowerVersion(string(text)), err
}

// lowerVersion writes the one key whose documented form is in lower case.
func lowerVersion(text string) string { return strings.Replace(text, `"Version"`, `"version"`, 1) }

// appSpecRevision is the task definition that an AppSpec file names; empty when
// it cannot be told.
func appSpecRevision(text string) fleet.ARN {
	resources, err := appSpecValue(text, "Resources")
	list, ok := resources.([]any)
	if err != nil || !ok || len(list) == 0 {
		return ""
	}
	resource, _ := list[0].(map[string]any)
	for _, service := range resource { // one, by whatever name
		revision, _ := under(under(service, "Properties"), "TaskDefinition").(string)
		return fleet.ARN(revision)
	}
	return ""
}

// appSpecValue is what stands under a key of an AppSpec file in YAML or JSON;
// nil when nothing does. People write the keys in capitals and without.
// https://github.com/aws-actions/amazon-ecs-deploy-task-definition index.js
func appSpecValue(text, key string) (any, error) {
	var document any
	if err := yaml.Unmarshal([]byte(text), &document); err != nil { // JSON is YAML
		return nil, err
	}
	return under(document, key), nil
}

func under(node any, key string) any {
	m, _ := node.(map[string]any)
	for name, value := range m {
		if strings.EqualFold(name, key) {
			return value
		}
	}
	return nil
}

// hash is CodeDeploy's name for an AppSpec file.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
