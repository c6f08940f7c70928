package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// caller is who sends a request, and to which Region.
type caller struct {
	key     string // access key id
	region  string
	account string
	arn     string
	userID  string
	role    *Role // nil: may do everything
}

// session is what AssumeRole handed out.
type session struct {
	account, role, name, id string
	expires                 time.Time
}

// defaultAccount is AWS's own example.
const defaultAccount = "111122223333"

// identify finds the caller in the SigV4 Authorization header. The signature
// is not verified: the simulation has no secrets.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func (c *call) identify(r *http.Request, open bool) (caller, error) {
	key, region, ok := credential(r.Header.Get("Authorization"))
	switch {
	case !ok && open:
		return caller{account: c.world.DefaultAccount, region: hostRegion(r.Host)}, nil
	case !ok && c.wire == queryWire:
		return caller{}, &apiError{http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token"}
	case !ok:
		return caller{}, fault("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	who := caller{key: key, region: region}
	if s, ok := c.sessions[key]; ok {
		if !c.clock.Before(s.expires) {
			return caller{}, expired(c.wire)
		}
		return c.assumed(who, s), nil
	}
	account, role, _ := strings.Cut(c.world.AccessKeys[key], "/")
	switch {
	case role != "":
		return c.assumed(who, session{account: account, role: role, name: "ambient", id: "AROA" + fill(role)}), nil
	case account == "":
		account = twelveDigits(key)
	}
	if account == "" {
		account = c.world.DefaultAccount
	}
	who.account = account
	who.arn, who.userID = "arn:aws:iam::"+account+":user/ci", "AIDA"+fill(account)
	return who, nil
}

// twelveDigits is the first account number in a key; empty: there is none.
func twelveDigits(key string) string {
	run := 0
	for i, r := range key {
		if r < '0' || r > '9' {
			run = 0
			continue
		}
		if run++; run == 12 {
			return key[i-11 : i+1]
		}
	}
	return ""
}

// expired is the answer to old credentials: the query protocol has an error
// code of its own.
func expired(p protocol) error {
	if p == queryWire {
		return &apiError{http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired"}
	}
	return fault("ExpiredTokenException", "The security token included in the request is expired")
}

func (c *call) assumed(who caller, s session) caller {
	who.account = s.account
	who.arn = fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", s.account, s.role, s.name)
	who.userID = s.id + ":" + s.name
	who.role = c.role(s.account, s.role)
	return who
}

// role is a role of the world; nil where the world lists none of this name.
func (a *AWS) role(account, name string) *Role {
	roles := a.world.Accounts[account].Roles
	for i := range roles {
		if roles[i].Name == name {
			return &roles[i]
		}
	}
	return nil
}

// credential reads "AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …".
func credential(header string) (key, region string, ok bool) {
	_, scope, found := strings.Cut(header, "Credential=")
	if !found || !strings.HasPrefix(header, "AWS4-HMAC-SHA256 ") {
		return "", "", false
	}
	scope, _, _ = strings.Cut(scope, ",")
	parts := strings.Split(strings.TrimSpace(scope), "/")
	if len(parts) != 5 || parts[0] == "" {
		return "", "", false
	}
	return parts[0], parts[2], true
}

// hostRegion is the Region of a request without credentials:
// sts.eu-west-1.amazonaws.com, else the global endpoint's.
func hostRegion(host string) string {
	if parts := strings.Split(host, "."); len(parts) == 4 && parts[2] == "amazonaws" {
		return parts[1]
	}
	return "us-east-1"
}

// authorize answers as AWS does when the caller's policy does not allow the
// action. https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func (c *call) authorize() error {
	role := c.caller.role
	// GetCallerIdentity needs no permission, even an explicit deny has no effect.
	// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
	if role == nil || c.name == "GetCallerIdentity" {
		return nil
	}
	for _, what := range c.actions() {
		switch {
		case anyGlob(role.Deny, what):
			return c.refuse(what, "with an explicit deny in an identity-based policy")
		case len(role.Allow) > 0 && !anyGlob(role.Allow, what):
			return c.refuse(what, fmt.Sprintf("because no identity-based policy allows the %s action", what))
		}
	}
	return nil
}

// actions are what the caller must be allowed: the action itself and, where it
// makes something with tags in ECS, to tag it.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/supported-iam-actions-tagging.html
func (c *call) actions() []string {
	all := []string{c.api.name + ":" + c.name}
	var in struct {
		Tags []tag `json:"tags"`
	}
	making := []string{"ecs:RegisterTaskDefinition", "ecs:CreateService", "ecs:CreateCluster", "ecs:RunTask"}
	if slices.Contains(making, all[0]) && json.Unmarshal(c.body, &in) == nil && len(in.Tags) > 0 {
		all = append(all, "ecs:TagResource")
	}
	return all
}

func (c *call) refuse(what, why string) error {
	message := fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s %s", c.caller.arn, what, c.resource(), why)
	if c.wire == queryWire {
		return &apiError{http.StatusForbidden, "AccessDenied", message}
	}
	return fault("AccessDeniedException", "%s", message)
}

func anyGlob(globs []string, s string) bool {
	for _, g := range globs {
		if glob(g, s) {
			return true
		}
	}
	return false
}

// glob matches like IAM: "*" also matches "/", which path.Match would not let
// it. An empty glob matches everything.
func glob(pattern, s string) bool {
	if pattern == "" {
		return true
	}
	flat := strings.NewReplacer("/", "\x00")
	ok, err := path.Match(flat.Replace(pattern), flat.Replace(s))
	return err == nil && ok
}
