package fleet

import "time"

// Alarm is a CloudWatch alarm at one moment.
type Alarm struct {
	Name   string
	Firing bool // in the state ALARM
	Reason string
	Since  time.Time // of the state; AWS's clock
}

// Target is a target of a target group.
type Target struct {
	ID     string // an IP address, or an instance's id
	Port   int
	State  string // initial, healthy, unhealthy, draining, …
	Reason string // Target.Timeout, …; empty when it is healthy
	Text   string // what AWS adds to the reason
}

// Metric is a load balancer's metric by the minute.
type Metric struct {
	Name     string // HTTPCode_Target_5XX_Count, …
	Stat     string // Sum, Maximum, …
	Balancer ARN    // an Application Load Balancer
	Group    ARN    // a target group; empty: the whole load balancer
}

// Minutes are a metric's values by the minute at whose start they stand (AWS's
// clock). What did not happen in a minute has none.
type Minutes map[time.Time]float64
