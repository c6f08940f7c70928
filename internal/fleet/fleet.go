// Package fleet holds the nouns: what the user wants (environments and their
// services, read from the fleet file or from the inline list) and what AWS
// shows (services, deployments, task definitions).
//
// A noun is here only if two packages need it. The package imports nothing of
// the project and no AWS type, so that every other package can speak of the
// same things. Values are plain data, safe to copy; nothing here blocks.
//
// Read next: file.go (the fleet file), selector.go (which environments),
// aws.go (what AWS shows).
package fleet

import (
	"strings"
	"time"
)

// Strings that must not be swapped have types of their own.
type (
	// AccountID is an AWS account: twelve digits. Empty: not stated.
	AccountID string
	// Region is an AWS Region's name, such as "ap-northeast-1".
	Region string
	// ARN is an Amazon Resource Name.
	ARN string
)

// Name is the part of the ARN behind its last slash: "rails:42" of a task
// definition's ARN, "main" of a cluster's. A string without a slash is its own
// name.
func (a ARN) Name() string { return string(a[strings.LastIndexByte(string(a), '/')+1:]) }

// ServiceRef names a service of an environment by its short name. It is the
// unit that is deployed, scaled, watched and reported.
type ServiceRef struct{ Environment, Service string }

// String is "environment/service", the form of outputs and log lines.
func (r ServiceRef) String() string { return r.Environment + "/" + r.Service }

// Environment is a named place that runs the product: an account, a Region, a
// cluster and one or more services. Defaults are merged and placeholders
// filled in.
type Environment struct {
	Name       string
	Account    AccountID // empty: whatever account the credentials belong to
	Region     Region
	RoleARN    ARN    // role to assume; empty: the ambient credentials
	ExternalID string // for the role's trust policy; may be empty
	Cluster    string // name or ARN
	Services   []ServiceSpec
	Wave       int // 1 or more
	Labels     map[string]string
	Timeout    time.Duration // 0: the run's
	Alarms     []string
	At         Position // where the environment is written
}

// ServiceSpec is a service as the user describes it.
type ServiceSpec struct {
	Name       string   // short name, unique in its environment
	ECSName    string   // the ECS service's name
	Containers []string // containers that get the image; empty: see plan.Images
	Image      string   // image repository, or whole reference; may be empty
	At         Position
}

// Position is a place in a text that the user wrote. Line and Column count
// from 1; 0 means the whole text.
type Position struct {
	Text         string // ".github/ecs-fleet.yml", "input environments"
	Line, Column int
}
