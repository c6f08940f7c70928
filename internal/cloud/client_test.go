package cloud

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/throttle"
)

// answers is an AWS that says what a test wants: an action and the access key
// that signed it make a status and a body.
type answers func(action, key string) (status int, body string)

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if action == "" {
		form, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		_, action, _ = strings.Cut(string(form), "Action=")
		action, _, _ = strings.Cut(action, "&")
	}
	_, key, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ = strings.Cut(key, "/")
	status, body := a(action+" "+r.URL.Host, key)
	return &http.Response{StatusCode: status, Header: make(http.Header), Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

const identity = `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>444455556666</Account><Arn>arn:aws:sts::444455556666:user/x</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`

// assumed is the answer that hands out a role's key.
func assumed(key string) string {
	return `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>` + key + `</AccessKeyId><SecretAccessKey>x</SecretAccessKey><SessionToken>x</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`
}

func denied(action string) (int, string) {
	return http.StatusBadRequest, `{"__type":"AccessDeniedException","message":"` + action + `"}`
}

// reach makes a Cloud whose AWS is a.
func reach(t *testing.T, a answers) *Cloud {
	t.Helper()
	c, err := New(t.Context(), Options{Transport: a, Throttle: throttle.New(throttle.Limits{}), Session: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func enter(t *testing.T, c *Cloud, p Place) *Client {
	t.Helper()
	client, err := c.Client(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// ambient gives the tests credentials, and nothing of the machine's.
func ambient(t *testing.T) {
	for _, name := range []string{"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AMBIENT")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
}

func TestAnUpdateWhoseAnswerHoldsNoServiceIsLookedFor(t *testing.T) {
	const deployed = `{"services":[{"serviceName":"api","status":"ACTIVE","deployments":[{"id":"ecs-svc/2","status":"PRIMARY","taskDefinition":"td:2"}]}]}`
	tests := []struct {
		name    string
		look    string // what DescribeServices answers; empty: access denied
		force   bool
		primary string
		updates int
	}{
		{"it has begun", deployed, false, "ecs-svc/2", 1},
		{"forced, it has begun", deployed, true, "ecs-svc/2", 1},
		{"it has not, and is begun anew", `{"services":[]}`, false, "", updateAttempts},
		{"nobody can tell, and the same again does nothing", "", false, "", updateAttempts},
		{"forced, nobody can tell: a second one would replace the tasks again", "", true, "", 1},
	}
	ambient(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				updates := 0
				client := enter(t, reach(t, func(action, _ string) (int, string) {
					switch name, _, _ := strings.Cut(action, " "); {
					case name == "GetCallerIdentity":
						return http.StatusOK, identity
					case name == "UpdateService":
						updates++
						return http.StatusOK, `{}`
					case tt.look == "":
						return denied(name)
					}
					return http.StatusOK, tt.look
				}), Place{Region: "us-east-1"})
				s, err := client.UpdateService(t.Context(), Update{Cluster: "main", Service: "api", TaskDefinition: "td:2", Force: tt.force, Before: "ecs-svc/1"})
				if s.Primary().ID != tt.primary || (err == nil) != (tt.primary != "") || err != nil && !Unknown(err) || updates != tt.updates {
					t.Errorf("primary %q after %d updates, error %v; want %q after %d", s.Primary().ID, updates, err, tt.primary, tt.updates)
				}
			})
		})
	}
}

func TestWhatOneRoleMayNotReadAnotherReadsForItself(t *testing.T) {
	ambient(t)
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		roles := 0
		asked := make(chan struct{})
		c := reach(t, func(action, key string) (int, string) {
			mu.Lock()
			defer mu.Unlock()
			switch name, _, _ := strings.Cut(action, " "); {
			case name == "AssumeRole":
				roles++
				return http.StatusOK, assumed(fmt.Sprintf("ROLE%d", roles))
			case name == "GetCallerIdentity":
				return http.StatusOK, identity
			case key == "ROLE1":
				<-asked
				return denied(name)
			}
			return http.StatusOK, `{"taskDefinition":{"taskDefinitionArn":"arn:aws:ecs:us-east-1:444455556666:task-definition/f:1","family":"f","revision":1,"status":"ACTIVE","containerDefinitions":[]}}`
		})
		first := enter(t, c, Place{Region: "us-east-1", RoleARN: "arn:aws:iam::444455556666:role/blind"})
		second := enter(t, c, Place{Region: "us-east-1", RoleARN: "arn:aws:iam::444455556666:role/seeing"})
		const arn = "arn:aws:ecs:us-east-1:444455556666:task-definition/f:1"
		var reads sync.WaitGroup
		var blind, seeing error
		reads.Go(func() { _, blind = first.definition(t.Context(), arn) })
		synctest.Wait() // until the first role's read is under way
		reads.Go(func() { _, seeing = second.definition(t.Context(), arn) })
		synctest.Wait() // until the second role waits for it
		close(asked)
		reads.Wait()
		if !Denied(blind) || seeing != nil {
			t.Errorf("the blind role got %v, the seeing one %v", blind, seeing)
		}
	})
}

func TestARegionThatDoesNotAnswerHurtsNoOther(t *testing.T) {
	ambient(t)
	calls := make(map[string]int)
	c := reach(t, func(action, _ string) (int, string) {
		calls[action]++
		if strings.Contains(action, "us-eest-1") {
			return http.StatusForbidden, `<ErrorResponse><Error><Code>NoSuchRegion</Code></Error></ErrorResponse>`
		}
		return http.StatusOK, identity
	})
	for _, region := range []fleet.Region{"us-eest-1", "us-east-1", "us-eest-1"} {
		_, err := c.Client(t.Context(), Place{Region: region})
		if wrong := region == "us-eest-1" && calls["GetCallerIdentity sts.us-east-1.amazonaws.com"] == 0; (err != nil) != wrong {
			t.Errorf("%s: %v", region, err)
		}
	}
	if got := calls["GetCallerIdentity sts.us-eest-1.amazonaws.com"]; got != 1 {
		t.Errorf("asked %d times where nobody answers, want 1", got)
	}
}

// credentialsFunc are credentials that cannot be had.
type credentialsFunc func(context.Context) error

func (f credentialsFunc) Retrieve(ctx context.Context) (aws.Credentials, error) {
	return aws.Credentials{}, f(ctx)
}

func TestARunThatEndsWhileCredentialsAreFetchedDoesNotLackThem(t *testing.T) {
	ambient(t)
	c := reach(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	c.base.Credentials = credentialsFunc(func(ctx context.Context) error { cancel(); return ctx.Err() })
	_, err := c.Client(ctx, Place{Region: "us-east-1"})
	if err == nil || err.Error() != context.Canceled.Error() {
		t.Errorf("got %v, want that the run was cancelled", err)
	}
}
