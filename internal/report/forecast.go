package report

import (
	"fmt"
	"time"
)

// Forecast is what the plans ask of the quotas that writes wait for, before the
// first of them. Reads and polls are not in it: they are batched, and have
// quotas of their own that are four times as wide and more.
type Forecast struct {
	// Usage has a row for each bucket. Waited is how long its last call waits
	// at the least, with the tokens that are there now and the full rate
	// afterwards.
	Usage   []Usage
	Share   float64 // of each quota that the run may use; 0: all
	Prepare bool    // the run prepares only
}

// worthAdvice is a wait that is worth doing something about.
const worthAdvice = 30 * time.Second

// waits tells whether the run will wait for any quota.
func (f Forecast) waits() bool { return f.bottleneck().Waited >= time.Second }

// bottleneck is the bucket that holds the last write up longest.
func (f Forecast) bottleneck() Usage {
	var most Usage
	for _, u := range f.Usage {
		if u.Waited > most.Waited {
			most = u
		}
	}
	return most
}

// says is the forecast in sentences: the earliest end, what it depends on, and
// what can be done about that.
func (f Forecast) says() []string {
	most := f.bottleneck()
	switch {
	case len(f.Usage) == 0:
		return nil
	case !f.waits():
		return []string{"No quota holds this run up: there are tokens for all of its writes."}
	}
	all := []string{fmt.Sprintf("At the earliest, the last write is sent after %s. What holds it up is %s of %s.", Duration(most.Waited), most.Bucket, where(most))}
	if most.Waited < worthAdvice {
		return all
	}
	if rest := f.prepared(); !f.Prepare && rest < most.Waited {
		all = append(all, fmt.Sprintf("Prepare ahead: with prepare: true all revisions are registered before the release, which then waits %s at the least.", took(rest)))
	}
	if f.Share > 0 && f.Share < 1 {
		all = append(all, fmt.Sprintf("api-share leaves %.0f%% of this quota to others.", 100*(1-f.Share)))
	}
	if action := asked[most.Bucket]; action != "" {
		all = append(all, fmt.Sprintf("Ask AWS Support to raise the request rate of %s for %s, and state the new one in api-quotas, as %s: 5/s, burst 100.", action, where(most), most.Bucket))
	}
	return append(all, "Environments in another account or Region would not wait for this bucket: each has its own.")
}

// asked is what to name to AWS Support: the action that a bucket is asked for
// most. Quotas of the API are raised for an account and Region.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html
var asked = map[string]string{
	"ecs:task-definition-modify": "ecs:RegisterTaskDefinition",
	"ecs:service-modify":         "ecs:UpdateService",
	"codedeploy":                 "codedeploy:CreateDeployment",
}

// prepared is how long a run would wait whose revisions are registered.
func (f Forecast) prepared() time.Duration {
	var most time.Duration
	for _, u := range f.Usage {
		if u.Bucket != "ecs:task-definition-modify" {
			most = max(most, u.Waited)
		}
	}
	return most
}

func where(u Usage) string { return fmt.Sprintf("account %s, %s", u.Account, u.Region) }

// of is the forecast for a bucket, beside what became of it.
func (f Forecast) of(actual Usage) string {
	for _, u := range f.Usage {
		if u.Account == actual.Account && u.Region == actual.Region && u.Bucket == actual.Bucket {
			return fmt.Sprintf("%s, %s", count(u.Calls, "call"), took(u.Waited))
		}
	}
	return dash("")
}
