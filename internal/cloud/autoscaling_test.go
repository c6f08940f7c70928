package cloud

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/throttle"
)

// autoscalingAnswers is an Application Auto Scaling that says what a test wants
// of an action and its request, and keeps what it was asked.
type autoscalingAnswers struct {
	answer func(action string, in map[string]any) (status int, body string)
	asked  []string
}

func (a *autoscalingAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	status, text := http.StatusOK, identity
	if _, action, found := strings.Cut(r.Header.Get("X-Amz-Target"), "AnyScaleFrontendService."); found {
		var in map[string]any
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		a.asked = append(a.asked, action+" "+string(body))
		status, text = a.answer(action, in)
	}
	return &http.Response{StatusCode: status, Header: make(http.Header), Body: io.NopCloser(bytes.NewReader([]byte(text))), Request: r}, nil
}

func (a *autoscalingAnswers) client(t *testing.T) *Client {
	ambient(t)
	c, err := New(t.Context(), Options{Transport: a, Throttle: throttle.New(throttle.Limits{}), Session: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return enter(t, c, Place{Region: "eu-west-1"})
}

func scalables(n int) []Scalable {
	all := make([]Scalable, n)
	for i := range all {
		all[i] = ScalableOf(fmt.Sprintf("arn:aws:ecs:eu-west-1:444455556666:cluster/tenant-%d", i+1), "rails")
	}
	return all
}

func TestScalableTargetsAreReadFiftyACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		aws := &autoscalingAnswers{answer: func(_ string, in map[string]any) (int, string) {
			var targets []string
			for _, id := range in["ResourceIds"].([]any) {
				if id != "service/tenant-7/rails" { // which has none
					targets = append(targets, fmt.Sprintf(`{"ResourceId": %q, "MinCapacity": 2, "MaxCapacity": 10, "SuspendedState": {"DynamicScalingInSuspended": true}}`, id))
				}
			}
			return 200, `{"ScalableTargets": [` + strings.Join(targets, ",") + `]}`
		}}
		found, err := aws.client(t).ScalableTargets(t.Context(), scalables(120))
		if err != nil || len(aws.asked) != 3 || len(found) != 119 {
			t.Errorf("%d calls, %d targets, %v", len(aws.asked), len(found), err)
		}
		want := fleet.ScalableTarget{Bounds: fleet.Bounds{Min: 2, Max: 10}, Suspended: fleet.Suspension{In: true}}
		if diff := cmp.Diff(want, found[Scalable{"tenant-120", "rails"}]); diff != "" {
			t.Error(diff)
		}
	})
}

// The list of a whole account may be much longer than what is asked for.
func TestScheduledActionsAreReadTheCheaperWay(t *testing.T) {
	action := `{"ScheduledActionName": "night", "Schedule": "cron(0 22 * * ? *)", "Timezone": "Europe/Rome", "ResourceId": %q, "ScalableTargetAction": {"MaxCapacity": 4}}`
	for name, test := range map[string]struct {
		services, pages, calls int
	}{
		"one service is asked for alone":               {services: 1, pages: 3, calls: 1},
		"two hundred in one list":                      {services: 200, pages: 5, calls: 5},
		"three in the list of a large account":         {services: 3, pages: 400, calls: 5},
		"thirty, and a list of hundreds of pages":      {services: 30, pages: 400, calls: 34},
		"two hundred, and a list of hundreds of pages": {services: 200, pages: 400, calls: 218},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				page := 0
				aws := &autoscalingAnswers{answer: func(_ string, in map[string]any) (int, string) {
					if id, alone := in["ResourceId"]; alone {
						return 200, `{"ScheduledActions": [` + fmt.Sprintf(action, id) + `]}`
					}
					var actions []string
					for i := range 50 {
						actions = append(actions, fmt.Sprintf(action, fmt.Sprintf("service/tenant-%d/rails", page*50+i+1)))
					}
					if page++; page == test.pages {
						return 200, `{"ScheduledActions": [` + strings.Join(actions, ",") + `]}`
					}
					return 200, `{"NextToken": "more", "ScheduledActions": [` + strings.Join(actions, ",") + `]}`
				}}
				found, err := aws.client(t).ScheduledActions(t.Context(), scalables(test.services))
				if err != nil || len(aws.asked) != test.calls || len(found) != test.services {
					t.Errorf("%d calls, actions of %d services, %v", len(aws.asked), len(found), err)
				}
				want := []fleet.ScheduledAction{{Name: "night", Schedule: "cron(0 22 * * ? *)", Zone: "Europe/Rome", Max: ptr(4)}}
				if diff := cmp.Diff(want, found[Scalable{"tenant-1", "rails"}]); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func ptr(n int) *int { return aws.Int(n) }

func TestWritesOfAutoscaling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		aws := &autoscalingAnswers{answer: func(action string, _ map[string]any) (int, string) {
			if tries++; tries == 1 { // another write to the target is under way
				return 500, `{"__type": "ConcurrentUpdateException", "Message": "Scalable Target is being modified"}`
			}
			if strings.HasPrefix(action, "De") {
				return 400, `{"__type": "ObjectNotFoundException", "Message": "No such thing"}`
			}
			return 200, `{}`
		}}
		client, s := aws.client(t), Scalable{"tenant-1", "rails"}
		for _, err := range []error{
			client.SetScaling(t.Context(), s, ptr(12), nil, &fleet.Suspension{Scheduled: true}),
			client.ScheduleOnce(t.Context(), s, "end", time.Date(2026, 3, 28, 23, 0, 0, 0, time.FixedZone("CET", 3600)), ptr(2), ptr(10)),
			client.Unschedule(t.Context(), s, "end"),
			client.RemoveScalableTarget(t.Context(), s),
		} {
			if err != nil {
				t.Error(err)
			}
		}
		of := `"ResourceId":"service/tenant-1/rails","ScalableDimension":"ecs:service:DesiredCount",`
		set := `RegisterScalableTarget {"MinCapacity":12,` + of + `"ServiceNamespace":"ecs","SuspendedState":{"DynamicScalingInSuspended":false,"DynamicScalingOutSuspended":false,"ScheduledScalingSuspended":true}}`
		want := []string{
			set, set,
			`PutScheduledAction {` + of + `"ScalableTargetAction":{"MaxCapacity":10,"MinCapacity":2},"Schedule":"at(2026-03-28T22:00:00)","ScheduledActionName":"end","ServiceNamespace":"ecs"}`,
			`DeleteScheduledAction {` + of + `"ScheduledActionName":"end","ServiceNamespace":"ecs"}`,
			`DeregisterScalableTarget {` + of + `"ServiceNamespace":"ecs"}`,
		}
		if diff := cmp.Diff(want, aws.asked); diff != "" {
			t.Error(diff)
		}
	})
}

// Every module of the SDK has to name its service before the call is metered.
func TestAutoscalingIsMeteredInItsOwnBuckets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ambient(t)
		registry := throttle.New(throttle.Limits{})
		aws := &autoscalingAnswers{answer: func(string, map[string]any) (int, string) { return 200, `{}` }}
		c, err := New(t.Context(), Options{Transport: aws, Throttle: registry, Session: "test"})
		if err != nil {
			t.Fatal(err)
		}
		client := enter(t, c, Place{Region: "eu-west-1"})
		_, read := client.ScalableTargets(t.Context(), scalables(1))
		write := client.Unschedule(t.Context(), scalables(1)[0], "end")
		if read != nil || write != nil {
			t.Error(read, write)
		}
		var buckets []string
		for _, u := range registry.Usage() {
			buckets = append(buckets, u.Bucket)
		}
		if diff := cmp.Diff([]string{"sts", "application-autoscaling:read", "application-autoscaling:write"}, buckets); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAScalableTargetThatMayNotBeChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		aws := &autoscalingAnswers{answer: func(string, map[string]any) (int, string) {
			return 400, `{"__type": "AccessDeniedException", "Message": "not authorized"}`
		}}
		err := aws.client(t).SetScaling(t.Context(), Scalable{"tenant-1", "rails"}, ptr(1), nil, nil)
		want := `access denied for application-autoscaling:RegisterScalableTarget on the autoscaling of service "rails" in cluster "tenant-1": not authorized`
		if !Denied(err) || err.Error() != want {
			t.Errorf("%v", err)
		}
	})
}
