package fleet

import (
	"fmt"
	"slices"
)

// servicesLevel is what one place says about its services, by the key service
// or services. The zero value says nothing.
type servicesLevel struct {
	key string // "service" or "services"; empty: not said
	at  Position
	// names are ECS services that are their own short names: a list, or the
	// value of service. nil: mapped speaks.
	names  []said
	mapped []serviceLevel
	wrong  bool // neither a list nor a mapping, which is reported
}

// serviceLevel is what one place says about a service.
type serviceLevel struct {
	name         string
	at           Position
	removed      bool // null: drop what the defaults say
	service      said
	containers   []said
	image        said
	desiredCount said
	application  said
	group        said
}

// serviceKeys are the keys of a service in a mapping.
func serviceKeys() []string {
	return []string{"service", "container", "image", "task-definition", "desired-count", "codedeploy"}
}

const servicesForm = "write services: [NAME, …] or services: {NAME: {service: ECS-NAME}}"

// services reads the key service or services; before is what the other one said.
func (r *reader) services(before servicesLevel, e entry) servicesLevel {
	if before.key != "" {
		r.add(e.at, fmt.Sprintf("%s stands beside %s", e.key, before.key), "write one of the two: service names one ECS service, services several")
		return before
	}
	l := servicesLevel{key: e.key, at: e.at}
	switch v := e.value; {
	case v.kind == isNull:
		return servicesLevel{}
	case e.key == "service":
		if v.kind == isList || v.kind == isMap && len(v.entries) > 1 {
			r.wrong(v, e.key, "write one name, or services: with several")
			l.wrong = true
			break
		}
		l.names = []said{r.string(v, e.key)}
	case v.kind == isList:
		l.names = r.strings(v, e.key)
	case v.kind != isMap:
		r.wrong(v, e.key, servicesForm)
		l.wrong = true
	default:
		for _, e := range r.entries(v, e.key, servicesForm) {
			l.mapped = append(l.mapped, r.service(e))
		}
	}
	return l
}

// service reads one service of a mapping.
func (r *reader) service(e entry) serviceLevel {
	l := serviceLevel{name: e.key, at: e.at, removed: e.value.kind == isNull}
	if !isName(e.key) {
		r.add(e.at, "the service "+quote(e.key)+" is not a name", nameRule)
	}
	what := "service " + quote(e.key)
	for _, e := range r.entries(e.value, what, "write a mapping of its keys: {service: ECS-NAME}") {
		v := e.value
		switch e.key {
		case "service":
			l.service = r.string(v, e.key)
		case "container":
			l.containers = r.strings(v, e.key)
		case "image":
			l.image = r.string(v, e.key)
		case "task-definition":
			r.taskDefinition(v)
		case "desired-count":
			l.desiredCount = r.scalar(v, e.key)
		case "codedeploy":
			l.application, l.group = r.codeDeploy(v)
		default:
			r.unknown(e, what, serviceKeys())
		}
	}
	return l
}

func (r *reader) taskDefinition(n *node) {
	if s := r.string(n, "task-definition"); s.given && s.text != "current" {
		r.add(n.at, "this version starts from the current task definition only, so "+quote(s.text)+" would be ignored", "write current, or leave the key out")
	}
}

func (r *reader) codeDeploy(n *node) (application, group said) {
	for _, e := range r.entries(n, "codedeploy", "write {application: NAME, deployment-group: NAME}") {
		switch e.key {
		case "application":
			application = r.string(e.value, e.key)
		case "deployment-group":
			group = r.string(e.value, e.key)
		default:
			r.unknown(e, "codedeploy", []string{"application", "deployment-group"})
		}
	}
	return application, group
}

// mistaken reports whether services are missing only because of a mistake that
// is reported.
func (l servicesLevel) mistaken() bool {
	return l.wrong || slices.ContainsFunc(l.names, func(s said) bool { return s.wrong })
}

// over is what the level says on top of what the defaults say, key by key.
func (l serviceLevel) over(defaults serviceLevel) serviceLevel {
	l.service = l.service.or(defaults.service)
	if l.containers == nil {
		l.containers = defaults.containers
	}
	l.image = l.image.or(defaults.image)
	l.desiredCount = l.desiredCount.or(defaults.desiredCount)
	l.application = l.application.or(defaults.application)
	l.group = l.group.or(defaults.group)
	return l
}

// mergeServices lists the services of an environment. A mapping merges with the
// defaults' services by name; anything else replaces them.
func (s *scope) mergeServices(env, defaults servicesLevel) []serviceLevel {
	if env.key == "" {
		env, defaults = defaults, servicesLevel{}
	}
	if env.names != nil || defaults.key != "services" {
		defaults = servicesLevel{}
	}
	if !s.spend(len(env.names)+len(env.mapped)+len(defaults.names)+len(defaults.mapped), env.at) {
		return nil
	}
	return s.layServices(s.layServices(nil, defaults), env)
}

// layServices puts the services of a level on top of those below.
func (s *scope) layServices(below []serviceLevel, l servicesLevel) []serviceLevel {
	index := make(map[string]int, len(below)+len(l.mapped))
	for i, d := range below {
		index[d.name] = i
	}
	for _, n := range l.names {
		name, ok := s.expand(n, "service")
		if !ok {
			continue
		}
		if _, twice := index[name]; twice {
			s.add(n.at, fmt.Sprintf("the service %s is listed twice", quote(name)), "keep one")
			continue
		}
		index[name] = len(below)
		below = append(below, serviceLevel{name: name, at: n.at, service: said{text: name, at: n.at, given: true}})
	}
	for _, m := range l.mapped {
		i, have := index[m.name]
		switch {
		case m.removed && !have:
			s.add(m.at, fmt.Sprintf("the service %s has no value, which removes a service of the defaults, and they have none of this name", quote(m.name)),
				fmt.Sprintf("write %s: {} for a service of this name", m.name))
		case have:
			below[i] = m.over(below[i])
		default:
			below = append(below, m)
		}
	}
	return slices.DeleteFunc(below, func(l serviceLevel) bool { return l.removed })
}
