package sim

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// cloudWatchAPI is CloudWatch's alarms and the metrics of load balancers.
func cloudWatchAPI() api {
	return api{name: "cloudwatch", target: "GraniteServiceVersion20100801", version: "2010-08-01", actions: map[string]action{
		"DescribeAlarms": {bucket: "cloudwatch:DescribeAlarms", do: describeAlarms},
		"GetMetricData":  {bucket: "cloudwatch:GetMetricData", do: getMetricData},
	}}
}

// alarmFiring says whether a CloudWatch alarm is in the state ALARM.
func (r *region) alarmFiring(name string) bool {
	for _, a := range r.alarms {
		if a.Name == name {
			return a.firing(r.aws.since())
		}
	}
	return false
}

// since is the time since the world's start.
func (a *AWS) since() Duration { return Duration(a.clock.Sub(a.world.Start)) }

func (a Alarm) firing(now Duration) bool {
	for _, w := range a.Firing {
		if w.holds(now) {
			return true
		}
	}
	return false
}

func (w Window) holds(now Duration) bool { return now >= w.From && (w.Until == 0 || now < w.Until) }

// changed is when the alarm's state last changed: at the start at the latest.
func (a Alarm) changed(now Duration) Duration {
	var last Duration
	for _, w := range a.Firing {
		for _, at := range []Duration{w.From, w.Until} {
			if at <= now {
				last = max(last, at)
			}
		}
	}
	return last
}

// shownAlarm is an alarm in answers. A composite one has a rule, and no metric.
type shownAlarm struct {
	AlarmName                  string `json:"AlarmName"`
	AlarmArn                   string `json:"AlarmArn"`
	ActionsEnabled             bool   `json:"ActionsEnabled"`
	StateValue                 string `json:"StateValue"`
	StateReason                string `json:"StateReason"`
	StateUpdatedTimestamp      stamp  `json:"StateUpdatedTimestamp"`
	StateTransitionedTimestamp stamp  `json:"StateTransitionedTimestamp"`
	MetricName                 string `json:"MetricName,omitempty" xml:",omitempty"`
	Namespace                  string `json:"Namespace,omitempty" xml:",omitempty"`
	AlarmRule                  string `json:"AlarmRule,omitempty" xml:",omitempty"`
}

func (r *region) showAlarm(a Alarm) shownAlarm {
	now := r.aws.since()
	at := stamp(r.aws.world.Start.Add(time.Duration(a.changed(now))))
	s := shownAlarm{
		AlarmName: a.Name, AlarmArn: r.arn("cloudwatch", "alarm:"+a.Name), ActionsEnabled: true, StateValue: "OK",
		StateReason: "Threshold Crossed: 1 datapoint was not greater than the threshold.", StateUpdatedTimestamp: at, StateTransitionedTimestamp: at,
	}
	if a.firing(now) {
		s.StateValue, s.StateReason = "ALARM", cmp.Or(a.Reason, "Threshold Crossed: 1 datapoint was greater than the threshold.")
	}
	if a.Composite {
		s.AlarmRule = "ALARM(" + a.Name + "-part)"
	} else {
		s.MetricName, s.Namespace = "HTTPCode_Target_5XX_Count", "AWS/ApplicationELB"
	}
	return s
}

// describeAlarms leaves composite alarms out unless AlarmTypes asks for them,
// takes 100 names, and answers at most 100 alarms a page. A name that does not
// exist is left out.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
func describeAlarms(c *call) (any, error) {
	var in struct {
		Names      []string `json:"AlarmNames"`
		Prefix     string   `json:"AlarmNamePrefix"`
		Types      []string `json:"AlarmTypes"`
		State      string   `json:"StateValue"`
		MaxRecords int      `json:"MaxRecords"`
		NextToken  string   `json:"NextToken"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	switch {
	case len(in.Names) > 100:
		return nil, fault("ValidationError", "1 validation error detected: Value at 'alarmNames' failed to satisfy constraint: Member must have length less than or equal to 100")
	case len(in.Names) > 0 && in.Prefix != "":
		return nil, fault("ValidationError", "AlarmNamePrefix and AlarmNames cannot be given together")
	case in.MaxRecords < 0 || in.MaxRecords > 100:
		return nil, fault("ValidationError", "1 validation error detected: Value at 'maxRecords' failed to satisfy constraint: Member must have value between 1 and 100")
	}
	var found []Alarm
	for _, a := range c.region.alarms {
		kind := "MetricAlarm"
		if a.Composite {
			kind = "CompositeAlarm"
		}
		wanted := slices.Contains(in.Types, kind) || len(in.Types) == 0 && !a.Composite
		named := len(in.Names) == 0 || slices.Contains(in.Names, a.Name)
		if wanted && named && strings.HasPrefix(a.Name, in.Prefix) && (in.State == "" || in.State == c.region.showAlarm(a).StateValue) {
			found = append(found, a)
		}
	}
	from, to, next, err := markedPage(in.NextToken, cmp.Or(in.MaxRecords, 50), len(found))
	if err != nil {
		return nil, fault("InvalidNextToken", "the next token is not one of mine")
	}
	out := struct {
		Metric    []shownAlarm `json:"MetricAlarms" xml:"MetricAlarms>member"`
		Composite []shownAlarm `json:"CompositeAlarms" xml:"CompositeAlarms>member"`
		NextToken string       `json:"NextToken,omitempty" xml:",omitempty"`
	}{NextToken: next}
	for _, a := range found[from:to] {
		if a.Composite {
			out.Composite = append(out.Composite, c.region.showAlarm(a))
		} else {
			out.Metric = append(out.Metric, c.region.showAlarm(a))
		}
	}
	return out, nil
}

type metricQuery struct {
	ID         string `json:"Id"`
	Expression string `json:"Expression"`
	Label      string `json:"Label"`
	ReturnData *bool  `json:"ReturnData"`
	Stat       struct {
		Metric struct {
			Namespace  string `json:"Namespace"`
			Name       string `json:"MetricName"`
			Dimensions []struct {
				Name  string `json:"Name"`
				Value string `json:"Value"`
			} `json:"Dimensions"`
		} `json:"Metric"`
		Period int    `json:"Period"`
		Stat   string `json:"Stat"`
	} `json:"MetricStat"`
}

type metricResult struct {
	ID         string    `json:"Id" xml:"Id"`
	Label      string    `json:"Label"`
	Timestamps []stamp   `json:"Timestamps" xml:"Timestamps>member"`
	Values     []float64 `json:"Values" xml:"Values>member"`
	StatusCode string    `json:"StatusCode"`
}

// getMetricData answers all datapoints in one page, newest first unless asked
// otherwise. Expressions are not simulated.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
func getMetricData(c *call) (any, error) {
	var in struct {
		Queries []metricQuery `json:"MetricDataQueries"`
		Start   stamp         `json:"StartTime"`
		End     stamp         `json:"EndTime"`
		ScanBy  string        `json:"ScanBy"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if n := len(in.Queries); n == 0 || n > 500 {
		return nil, fault("ValidationError", "The number of MetricDataQueries is %d; it must be from 1 to 500", n)
	}
	if !time.Time(in.Start).Before(time.Time(in.End)) {
		return nil, fault("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
	}
	out := struct {
		Results []metricResult `json:"MetricDataResults" xml:"MetricDataResults>member"`
	}{}
	for _, q := range in.Queries {
		if q.Expression != "" || q.Stat.Period <= 0 || q.Stat.Period%60 != 0 {
			return nil, fault("ValidationError", "Error in expression or period of %q: metrics with a period of whole minutes are simulated", q.ID)
		}
		result := metricResult{ID: q.ID, Label: cmp.Or(q.Label, q.Stat.Metric.Name), StatusCode: "Complete", Timestamps: []stamp{}, Values: []float64{}}
		for _, p := range c.region.datapoints(q, time.Time(in.Start), time.Time(in.End)) {
			result.Timestamps, result.Values = append(result.Timestamps, stamp(p.at)), append(result.Values, p.value)
		}
		if in.ScanBy != "TimestampAscending" {
			slices.Reverse(result.Timestamps)
			slices.Reverse(result.Values)
		}
		if q.ReturnData == nil || *q.ReturnData {
			out.Results = append(out.Results, result)
		}
	}
	return out, nil
}

type datapoint struct {
	at    time.Time
	value float64
}

// metricsLate is how long after its end a minute can be read: a guess.
const metricsLate = 20 * time.Second

// datapoints are a metric's, by period, oldest first. What there is nothing of
// has no datapoint.
func (r *region) datapoints(q metricQuery, from, to time.Time) []datapoint {
	m := r.balancerMetric(q)
	period := time.Duration(q.Stat.Period) * time.Second
	var all []datapoint
	for at := from.Truncate(period); at.Before(to); at = at.Add(period) {
		var minutes []float64
		for minute := at; minute.Before(at.Add(period)); minute = minute.Add(time.Minute) {
			if r.aws.clock.Before(minute.Add(time.Minute + metricsLate)) {
				break
			}
			if v, ok := m(minute); ok {
				minutes = append(minutes, v)
			}
		}
		if len(minutes) > 0 && !at.Before(from) {
			all = append(all, datapoint{at, statistic(q.Stat.Stat, minutes)})
		}
	}
	return all
}

func statistic(name string, values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	switch name {
	case "Sum":
		return sum
	case "Minimum":
		return slices.Min(values)
	case "Average":
		return sum / float64(len(values))
	}
	return slices.Max(values)
}

// balancerMetric is a metric of AWS/ApplicationELB by minute; one that does not
// exist has no values.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
func (r *region) balancerMetric(q metricQuery) func(minute time.Time) (float64, bool) {
	dimensions := map[string]string{}
	for _, d := range q.Stat.Metric.Dimensions {
		dimensions[d.Name] = d.Value
	}
	group, byGroup := dimensions["TargetGroup"]
	var deployments []*deployment
	for _, g := range r.targetGroups() {
		of := strings.HasSuffix(g.balancer, "loadbalancer/"+dimensions["LoadBalancer"]) && dimensions["LoadBalancer"] != ""
		if of && (!byGroup || strings.HasSuffix(g.arn, ":"+group)) {
			deployments = append(deployments, g.deployments...)
		}
	}
	none := func(time.Time) (float64, bool) { return 0, false }
	if q.Stat.Metric.Namespace != "AWS/ApplicationELB" || len(deployments) == 0 {
		return none
	}
	positive := func(count func(minute time.Time) float64) func(time.Time) (float64, bool) {
		return func(minute time.Time) (float64, bool) { n := count(minute); return n, n > 0 }
	}
	tasks := tasksOf(deployments, func(*task) bool { return true })
	switch name := q.Stat.Metric.Name; {
	case name == "HTTPCode_Target_5XX_Count":
		return positive(func(m time.Time) float64 { return r.badAnswers("errors", tasks, m) })
	case name == "HTTPCode_ELB_5XX_Count" && !byGroup:
		return positive(func(m time.Time) float64 { return r.badAnswers("overload", tasks, m) })
	case name == "RequestCount":
		return positive(func(m time.Time) float64 { return requests(deployments, m) })
	case name == "TargetResponseTime":
		return func(m time.Time) (float64, bool) { return r.responseTime(tasks, deployments, m) }
	case name == "UnHealthyHostCount" && byGroup:
		return func(m time.Time) (float64, bool) {
			return float64(len(r.unhealthyAt(tasks, m))), len(tasks) > 0
		}
	}
	return none
}

// requestsAMinute is how many requests a service with tasks gets.
const requestsAMinute = 600

func requests(deployments []*deployment, minute time.Time) float64 {
	serving := map[*service]bool{}
	for _, d := range deployments {
		for _, t := range d.tasks {
			if t.servedFor(minute, minute.Add(time.Minute)) > 0 {
				serving[d.service] = true
			}
		}
	}
	return float64(len(serving) * requestsAMinute)
}

// responseTime is a tenth of a second, and a load balancer's idle timeout for
// what an overloaded task does not answer.
func (r *region) responseTime(tasks []*task, deployments []*deployment, minute time.Time) (float64, bool) {
	all := requests(deployments, minute)
	if all == 0 {
		return 0, false
	}
	slow := min(r.badAnswers("overload", tasks, minute), all)
	return 0.1 + slow/all*60, true
}

// servedFor is how long the task got requests within a time: from when it was
// healthy until it was told to stop.
func (t *task) servedFor(from, to time.Time) time.Duration {
	if t.started.IsZero() || t.fault != nil && t.fault.Fails == "health" {
		return 0
	}
	begin := latest(from, t.started.Add(t.region.aws.timing.healthy))
	if !t.stopping.IsZero() && t.stopping.Before(to) {
		to = t.stopping
	}
	return max(0, to.Sub(begin))
}

// badAnswers are how many requests the tasks have failed to answer in a
// minute, by the faults of a kind.
func (r *region) badAnswers(fails string, tasks []*task, minute time.Time) float64 {
	count := 0.0
	for i := range r.aws.world.TaskFaults {
		f := &r.aws.world.TaskFaults[i]
		if f.Fails != fails {
			continue
		}
		from, to := f.window(r.aws.world.Start, minute)
		for _, t := range r.hitBy(f, tasks, from, to) {
			count += f.PerMinute * t.servedFor(from, to).Minutes()
		}
	}
	return count
}

// window is the part of a minute in which a fault holds; empty: from is not
// before to.
func (f *TaskFault) window(start, minute time.Time) (from, to time.Time) {
	from, to = latest(minute, start.Add(time.Duration(f.From))), minute.Add(time.Minute)
	if end := start.Add(time.Duration(f.Until)); f.Until > 0 && end.Before(to) {
		to = end
	}
	return from, to
}

// hitBy are the tasks that a fault of the kind "errors" or "overload" hits
// between two instants: the first ones of each service, where it says how many.
func (r *region) hitBy(f *TaskFault, tasks []*task, from, to time.Time) []*task {
	var hit []*task
	byService := map[*service]int{}
	if !from.Before(to) {
		return nil
	}
	for _, t := range tasks {
		if t.servedFor(from, to) <= 0 || !t.matches(f) || f.Tasks > 0 && byService[t.deployment.service] >= f.Tasks {
			continue
		}
		byService[t.deployment.service]++
		hit = append(hit, t)
	}
	return hit
}

// unhealthyAt are the tasks whose target was unhealthy in a minute.
func (r *region) unhealthyAt(tasks []*task, minute time.Time) []*task {
	var bad []*task
	for _, t := range tasks {
		failed := t.fault != nil && t.fault.Fails == "health" && !t.started.IsZero()
		since := t.started.Add(r.aws.timing.healthy)
		if failed && since.Before(minute.Add(time.Minute)) && (t.stopping.IsZero() || t.stopping.After(minute)) {
			bad = append(bad, t)
		}
	}
	for i := range r.aws.world.TaskFaults {
		if f := &r.aws.world.TaskFaults[i]; f.Fails == "overload" {
			from, to := f.window(r.aws.world.Start, minute)
			bad = append(bad, r.hitBy(f, tasks, from, to)...)
		}
	}
	return bad
}

// overload is the fault that keeps the task too busy to answer health checks
// now; nil: none.
func (t *task) overload() *TaskFault {
	a := t.region.aws
	for i := range a.world.TaskFaults {
		f := &a.world.TaskFaults[i]
		if f.Fails != "overload" || !a.holds(f.Where, t.region.account, t.region.name) || t.deployment == nil {
			continue
		}
		tasks := tasksOf(t.deployment.service.deployments, (*task).isRunning)
		if slices.Contains(t.region.hitBy(f, tasks, a.clock, a.clock.Add(time.Nanosecond)), t) {
			return f
		}
	}
	return nil
}
