package etcd

import (
	"time"

	"surefoot/internal/lease"
)

// An ended lease rests, so that clocks may differ by lease.MostSkew. Whether they differ by more is watched: every
// word of a node has its clock. From when a difference is seen to be more, and until all is
// over that was promised meanwhile, no address passes from one machine to another at this node
// (lease.Book.Doubt); it goes on answering, out of what nobody had. The node that is right cannot be told
// from the one that is not, so all that see it do the same.

// off is by how much another clock is certainly away from ours, by a word of it that came now. One from the
// future is that: a way takes no time less than none. One from the past may have been on its way, though not
// for longer than since our own last word, if it came after that.
func (c *Cluster) off(at time.Time, rev int64, now time.Time) time.Duration {
	d := at.Sub(now)
	switch {
	case d >= 0:
		return d
	case rev <= c.spoke || c.spokeNow.IsZero():
		return 0
	}
	return min(0, d+now.Sub(c.spokeNow))
}

// compareClock looks at the clock of another node. c.mu is held.
func (c *Cluster) compareClock(name string, at time.Time, rev int64, now time.Time) {
	if rev > c.spoke && c.spoke > 0 {
		n := c.nodes[name]
		n.compared = true
		c.nodes[name] = n
		delete(c.unheard, name)
		c.sayDoubt(now)
	}
	if off := c.off(at, rev, now); off.Abs() > lease.MostSkew {
		c.suspect(now.Add(c.hold()), name, off)
	}
}

// suspect has this node in doubt until a time. c.mu is held.
func (c *Cluster) suspect(until time.Time, name string, off time.Duration) {
	now := c.now()
	if until.After(c.doubtful) {
		if !now.Before(c.doubtful) {
			c.log.Error("the clocks of two nodes differ by more than an address rests: until they agree, and for the longest lease after that, no address passes from one machine to another",
				"other", name, "ahead", off.Round(time.Second), "tolerated", lease.MostSkew)
		}
		c.doubtful = until
	}
	c.sayDoubt(now)
}

// sayDoubt tells the Book how things stand. c.mu is held.
func (c *Cluster) sayDoubt(now time.Time) {
	c.book.Doubt(now.Before(c.doubtful) || len(c.unheard) > 0 && now.Before(c.unsure))
}

// trust ends the doubt when its time is over.
func (c *Cluster) trust() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sayDoubt(c.now())
}

// unsureAtFirst has a node that starts in doubt until it has compared its clock with those of all others that the
// store knows of, or they had time enough to speak: they do at once when they see that it started.
func (c *Cluster) unsureAtFirst() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.unsure.IsZero() {
		return
	}
	now := c.now()
	c.unsure, c.unheard = now.Add(c.times.Presence+c.times.Call), map[string]struct{}{}
	for name, n := range c.nodes {
		if name != c.cfg.Node && !n.compared {
			c.unheard[name] = struct{}{}
		}
	}
	c.sayDoubt(now)
}

// hold is for how long after a difference was seen a machine may go by it. c.mu is held.
func (c *Cluster) hold() (most time.Duration) {
	for _, p := range c.pools {
		most = max(most, p.cfg.Hold())
	}
	return most
}

// doubtLeft is what a node says of its doubt, so that one that starts meanwhile hears of it, and it itself
// after a restart. c.mu is held.
func (c *Cluster) doubtLeft(now time.Time) int64 {
	return max(0, int64(c.doubtful.Sub(now)/time.Second))
}

// hearDoubt takes over what is left of a node's doubt, by its word of some time ago. c.mu is held.
func (c *Cluster) hearDoubt(name string, n Node, now time.Time) {
	if n.Doubt <= 0 {
		return
	}
	left := time.Duration(n.Doubt)*time.Second - max(0, now.Sub(time.UnixMilli(n.At)))
	if left = min(left, c.hold()); left > 0 {
		c.suspect(now.Add(left), name, time.UnixMilli(n.At).Sub(now))
	}
}
