package sim

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWhatAWSAnswersToWrongRequests(t *testing.T) {
	eleven := strings.Split("abcdefghijk", "")
	many := make([]string, 101)
	vpc := js{"awsvpcConfiguration": js{"subnets": []string{"subnet-1"}}}
	for _, test := range []struct {
		action string
		in     js
		want   string
	}{
		{"ecs:DescribeServices", js{"cluster": "nowhere", "services": []string{"rails"}}, "ClusterNotFoundException"},
		{"ecs:DescribeServices", js{"services": []string{"rails"}}, "ClusterNotFoundException"}, // the cluster "default"
		{"ecs:DescribeServices", js{"cluster": "main"}, "InvalidParameterException"},
		{"ecs:DescribeServices", js{"cluster": "main", "services": eleven}, "InvalidParameterException"},
		{"ecs:DescribeServices", js{"cluster": "main", "services": "rails"}, "SerializationException"},
		{"ecs:DescribeTasks", js{"cluster": "main", "tasks": many}, "InvalidParameterException"},
		{"ecs:DescribeServiceDeployments", js{"serviceDeploymentArns": many[:21]}, "InvalidParameterException"},
		{"ecs:DescribeServiceRevisions", js{}, "InvalidParameterException"},
		{"ecs:ListServices", js{"cluster": "main", "maxResults": 101}, "InvalidParameterException"},
		{"ecs:ListTasks", js{"cluster": "main", "startedBy": "me", "desiredStatus": "STOPPED"}, "InvalidParameterException"},
		{"ecs:ListTasks", js{"cluster": "main", "serviceName": "nothing"}, "ServiceNotFoundException"},
		{"ecs:ListServiceDeployments", js{"cluster": "main", "service": "nothing"}, "ServiceNotFoundException"},
		{"ecs:UpdateService", js{"cluster": "main", "service": "nothing"}, "ServiceNotFoundException"},
		{"ecs:UpdateService", js{"cluster": "main", "service": "rails", "desiredCount": -1}, "InvalidParameterException"},
		{"ecs:UpdateService", js{"cluster": "main", "service": "rails", "desiredCount": "2"}, "SerializationException"},
		{"ecs:UpdateService", js{"cluster": "main", "service": "rails", "taskDefinition": "rails:99"}, "ClientException"},
		{"ecs:CreateService", js{"cluster": "main", "serviceName": "rails", "taskDefinition": "rails", "desiredCount": 1}, "InvalidParameterException"},
		{"ecs:CreateService", js{"cluster": "main", "serviceName": "web", "taskDefinition": "rails", "desiredCount": 1, "launchType": "FARGATE"}, "InvalidParameterException"},
		{"ecs:DeleteService", js{"cluster": "main", "service": "rails"}, "InvalidParameterException"},
		{"ecs:DeleteCluster", js{"cluster": "main"}, "ClusterContainsServicesException"},
		{"ecs:StopServiceDeployment", js{"serviceDeploymentArn": "nothing"}, "ServiceDeploymentNotFoundException"},
		{"ecs:StopTask", js{"cluster": "main", "task": "nothing"}, "InvalidParameterException"},
		{"ecs:RunTask", js{"cluster": "main", "taskDefinition": "rails", "count": 11}, "InvalidParameterException"},
		{"ecs:RunTask", js{"cluster": "main", "taskDefinition": "nothing"}, "ClientException"},
		{"ecs:RunTask", js{"cluster": "main", "taskDefinition": "rails", "launchType": "FARGATE"}, "InvalidParameterException"},
		{"ecs:RunTask", js{"cluster": "main", "taskDefinition": "ec2", "launchType": "FARGATE"}, "InvalidParameterException"},
		{"ecs:UpdateService", js{"cluster": "main", "service": "rails", "taskDefinition": "ec2"}, "InvalidParameterException"},
		{"ecs:UpdateService", js{"cluster": "main", "service": "rails", "deploymentConfiguration": js{"maximumPercent": 100}}, "InvalidParameterException"},
		{"ecs:UpdateService", js{"cluster": "main", "service": "rails", "deploymentConfiguration": js{"minimumHealthyPercent": 101}}, "InvalidParameterException"},
		{"ecs:UpdateService", js{"cluster": "main", "service": "rails", "deploymentConfiguration": js{"minimumHealthyPercent": -1}}, "InvalidParameterException"},
		{"ecs:UpdateService", js{"cluster": "main", "service": "rails", "deploymentConfiguration": js{"minimumHealthyPercent": 0, "maximumPercent": 50}}, "InvalidParameterException"},
		{"ecs:UpdateService", js{"cluster": "main", "service": "rails", "deploymentConfiguration": js{"minimumHealthyPercent": 0, "maximumPercent": 100}}, ""},
		{"ecs:CreateService", js{"cluster": "main", "serviceName": "web", "taskDefinition": "ec2", "desiredCount": 1, "networkConfiguration": vpc}, "InvalidParameterException"},
		{"ecs:CreateService", js{"cluster": "main", "serviceName": "web", "taskDefinition": "ec2", "desiredCount": 1, "launchType": "FARGATE"}, "InvalidParameterException"},
		{"ecs:CreateService", js{"cluster": "main", "serviceName": "web", "taskDefinition": "ec2", "desiredCount": 1, "launchType": "LAMBDA"}, "InvalidParameterException"},
		{"ecs:CreateService", js{"cluster": "main", "serviceName": "web", "taskDefinition": "ec2", "desiredCount": 1}, ""},
		{"ecs:CreateService", js{"cluster": "main", "serviceName": "web", "taskDefinition": "rails", "desiredCount": 1, "launchType": "FARGATE",
			"capacityProviderStrategy": []any{js{"capacityProvider": "FARGATE"}}, "networkConfiguration": vpc}, "InvalidParameterException"},
		{"ecs:CreateService", js{"cluster": "main", "serviceName": "web", "taskDefinition": "ec2", "schedulingStrategy": "DAEMON"}, "UnsupportedFeatureException"},
		{"ecs:DeregisterTaskDefinition", js{"taskDefinition": "rails"}, "ClientException"},
		{"ecs:DeregisterTaskDefinition", js{"taskDefinition": "rails:41"}, ""},
		{"ecs:DoSomething", js{}, "UnknownOperationException"},
		{"ecr:DescribeImages", js{"repositoryName": "nothing"}, "RepositoryNotFoundException"},
		{"ecr:DescribeImages", js{"repositoryName": "rails", "imageIds": []any{js{"imageTag": "v9"}}}, "ImageNotFoundException"},
		{"logs:GetLogEvents", js{"logGroupName": "nothing", "logStreamName": "x"}, "ResourceNotFoundException"},
	} {
		t.Run(fmt.Sprint(test.action, test.in)[:min(80, len(fmt.Sprint(test.action, test.in)))], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, rails(nil))
				c.must("ecs:RegisterTaskDefinition", js{"family": "ec2", "containerDefinitions": []any{js{"name": "app", "image": "nginx", "memory": 128}}})
				if out, code := c.send(test.action, test.in); code != test.want {
					t.Errorf("it was answered %q, not %s: %v", code, test.want, out)
				}
			})
		})
	}
}

func TestBatchReadsListWhatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(nil))
		out := c.must("ecs:DescribeServices", js{"cluster": "main", "services": []string{"rails", "nothing"}})
		want := []any{js{"arn": "arn:aws:ecs:eu-west-1:111122223333:service/main/nothing", "reason": "MISSING"}}
		if diff := cmp.Diff(want, out["failures"]); diff != "" || len(at[[]any](t, out, "services")) != 1 {
			t.Errorf("failures (-want +got):\n%s\n%v", diff, out)
		}
	})
}

func TestReadsLagBehindAnUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(nil))
		arn := c.register("v2")
		time.Sleep(time.Minute)
		described := func(member string) any {
			return at[js](t, c.must("ecs:DescribeServices", js{"cluster": "main", "services": []string{"rails"}}), "services", 0)[member]
		}
		before, running := described("currentServiceDeployment"), described("taskDefinition")
		answer := c.must("ecs:UpdateService", js{"cluster": "main", "service": "rails", "taskDefinition": arn})
		if got := at[string](t, answer, "service", "taskDefinition"); got != arn {
			t.Errorf("the answer shows %s", got)
		}
		if got := described("taskDefinition"); got != running {
			t.Errorf("a read at once shows %v", got)
		}
		// A CLI that is started next must see the update, or its waiter takes
		// what was before for stable.
		time.Sleep(100 * time.Millisecond)
		if got := described("taskDefinition"); got != arn {
			t.Errorf("a read after a tenth of a second shows %v", got)
		}
		if got := described("currentServiceDeployment"); got != before {
			t.Errorf("the current service deployment after a tenth of a second is %v", got)
		}
		time.Sleep(900 * time.Millisecond)
		mine := described("currentServiceDeployment")
		if mine == before || mine != c.rollout("serviceDeploymentArn") {
			t.Errorf("the current service deployment after a second is %v", mine)
		}
		id, _ := strings.CutPrefix(at[string](t, answer, "service", "deployments", 0, "id"), "ecs-svc/")
		if target, _ := c.rollout("targetServiceRevision", "arn").(string); lastPart(target) != id {
			t.Errorf("deployment %s and revision %s do not belong together", id, target)
		}
	})
}

func TestServiceRevisionShowsTheDigestThatTheTagHadAtItsStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(nil))
		c.deploy("v2")
		time.Sleep(time.Minute)
		c.aws.regions[account+"/"+ireland].repositories["rails"]["v2"] = "sha256:moved"
		out := c.must("ecs:DescribeServiceRevisions", js{"serviceRevisionArns": []any{c.rollout("targetServiceRevision", "arn")}})
		want := []any{js{"containerName": "app", "image": image("v2"), "imageDigest": "sha256:2222"}}
		if diff := cmp.Diff(want, at[any](t, out, "serviceRevisions", 0, "containerImages")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestControllersThatAnUpdateMayNotBypass(t *testing.T) {
	for _, test := range []struct {
		controller, strategy string
		in                   js
		want                 string
	}{
		{"CODE_DEPLOY", "", js{"taskDefinition": "rails:41"}, "InvalidParameterException: Unable to update task definition on services with a CODE_DEPLOY deployment controller. Use AWS CodeDeploy to trigger a new deployment."},
		{"CODE_DEPLOY", "", js{"desiredCount": 3}, ": <nil>"},
		{"EXTERNAL", "", js{"forceNewDeployment": true}, "InvalidParameterException: Cannot force a new deployment on services with a EXTERNAL deployment controller."},
		{"ECS", "BLUE_GREEN", js{"desiredCount": 3}, ": <nil>"},
		{"ECS", "CANARY", js{"desiredCount": 3}, ": <nil>"},
	} {
		t.Run(test.controller+test.strategy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, rails(func(s *Service) { s.Controller, s.Strategy = test.controller, test.strategy }))
				test.in["cluster"], test.in["service"] = "main", "rails"
				out, code := c.send("ecs:UpdateService", test.in)
				if got := fmt.Sprintf("%s: %v", code, out["message"]); got != test.want {
					t.Errorf("it was answered %s\nnot %s", got, test.want)
				}
				if code == "" {
					time.Sleep(5 * time.Minute)
					if s := c.service(); s.Running != 3 {
						t.Errorf("%d tasks run", s.Running)
					}
				}
			})
		})
	}
}

func TestServiceIsMadeAndDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(nil))
		in := js{
			"cluster": "main", "serviceName": "web", "taskDefinition": "rails", "desiredCount": 2, "launchType": "FARGATE", "clientToken": "once",
			"networkConfiguration": js{"awsvpcConfiguration": js{"subnets": []any{"subnet-1"}}},
			"tags":                 []any{js{"key": "team", "value": "web"}},
		}
		c.must("ecs:CreateService", in)
		c.must("ecs:CreateService", in) // the same client token
		time.Sleep(5 * time.Minute)
		s, _ := c.aws.Service(account, ireland, "main", "web")
		if s.Running != 2 || s.RolloutState != "COMPLETED" || s.ServiceDeployment != "SUCCESSFUL" {
			t.Errorf("%+v", s)
		}
		out := c.must("ecs:DescribeServices", js{"cluster": "main", "services": []string{"web"}, "include": []string{"TAGS"}})
		if got := at[string](t, out, "services", 0, "tags", 0, "value"); got != "web" {
			t.Errorf("the tag is %q", got)
		}
		c.must("ecs:DeleteService", js{"cluster": "main", "service": "web", "force": true})
		time.Sleep(5 * time.Minute)
		out = c.must("ecs:DescribeServices", js{"cluster": "main", "services": []string{"web"}})
		if got := at[string](t, out, "services", 0, "status"); got != "INACTIVE" {
			t.Errorf("the deleted service is %s", got)
		}
		if _, code := c.send("ecs:UpdateService", js{"cluster": "main", "service": "web"}); code != "ServiceNotActiveException" {
			t.Errorf("updating it was answered %q", code)
		}
	})
}

func TestRunTaskIsIdempotentByItsTokenAndEndsWithItsExitCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rails(nil)
		w.TaskFaults = []TaskFault{{Group: "family:rails", Fails: "exit", ExitCode: 7, After: Duration(3 * time.Second), Log: []string{"no such table"}}}
		c := newClient(t, w)
		in := js{
			"cluster": "main", "taskDefinition": "rails", "launchType": "FARGATE", "clientToken": "run-1", "startedBy": "release",
			"networkConfiguration": js{"awsvpcConfiguration": js{"subnets": []any{"subnet-1"}}},
			"overrides":            js{"containerOverrides": []any{js{"name": "app", "command": []any{"migrate"}}}},
		}
		arn := at[string](t, c.must("ecs:RunTask", in), "tasks", 0, "taskArn")
		if again := at[string](t, c.must("ecs:RunTask", in), "tasks", 0, "taskArn"); again != arn {
			t.Errorf("the same token started %s and %s", arn, again)
		}
		in["count"] = 2
		if _, code := c.send("ecs:RunTask", in); code != "ConflictException" {
			t.Errorf("the token with another count was answered %q", code)
		}
		time.Sleep(2 * time.Minute)
		out := c.must("ecs:DescribeTasks", js{"cluster": "main", "tasks": []string{arn}})
		task := at[js](t, out, "tasks", 0)
		if task["lastStatus"] != "STOPPED" || task["stopCode"] != "EssentialContainerExited" || at[float64](t, task, "containers", 0, "exitCode") != 7 ||
			at[string](t, task, "overrides", "containerOverrides", 0, "command", 0) != "migrate" || task["group"] != "family:rails" {
			t.Errorf("%+v", task)
		}
		logs := c.must("logs:GetLogEvents", js{"logGroupName": "/ecs/rails", "logStreamName": "ecs/app/" + lastPart(arn)})
		if got := at[string](t, logs, "events", 0, "message"); got != "no such table" {
			t.Errorf("the log says %q", got)
		}
		if s := c.service(); s.Running != 2 {
			t.Errorf("the service was hit, too: %+v", s)
		}
	})
}

func TestTagsOfAResource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(func(s *Service) { s.Tags = map[string]string{"team": "web", "tier": "1"} }))
		for _, arn := range []string{"service/main/rails", "cluster/main", "task-definition/rails:41"} {
			arn = "arn:aws:ecs:" + ireland + ":" + account + ":" + arn
			c.must("ecs:TagResource", js{"resourceArn": arn, "tags": []any{js{"key": "team", "value": "core"}, js{"key": "new", "value": "2"}}})
			c.must("ecs:UntagResource", js{"resourceArn": arn, "tagKeys": []string{"tier"}})
			got := c.must("ecs:ListTagsForResource", js{"resourceArn": arn})["tags"]
			if diff := cmp.Diff([]any{js{"key": "team", "value": "core"}, js{"key": "new", "value": "2"}}, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", arn, diff)
			}
		}
	})
}

func TestListsGoOnWhenTheirLastItemHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		four := 4
		c := newClient(t, rails(func(s *Service) { s.Desired = &four }))
		first := c.must("ecs:ListTasks", js{"cluster": "main", "maxResults": 2})
		c.must("ecs:StopTask", js{"cluster": "main", "task": at[string](t, first, "taskArns", 1)})
		rest := c.must("ecs:ListTasks", js{"cluster": "main", "nextToken": first["nextToken"]})
		if got := at[[]any](t, rest, "taskArns"); len(got) != 2 {
			t.Errorf("the rest is %v", got)
		}
	})
}

func TestLogEventsEndWhereTheTokenStaysTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, changed(func(r *Region) { r.LogStreams = map[string]map[string][]string{"g": {"s": {"1", "2", "3", "4", "5"}}} }))
		in := js{"logGroupName": "g", "logStreamName": "s", "startFromHead": true, "limit": 2}
		var got []string
		for {
			out := c.must("logs:GetLogEvents", in)
			for _, e := range at[[]any](t, out, "events") {
				got = append(got, e.(js)["message"].(string))
			}
			if out["nextForwardToken"] == in["nextToken"] {
				break
			}
			in["nextToken"] = out["nextForwardToken"]
		}
		if diff := cmp.Diff([]string{"1", "2", "3", "4", "5"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		found := c.must("logs:FilterLogEvents", js{"logGroupName": "g", "logStreamNamePrefix": "s", "filterPattern": `"3"`})
		if got := at[[]any](t, found, "events"); len(got) != 1 || got[0].(js)["message"] != "3" {
			t.Errorf("the lines with a 3 are %v", got)
		}
		newest := c.must("logs:GetLogEvents", js{"logGroupName": "g", "logStreamName": "s", "limit": 2})
		if got := at[string](t, newest, "events", 1, "message"); got != "5" {
			t.Errorf("without startFromHead the last of two is %q", got)
		}
	})
}

func TestAnswerFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rails(nil)
		w.AnswerFaults = []AnswerFault{
			{Action: "ecs:UpdateService", Where: Where{Cluster: "ma*", Service: "rails"}, Status: 500, Code: "ServerException", Message: "lost", Times: 1, Done: true},
			{Action: "ecs:UpdateService", Where: Where{Cluster: "other"}, Code: "ClientException"},
			{Action: "ecs:ListClusters", Where: Where{From: Duration(time.Minute), Until: Duration(2 * time.Minute)}, Delay: Duration(3 * time.Second)},
		}
		c := newClient(t, w)
		in := js{"cluster": "main", "service": "rails", "desiredCount": 5}
		if _, code := c.send("ecs:UpdateService", in); code != "ServerException" {
			t.Errorf("the first update was answered %q", code)
		}
		if s := c.service(); s.Desired != 5 {
			t.Error("the update was answered with an error and not done")
		}
		c.must("ecs:UpdateService", in)
		for _, want := range []time.Duration{0, 3 * time.Second, 0} {
			start := time.Now()
			c.must("ecs:ListClusters", js{})
			if took := time.Since(start); took != want {
				t.Errorf("%v after the start an answer took %v, not %v", start.Sub(c.aws.world.Start), took, want)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestAnswersTakeTheWorldsLatencyAndHonourTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rails(nil)
		w.Latency, w.Speed = Duration(time.Second), 2
		c := newClient(t, w)
		start := time.Now()
		c.must("ecs:ListClusters", js{})
		if took := time.Since(start); took != 500*time.Millisecond {
			t.Errorf("at double speed an answer took %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, "POST", "https://aws.test/", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.http.Do(r); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 600*time.Millisecond {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestSimulatedTimeRunsAtTheWorldsSpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rails(nil)
		w.Speed, w.Start = 60, time.Date(2026, 1, 31, 4, 5, 6, 0, time.UTC)
		c := newClient(t, w)
		c.deploy("v2")
		time.Sleep(3 * time.Second)
		if s := c.service(); s.RolloutState != "COMPLETED" || s.ServiceDeployment != "SUCCESSFUL" {
			t.Errorf("three minutes later: %+v", s)
		}
		if got, want := c.aws.Now(), w.Start.Add(3*time.Minute+200*time.Millisecond); got.Sub(want).Abs() > time.Microsecond {
			t.Errorf("it is %v, not %v", got, want)
		}
	})
}

func TestAccessKeyDecidesTheAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rails(nil)
		w.DefaultAccount = "999900001111"
		w.AccessKeys = map[string]string{"AKIALISTED": "444455556666", "AKIAROLE": "444455556666/watch"}
		w.Accounts["444455556666"] = Account{Roles: []Role{{Name: "watch", Allow: []string{"ecs:Describe*"}, Deny: []string{"ecs:DescribeTasks"}}}}
		c := newClient(t, w)
		for key, want := range map[string]string{
			"111122223333": "111122223333", "AKIA444455556666XY": "444455556666", "AKIALISTED": "444455556666", "AKIAROLE": "444455556666", "AKIAIOSFODNN7EXAMPLE": "999900001111",
		} {
			c.key = key
			c.send("ecs:DescribeClusters", js{})
			calls := c.aws.Calls()
			if got := calls[len(calls)-1].Account; got != want {
				t.Errorf("%s belongs to %s, not %s", key, got, want)
			}
		}
		c.key = "AKIAROLE"
		who := "User: arn:aws:sts::444455556666:assumed-role/watch/ambient is not authorized to perform: "
		for action, want := range map[string]string{
			"ecs:UpdateService": who + "ecs:UpdateService on resource: arn:aws:ecs:eu-west-1:444455556666:service/main/rails because no identity-based policy allows the ecs:UpdateService action",
			"ecs:DescribeTasks": who + "ecs:DescribeTasks on resource: arn:aws:ecs:eu-west-1:444455556666:service/main/rails with an explicit deny in an identity-based policy",
		} {
			out, code := c.send(action, js{"cluster": "main", "service": "rails"})
			if code != "AccessDeniedException" || out["message"] != want {
				t.Errorf("%s was answered %s: %v", action, code, out["message"])
			}
		}
		c.key = ""
		if _, code := c.send("ecs:ListClusters", js{}); code != "MissingAuthenticationTokenException" {
			t.Errorf("a request without credentials was answered %q", code)
		}
	})
}

func TestWebIdentityMustMatchTheRolesSubjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := World{Accounts: map[string]Account{account: {Roles: []Role{{Name: "deploy", Subjects: []string{"repo:acme/app:environment:*"}}}}}}
		c := newClient(t, w)
		for subject, want := range map[string]int{"repo:acme/app:environment:prod": http.StatusOK, "repo:evil/app:environment:prod": http.StatusForbidden} {
			claims, err := json.Marshal(js{"sub": subject})
			if err != nil {
				t.Fatal(err)
			}
			form := url.Values{
				"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {"arn:aws:iam::" + account + ":role/deploy"},
				"RoleSessionName": {"run"}, "WebIdentityToken": {"e30." + base64.RawURLEncoding.EncodeToString(claims) + ".e30"},
			}
			answer, err := c.http.PostForm("https://sts.eu-west-1.amazonaws.com/", form)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(answer.Body)
			if err != nil || answer.StatusCode != want {
				t.Errorf("%s: %v %d %s", subject, err, answer.StatusCode, text)
			}
		}
	})
}

func TestManyClientsAtOnce(t *testing.T) {
	c := newClient(t, rails(nil))
	arn := c.register("v2")
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			c.send("ecs:DescribeServices", js{"cluster": "main", "services": []string{"rails"}})
			c.send("ecs:UpdateService", js{"cluster": "main", "service": "rails", "taskDefinition": arn, "desiredCount": i % 5})
			c.service()
			c.aws.Calls()
		})
	}
	group.Wait()
	if got := len(c.aws.Calls()); got != 41 {
		t.Errorf("%d calls were counted", got)
	}
}

func TestTheSimulationRepeatsItself(t *testing.T) {
	run := func() (state ServiceState) {
		synctest.Test(t, func(t *testing.T) {
			c := newClient(t, rails(nil))
			c.deploy("v9")
			time.Sleep(time.Hour)
			state = c.service()
		})
		return state
	}
	if diff := cmp.Diff(run(), run()); diff != "" {
		t.Errorf("two equal runs differ:\n%s", diff)
	}
}

func TestClusterIsMadeAndDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, World{})
		arn := at[string](t, c.must("ecs:CreateCluster", js{"clusterName": "main"}), "cluster", "clusterArn")
		c.must("ecs:CreateCluster", js{})
		list := c.must("ecs:ListClusters", js{})
		want := []any{"arn:aws:ecs:" + ireland + ":" + account + ":cluster/default", arn}
		if diff := cmp.Diff(want, list["clusterArns"]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		c.must("ecs:DeleteCluster", js{"cluster": arn})
		if _, code := c.send("ecs:ListServices", js{"cluster": "main"}); code != "ClusterNotFoundException" {
			t.Errorf("the deleted cluster answered %q", code)
		}
		foreign := "arn:aws:ecs:us-east-1:" + account + ":cluster/default"
		if _, code := c.send("ecs:ListServices", js{"cluster": foreign}); code != "ClusterNotFoundException" {
			t.Errorf("another Region's ARN answered %q", code)
		}
	})
}

func TestServiceDeploymentsAreFilteredByStatusAndTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(nil))
		start := time.Now().Unix()
		c.deploy("v2")
		c.until(done)
		c.deploy("v3")
		time.Sleep(time.Minute)
		for _, test := range []struct {
			filter js
			want   int
		}{
			{js{}, 3},
			{js{"status": []string{"SUCCESSFUL"}}, 2},
			{js{"status": []string{"IN_PROGRESS", "PENDING"}}, 1},
			{js{"createdAt": js{"after": start}}, 2},
			{js{"createdAt": js{"before": start}}, 1},
			{js{"maxResults": 2}, 2},
		} {
			test.filter["service"] = "arn:aws:ecs:" + ireland + ":" + account + ":service/main/rails"
			out := c.must("ecs:ListServiceDeployments", test.filter)
			if got := len(at[[]any](t, out, "serviceDeployments")); got != test.want {
				t.Errorf("%v lists %d, not %d", test.filter, got, test.want)
			}
		}
	})
}
