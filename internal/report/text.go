package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/plan"
)

// Duration prints a time span as people say it: "48 s", "2 min 05 s",
// "1 h 02 min". What is under a second, and more than nothing, is "1 s".
func Duration(d time.Duration) string {
	if 0 < d && d < time.Second {
		d = time.Second
	}
	s := int(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %02d s", s/60, s%60)
	default:
		return fmt.Sprintf("%d h %02d min", s/3600, s%3600/60)
	}
}

// ShortImage is what tells two images of one repository apart: the tag, or the
// first twelve characters of the digest. Empty for an empty reference.
func ShortImage(ref string) string {
	tag := plan.Tag(ref)
	digest, isDigest := strings.CutPrefix(tag, "sha256:")
	switch {
	case ref == "":
		return ""
	case isDigest:
		return shorten(digest, 12, "")
	case tag == "":
		return "latest" // what a registry reads a reference without a tag as
	}
	return tag
}

// change is an image before and after; either may be empty.
type change struct{ from, to string }

// String is "v1.7.0 → v1.8.0", one tag where nothing changes, and whole
// references where the repository does.
func (c change) String() string {
	short := ShortImage
	if c.from != "" && c.to != "" && plan.Repository(c.from) != plan.Repository(c.to) {
		short = func(ref string) string { return ref }
	}
	from, to := short(c.from), short(c.to)
	switch {
	case to == "" || from == to:
		return from
	case from == "":
		return to
	}
	return from + " → " + to
}

// changes are the images of the containers that matter: those that the run
// selected, else those whose image differs, else all.
func (r Result) changes() map[string]change {
	all, differ := make(map[string]change), make(map[string]change)
	for _, images := range []map[string]string{r.From.Images, r.To.Images} {
		for name := range images {
			c := change{r.From.Images[name], r.To.Images[name]}
			all[name] = c
			if c.from != c.to && c.to != "" {
				differ[name] = c
			}
		}
	}
	if len(r.Containers) > 0 {
		maps.DeleteFunc(all, func(name string, _ change) bool { return !slices.Contains(r.Containers, name) })
		return all
	}
	if len(differ) > 0 {
		return differ
	}
	return all
}

// withContainers names the containers that matter in services whose images do
// not change: those that change elsewhere in the run. A sidecar's tag says
// nothing about the release.
func withContainers(services []Result) []Result {
	released := make(map[string]bool)
	for _, r := range services {
		for name, c := range r.changes() {
			if c.from != "" && c.to != "" && c.from != c.to {
				released[name] = true
			}
		}
	}
	named := slices.Clone(services)
	for i, r := range named {
		if len(r.Containers) > 0 {
			continue
		}
		for name := range r.changes() {
			if released[name] {
				named[i].Containers = append(named[i].Containers, name)
			}
		}
	}
	return named
}

// change tells in a few words which images the service goes from and to.
// Containers are named only where they differ.
func (r Result) change() string {
	byText := make(map[string][]string)
	changes := r.changes()
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		if text := changes[name].String(); text != "" {
			byText[text] = append(byText[text], name)
		}
	}
	if len(byText) == 1 {
		return slices.Collect(maps.Keys(byText))[0]
	}
	var parts []string
	for _, text := range slices.Sorted(maps.Keys(byText)) {
		parts = append(parts, strings.Join(byText[text], ", ")+" "+text)
	}
	return strings.Join(parts, "; ")
}

// tag is what the service runs in short: before (State From) or after (To).
// Empty when its containers differ or nothing is known.
func (r Result) tag(of State) string {
	tag := ""
	for name := range r.changes() {
		short := ShortImage(of.Images[name])
		if tag != "" && short != tag {
			return ""
		}
		tag = short
	}
	return tag
}

// consoleURL is the service's page in the ECS console; empty when one of its
// parts is missing or cannot be part of a host name.
//
// The form of the address is that of the links in the console itself; each
// partition has a host of its own:
// https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
func (r Result) consoleURL() string {
	region, cluster := string(r.Region), fleet.ARN(r.Cluster).Name()
	if !isRegion(region) || cluster == "" || r.ECSService == "" {
		return ""
	}
	host := "console.aws.amazon.com"
	switch {
	case strings.HasPrefix(region, "cn-"):
		host = "console.amazonaws.cn"
	case strings.HasPrefix(region, "us-gov-"):
		host = "console.amazonaws-us-gov.com"
	}
	return fmt.Sprintf("https://%s.%s/ecs/v2/clusters/%s/services/%s/health?region=%[1]s",
		region, host, pathEscape(cluster), pathEscape(r.ECSService))
}

func isRegion(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// pathEscape escapes all but the characters that no reader of URLs or Markdown
// gives a meaning. (net/url would do, but leaves &, which Markdown reads as an
// entity's beginning, and pulls package net's idea of a host in.)
func pathEscape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// count is "1 service", "3 services".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// enumerate joins names, at most limit of them: "a, b and 26 more".
func enumerate(names []string, limit int) string {
	if len(names) <= limit {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:limit], ", "), len(names)-limit)
}

// shorten keeps at most limit runes of s, and says with mark that it cut.
func shorten(s string, limit int, mark string) string {
	if len(s) <= limit { // bytes: no fewer than runes
		return s
	}
	n := 0
	for i := range s {
		if n == limit {
			return s[:i] + mark
		}
		n++
	}
	return s
}
