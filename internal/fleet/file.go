package fleet

import (
	"fmt"
	"strings"
)

// File is a fleet file: every environment of the fleet, and the habits of the
// team. The zero value is an empty file.
type File struct {
	Environments []Environment // in the order of the file
	Policy       []Setting     // in the order of the file
}

// Setting is an entry of policy: in the fleet file: an input's name with its
// value as text, lists joined with newlines. Whoever knows the inputs checks both.
type Setting struct {
	Name, Value string // an empty value is an input that is not given
	At          Position
}

// fileKeys are the keys of a fleet file.
func fileKeys() []string { return []string{"version", "defaults", "environments", "policy"} }

// Parse reads a fleet file. name is what messages call it, such as
// ".github/ecs-fleet.yml"; base speaks where neither an environment nor the
// defaults do. All mistakes are returned, from the top of the file to its end;
// with any of them the File is incomplete and not to be used.
func Parse(src []byte, name string, base Base) (File, []Mistake) {
	var ms mistakes
	root := parseYAML(src, name, &ms)
	switch {
	case root == nil && len(ms.list) == 0:
		ms.add(Position{Text: name}, "the fleet file is empty", "write version: 1 and environments:")
	case root != nil && root.kind != isMap:
		ms.add(root.at, "the fleet file is "+root.kind.String(), "write a mapping of "+either(fileKeys()))
	case root != nil:
		r := &reader{mistakes: &ms}
		return r.file(root, base), ms.sorted()
	}
	return File{}, ms.sorted()
}

func (r *reader) file(root *node, base Base) File {
	var f File
	var version *node
	var environments *entry
	var defaults level
	for _, e := range r.entries(root, "the fleet file", "") {
		switch e.key {
		case "version":
			version = e.value
		case "defaults":
			defaults = r.level(e.value, "defaults", false)
		case "environments":
			environments = &e
		case "policy":
			f.Policy = r.policy(e.value)
		default:
			r.unknown(e, "the fleet file", fileKeys())
		}
	}
	r.version(version, root.at)
	defaults = r.over(defaults, base.level())
	if environments == nil {
		r.add(root.at, "environments is missing", "write environments: and under it a line for each: NAME: {cluster: NAME}")
		return f
	}
	f.Environments = r.environments(*environments, defaults)
	return f
}

func (r *reader) version(n *node, file Position) {
	switch {
	case n == nil:
		r.add(file, "version is missing", "write version: 1 first")
	case n.kind != isNumber:
		r.wrong(n, "version", "write version: 1, without quotes")
	case n.text != "1":
		r.add(n.at, "version is "+n.text, "write version: 1, the only one there is")
	}
}

func (r *reader) environments(from entry, defaults level) []Environment {
	entries := r.entries(from.value, "environments", "write a mapping in the file: NAME: {cluster: NAME}")
	if n := from.value; n.kind == isNull || n.kind == isMap && len(n.entries) == 0 {
		r.add(from.at, "environments is empty", "write a line for each: NAME: {cluster: NAME}")
	}
	all := make([]Environment, 0, len(entries))
	for _, e := range entries {
		if r.spent() {
			break
		}
		if !isName(e.key) {
			r.add(e.at, "the environment "+quote(e.key)+" is not a name", nameRule)
		}
		l := r.level(e.value, "environment "+quote(e.key), false)
		l.at = e.at
		all = append(all, r.environment(e.key, l, defaults))
	}
	r.sameService(all)
	return all
}

// ecsService is what makes an ECS service one of its kind.
type ecsService struct{ account, region, cluster, name string }

// sameService reports services that two environments, or one, name twice: both
// deploys would fight. Where no account is stated, the role's stands for it.
func (r *reader) sameService(all []Environment) {
	first := map[ecsService]ServiceRef{}
	for _, e := range all {
		account := string(e.Account)
		if account == "" {
			account = roleAccount(e.RoleARN)
		}
		for _, s := range e.Services {
			if e.Region == "" || e.Cluster == "" || s.ECSName == "" {
				continue
			}
			key := ecsService{account, string(e.Region), ARN(e.Cluster).Name(), s.ECSName}
			ref := ServiceRef{Environment: e.Name, Service: s.Name}
			if other, twice := first[key]; twice {
				r.add(e.At, fmt.Sprintf("%s and %s are the same ECS service %s (cluster %s, %s)", quote(other.String()), quote(ref.String()), key.name, key.cluster, key.region),
					"remove one, or correct its service, cluster, region or account")
				continue
			}
			first[key] = ref
		}
	}
}

func (r *reader) policy(n *node) []Setting {
	entries := r.entries(n, "policy", "write a mapping of inputs: {max-failures: 2}")
	settings := make([]Setting, 0, len(entries))
	for _, e := range entries {
		settings = append(settings, Setting{Name: e.key, Value: r.setting(e), At: e.at})
	}
	return settings
}

func (r *reader) setting(e entry) string {
	if e.value.kind == isNull {
		return ""
	}
	var lines []string
	for _, item := range r.items(e.value) {
		lines = append(lines, r.scalar(item, "policy "+quote(e.key)).text)
	}
	return strings.Join(lines, "\n")
}
