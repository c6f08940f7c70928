package report

import (
	"strings"
	"testing"
)

func TestHint(t *testing.T) {
	for _, c := range []struct {
		name, reason string
		evidence     []string
		want         string // part of the hint; empty: no hint
	}{
		{"a missing image", "CannotPullContainerError: rails:v9: not found", nil, "check the tag"},
		{"a registry that limits pulls", "CannotPullContainerError: toomanyrequests: You have reached your pull rate limit", nil, "copy the image to ECR"},
		{"an image for another processor", "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/amd64'", nil, "not for this processor"},
		{"a registry that denies", "CannotPullContainerError: pull access denied", nil, "ecr:BatchGetImage"},
		{"no way to the registry", "CannotPullContainerError: dial tcp 10.0.0.1:443: i/o timeout", nil, "NAT gateway"},
		{"what tasks died of counts more than what ECS concludes", "ECS deployment circuit breaker: tasks failed to start", []string{"task 1: CannotPullContainerError: not found"}, "check the tag"},
		{"the circuit breaker alone", "ECS deployment circuit breaker: tasks failed to start", nil, "too many new tasks failed"},
		{"a timeout", "timed out after 30m", nil, "raise timeout"},
		{"a timeout whose tasks explain it", "timed out after 30m", []string{"Task failed ELB health checks in (target-group x)"}, "load balancer"},
		{"secrets", "ResourceInitializationError: unable to pull secrets or registry auth", nil, "read its secrets"},
		{"a log driver", "ResourceInitializationError: failed to validate logger args", nil, "log group"},
		{"memory", "Essential container in task exited", []string{"container app: exit code 137"}, "memory"},
		{"another processor", "Essential container in task exited", []string{"exec /app: exec format error"}, "platform"},
		{"an application that ends", "Essential container in task exited", []string{"container app: exit code 1"}, "last log lines"},
		{"capacity", "unable to place a task. Reason: Capacity is unavailable at this time.", nil, "no room for these tasks"},
		{"a full cluster", "was unable to place a task because no container instance met all of its requirements", nil, "container instances"},
		{"a configuration that cannot move", "unable to stop or start tasks during a deployment because of the service deployment configuration", nil, "maximum percent"},
		{"throttling", "ThrottlingException: Rate exceeded", nil, "api-share"},
		{"a denied permission is named with its role", "User: arn:aws:sts::444455556666:assumed-role/deploy-prod/x is not authorized to perform: ecs:UpdateService on resource: y", nil, `allow ecs:UpdateService to role deploy-prod; see README "Permissions"`},
		{"a denied permission in our words", "access denied for ecs:RegisterTaskDefinition (request 1)", nil, "allow ecs:RegisterTaskDefinition;"},
		{"a role that may not be assumed", "User: x is not authorized to perform: sts:AssumeRole on resource: y", nil, "trust policy"},
		{"a token that the role does not accept", "Not authorized to perform sts:AssumeRoleWithWebIdentity", nil, `"sub"`},
		{"a role that may not be passed", "User: x is not authorized to perform: iam:PassRole on resource: y", nil, "task role"},
		{"the wrong account", "wrong account: the credentials belong to account 1, the fleet file says 2", nil, "role-arn"},
		{"an unnamed denial", "AccessDeniedException", nil, "lacks a permission"},
		{"the application's own log is not AWS", "something odd", []string{"log: access denied, rate exceeded, timed out"}, ""},
		{"an unknown reason", "something odd", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Hint(c.reason, c.evidence...)
			if !strings.Contains(got, c.want) || c.want == "" && got != "" {
				t.Errorf("Hint(%q, %q) = %q, want %q", c.reason, c.evidence, got, c.want)
			}
		})
	}
}

func TestEachHintCanBeReached(t *testing.T) {
	for _, h := range hints {
		for _, says := range h.says {
			if says != strings.ToLower(says) {
				t.Errorf("%q is compared with text in lower case", says)
			}
		}
		reason := h.says[0]
		if len(h.with) > 0 {
			reason += " " + h.with[0]
		}
		if got := Hint(reason); got != h.String() {
			t.Errorf("Hint(%q) = %q: a row above hides %q", reason, got, h)
		}
	}
}

func TestOnlyOurPagesBecomeLinks(t *testing.T) {
	if got, want := hintMarkdown("x; see "+pageEvents), "x ([details]("+pageEvents+"))"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := hintMarkdown("x; see https://evil.example"); strings.Contains(got, "](") || strings.Contains(got, "https://") {
		t.Errorf("a foreign page is a link: %q", got)
	}
}
