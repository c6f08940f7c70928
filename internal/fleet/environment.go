package fleet

import (
	"slices"
	"strings"
	"time"
)

// Base holds the inputs that speak where neither an environment nor the defaults
// do. Empty: not given. Placeholders work in them as in the file.
type Base struct {
	Region, Account, RoleARN, ExternalID, Cluster string
}

// level is the base as the lowest level.
func (b Base) level() level {
	input := func(name, value string) said {
		return said{text: value, at: Position{Text: "input " + name}, given: value != ""}
	}
	return level{
		region:     input("region", b.Region),
		account:    input("account", b.Account),
		roleARN:    input("role-arn", b.RoleARN),
		externalID: input("external-id", b.ExternalID),
		cluster:    input("cluster", b.Cluster),
	}
}

// over is what the level says on top of the defaults: mappings merge by key, all
// else replaces. Services are merged later, since their names hold placeholders.
func (r *reader) over(l, defaults level) level {
	l.region = l.region.or(defaults.region)
	l.account = l.account.or(defaults.account)
	l.roleARN = l.roleARN.or(defaults.roleARN)
	l.externalID = l.externalID.or(defaults.externalID)
	l.cluster = l.cluster.or(defaults.cluster)
	l.timeout = l.timeout.or(defaults.timeout)
	if l.wave == 0 {
		l.wave = defaults.wave
	}
	if l.containers == nil {
		l.containers = defaults.containers
	}
	if l.alarms == nil {
		l.alarms = defaults.alarms
	}
	l.labels = r.overPairs(l.labels, defaults.labels, l.at)
	l.vars = r.overPairs(l.vars, defaults.vars, l.at)
	l.unread = l.unread || defaults.unread
	return l
}

func (r *reader) overPairs(own, defaults []pair, at Position) []pair {
	if !r.spend(len(own)+len(defaults), at) {
		return nil
	}
	index := make(map[string]int, len(defaults))
	all := slices.Clone(defaults)
	for i, d := range all {
		index[d.key] = i
	}
	for _, p := range own {
		if i, ok := index[p.key]; ok {
			all[i] = p
		} else {
			all = append(all, p)
		}
	}
	return slices.DeleteFunc(all, func(p pair) bool { return !p.value.given })
}

// environment builds an environment from what its level and the defaults say.
func (r *reader) environment(name string, own, defaults level) Environment {
	l := r.over(own, defaults)
	s := newScope(r, name, l)
	e := Environment{
		Name:       name,
		Account:    AccountID(s.value(l.account, "account")),
		Region:     Region(s.value(l.region, "region")),
		RoleARN:    ARN(s.value(l.roleARN, "role-arn")),
		ExternalID: s.value(l.externalID, "external-id"),
		Cluster:    s.value(l.cluster, "cluster"),
		Wave:       max(l.wave, 1),
		Labels:     s.labelValues(l.labels),
		Timeout:    s.duration(l.timeout),
		Alarms:     s.values(l.alarms, "alarms"),
		At:         l.at,
	}
	for _, v := range l.vars {
		s.within("any").expand(v.value, holder(v.key)) // mistakes of variables that nothing uses
	}
	for _, sl := range s.mergeServices(own.services, defaults.services) {
		if len(sl.containers) == 0 {
			sl.containers = l.containers
		}
		e.Services = append(e.Services, s.within(sl.name).build(sl))
	}
	s.complete(e, l, own.services.mistaken() || defaults.services.mistaken())
	s.agree(e, l)
	return e
}

// Watched are the environment's alarms and those of names, whose builtin
// placeholders are filled in, each once.
func (e Environment) Watched(names []string) []string {
	fill := strings.NewReplacer("{environment}", e.Name, "{account}", string(e.Account), "{region}", string(e.Region), "{cluster}", ARN(e.Cluster).Name())
	all := slices.Clone(e.Alarms)
	for _, name := range names {
		if name = fill.Replace(name); !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// build makes a service of what is said about it; the receiver is its scope.
func (s *scope) build(l serviceLevel) ServiceSpec {
	if !l.service.given {
		l.service = said{text: l.name, at: l.at, given: true}
	}
	spec := ServiceSpec{
		Name:         l.name,
		ECSName:      s.value(l.service, "service"),
		Containers:   s.values(l.containers, "container"),
		Image:        s.value(l.image, "image"),
		DesiredCount: s.value(l.desiredCount, "desired-count"),
		CodeDeploy: CodeDeploy{
			Application:     s.value(l.application, "application"),
			DeploymentGroup: s.value(l.group, "deployment-group"),
		},
		At: l.at,
	}
	if l.service.text == "" && !l.service.wrong {
		s.add(l.service.at, "service is empty", shapes["service"].instead)
	}
	switch at := l.application.or(l.group).at; {
	case l.application.text != "" && !l.group.given:
		s.add(at, "codedeploy names an application without a deployment group", "add deployment-group: NAME")
	case !l.application.given && l.group.text != "":
		s.add(at, "codedeploy names a deployment group without its application", "add application: NAME")
	}
	return spec
}

// value is a string with its placeholders filled in and its shape checked; empty
// where nobody says anything, or where it has a mistake.
func (s *scope) value(from said, key string) string {
	return s.shaped(from, key, shapes[key])
}

func (s *scope) shaped(from said, what string, sh shape) string {
	value, ok := s.expand(from, what)
	switch {
	case !ok || value == "":
		return ""
	case !sh.pattern.MatchString(value):
		s.add(from.at, what+" is "+quote(value), sh.instead)
		return ""
	}
	return value
}

// values are the strings of a list; nil when there is none.
func (s *scope) values(from []said, key string) []string {
	if len(from) == 0 || !s.spend(len(from), s.at) {
		return nil
	}
	all := make([]string, 0, len(from))
	for _, f := range from {
		v := s.value(f, key)
		switch {
		case f.text == "" && !f.wrong:
			s.add(f.at, key+" is empty", "write a name, or leave it out")
		case v != "" && slices.Contains(all, v):
			s.add(f.at, key+" lists "+quote(v)+" twice", "keep one")
		case v != "":
			all = append(all, v)
		}
	}
	return all
}

func (s *scope) labelValues(pairs []pair) map[string]string {
	if len(pairs) == 0 {
		return nil
	}
	m := make(map[string]string, len(pairs))
	for _, p := range pairs {
		m[p.key] = s.shaped(p.value, "label "+quote(p.key), shapes["labels"])
	}
	return m
}

func (s *scope) duration(from said) time.Duration {
	value, ok := s.expand(from, "timeout")
	if !ok || value == "" {
		return 0
	}
	d, err := parseTimeout(value)
	if err != nil {
		s.add(from.at, err.Error(), "write a duration such as 45m or 1h30m")
	}
	return d
}

// complete reports what an environment cannot do without. What is missing only
// because of a mistake, such as services, is reported already.
func (s *scope) complete(e Environment, l level, servicesMistaken bool) {
	if l.unread || s.spent() { // what is missing stands where nobody reads
		return
	}
	missing := func(what, instead string) {
		s.add(e.At, "environment "+quote(e.Name)+" has no "+what, instead)
	}
	if l.region.text == "" && !l.region.wrong {
		missing("region", "write region: REGION there or under defaults, or give the input region")
	}
	if l.cluster.text == "" && !l.cluster.wrong {
		missing("cluster", "write cluster: NAME there or under defaults, or give the input cluster")
	}
	if len(e.Services) == 0 && !servicesMistaken {
		missing("services", servicesForm)
	}
}

// agree reports a role or a cluster of another account or Region than the
// environment's.
func (s *scope) agree(e Environment, l level) {
	account, role := string(e.Account), roleAccount(e.RoleARN)
	if account != "" && role != "" && role != account {
		s.add(l.roleARN.at, "role-arn of environment "+quote(e.Name)+" is a role of account "+role+", but its account is "+account, "write the role as arn:aws:iam::{account}:role/NAME, or correct account")
	}
	region, owner := clusterHome(e.Cluster)
	if region != "" && e.Region != "" && region != string(e.Region) {
		s.add(l.cluster.at, "cluster of environment "+quote(e.Name)+" is in Region "+region+", but its region is "+string(e.Region), "correct one of the two")
	}
	if owner != "" && account != "" && owner != account {
		s.add(l.cluster.at, "cluster of environment "+quote(e.Name)+" is in account "+owner+", but its account is "+account, "correct one of the two")
	}
}

// roleAccount is the account of a role's ARN; empty when there is no role.
func roleAccount(role ARN) string {
	if m := shapes["role-arn"].pattern.FindStringSubmatch(string(role)); m != nil {
		return m[1]
	}
	return ""
}

// clusterHome is the Region and account of a cluster that is given as an ARN.
func clusterHome(cluster string) (region, account string) {
	if m := shapes["cluster"].pattern.FindStringSubmatch(cluster); m != nil {
		return m[2], m[3]
	}
	return "", ""
}
