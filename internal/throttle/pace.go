package throttle

import (
	"math"
	"time"
)

const (
	// safeRate is the part of a quota's rate that we use. Our clock and AWS's
	// differ, and a rate that is equal to the quota never pays back what a
	// delayed request has borrowed.
	safeRate = 0.99
	// together is how many calls go at once while the whole quota seems to be
	// ours. One by one they would take each token at the moment when it comes,
	// and a stranger who asks at any other moment would be refused for ever.
	// With two, one token lies there for half of the time, and we learn of him.
	together = 2
	// holdBack is the part of the share that is left in AWS's bucket between two
	// drains, if these come as often as they may. Whoever drains next takes it:
	// strangers get equal parts of what each gives in proportion.
	holdBack = 0.3
	// drainSpeed is how fast a drain sends, in ceilings: so slowly that few
	// calls are on their way when the first is refused.
	drainSpeed = 3
	// drainCalls is how many calls should be let in between two drains, each of
	// which costs a refusal. For their sake the second fill of the bucket may be
	// lost, but not a third (mostFills).
	drainCalls = 6
	mostFills  = 2
	// steadyPart of the time for which the share has been steady may pass between
	// two drains: however late a quota is found to have grown, it is late by no
	// more than this part of the time. After steadyCalls refusals are too few to
	// matter.
	steadyPart  = 0.25
	steadyCalls = 40
	// firstBelief is how many calls the share counts for in the first measurement
	// that contradicts it.
	firstBelief = 3
	// lean is added to each count of calls. A share that is too low can lose
	// tokens unnoticed, one that is too high costs a refusal.
	lean = 0.25
	// A drain confirms the share if it finds what was expected within so many
	// calls (the bucket's contents are known to a token at each end), or within
	// this part of them.
	exactCalls, exactPart = 1.5, 0.1
	// floor is the part of the ceiling that the share never falls below, so that
	// even after an hour of refusals the bucket is soon tried again.
	floor = 0.05
)

// pace is the rate of one bucket and how it learns. Its owner locks. The
// numbers above were chosen by running learn_test.go's worlds with many values
// and many seeds; none of them is critical.
//
// Two facts about token buckets carry it. First, a refused request says that
// AWS's bucket holds less than a token at that moment: the requests that were
// let in between two refusals, over the time between, are the rate at which it
// refills for us. Second, what nobody takes is not lost but stored, for as long
// as the bucket takes to fill: burst over rate, 20 s for registrations. So a
// bucket that is drained at least as often loses nothing, whatever we believe
// about its rate.
//
// While the quota is as we were told, a second bucket here (stored) mirrors
// AWS's and nothing is refused. A refusal shows that we have less. We then send
// a little slower than at the share that was measured, and drain from time to
// time: we send until a call is refused, measure, and go on. If the mirror is
// empty before a call is refused, the whole quota is ours again. How long to
// wait for the next drain is the only trade: a drain costs a refusal, waiting
// costs time when the quota has grown or a neighbour has gone. It begins with
// the time in which the bucket fills and gets longer as long as drains find
// what was expected.
//
// From AIMD: each gives back in proportion and takes in equal parts, so that
// strangers end up with equal shares. From the SDK's adaptive mode: rates are
// measured, not guessed. Left out: AIMD's and CUBIC's probing by a rate that
// grows until it is too high, since the time of growth and of every cut is lost
// to the one who is last, and each step is measured over too few calls at one
// call a second; adaptive mode's start without any limit (we know the quotas)
// and its one rate for all operations of a client.
type pace struct {
	ceiling float64 // requests per real second on average, never exceeded
	burst   float64 // requests at once on top, never exceeded
	at      time.Time
	stored  float64 // tokens that AWS's bucket has for us at most
	open    bool    // a group of calls is on its way; see together

	// The rest is about less than the whole quota.
	share       float64 // requests per real second that we get; 0: all
	belief      float64 // how many calls that rests on
	steadySince time.Time
	tokens      float64 // for calls between drains
	patience    float64 // seconds from one drain to the next
	drainAt     time.Time
	draining    bool
	lastSend    time.Time

	measuring bool      // the bucket was empty at emptyAt and there was always demand since
	emptyAt   time.Time // when AWS's bucket was last known to be empty
	since     int       // requests accepted since
}

func newPace(ceiling, burst float64, now time.Time) pace {
	return pace{ceiling: ceiling, burst: burst, at: now, stored: burst}
}

// average is the rate that is expected to be ours in the long run.
func (p *pace) average() float64 {
	if p.share == 0 || p.draining {
		return p.ceiling
	}
	return p.share
}

// betweenDrains is the rate of calls that leaves something to drain. A long
// patience leaves no more than a short one: AWS's bucket may be small.
func (p *pace) betweenDrains() float64 {
	return p.share * (1 - holdBack*p.fillTime()/p.patience)
}

// fillTime is the seconds in which the whole quota fills its bucket.
func (p *pace) fillTime() float64 { return p.burst / p.ceiling }

// capacity is how many tokens there may be between drains: a bucket that gives
// us half of the documented rate is taken to hold half of the documented burst.
func (p *pace) capacity() float64 { return max(1, p.burst*p.share/p.ceiling) }

// advance adds what the time up to now has brought.
func (p *pace) advance(now time.Time) {
	passed := now.Sub(p.at).Seconds()
	p.at = now
	p.stored = min(p.burst, p.stored+passed*p.ceiling)
	if p.share > 0 {
		p.tokens = min(p.capacity(), p.tokens+passed*p.betweenDrains())
	}
}

// wasIdle says that nobody has waited until now. Where more would have been
// sent if somebody had, what was sent says nothing about the share.
func (p *pace) wasIdle() {
	if p.stored >= p.burst || p.share > 0 && p.tokens >= p.capacity() {
		p.measuring = false
	}
}

// startsDrain reports whether a drain begins now.
func (p *pace) startsDrain(now time.Time) bool {
	if p.share == 0 || p.draining || now.Before(p.drainAt) {
		return false
	}
	p.draining = true
	return true
}

// due is how long until one of the waiting calls may be sent if nothing else
// happens.
func (p *pace) due(now time.Time, waiting int) time.Duration {
	switch {
	case p.share == 0:
		return seconds((p.group(waiting) - p.stored) / p.ceiling)
	case p.draining:
		next := p.lastSend.Add(seconds(1 / (drainSpeed * p.ceiling))).Sub(now)
		return max(next, seconds((1-p.stored)/p.ceiling))
	default:
		next := min(p.drainAt.Sub(now), seconds((1-p.tokens)/p.betweenDrains()))
		return max(next, seconds((1-p.stored)/p.ceiling))
	}
}

// group is how many tokens the next call waits for.
func (p *pace) group(waiting int) float64 {
	if p.open || p.stored >= together || waiting < together || p.burst <= together {
		return 1
	}
	return together
}

func (p *pace) send(now time.Time) {
	p.lastSend = now
	p.stored--
	p.open = p.stored >= 1
	p.tokens = max(0, p.tokens-1)
	if p.draining && p.stored < 1 {
		p.share, p.draining = 0, false
	}
}

// accepted counts a request that was let in.
func (p *pace) accepted() { p.since++ }

// refused notes that AWS's bucket is empty, and learns from it if it was empty
// before. Where we were living on what should have been stored, only that was
// wrong.
func (p *pace) refused(now time.Time) {
	if p.measuring {
		p.learn(now)
	}
	p.measuring, p.emptyAt, p.since = true, now, 0
	p.stored, p.tokens, p.open, p.draining = 0, 0, false, false
	if p.share > 0 {
		p.patience = p.wait(now.Sub(p.steadySince))
		p.drainAt = now.Add(seconds(p.patience))
	}
}

// wait is the seconds until the next drain of a bucket whose share has been what
// it is for as long as steady.
func (p *pace) wait(steady time.Duration) float64 {
	fill := p.fillTime()
	return max(fill,
		min(drainCalls/p.share, mostFills*fill),
		min(steadyCalls/p.share, steadyPart*steady.Seconds()))
}

// learn measures the share. A measurement counts for as many calls as were let
// in, and so does what it is added to, until something unexpected shows that
// things have changed: a call was refused before it was time to drain, or a
// drain has found too much or too little.
func (p *pace) learn(now time.Time) {
	passed, calls := now.Sub(p.emptyAt).Seconds(), float64(p.since)
	old := p.share
	if old == 0 {
		old = p.ceiling
	}
	expected := old * passed
	if !p.draining || math.Abs(calls-expected) > max(exactCalls, exactPart*expected) {
		p.belief, p.steadySince = firstBelief, now
	}
	measured := (p.belief + calls + lean) / (p.belief/old + passed)
	p.share = max(min(measured, p.ceiling), p.ceiling*floor)
	p.belief += calls
}
