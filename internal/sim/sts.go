package sim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// stsAPI is AWS Security Token Service: who am I, and another role please.
func stsAPI() api {
	return api{name: "sts", version: "2011-06-15", actions: map[string]action{
		"GetCallerIdentity":         {bucket: "sts", do: getCallerIdentity},
		"AssumeRole":                {bucket: "sts", do: assumeRole},
		"AssumeRoleWithWebIdentity": {open: true, do: assumeRoleWithWebIdentity}, // no quota is published
	}}
}

func getCallerIdentity(c *call) (any, error) {
	return struct{ Arn, UserId, Account string }{c.caller.arn, c.caller.userID, c.caller.account}, nil
}

type assumed struct {
	AssumedRoleUser struct{ AssumedRoleId, Arn string }
	Credentials     struct{ AccessKeyId, SecretAccessKey, SessionToken, Expiration string }
}

// assumeRole gives no reason when it refuses, as AWS: a role that does not
// exist and one that does not trust the caller look the same.
func assumeRole(c *call) (any, error) {
	form := c.form()
	account, name, err := roleOf(form.Get("RoleArn"))
	if err != nil {
		return nil, err
	}
	role := c.role(account, name)
	known := role != nil || len(c.world.Accounts[account].Roles) == 0
	trusted := role == nil || role.ExternalID == "" || role.ExternalID == form.Get("ExternalId")
	if role != nil && len(role.Trusts) > 0 {
		trusted = trusted && anyGlob(role.Trusts, c.caller.account)
	}
	if !known || !trusted {
		return nil, &apiError{http.StatusForbidden, "AccessDenied", fmt.Sprintf(
			"User: %s is not authorized to perform: sts:AssumeRole on resource: %s", c.caller.arn, form.Get("RoleArn"))}
	}
	return c.openSession(account, name, form.Get("RoleSessionName"), form.Get("DurationSeconds"))
}

// assumeRoleWithWebIdentity reads the token's subject; its signature is not
// verified.
func assumeRoleWithWebIdentity(c *call) (any, error) {
	form := c.form()
	account, name, err := roleOf(form.Get("RoleArn"))
	if err != nil {
		return nil, err
	}
	subject, ok := subjectOf(form.Get("WebIdentityToken"))
	if !ok {
		return nil, fault("InvalidIdentityToken", "The ID Token provided is not a valid JWT.")
	}
	role := c.role(account, name)
	known := role != nil || len(c.world.Accounts[account].Roles) == 0
	if !known || role != nil && len(role.Subjects) > 0 && !anyGlob(role.Subjects, subject) {
		return nil, &apiError{http.StatusForbidden, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"}
	}
	return c.openSession(account, name, form.Get("RoleSessionName"), form.Get("DurationSeconds"))
}

func roleOf(arn string) (account, name string, err error) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[2] != "iam" || !strings.HasPrefix(parts[5], "role/") {
		return "", "", fault("ValidationError", "%s is invalid", arn)
	}
	return parts[4], lastPart(parts[5]), nil
}

// subjectOf is the "sub" claim of a JSON Web Token.
func subjectOf(token string) (string, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", false
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", false
	}
	var claims struct {
		Subject string `json:"sub"`
	}
	err = json.Unmarshal(text, &claims)
	return claims.Subject, err == nil && claims.Subject != ""
}

// openSession hands out temporary credentials for 15 minutes to 12 hours, an
// hour unless asked otherwise.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func (c *call) openSession(account, role, name, duration string) (any, error) {
	seconds := 3600
	if duration != "" {
		var err error
		if seconds, err = strconv.Atoi(duration); err != nil || seconds < 900 || seconds > 43200 {
			return nil, fault("ValidationError", "1 validation error detected: Value '%s' at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and 43200", duration)
		}
	}
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining
	if _, chained := c.sessions[c.caller.key]; chained && seconds > 3600 {
		return nil, fault("ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	}
	if name == "" {
		return nil, fault("ValidationError", "1 validation error detected: Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null")
	}
	s := session{
		account: account, role: role, name: name, id: "AROA" + fill(role),
		expires: c.clock.Add(time.Duration(seconds) * time.Second),
	}
	key := "ASIA" + fill(c.hex32())
	c.sessions[key] = s
	who := c.assumed(caller{}, s)
	var out assumed
	out.AssumedRoleUser.Arn, out.AssumedRoleUser.AssumedRoleId = who.arn, who.userID
	out.Credentials.AccessKeyId = key
	out.Credentials.SecretAccessKey = fill(key + "secret")
	out.Credentials.SessionToken = fill(key + "token")
	out.Credentials.Expiration = s.expires.UTC().Format(time.RFC3339)
	return out, nil
}
