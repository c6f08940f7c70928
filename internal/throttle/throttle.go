// Package throttle keeps every AWS call of a run inside the API quotas that
// the run shares with everybody else in the account.
//
// Its one idea: each attempt of each SDK call, retries included, waits for a
// token of its bucket before it is signed and sent. A bucket belongs to an
// account, a Region and a group of API actions, as AWS's own buckets do, so
// all clients of an account and Region share one Scope. A throttled answer is
// no failure but news about the bucket: it slows all callers of the bucket at
// once, the refused call goes back to the head of the queue, and the rate
// recovers by itself, up to the documented or stated quota and never beyond.
//
// Callers see plain SDK calls and three kinds of errors of ours: *Error (the
// context ended while the quota was what the call waited for),
// *UnknownOutcome (a write may have happened: look before repeating it) and
// the SDK's own.
//
// Limits: a Registry knows of no other process. Others who use the same quota
// are noticed by the throttled answers they cause, and the quota is then shared
// with them about equally. Calls made without the Scope's options are not
// metered.
//
// Read next: bucket.go (who may send when), pace.go (how fast), quota.go (the
// numbers and their sources), middleware.go (where it hooks into the SDK).
package throttle

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"
)

// Limits says how much of AWS's quotas a run may use. The zero value is all of
// each documented quota.
type Limits struct {
	// Share is the part of each quota that the run may use, above 0 and up to
	// 1. 0 means 1.
	Share float64
	// Stated are the quotas of accounts that do not have the documented ones,
	// by bucket name. A field that is 0 keeps the documented value. Share
	// applies to them, too.
	Stated map[string]Quota
	// Speed is how many simulated seconds pass in a real second: rates are
	// multiplied by it and back-offs divided. 0 means 1, the real AWS. Rates
	// and durations that the package reports are simulated ones, so that they
	// compare with the quotas.
	Speed float64
}

func (l Limits) withDefaults() Limits {
	if l.Share == 0 {
		l.Share = 1
	}
	if l.Speed == 0 {
		l.Speed = 1
	}
	return l
}

// quota is what the run may use of a bucket, in simulated time.
func (l Limits) quota(bucket string) Quota {
	q := seeds[bucket]
	stated := l.Stated[bucket]
	if stated.Rate > 0 {
		q.Rate = stated.Rate
	}
	if stated.Burst > 0 {
		q.Burst = stated.Burst
	}
	return Quota{Rate: q.Rate * l.Share, Burst: q.Burst * l.Share}
}

// Registry holds the buckets of a run. All methods are safe for concurrent use.
type Registry struct {
	limits Limits

	mu     sync.Mutex
	scopes map[scopeKey]*Scope
}

type scopeKey struct{ account, region string }

// New makes the registry of a run. Two registries know nothing of each other.
func New(l Limits) *Registry {
	return &Registry{limits: l.withDefaults(), scopes: make(map[scopeKey]*Scope)}
}

// Scope holds the buckets of one account and Region. All methods are safe for
// concurrent use.
type Scope struct {
	account, region string
	limits          Limits

	mu      sync.Mutex
	buckets map[string]*bucket
}

// Scope returns the buckets of an account and Region: the same ones for the
// same arguments. Where the account is not known yet (the call that asks for
// it), any stable name of the credentials does.
func (r *Registry) Scope(account, region string) *Scope {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := scopeKey{account, region}
	s, ok := r.scopes[key]
	if !ok {
		s = &Scope{account: account, region: region, limits: r.limits, buckets: make(map[string]*bucket)}
		r.scopes[key] = s
	}
	return s
}

func (s *Scope) bucket(name string) *bucket {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.buckets[name]
	if !ok {
		b = newBucket(s.limits.quota(name), s.limits.Speed)
		s.buckets[name] = b
	}
	return b
}

// Usage is what a run has made of one bucket so far.
type Usage struct {
	Account, Region, Bucket string
	// Calls counts requests sent, retries included: what AWS counted against
	// the quota. Throttled of them were refused.
	Calls, Throttled int
	// Waited is how long at least one call stood waiting for this bucket;
	// calls that waited at the same time count once. It is thus the most that
	// a larger quota could have saved, where a sum over calls would be hours
	// in a run of minutes.
	Waited time.Duration
	// Rate is the requests a second that the bucket allows itself now.
	Rate float64
}

// Usage lists the buckets that sent or wait to send anything, sorted by
// account, Region and bucket.
func (r *Registry) Usage() []Usage {
	var all []Usage
	for _, s := range r.allScopes() {
		all = append(all, s.usage()...)
	}
	slices.SortFunc(all, func(a, b Usage) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Region, b.Region), cmp.Compare(a.Bucket, b.Bucket))
	})
	return all
}

func (r *Registry) allScopes() []*Scope {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*Scope, 0, len(r.scopes))
	for _, s := range r.scopes {
		all = append(all, s)
	}
	return all
}

func (s *Scope) usage() []Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Usage
	for name, b := range s.buckets {
		u := b.usage()
		if u.Calls == 0 && u.Waited == 0 {
			continue
		}
		u.Account, u.Region, u.Bucket = s.account, s.region, name
		all = append(all, u)
	}
	return all
}

// Forecast is the least time that so many more calls take to be sent, behind
// those that already wait: with the tokens that are there now, and at the full
// quota afterwards. It is 0 for a name that is not one of Buckets.
func (r *Registry) Forecast(account, region, bucket string, calls int) time.Duration {
	if _, ok := seeds[bucket]; !ok {
		return 0
	}
	return r.Scope(account, region).bucket(bucket).forecast(calls)
}

// seconds converts without overflowing: quotas close to 0 make centuries.
func seconds(s float64) time.Duration {
	if s >= math.MaxInt64/float64(time.Second) {
		return math.MaxInt64
	}
	return time.Duration(math.Ceil(s * float64(time.Second)))
}
