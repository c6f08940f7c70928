package report

// Environment is the state of one environment; false when the run has none of
// that name.
func (l *Log) Environment(name string) (EnvironmentState, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, known := l.byEnv[name]
	if !known {
		return EnvironmentState{}, false
	}
	return EnvironmentState{p.name, len(p.results), p.total, p.message, p.state()}, true
}
