package etcd

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"surefoot/internal/lease"
	"surefoot/internal/store"
)

// ClockWarn is a difference of clocks that is worth a warning; an address rests for a minute, and that
// has to cover it.
const ClockWarn = 5 * time.Second

// Status says how things stand.
func (c *Cluster) Status() store.Shared {
	now := c.now()
	own := c.ownAddresses()
	deaf := c.Deaf()
	c.mu.Lock()
	defer c.mu.Unlock()
	st := store.Shared{
		Contact: c.contact, Since: c.since, Endpoint: c.at, Records: len(c.seen), Unpublished: len(c.unsaid), Waiting: c.waiting,
		Won: c.stats.winning.Load(), Lost: c.stats.lost.Load(), Late: c.stats.late.Load(), Refused: c.stats.refused.Load(),
		Lag: c.lag, Twin: c.twin, Deaf: deaf, Networks: own,
	}
	if now.Before(c.doubtful) {
		st.Doubt = c.doubtful
	}
	st.Median, st.Worst = c.stats.recent()
	if !c.contact {
		st.Endpoint = ""
		if c.why != nil {
			st.Why = c.why.Error()
		}
	}
	for _, e := range c.cfg.Endpoints {
		st.Endpoints = append(st.Endpoints, string(e))
	}
	for name, n := range c.nodes {
		s := store.SharedNode{Name: name, Self: name == c.cfg.Node, Present: c.present(n, now), Seen: n.saw, Started: time.Unix(0, n.Epoch).UTC()}
		if n.timed && !s.Self {
			s.Clock = n.skew
		}
		st.Nodes = append(st.Nodes, s)
	}
	slices.SortFunc(st.Nodes, func(a, b store.SharedNode) int { return cmp.Compare(a.Name, b.Name) })
	return st
}

// countEvery is how old a count of free addresses may be: they are looked at one by one.
const countEvery = 2 * time.Second

// ownAddresses counts what is free in the node's own blocks, without keeping anybody waiting.
func (c *Cluster) ownAddresses() []store.SharedNetwork {
	c.mu.Lock()
	if time.Since(c.countedAt) < countEvery && c.counted != nil {
		defer c.mu.Unlock()
		return c.counted
	}
	mine, crowded := map[string][]lease.Range{}, map[string]bool{}
	for scope, p := range c.pools {
		if p.given {
			mine[scope], crowded[scope] = slices.Clone(p.mine), p.crowded
		}
	}
	c.mu.Unlock()
	out := []store.SharedNetwork{}
	for _, scope := range slices.Sorted(maps.Keys(mine)) {
		n := store.SharedNetwork{Network: scope, Blocks: []string{}, Crowded: crowded[scope]}
		for _, r := range mine[scope] {
			n.Blocks = append(n.Blocks, r.From.String()+"-"+r.To.String())
			n.Own += int(count(r))
			n.Free += int(c.fresh(r))
		}
		out = append(out, n)
	}
	c.mu.Lock()
	c.counted, c.countedAt = out, time.Now()
	c.mu.Unlock()
	return out
}
