package sim

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// appSpec is what an AppSpec file says of an ECS deployment.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-resources.html
type appSpec struct {
	definition string
	container  string
	port       int
	network    map[string]any    // AwsvpcConfiguration as it is shown by ECS; nil: as before
	hooks      map[string]string // lifecycle event, lower case → Lambda function
}

// readAppSpec reads JSON, or the part of YAML that AppSpec files are written
// in: maps, lists and scalars by indentation, and JSON in one line. Letter case
// of keys is ignored, as far as is known.
func readAppSpec(content string) (appSpec, error) {
	var doc any
	if strings.HasPrefix(strings.TrimSpace(content), "{") {
		if err := json.Unmarshal([]byte(content), &doc); err != nil {
			return appSpec{}, err
		}
	} else {
		var err error
		if doc, err = readYAML(content); err != nil {
			return appSpec{}, err
		}
	}
	root := lowerKeys(doc)
	resources, _ := member(root, "resources").([]any)
	if len(resources) != 1 {
		return appSpec{}, fmt.Errorf("the AppSpec file must have exactly one resource, not %d", len(resources))
	}
	for _, target := range asMap(resources[0]) {
		if text(member(target, "type")) != "AWS::ECS::Service" {
			return appSpec{}, fmt.Errorf("the resource's type must be AWS::ECS::Service")
		}
		return specOf(member(target, "properties"), member(root, "hooks"))
	}
	return appSpec{}, fmt.Errorf("the AppSpec file's resource is empty")
}

func specOf(properties, hooks any) (appSpec, error) {
	balancer := member(properties, "loadbalancerinfo")
	s := appSpec{definition: text(member(properties, "taskdefinition")), container: text(member(balancer, "containername")), hooks: map[string]string{}}
	s.port, _ = strconv.Atoi(text(member(balancer, "containerport")))
	switch {
	case s.definition == "":
		return s, fmt.Errorf("the AppSpec file has no TaskDefinition")
	case s.container == "" || s.port == 0:
		return s, fmt.Errorf("the AppSpec file has no ContainerName or no ContainerPort in its LoadBalancerInfo")
	}
	if vpc := asMap(member(member(properties, "networkconfiguration"), "awsvpcconfiguration")); vpc != nil {
		inner := map[string]any{"assignPublicIp": vpc["assignpublicip"], "subnets": vpc["subnets"], "securityGroups": vpc["securitygroups"]}
		for name, value := range inner {
			if value == nil {
				return s, fmt.Errorf("the AppSpec file's AwsvpcConfiguration has no %s: give all three or none", name)
			}
		}
		s.network = map[string]any{"awsvpcConfiguration": inner}
	}
	list, _ := hooks.([]any)
	for _, h := range list {
		for event, function := range asMap(h) {
			s.hooks[event] = text(function)
		}
	}
	return s, nil
}

// appSpecText is the AppSpec file of a definition behind a load balancer.
func appSpecText(definition string, b balancer, hooks map[string]string) string {
	list := []any{}
	for _, event := range sortedKeys(hooks) {
		list = append(list, map[string]any{event: hooks[event]})
	}
	doc := map[string]any{"version": "0.0", "Resources": []any{map[string]any{"TargetService": map[string]any{
		"Type": "AWS::ECS::Service",
		"Properties": map[string]any{
			"TaskDefinition": definition, "LoadBalancerInfo": map[string]any{"ContainerName": b.Container, "ContainerPort": b.Port},
		},
	}}}}
	if len(list) > 0 {
		doc["Hooks"] = list
	}
	return string(mustJSON(doc))
}

func asMap(v any) map[string]any   { m, _ := v.(map[string]any); return m }
func member(v any, key string) any { return asMap(v)[key] }

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

func lowerKeys(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			out[strings.ToLower(key)] = lowerKeys(value)
		}
		return out
	case []any:
		for i := range v {
			v[i] = lowerKeys(v[i])
		}
	}
	return v
}

// yamlReader reads YAML line by line.
type yamlReader struct{ lines []yamlLine }

type yamlLine struct {
	indent int
	text   string
}

func readYAML(content string) (any, error) {
	r := &yamlReader{}
	for _, line := range strings.Split(content, "\n") {
		body := strings.TrimRight(uncomment(line), " \t\r")
		bare := strings.TrimLeft(body, " ")
		if bare != "" && bare != "---" {
			r.lines = append(r.lines, yamlLine{len(body) - len(bare), bare})
		}
	}
	if len(r.lines) == 0 {
		return nil, fmt.Errorf("the AppSpec file is empty")
	}
	v, err := r.block(r.lines[0].indent)
	if err == nil && len(r.lines) > 0 {
		err = fmt.Errorf("the AppSpec file cannot be read at %q", r.lines[0].text)
	}
	return v, err
}

// uncomment cuts a comment off: "#" at the start or behind a space, outside of
// quotes.
func uncomment(line string) string {
	quote := rune(0)
	for i, c := range line {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '#' && (i == 0 || line[i-1] == ' '):
			return line[:i]
		}
	}
	return line
}

// block reads the lines of an indentation: a list or a map.
func (r *yamlReader) block(indent int) (any, error) {
	if strings.HasPrefix(r.lines[0].text, "-") {
		return r.list(indent)
	}
	out := map[string]any{}
	for len(r.lines) > 0 && r.lines[0].indent == indent {
		key, rest, ok := strings.Cut(r.lines[0].text, ":")
		if !ok || rest != "" && rest[0] != ' ' {
			return nil, fmt.Errorf("the AppSpec file has no \"key: value\" in %q", r.lines[0].text)
		}
		r.lines = r.lines[1:]
		value, err := r.value(strings.TrimSpace(rest), indent)
		if err != nil {
			return nil, err
		}
		out[strings.Trim(key, `"' `)] = value
	}
	return out, nil
}

func (r *yamlReader) list(indent int) (any, error) {
	out := []any{}
	for len(r.lines) > 0 && r.lines[0].indent == indent && strings.HasPrefix(r.lines[0].text, "-") {
		rest := strings.TrimLeft(r.lines[0].text[1:], " ")
		if key, _, isMap := strings.Cut(rest, ":"); rest == "" || !isMap || strings.ContainsAny(key, `"'{[`) && !strings.HasSuffix(key, `"`) || strings.HasPrefix(key, "arn") {
			r.lines = r.lines[1:]
			value, err := r.value(rest, indent)
			if err != nil {
				return nil, err
			}
			out = append(out, value)
			continue
		}
		// "- key: value" begins a map that is indented like its first key.
		inner := indent + len(r.lines[0].text) - len(rest)
		r.lines[0] = yamlLine{inner, rest}
		value, err := r.block(inner)
		if err != nil {
			return nil, err
		}
		out = append(out, value)
	}
	return out, nil
}

// value is what follows "key:" or "-": a scalar, JSON, or a deeper block. A
// list may stand at its key's own indentation.
func (r *yamlReader) value(rest string, indent int) (any, error) {
	switch {
	case rest == "" && len(r.lines) > 0 && (r.lines[0].indent > indent || r.lines[0].indent == indent && strings.HasPrefix(r.lines[0].text, "-")):
		return r.block(r.lines[0].indent)
	case rest == "":
		return nil, nil
	case strings.HasPrefix(rest, "{") || strings.HasPrefix(rest, `"`):
		var v any
		if err := json.Unmarshal([]byte(rest), &v); err != nil {
			return nil, fmt.Errorf("the AppSpec file cannot be read at %q", rest)
		}
		return v, nil
	case strings.HasPrefix(rest, "["):
		out := []any{}
		for _, item := range strings.Split(strings.Trim(rest, "[]"), ",") {
			if item = strings.Trim(item, `"' `); item != "" {
				out = append(out, item)
			}
		}
		return out, nil
	}
	return strings.Trim(rest, "'"), nil
}
