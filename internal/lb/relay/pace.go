package relay

import "time"

// pace is how patient a relay is with backends. Tests have less patience.
type pace struct {
	// patience is how long a backend may be silent, in each round through all of them. The first is shorter
	// than the first time-out of nearly every client (F25): the next backend answers before the client
	// repeats itself. The later ones are for backends that are all slow.
	patience [3]time.Duration
	// sorryAfter is how long a request, or a transfer that stands still, waits for any backend: shorter
	// than the patience of firmware (plain ROMs 10 s), so that the ERROR still reaches it.
	sorryAfter time.Duration
	// roundTime is the least time for one round: backends whose port is closed say so at once, and may
	// be about to start again.
	roundTime time.Duration
	// firstResend is the wait before the last packet is sent again: it doubles with each repetition.
	firstResend time.Duration
	// slowest is how long a backend may be silent that delivers to others meanwhile: to go on to the next
	// one would only make more work for all. It is looked at every lookAgain.
	slowest, lookAgain time.Duration
	// suspectFor is how long a backend that did not deliver comes last, until health has made up its
	// mind. Without it, each download would wait for it first.
	suspectFor time.Duration
}

func usualPace() pace {
	return pace{
		patience:   [...]time.Duration{300 * time.Millisecond, time.Second, 3 * time.Second},
		sorryAfter: 7 * time.Second, roundTime: 250 * time.Millisecond,
		firstResend: 80 * time.Millisecond,
		slowest:     1500 * time.Millisecond, lookAgain: 100 * time.Millisecond,
		suspectFor: 5 * time.Second,
	}
}
