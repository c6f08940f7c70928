package sim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// client is a plain JSON client of an account and Region: no SDK, so that
// tests see the wire.
type client struct {
	t    *testing.T
	aws  *AWS
	key  string
	http http.Client
}

func newClient(t *testing.T, w World) *client {
	t.Helper()
	a, err := New(w)
	if err != nil {
		t.Fatal(err)
	}
	return &client{t: t, aws: a, key: "AKIA" + account, http: http.Client{Transport: RoundTripper(a)}}
}

const (
	account = "111122223333"
	ireland = "eu-west-1"
)

type js = map[string]any

// send makes a request and returns the answer and the error's code.
func (c *client) send(action string, in any) (js, string) {
	c.t.Helper()
	prefix, name, _ := strings.Cut(action, ":")
	for _, s := range apis() {
		if s.name == prefix {
			prefix = s.target
		}
	}
	text, err := json.Marshal(in)
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), "POST", "https://aws.test/", bytes.NewReader(text))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", prefix+"."+name)
	if c.key != "" {
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+c.key+"/20260101/"+ireland+"/ecs/aws4_request, SignedHeaders=host, Signature=00")
	}
	answer, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	var out js
	if err := json.Unmarshal(body, &out); err != nil {
		c.t.Fatalf("%s: %v in %s", action, err, body)
	}
	code, _ := out["__type"].(string)
	if answer.StatusCode != http.StatusOK && code == "" {
		c.t.Fatalf("%s: status %d without a code: %s", action, answer.StatusCode, body)
	}
	return out, code
}

// must makes a request that succeeds.
func (c *client) must(action string, in any) js {
	c.t.Helper()
	out, code := c.send(action, in)
	if code != "" {
		c.t.Fatalf("%s: %s: %v", action, code, out["message"])
	}
	return out
}

// at walks into an answer: keys of objects, numbers of lists.
func at[T any](t *testing.T, v any, path ...any) T {
	t.Helper()
	whole := v
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(js)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				t.Fatalf("%v: no element %d of %d in %v", path, p, len(l), whole)
			}
			v = l[p]
		}
	}
	found, ok := v.(T)
	if !ok {
		t.Fatalf("%v is %T in %v", path, v, whole)
	}
	return found
}

// service is the service "rails" of the cluster "main", as it really is.
func (c *client) service() ServiceState {
	c.t.Helper()
	s, ok := c.aws.Service(account, ireland, "main", "rails")
	if !ok {
		c.t.Fatal("no service rails")
	}
	return s
}

// until waits for a condition of the service and returns how long it took.
func (c *client) until(is func(ServiceState) bool) time.Duration {
	c.t.Helper()
	start := time.Now()
	for !is(c.service()) {
		if time.Since(start) > 6*time.Hour {
			c.t.Fatalf("it did not come in six hours: %+v", c.service())
		}
		time.Sleep(time.Second)
	}
	return time.Since(start)
}

func done(s ServiceState) bool { return s.RolloutState != "IN_PROGRESS" }

// image is of a repository in the account's registry.
func image(tag string) string {
	return account + ".dkr.ecr." + ireland + ".amazonaws.com/rails:" + tag
}

// rails is a world with one service behind a load balancer.
func rails(change func(*Service)) World {
	desired := 2
	s := Service{
		Cluster: "main", Name: "rails", Revision: 41, Containers: map[string]string{"app": image("v1")}, Desired: &desired,
		CircuitBreaker: "rollback", LoadBalancer: &LoadBalancer{TargetGroup: "rails", Container: "app", Port: 3000},
	}
	if change != nil {
		change(&s)
	}
	return World{Accounts: map[string]Account{account: {Regions: map[string]Region{ireland: {
		Services:     []Service{s},
		Repositories: map[string]map[string]string{"rails": {"v1": "sha256:1111", "v2": "sha256:2222", "v3": "sha256:3333"}},
	}}}}}
}

// register registers a revision of rails with a tag and returns its ARN.
func (c *client) register(tag string) string {
	c.t.Helper()
	out := c.must("ecs:RegisterTaskDefinition", js{
		"family": "rails", "networkMode": "awsvpc", "requiresCompatibilities": []string{"FARGATE"}, "cpu": "256", "memory": "512",
		"containerDefinitions": []any{js{
			"name": "app", "image": image(tag),
			"logConfiguration": js{"logDriver": "awslogs", "options": js{
				"awslogs-group": "/ecs/rails", "awslogs-region": ireland, "awslogs-stream-prefix": "ecs",
			}},
		}},
	})
	return at[string](c.t, out, "taskDefinition", "taskDefinitionArn")
}

// deploy updates rails to a new revision with a tag.
func (c *client) deploy(tag string) js {
	c.t.Helper()
	return c.must("ecs:UpdateService", js{"cluster": "main", "service": "rails", "taskDefinition": c.register(tag)})
}
