package sim

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/google/go-cmp/cmp"
)

// behindBalancer is a world with one service of two tasks behind a load
// balancer, and alarms.
func behindBalancer() World {
	two := 2
	return World{Accounts: map[string]Account{account: {Regions: map[string]Region{ireland: {
		Services: []Service{{
			Cluster: "main", Name: "rails", Containers: map[string]string{"app": "rails:v1"}, Desired: &two,
			LoadBalancer: &LoadBalancer{TargetGroup: "rails", Container: "app", Port: 3000},
		}},
		Alarms: []Alarm{
			{Name: "errors", Firing: []Window{{From: after(2), Until: after(4)}}, Reason: "Threshold Crossed: 7 > 5"},
			{Name: "product", Composite: true},
		},
	}}}}}
}

func after(n int) Duration { return Duration(time.Duration(n) * time.Minute) }

func TestAlarmsAreShownAsTheWorldSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, err := New(behindBalancer())
		if err != nil {
			t.Fatal(err)
		}
		client := cloudwatch.NewFromConfig(sdk(a, "AKIA"+account))
		ask := func(types ...cwtypes.AlarmType) string {
			out, err := client.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{"errors", "product", "nothing"}, AlarmTypes: types})
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, m := range out.MetricAlarms {
				all = append(all, aws.ToString(m.AlarmName)+" "+string(m.StateValue)+" "+m.StateTransitionedTimestamp.Sub(a.world.Start).String())
			}
			for _, c := range out.CompositeAlarms {
				all = append(all, aws.ToString(c.AlarmName)+" "+string(c.StateValue))
			}
			return strings.Join(all, "; ")
		}
		both := []cwtypes.AlarmType{cwtypes.AlarmTypeMetricAlarm, cwtypes.AlarmTypeCompositeAlarm}
		got := []string{ask(), ask(both...)}
		time.Sleep(3 * time.Minute)
		got = append(got, ask(both...))
		time.Sleep(time.Minute)
		got = append(got, ask())
		want := []string{"errors OK 0s", "errors OK 0s; product OK", "errors ALARM 2m0s; product OK", "errors OK 4m0s"}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("alarms (-want +got):\n%s", d)
		}
	})
}

func TestAnOverloadedTaskIsSeenInTargetHealthAndMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := behindBalancer()
		w.TaskFaults = []TaskFault{
			{Where: Where{Service: "rails", From: after(2), Until: after(4)}, Fails: "overload", Tasks: 1, PerMinute: 30},
			{Where: Where{From: after(3)}, Image: "rails:*", Fails: "errors", PerMinute: 6},
		}
		a, err := New(w)
		if err != nil {
			t.Fatal(err)
		}
		cfg := sdk(a, "AKIA"+account)
		balancers, metrics := elb.NewFromConfig(cfg), cloudwatch.NewFromConfig(cfg)
		groups, err := balancers.DescribeTargetGroups(t.Context(), &elb.DescribeTargetGroupsInput{})
		if err != nil {
			t.Fatal(err)
		}
		arn, balancer := groups.TargetGroups[0].TargetGroupArn, groups.TargetGroups[0].LoadBalancerArns[0]
		health := func() string {
			out, err := balancers.DescribeTargetHealth(t.Context(), &elb.DescribeTargetHealthInput{TargetGroupArn: arn})
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, d := range out.TargetHealthDescriptions {
				all = append(all, strings.TrimSpace(aws.ToString(d.Target.Id)+" "+string(d.TargetHealth.State)+" "+string(d.TargetHealth.Reason)))
			}
			return strings.Join(all, ", ")
		}
		quiet := health()
		time.Sleep(3 * time.Minute)
		busy := health()
		time.Sleep(3 * time.Minute)
		if quiet != "10.131.156.5 healthy, 10.131.156.6 healthy" || busy != "10.131.156.5 unhealthy Target.Timeout, 10.131.156.6 healthy" || health() != quiet {
			t.Errorf("targets: %q, then %q, then %q", quiet, busy, health())
		}

		_, group, _ := strings.Cut(aws.ToString(arn), ":targetgroup/")
		_, name, _ := strings.Cut(balancer, ":loadbalancer/")
		of := map[string]string{"LoadBalancer": name}
		ofGroup := map[string]string{"LoadBalancer": name, "TargetGroup": "targetgroup/" + group}
		query := func(id, metric, stat string, dimensions map[string]string) cwtypes.MetricDataQuery {
			m := &cwtypes.Metric{Namespace: aws.String("AWS/ApplicationELB"), MetricName: &metric}
			for _, k := range sortedKeys(dimensions) {
				m.Dimensions = append(m.Dimensions, cwtypes.Dimension{Name: aws.String(k), Value: aws.String(dimensions[k])})
			}
			return cwtypes.MetricDataQuery{Id: &id, MetricStat: &cwtypes.MetricStat{Metric: m, Period: aws.Int32(60), Stat: &stat}}
		}
		out, err := metrics.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
			StartTime: &a.world.Start, EndTime: aws.Time(a.Now()), ScanBy: cwtypes.ScanByTimestampAscending,
			MetricDataQueries: []cwtypes.MetricDataQuery{
				query("target", "HTTPCode_Target_5XX_Count", "Sum", ofGroup), query("elb", "HTTPCode_ELB_5XX_Count", "Sum", of),
				query("unhealthy", "UnHealthyHostCount", "Maximum", ofGroup), query("requests", "RequestCount", "Sum", ofGroup),
				query("slow", "TargetResponseTime", "Average", ofGroup), query("wrong", "HTTPCode_ELB_5XX_Count", "Sum", ofGroup),
			}})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string][]float64{}
		for _, r := range out.MetricDataResults {
			got[aws.ToString(r.Id)] = r.Values
		}
		// The minute that has just ended cannot be read yet.
		want := map[string][]float64{
			"target": {12, 12}, "elb": {30, 30}, "unhealthy": {0, 0, 1, 1, 0}, "requests": {600, 600, 600, 600, 600},
			"slow": {0.1, 0.1, 3.1, 3.1, 0.1}, "wrong": {},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("metrics (-want +got):\n%s", d)
		}
	})
}

func TestTargetsOfADeploymentAreInitialThenUnhealthyOrHealthyThenDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := behindBalancer()
		w.TaskFaults = []TaskFault{{Image: "rails:v2", Fails: "health", TargetReason: "Target.FailedHealthChecks"}}
		c := newClient(t, w)
		a := c.aws
		c.must("ecs:RegisterTaskDefinition", js{"family": "rails", "networkMode": "awsvpc", "requiresCompatibilities": []string{"FARGATE"}, "cpu": "256", "memory": "512", "containerDefinitions": []any{js{"name": "app", "image": "rails:v2", "memory": 128}}})
		c.must("ecs:UpdateService", js{"cluster": "main", "service": "rails", "taskDefinition": "rails:2"})
		balancers := elb.NewFromConfig(sdk(a, "AKIA"+account))
		groups, err := balancers.DescribeTargetGroups(t.Context(), &elb.DescribeTargetGroupsInput{Names: []string{"rails"}})
		if err != nil {
			t.Fatal(err)
		}
		states := map[string]bool{}
		for range 40 {
			out, err := balancers.DescribeTargetHealth(t.Context(), &elb.DescribeTargetHealthInput{TargetGroupArn: groups.TargetGroups[0].TargetGroupArn})
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range out.TargetHealthDescriptions {
				states[string(d.TargetHealth.State)+" "+string(d.TargetHealth.Reason)] = true
			}
			time.Sleep(5 * time.Second)
		}
		want := []string{"draining Target.DeregistrationInProgress", "healthy ", "initial Elb.InitialHealthChecking", "initial Elb.RegistrationInProgress", "unhealthy Target.FailedHealthChecks"}
		if d := cmp.Diff(want, sortedKeys(states)); d != "" {
			t.Errorf("states (-want +got):\n%s", d)
		}
	})
}

func TestTheCLIReadsHealthAlarmsAndMetrics(t *testing.T) {
	c, _ := newCLI(t, behindBalancer())
	arn := c.must("elbv2", "describe-target-groups", "--names", "rails", "--query", "TargetGroups[0].TargetGroupArn")
	if got := c.must("elbv2", "describe-target-health", "--target-group-arn", arn, "--query", "TargetHealthDescriptions[].TargetHealth.State"); got != "healthy\thealthy" {
		t.Errorf("the targets are %q", got)
	}
	if got := c.must("cloudwatch", "describe-alarms", "--alarm-names", "errors", "--query", "MetricAlarms[].[AlarmName,StateValue]"); got != "errors\tOK" {
		t.Errorf("the alarms are %q", got)
	}
	balancer := c.must("elbv2", "describe-target-groups", "--query", "TargetGroups[0].LoadBalancerArns[0]")
	_, name, _ := strings.Cut(balancer, ":loadbalancer/")
	query := `[{"Id":"r","MetricStat":{"Period":60,"Stat":"Sum","Metric":{"Namespace":"AWS/ApplicationELB","MetricName":"RequestCount","Dimensions":[{"Name":"LoadBalancer","Value":"` + name + `"}]}}}]`
	ago := func(d time.Duration) string { return time.Now().Add(-d).UTC().Format(time.RFC3339) }
	if got := c.must("cloudwatch", "get-metric-data", "--metric-data-queries", query, "--start-time", ago(10*time.Minute), "--end-time", ago(5*time.Minute),
		"--query", "MetricDataResults[0].Values[0]"); strings.TrimSuffix(got, ".0") != "600" {
		t.Errorf("the requests are %q", got)
	}
}

// Older SDKs and CLIs speak the query protocol to CloudWatch.
func TestCloudWatchIsAskedByFormsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, behindBalancer())
		time.Sleep(5 * time.Minute)
		form := url.Values{
			"Action": {"GetMetricData"}, "Version": {"2010-08-01"}, "StartTime": {c.aws.world.Start.Format(time.RFC3339)}, "EndTime": {c.aws.Now().Format(time.RFC3339)},
			"MetricDataQueries.member.1.Id": {"m"}, "MetricDataQueries.member.1.MetricStat.Stat": {"Sum"}, "MetricDataQueries.member.1.MetricStat.Period": {"180"},
			"MetricDataQueries.member.1.ReturnData":                                  {"true"},
			"MetricDataQueries.member.1.MetricStat.Metric.Namespace":                 {"AWS/ApplicationELB"},
			"MetricDataQueries.member.1.MetricStat.Metric.MetricName":                {"RequestCount"},
			"MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Name":  {"LoadBalancer"},
			"MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Value": {"app/rails/" + strings.ToLower(fill("balancer rails"))},
		}
		r := httptest.NewRequest("POST", "/", strings.NewReader(form.Encode()))
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIA"+account+"/20260131/"+ireland+"/monitoring/aws4_request, SignedHeaders=host, Signature=0")
		answer := httptest.NewRecorder()
		c.aws.ServeHTTP(answer, r)
		if text := answer.Body.String(); answer.Code != 200 || !strings.Contains(text, "<Id>m</Id>") || !strings.Contains(text, "<Values><member>600</member><member>1800</member>") {
			t.Errorf("%d %s", answer.Code, text)
		}
	})
}

func TestCBORIsReadAsItIsWritten(t *testing.T) {
	in := map[string]any{"text": "ä", "n": 70000, "less": -300, "half": 0.5, "yes": true, "list": []any{1, "two", nil}, "map": map[string]any{}}
	r := cborReader{rest: toCBOR(nil, reflect.ValueOf(in))}
	out, err := r.value(0)
	if err != nil || len(r.rest) > 0 {
		t.Fatal(err, r.rest)
	}
	want, _ := json.Marshal(in)
	got, _ := json.Marshal(out)
	if string(want) != string(got) {
		t.Errorf("%s came back as %s", want, got)
	}
	endless := cborReader{rest: []byte{0xbf, 0x7f, 0x61, 'a', 0x61, 'b', 0xff, 0x9f, 0x01, 0xff, 0xff}} // {_ (_ "a", "b"): [_ 1]}
	if v, err := endless.value(0); err != nil || !reflect.DeepEqual(v, map[string]any{"ab": []any{uint64(1)}}) {
		t.Errorf("%v %v", v, err)
	}
}

func FuzzCBOR(f *testing.F) {
	f.Add([]byte{0xbf, 0x61, 'a', 0xfb, 1, 2, 3, 4, 5, 6, 7, 8, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := cborReader{rest: b}
		_, _ = r.value(0)
	})
}

func TestProtectedTasksOutliveTheDeploymentUntilTheirProtectionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(func(s *Service) { s.ProtectedUntil = after(20) }))
		tasks := at[[]any](t, c.must("ecs:ListTasks", js{"cluster": "main"}), "taskArns")
		protected := func() (n int) {
			for _, p := range at[[]any](t, c.must("ecs:GetTaskProtection", js{"cluster": "main", "tasks": append(tasks, "unknown")}), "protectedTasks") {
				if p.(js)["protectionEnabled"] == true {
					n++
				}
			}
			return n
		}
		c.deploy("v2")
		time.Sleep(19 * time.Minute)
		s, _ := c.aws.Service(account, ireland, "main", "rails")
		if s.Running != 4 || s.RolloutState != "IN_PROGRESS" || protected() != 2 {
			t.Errorf("%d tasks run, the deployment is %s, %d are protected", s.Running, s.RolloutState, protected())
		}
		time.Sleep(4 * time.Minute)
		s, _ = c.aws.Service(account, ireland, "main", "rails")
		if s.Running != 2 || s.RolloutState != "COMPLETED" || protected() != 0 {
			t.Errorf("then %d tasks run, the deployment is %s, %d are protected", s.Running, s.RolloutState, protected())
		}
	})
}
