package cloud

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// key is the same for contents that register the same revision. A wrong
// "different" costs a registration, a wrong "equal" ships the wrong version: so
// only what is known to mean nothing is levelled out.
func key(content object) string {
	c := clone(content).(object)
	network := fmt.Sprint(c["networkMode"])
	c["cpu"], c["memory"] = units(c["cpu"], "vcpu"), units(c["memory"], "gb")
	for _, item := range list(c["containerDefinitions"]) {
		if container, ok := item.(object); ok {
			levelContainer(container, network)
		}
	}
	for field, by := range map[string]string{"containerDefinitions": "name", "volumes": "name", "tags": "key", "placementConstraints": "expression"} {
		sortBy(list(c[field]), by)
	}
	slices.SortFunc(list(c["requiresCompatibilities"]), func(a, b any) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	prune(c)
	text, err := json.Marshal(c) // sorts the keys
	if err != nil {
		panic(fmt.Sprintf("a decoded JSON object cannot be encoded: %v", err))
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// levelContainer fills in ECS's defaults and sorts what has no order.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
func levelContainer(c object, network string) {
	if c["essential"] == nil {
		c["essential"] = true
	}
	if number(c["cpu"]) == 0 {
		delete(c, "cpu")
	}
	for _, item := range list(c["portMappings"]) {
		mapping, ok := item.(object)
		if !ok {
			continue
		}
		if mapping["protocol"] == nil {
			mapping["protocol"] = "tcp"
		}
		if number(mapping["hostPort"]) == 0 {
			delete(mapping, "hostPort")
		}
		// In awsvpc mode the two ports must be the same.
		if network == "awsvpc" && mapping["hostPort"] == nil && mapping["containerPort"] != nil {
			mapping["hostPort"] = mapping["containerPort"]
		}
	}
	for field, by := range map[string]string{
		"environment": "name", "secrets": "name", "mountPoints": "containerPath", "volumesFrom": "sourceContainer", "portMappings": "containerPort",
	} {
		sortBy(list(c[field]), by)
	}
}

// units reads a task size, which may be written "1 vCPU" or "2 GB": 1024 units
// of CPU, or MiB of memory.
func units(v any, unit string) any {
	s, ok := v.(string)
	if !ok {
		return v
	}
	if amount, found := strings.CutSuffix(strings.ToLower(strings.ReplaceAll(s, " ", "")), unit); found {
		if f, err := strconv.ParseFloat(amount, 64); err == nil {
			return strconv.Itoa(int(f * 1024))
		}
	}
	return s
}

// prune drops nulls, and lists and objects that are empty: AWS answers some
// that were never given.
func prune(v any) (empty bool) {
	switch v := v.(type) {
	case nil:
		return true
	case object:
		maps.DeleteFunc(v, func(_ string, item any) bool { return prune(item) })
		return len(v) == 0
	case []any:
		for _, item := range v {
			prune(item)
		}
		return len(v) == 0
	}
	return false
}

func sortBy(items []any, field string) {
	slices.SortStableFunc(items, func(a, b any) int { return cmp.Compare(sortKey(a, field), sortKey(b, field)) })
}

// sortKey puts the field first and the whole item behind it, so that equal
// fields do not leave the order to chance.
func sortKey(item any, field string) string {
	text, _ := json.Marshal(item)
	if o, ok := item.(object); ok {
		return fmt.Sprint(o[field]) + "\x00" + string(text)
	}
	return string(text)
}

func list(v any) []any {
	items, _ := v.([]any)
	return items
}

func number(v any) float64 {
	if v == nil {
		return 0
	}
	f, err := strconv.ParseFloat(fmt.Sprint(v), 64)
	if err != nil {
		return -1 // something, and not nought
	}
	return f
}

func clone(v any) any {
	switch v := v.(type) {
	case object:
		c := make(object, len(v))
		for name, item := range v {
			c[name] = clone(item)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, item := range v {
			c[i] = clone(item)
		}
		return c
	}
	return v
}
