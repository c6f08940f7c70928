package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// logsAPI is CloudWatch Logs, as far as one reads.
func logsAPI() api {
	return api{name: "logs", target: "Logs_20140328", actions: map[string]action{
		"GetLogEvents":       {bucket: "logs:GetLogEvents", do: getLogEvents},
		"FilterLogEvents":    {bucket: "logs:FilterLogEvents", do: filterLogEvents},
		"DescribeLogStreams": {bucket: "logs:DescribeLogStreams", do: describeLogStreams},
	}}
}

type logStream struct {
	name    string
	created time.Time
	events  []logEvent
}

type logEvent struct {
	at   time.Time
	text string
}

// writeLog appends lines to a stream, which it makes where needed.
func (r *region) writeLog(group, stream string, lines []string) {
	if r.logs[group] == nil {
		r.logs[group] = map[string]*logStream{}
	}
	s := r.logs[group][stream]
	if s == nil {
		s = &logStream{name: stream, created: r.aws.clock}
		r.logs[group][stream] = s
	}
	for _, line := range lines {
		s.events = append(s.events, logEvent{r.aws.clock, line})
	}
}

type logRequest struct {
	Group     string   `json:"logGroupName"`
	GroupID   string   `json:"logGroupIdentifier"`
	Stream    string   `json:"logStreamName"`
	Streams   []string `json:"logStreamNames"`
	Prefix    string   `json:"logStreamNamePrefix"`
	Pattern   string   `json:"filterPattern"`
	Start     int64    `json:"startTime"`
	End       int64    `json:"endTime"`
	Limit     int      `json:"limit"`
	FromHead  bool     `json:"startFromHead"`
	NextToken string   `json:"nextToken"`
}

// logRequest reads a request and finds its group.
func (c *call) logRequest() (in logRequest, streams map[string]*logStream, err error) {
	if err := c.decode(&in); err != nil {
		return in, nil, err
	}
	_, id, isARN := strings.Cut(in.GroupID, ":log-group:")
	if !isARN {
		id = in.GroupID
	}
	in.Group = cmp.Or(in.Group, strings.TrimSuffix(id, ":*"))
	if in.Limit == 0 || in.Limit > 10000 {
		in.Limit = 10000
	}
	streams, ok := c.region.logs[in.Group]
	if !ok {
		return in, nil, fault("ResourceNotFoundException", "The specified log group does not exist.")
	}
	return in, streams, nil
}

func (in logRequest) wants(e logEvent) bool {
	ms := e.at.UnixMilli()
	return ms >= in.Start && (in.End == 0 || ms < in.End) && strings.Contains(e.text, strings.Trim(in.Pattern, `"`))
}

// getLogEvents pages by position. Tokens name a position and a direction; the
// end is reached when the returned token equals the one sent.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
func getLogEvents(c *call) (any, error) {
	in, streams, err := c.logRequest()
	if err != nil {
		return nil, err
	}
	s, ok := streams[in.Stream]
	if !ok {
		return nil, fault("ResourceNotFoundException", "The specified log stream does not exist.")
	}
	var all []logEvent
	for _, e := range s.events {
		if in.wants(e) {
			all = append(all, e)
		}
	}
	from, to, err := in.window(len(all))
	if err != nil {
		return nil, err
	}
	events := []any{}
	for _, e := range all[from:to] {
		events = append(events, map[string]any{"timestamp": e.at.UnixMilli(), "ingestionTime": e.at.UnixMilli(), "message": e.text})
	}
	return map[string]any{
		"events": events, "nextForwardToken": fmt.Sprintf("f/%056d", to), "nextBackwardToken": fmt.Sprintf("b/%056d", from),
	}, nil
}

// window is the positions of a page out of n events: without a token the
// oldest with startFromHead, else the newest.
func (in logRequest) window(n int) (from, to int, err error) {
	if in.NextToken == "" {
		if in.FromHead {
			return 0, min(in.Limit, n), nil
		}
		return max(0, n-in.Limit), n, nil
	}
	direction, number, _ := strings.Cut(in.NextToken, "/")
	at, err := strconv.Atoi(number)
	if err != nil || at < 0 || at > n || direction != "f" && direction != "b" {
		return 0, 0, fault("InvalidParameterException", "The specified nextToken is invalid.")
	}
	if direction == "b" {
		return max(0, at-in.Limit), at, nil
	}
	return at, min(at+in.Limit, n), nil
}

// filterLogEvents matches plain text only, and answers in one page.
func filterLogEvents(c *call) (any, error) {
	in, streams, err := c.logRequest()
	if err != nil {
		return nil, err
	}
	events := []any{}
	for _, name := range sortedKeys(streams) {
		if len(in.Streams) > 0 && !slices.Contains(in.Streams, name) || !strings.HasPrefix(name, in.Prefix) {
			continue
		}
		for i, e := range streams[name].events {
			if in.wants(e) && len(events) < in.Limit {
				events = append(events, map[string]any{
					"logStreamName": name, "timestamp": e.at.UnixMilli(), "ingestionTime": e.at.UnixMilli(), "message": e.text,
					"eventId": fmt.Sprintf("%056d", i),
				})
			}
		}
	}
	return map[string]any{"events": events, "searchedLogStreams": []any{}}, nil
}

func describeLogStreams(c *call) (any, error) {
	in, streams, err := c.logRequest()
	if err != nil {
		return nil, err
	}
	all := []any{}
	for _, name := range sortedKeys(streams) {
		if strings.HasPrefix(name, in.Prefix) {
			all = append(all, map[string]any{"logStreamName": name, "creationTime": streams[name].created.UnixMilli()})
		}
	}
	return map[string]any{"logStreams": all}, nil
}
