package throttle

import "time"

const (
	// safeRate is the part of a quota's rate that we use. Our clock and AWS's
	// differ, and a rate that is equal to the quota never pays back what a
	// delayed request has borrowed.
	safeRate = 0.99
	// cutTo is the part of the measured rate at which a cut starts over: CUBIC
	// and the SDK's adaptive mode use the same (RFC 9438 section 4.6;
	// aws-sdk-go-v2 aws/retry/adaptive_ratelimit.go).
	cutTo = 0.7
	// deepestCut is how low one cut may set the plateau, as a part of the rate,
	// where the measurement rests on enough requests.
	deepestCut = 0.5
	// enough is how many accepted requests make a measured rate worth
	// believing: the real bucket's contents are known to one token at each end.
	enough = 6
	// blindCut divides a rate at which not one request was accepted.
	blindCut = 3
	// floor is the part of the ceiling below which no cut goes, so that even
	// after an hour of refusals the bucket is tried again in seconds.
	floor = 0.05
	// climbCalls sets the steady climb of a rate of which nothing is known but
	// that it is too low: from 0 to the ceiling in the time that so many calls
	// take at the ceiling.
	climbCalls = 50
	// minPatience and maxPatience bound the time from a cut back to the plateau,
	// as calls at the ceiling. Shorter refuses more calls, longer makes equals
	// of competitors more slowly.
	minPatience = 50
	maxPatience = 180
	// Refusals that come later than steady, in plateau times after the plateau,
	// but before outdated, are those of a quota that is ours alone; earlier than
	// 0, somebody interferes.
	steady = 0.8
	// outdated, in the same unit, is when the rate has outgrown the plateau so
	// far that the quota must have grown, too.
	outdated = 1.25
)

// pace is the rate of one bucket and how it learns. Its owner locks. The
// numbers above were chosen by running learn_test.go's worlds with many values.
//
// From AIMD: a multiplicative cut for each throttle signal, and growth in equal
// steps for all, whatever their rate, so that strangers who share a quota end
// up with about equal parts. From CUBIC: growth that is steep far from the last
// known rate, flat around it, and steep again beyond it, which keeps the rate
// near the right one for most of the time. From the SDK's adaptive mode: rates
// are measured, not guessed. Measuring is better here than there, since a
// refused request says that the real bucket is empty at that moment: the
// requests that were accepted between two such moments, over the time between,
// are the rate at which the bucket refills for us. Left out: adaptive mode's
// start without any limit (we know the quotas) and its one rate for all
// operations of a client; CUBIC's TCP-friendly region (nothing here is TCP).
type pace struct {
	ceiling float64   // requests per real second, never exceeded
	rate    float64   // now; at most ceiling
	at      time.Time // when rate was true

	plateau  float64   // the rate measured at the last cut; 0 before the first
	cutAt    time.Time // when that was
	patience float64   // time from cutAt to the plateau, as calls at the ceiling
	climbing bool      // plateau is unknown or outdated

	emptyAt time.Time // when the real bucket was last known to be empty
	since   int       // requests accepted since
}

func newPace(ceiling float64, now time.Time) pace {
	return pace{ceiling: ceiling, rate: ceiling, at: now, patience: minPatience, climbing: true, emptyAt: now}
}

// advance lets the rate grow with time: steadily while climbing, else along a
// cube that is flat around the plateau.
func (p *pace) advance(now time.Time) {
	if p.climbing {
		p.rate += now.Sub(p.at).Seconds() * p.ceiling * p.ceiling / climbCalls
	} else {
		z := p.sincePlateau(now)
		p.rate = p.plateau * (1 + (1-cutTo)*z*z*z)
		p.climbing = z >= outdated
	}
	p.rate = min(p.rate, p.ceiling)
	p.at = now
}

// sincePlateau is the time since the rate passed the plateau, in units of the
// time that it took to get there: -1 at the cut.
func (p *pace) sincePlateau(now time.Time) float64 {
	return now.Sub(p.cutAt).Seconds()*p.ceiling/p.patience - 1
}

// accepted counts a request that was let in.
func (p *pace) accepted() { p.since++ }

// found notes that the real bucket is empty, which is not the rate's fault.
func (p *pace) found(now time.Time) { p.emptyAt, p.since = now, 0 }

// cut lowers the rate: the real bucket is empty although we sent no faster than
// at this rate.
func (p *pace) cut(now time.Time) {
	if p.since == 0 {
		p.cutBlindly(now)
		return
	}
	p.learnPatience(now)
	p.plateau = max(p.measured(now), p.ceiling*floor)
	p.rate = p.plateau * cutTo
	p.cutAt, p.climbing = now, false
	if p.since >= enough {
		p.found(now)
	}
	// Else the few accepted requests keep counting, so that a slow bucket is
	// measured over several cuts.
}

// measured is the rate at which the real bucket refills for us, as far as it
// can be told: never above the present rate, which is too high, and not far
// below it, since the quota may have changed during the measurement.
func (p *pace) measured(now time.Time) float64 {
	lowest := cutTo
	if p.since >= enough {
		lowest = deepestCut
	}
	// At both ends the bucket held less than a token: half a one on average.
	measured := (float64(p.since) + 0.5) / now.Sub(p.emptyAt).Seconds()
	return max(min(measured, p.rate), p.rate*lowest)
}

// learnPatience makes a bucket with a steady rate of its own ask for more less
// and less often. One with competitors, or with more room than it knew of, asks
// more often: that evens out the shares.
func (p *pace) learnPatience(now time.Time) {
	switch {
	case p.plateau == 0:
		return
	case p.since < enough:
		p.patience = minPatience
	case p.climbing || p.sincePlateau(now) < 0:
		p.patience = max(minPatience, p.patience/2)
	case p.sincePlateau(now) > steady:
		p.patience = min(maxPatience, p.patience*2)
	}
}

// cutBlindly is for a rate at which nothing is accepted: nothing is measured.
func (p *pace) cutBlindly(now time.Time) {
	p.rate = max(p.rate/blindCut, p.ceiling*floor)
	p.climbing = true
	p.found(now)
}
