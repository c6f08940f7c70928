// Package fleet holds the nouns: what the user wants (environments and their
// services, read from the fleet file or from the inline list) and what AWS
// shows (services, deployments, task definitions).
//
// A noun is here only if two packages need it. The package imports nothing of
// the project and no AWS type, so that every other package can speak of the
// same things. Values are plain data, safe to copy; nothing here blocks.
//
// Parsing goes one way: text → node tree (yaml.go) → what each level says, as
// written (level.go, service.go) → environments with defaults merged,
// placeholders filled in and every value checked (environment.go). Every
// mistake is collected with its place; nothing stops at the first one.
//
// Limits: 1 MiB of text, and bounds on nesting and on what aliases and
// placeholders make of it (yaml.go), since an inline list may come from a
// dispatch form. Whether things exist in AWS is not known here.
//
// Read next: file.go (the fleet file), selector.go (which environments),
// aws.go (what AWS shows).
package fleet

import (
	"cmp"
	"fmt"
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
	RoleARN    ARN           // role to assume; empty: the ambient credentials
	ExternalID string        // for the role's trust policy; may be empty
	Cluster    string        // name or ARN
	Services   []ServiceSpec // at least one, in the order of the file
	Wave       int           // 1 or more
	Labels     map[string]string
	Timeout    time.Duration // 0: the run's
	Alarms     []string      // names of CloudWatch alarms
	At         Position      // where the environment is written
}

// ServiceSpec is a service as the user describes it.
type ServiceSpec struct {
	Name       string   // short name, unique in its environment
	ECSName    string   // the ECS service's name
	Containers []string // containers that get the image; empty: see plan.Images
	Image      string   // image repository, or whole reference; may be empty
	// DesiredCount is the number of tasks that scale sets when its input is
	// empty: "8", "+4", "-2" or "200%". Empty: not stated.
	DesiredCount string
	CodeDeploy   CodeDeploy
	At           Position // in the environment, or in the defaults where it takes all from them
}

// CodeDeploy names what deploys a service that CodeDeploy controls. Either both
// names are given or none.
type CodeDeploy struct{ Application, DeploymentGroup string }

// Position is a place in a text that the user wrote. Line and Column count
// from 1; 0 means the whole text.
type Position struct {
	Text         string // ".github/ecs-fleet.yml", "input environments"
	Line, Column int
}

// String is "TEXT:LINE:COLUMN", or the text alone where the line is unknown.
func (p Position) String() string {
	if p.Line == 0 {
		return p.Text
	}
	return fmt.Sprintf("%s:%d:%d", p.Text, p.Line, p.Column)
}

// before orders the places of one text from top to bottom, the whole text first.
func (p Position) before(q Position) int {
	return cmp.Or(cmp.Compare(p.Line, q.Line), cmp.Compare(p.Column, q.Column))
}
