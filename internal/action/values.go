package action

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of durations: shorter is a slip of the unit, and no job lives longer.
const (
	minDuration = time.Second
	maxDuration = 24 * time.Hour
)

// maxRate bounds what api-quotas may state, in requests per second and as a
// burst. A guess, far above any quota of ours; it catches slips.
const maxRate = 10_000

var (
	placeholder    = regexp.MustCompile(`\{[^{}]+\}`) // filled in later, for each environment
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern  = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)
	rolePattern    = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/\S+$`)

	// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
	containerPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

	// https://github.com/distribution/reference/blob/main/regexp.go
	tagPattern       = regexp.MustCompile(`^` + tagText + `$`)
	digestPattern    = regexp.MustCompile(`^` + digestText + `$`)
	referencePattern = regexp.MustCompile(`^((?:` + hostText + `/)?` + pathText + `)(?::` + tagText + `)?(?:@` + digestText + `)?$`)

	numberPattern  = regexp.MustCompile(`^[0-9]{1,9}(?:\.[0-9]{1,9})?$`)
	percentPattern = regexp.MustCompile(`^([0-9]{1,3}(?:\.[0-9]{1,9})?)%$`)
	quotaPattern   = regexp.MustCompile(`^(\S+)\s*:\s*(\S+?)\s*/\s*s(?:\s*,\s*burst\s+(\S+))?$`)
)

const (
	tagText    = `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`
	digestText = `sha256:[0-9a-f]{64}`
	hostText   = `[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?`
	pathText   = `[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*`

	maxRepository = 255 // characters, host included
)

// splitList splits at commas and line breaks and drops what is empty.
func splitList(value string) []string {
	var items []string
	for item := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// splitLines trims the lines and keeps blank ones, so that they can be
// counted.
func splitLines(value string) []string {
	lines := strings.Split(value, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return lines
}

// waitParser takes the words of wait-for and stages, however they are
// capitalised.
func waitParser(stages []string) func(string) (string, error) {
	all := append([]string{"deployed", "stable", "started"}, stages...)
	return func(value string) (string, error) {
		i := slices.IndexFunc(all, func(known string) bool { return strings.EqualFold(known, value) })
		if i < 0 {
			return "", fmt.Errorf("%q is not known; %s", value, didYouMean(value, all))
		}
		return all[i], nil
	}
}

// parseBool takes YAML 1.2's words, as actions written with GitHub's toolkit
// do. https://github.com/actions/toolkit/blob/main/packages/core/src/core.ts
func parseBool(value string) (bool, error) {
	switch value {
	case "true", "True", "TRUE":
		return true, nil
	case "false", "False", "FALSE":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false; write one of them", value)
}

func parseDuration(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration; write 90m or 1h30m", value)
	}
	if d < minDuration || d > maxDuration {
		return 0, fmt.Errorf("%q is not between 1s and 24h; write a duration such as 90m", value)
	}
	return d, nil
}

// parseBakeTime takes 0s, too.
func parseBakeTime(value string) (time.Duration, error) {
	if d, err := time.ParseDuration(value); err == nil && d == 0 {
		return 0, nil
	}
	return parseDuration(value)
}

func parseCount(value string) (int, error) {
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is not a number of 1 or more; write 10, or leave it out for no limit", value)
	}
	return int(n), nil
}

func parseMaxFailures(value string) (MaxFailures, error) {
	if percent, ok := parsePercent(value); ok {
		return MaxFailures{Given: true, Percent: percent}, nil
	}
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return MaxFailures{}, fmt.Errorf("%q is not a number or a percentage; write 3 or 10%%", value)
	}
	return MaxFailures{Given: true, Count: int(n)}, nil
}

func parseShare(value string) (float64, error) {
	percent, ok := parsePercent(value)
	if !ok || percent == 0 {
		return 0, fmt.Errorf("%q is not a percentage above 0%% and up to 100%%; write 50%%", value)
	}
	return percent / 100, nil
}

// parsePercent takes 0% to 100%.
func parsePercent(value string) (float64, bool) {
	m := percentPattern.FindStringSubmatch(value)
	if m == nil {
		return 0, false
	}
	percent, err := strconv.ParseFloat(m[1], 64)
	return percent, err == nil && percent <= 100
}

func parseTag(value string) (string, error) {
	switch {
	case tagPattern.MatchString(value), digestPattern.MatchString(value):
		return value, nil
	case strings.ContainsAny(value, "/:@"):
		return "", fmt.Errorf("%q is not a tag or a sha256 digest; write the tag alone, such as v1.8.0, or a whole reference as image", value)
	}
	return "", fmt.Errorf("%q is not a tag; write letters, digits, dots, dashes and underscores, at most 128, such as v1.8.0", value)
}

func parseReference(value string) (string, error) {
	m := referencePattern.FindStringSubmatch(value)
	if m == nil || len(m[1]) > maxRepository {
		return "", fmt.Errorf("%q is not an image reference; write repository:tag or repository@sha256:…, the repository in lower case", value)
	}
	return value, nil
}

func (c ContainerImage) key() string { return c.Container }

func parseContainerImage(line string) (ContainerImage, error) {
	container, value, ok := strings.Cut(line, "=")
	image := ContainerImage{Container: strings.TrimSpace(container), Value: strings.TrimSpace(value)}
	if !ok || !containerPattern.MatchString(image.Container) || image.Value == "" {
		return image, fmt.Errorf("%q is not container=value; write app=v1.8.0", line)
	}
	image.Reference = strings.ContainsAny(image.Value, "/:@") && !digestPattern.MatchString(image.Value)
	parse := parseTag
	if image.Reference {
		parse = parseReference
	}
	_, err := parse(image.Value)
	return image, err
}

// namedQuota is a line of api-quotas.
type namedQuota struct {
	name string
	Quota
}

func (q namedQuota) key() string { return q.name }

func quotaParser(buckets []string) func(string) (namedQuota, error) {
	return func(line string) (namedQuota, error) {
		m := quotaPattern.FindStringSubmatch(line)
		if m == nil {
			return namedQuota{}, fmt.Errorf("%q is not a quota; write ecs:task-definition-modify: 5/s, burst 40", line)
		}
		q := namedQuota{name: m[1]}
		if !slices.Contains(buckets, q.name) {
			return q, fmt.Errorf("bucket %q is not known; %s", q.name, didYouMean(q.name, buckets))
		}
		var err error
		if q.Rate, err = parseRate(m[2]); err != nil {
			return q, err
		}
		if m[3] != "" {
			q.Burst, err = parseRate(m[3])
		}
		if err == nil && m[3] != "" && q.Burst < 1 {
			err = fmt.Errorf("a burst of %q lets nothing through; write 1 or more", m[3])
		}
		return q, err
	}
}

func parseRate(value string) (float64, error) {
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || !numberPattern.MatchString(value) || n <= 0 || n > maxRate {
		return 0, fmt.Errorf("%q is not a number above 0 and up to %d; write a rate such as 5/s and a burst such as 40", value, maxRate)
	}
	return n, nil
}

func quotas(named []namedQuota) map[string]Quota {
	all := make(map[string]Quota, len(named))
	for _, q := range named {
		all[q.name] = q.Quota
	}
	return all
}
