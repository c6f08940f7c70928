package sim

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Whatever a client sends is answered: with JSON or XML, and never by a panic.
func FuzzRequest(f *testing.F) {
	for _, s := range apis() {
		for _, name := range sortedKeys(s.actions) {
			f.Add(s.target+"."+name, `{"cluster": "main", "service": "rails"}`, "AWS4-HMAC-SHA256 Credential=AKIA/1/eu-west-1/ecs/aws4_request, S")
		}
	}
	ecs := ecsAPI().target
	f.Add(ecs+".RegisterTaskDefinition", `{"family": "a", "containerDefinitions": [null, {"portMappings": [null, 3], "name": "x", "image": "y", "memory": 3}]}`, "")
	f.Add(ecs+".CreateService", `{"cluster": "main", "serviceName": "b", "taskDefinition": "rails", "desiredCount": 3, "deploymentConfiguration": {"maximumPercent": "x"}, "loadBalancers": [null]}`, "")
	f.Add(ecs+".UpdateService", `{"cluster": "main", "service": "rails", "networkConfiguration": {"awsvpcConfiguration": 5}, "propagateTags": []}`, "")
	f.Add(ecs+".RunTask", `{"cluster": "main", "taskDefinition": "rails", "overrides": 3, "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["a"]}}}`, "")
	f.Add("", "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::1:role/x&RoleSessionName=y", "AWS4-HMAC-SHA256 Credential=A/b/c/d/e")
	f.Fuzz(func(t *testing.T, target, body, authorization string) {
		a, err := New(rails(nil))
		if err != nil {
			t.Fatal(err)
		}
		if authorization == "" {
			authorization = "AWS4-HMAC-SHA256 Credential=AKIA" + account + "/1/" + ireland + "/ecs/aws4_request"
		}
		for range 2 { // the second request meets what the first one made
			r := httptest.NewRequest("POST", "/", strings.NewReader(body))
			r.Header.Set("X-Amz-Target", target)
			r.Header.Set("Authorization", authorization)
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			if w.Code >= http.StatusInternalServerError {
				t.Errorf("status %d: %s", w.Code, w.Body)
			}
			if w.Header().Get("Content-Type") != "text/xml" && !json.Valid(w.Body.Bytes()) {
				t.Errorf("no JSON: %s", w.Body)
			}
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.advance(a.clock.Add(1e12)) // a quarter of an hour
	})
}
