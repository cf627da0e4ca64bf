package alert

import "time"

// Rules are the thresholds. Zero values mean the defaults.
type Rules struct {
	Repeat       time.Duration // tell again what still is
	ResolveAfter time.Duration // how long it has to be over

	DownAfter time.Duration // above what the monitor itself waits for

	SlowAfter      time.Duration
	SlowDeviations int // so many deviations (MAD) above the median
	SlowPercent    int // and so many percent above the median at the least
	SlowSamples    int // five-minute medians known, at the least

	FlapChanges int // changes of state within FlapWithin
	FlapWithin  time.Duration

	ContentAfter time.Duration // servers may differ for so long: files are published one by one

	NobodyProbes int // probes in a row without an offer of an address, or that only one form of answers comes to

	StoriesShare  int // percent of boots that fail
	StoriesLeast  int // failed ones, at the least
	StoriesWithin time.Duration
}

// WithDefaults fills in what is zero.
func (r Rules) WithDefaults() Rules {
	span := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	count := func(n *int, def int) {
		if *n == 0 {
			*n = def
		}
	}
	span(&r.Repeat, 4*time.Hour)
	span(&r.ResolveAfter, time.Minute)
	span(&r.SlowAfter, 2*time.Minute)
	count(&r.SlowDeviations, 6)
	count(&r.SlowPercent, 50)
	count(&r.SlowSamples, 24)
	count(&r.FlapChanges, 6)
	span(&r.FlapWithin, 30*time.Minute)
	span(&r.ContentAfter, 10*time.Minute)
	count(&r.NobodyProbes, 3)
	count(&r.StoriesShare, 20)
	count(&r.StoriesLeast, 3)
	span(&r.StoriesWithin, 15*time.Minute)
	return r
}
