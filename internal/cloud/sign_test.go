package cloud

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/throttle"
)

// signed answers like ECS and STS do, and checks every request's signature as
// AWS would: over the body that arrived.
type signed struct {
	t    *testing.T
	body map[string]string // last body by action
}

func (s signed) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.check(r, body)
	action := r.Header.Get("X-Amz-Target")
	action = action[strings.LastIndexByte(action, '.')+1:]
	s.body[action] = string(body)
	answer := `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::444455556666:user/a</Arn><UserId>a</UserId><Account>444455556666</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`
	switch action {
	case "DescribeTaskDefinition":
		answer = `{"taskDefinition":{"taskDefinitionArn":"arn:aws:ecs:us-east-1:444455556666:task-definition/f:7","family":"f","revision":7,"status":"ACTIVE","registeredAt":1.5,
			"requiresAttributes":[{"name":"x"}],"containerDefinitions":[{"name":"app","image":"i:1","cpu":0,"sparkle":{"new":[1.50]}}],"futureField":12345678901234567890},
			"tags":[{"key":"team","value":"web"},{"key":"aws:cloudformation:stack-name","value":"s"}]}`
	case "RegisterTaskDefinition":
		answer = `{"taskDefinition":{"taskDefinitionArn":"arn:aws:ecs:us-east-1:444455556666:task-definition/f:8","family":"f","revision":8,"status":"ACTIVE","containerDefinitions":[{"name":"app","image":"i:2"}]}}`
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {r.Header.Get("Content-Type")}}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

func (s signed) check(r *http.Request, body []byte) {
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		s.t.Error(err)
	}
	again := r.Clone(r.Context())
	again.Body = io.NopCloser(bytes.NewReader(body))
	given := again.Header.Get("Authorization")
	again.Header.Del("Authorization")
	// What the SDK does not sign.
	for _, name := range []string{"User-Agent", "X-Amzn-Trace-Id", "Expect", "Transfer-Encoding"} {
		again.Header.Del(name)
	}
	sum := sha256.Sum256(body)
	scope := strings.Split(given[strings.Index(given, "Credential=")+len("Credential="):strings.Index(given, ", ")], "/")
	if err := v4.NewSigner().SignHTTP(r.Context(), aws.Credentials{AccessKeyID: scope[0], SecretAccessKey: "secret"}, again, hex.EncodeToString(sum[:]), scope[3], scope[2], at); err != nil {
		s.t.Error(err)
	}
	if got := again.Header.Get("Authorization"); got != given {
		s.t.Errorf("%s: AWS would refuse the signature\n got %s\nwant %s", r.Header.Get("X-Amz-Target"), given, got)
	}
}

func TestARevisionIsCopiedWithoutLosingAFieldAndItsBodyIsSigned(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_SESSION_TOKEN", "")
	t.Setenv("AWS_ENDPOINT_URL", "")
	aws := signed{t, make(map[string]string)}
	c, err := New(t.Context(), Options{Transport: aws, Throttle: throttle.New(throttle.Limits{}), Session: "s"})
	if err != nil {
		t.Fatal(err)
	}
	client, err := c.Client(t.Context(), Place{Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	base, err := client.TaskDefinition(t.Context(), "arn:aws:ecs:us-east-1:444455556666:task-definition/f:7")
	if err != nil {
		t.Fatal(err)
	}
	draft, err := client.Draft(t.Context(), base, map[string]string{"app": "i:2"}, fleet.Size{})
	if err != nil {
		t.Fatal(err)
	}
	arn, err := client.Register(t.Context(), draft, 0)
	if err != nil || arn != fleet.ARN("arn:aws:ecs:us-east-1:444455556666:task-definition/f:8") {
		t.Fatal(arn, err)
	}
	// Numbers as they were written, fields that no SDK knows yet, the user's tags, not AWS's; nothing that only answers have.
	want := `{"containerDefinitions":[{"cpu":0,"image":"i:2","name":"app","sparkle":{"new":[1.50]}}],"family":"f","futureField":12345678901234567890,"tags":[{"key":"team","value":"web"}]}`
	if got := aws.body["RegisterTaskDefinition"]; got != want {
		t.Errorf("registered\n%s\nwant\n%s", got, want)
	}
}
