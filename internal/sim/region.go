package sim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
)

// region is what an account has in a Region, as it is now.
type region struct {
	aws           *AWS
	account, name string
	buckets       map[string]*bucket
	clusters      map[string]*cluster
	families      map[string]*family
	repositories  map[string]map[string]string // nil: every image exists
	logs          map[string]map[string]*logStream
	runTokens     map[string]runToken
	targets       map[string]*scalableTarget // by resource id
	shared        map[string]*taskDefinition // of the world's services, by their text
	codeDeploy    *codeDeploy
	alarms        []Alarm
	balancerOf    map[string]string // ARN of a target group → name of its load balancer, where the world says
}

type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func (r *region) arn(service, rest string) string {
	return fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, r.name, r.account, rest)
}

// regionOf is an account's Region; one that the world does not list is empty.
func (a *AWS) regionOf(account, name string) *region {
	id := account + "/" + name
	if r, ok := a.regions[id]; ok {
		return r
	}
	w := a.world.Accounts[account].Regions[name]
	r := &region{
		aws: a, account: account, name: name,
		buckets:      buckets(name, w, a.world.Start),
		clusters:     map[string]*cluster{},
		families:     map[string]*family{},
		repositories: ownRepositories(w.Repositories),
		logs:         map[string]map[string]*logStream{},
		runTokens:    map[string]runToken{},
		targets:      map[string]*scalableTarget{},
		shared:       map[string]*taskDefinition{},
		codeDeploy:   newCodeDeploy(w.OtherApplications),
		alarms:       w.Alarms,
		balancerOf:   map[string]string{},
	}
	a.regions[id] = r
	return r
}

// ownRepositories is a copy that pushes may change; nil stays nil.
func ownRepositories(listed map[string]map[string]string) map[string]map[string]string {
	copied := maps.Clone(listed)
	for name, tags := range listed {
		copied[name] = map[string]string{}
		maps.Copy(copied[name], tags)
	}
	return copied
}

// own takes the name out of an ARN of this account and Region; a foreign ARN
// names nothing here.
func (r *region) own(nameOrARN, kind, otherwise string) string {
	if nameOrARN == "" {
		return otherwise
	}
	if !strings.HasPrefix(nameOrARN, "arn:") {
		return nameOrARN
	}
	rest, ok := strings.CutPrefix(nameOrARN, r.arn("ecs", kind))
	if !ok {
		return "\x00foreign"
	}
	return rest
}

// The simulation's identifiers come from a generator with a fixed seed, so
// that a run that asks for the same in the same order gets the same.

func (a *AWS) digits() string { return strconv.FormatInt(1e18+a.random.Int64N(8e18), 10) }

func (a *AWS) hex32() string { return fmt.Sprintf("%016x%016x", a.random.Uint64(), a.random.Uint64()) }

func (a *AWS) uuid() string {
	h := a.hex32()
	return strings.Join([]string{h[:8], h[8:12], "4" + h[13:16], "a" + h[17:20], h[20:]}, "-")
}

// fill makes an identifier's sixteen letters and digits out of a text.
func fill(text string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	seed := uint64(len(text))
	for _, b := range []byte(text) {
		seed = seed*1099511628211 + uint64(b)
	}
	source := rand.New(rand.NewPCG(seed, 1))
	id := make([]byte, 16)
	for i := range id {
		id[i] = letters[source.IntN(len(letters))]
	}
	return string(id)
}
