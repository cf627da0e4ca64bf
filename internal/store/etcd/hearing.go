package etcd

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"surefoot/internal/store"
)

// How much later others must have heard something, and for how long that must be so: what a node hears
// it tells within Times.Presence.
const (
	relayDeaf = 5 * time.Minute
	wireDeaf  = time.Minute
	deafHolds = 30 * time.Second
)

// hearing compares what the nodes hear. c.mu is held.
func (c *Cluster) hearing(now time.Time) []store.Deaf {
	own := c.heard.snapshot(now)
	nodes := map[string]Node{c.cfg.Node: {Epoch: c.epoch, Heard: own}}
	for name, n := range c.nodes {
		if name != c.cfg.Node && c.present(n, now) {
			nodes[name] = n
		}
	}
	latest := map[string]int64{}
	for _, n := range nodes {
		for src, at := range n.Heard {
			latest[src] = max(latest[src], at)
		}
	}
	var out []store.Deaf
	for src, at := range latest {
		if at == 0 {
			continue
		}
		s := parseSource(src)
		gap := wireDeaf
		if s.Relay.IsValid() {
			gap = relayDeaf
		}
		if c.first[src].IsZero() {
			c.first[src] = now
		}
		if now.Sub(c.first[src]) < gap {
			continue
		}
		d := store.Deaf{Network: s.Network, Relay: s.Relay}
		for name, n := range nodes {
			last, wired := n.Heard[src]
			switch {
			case !wired && !s.Relay.IsValid():
				// It has no interface there.
			case at-max(last, n.Epoch/int64(time.Second)) > int64(gap/time.Second):
				d.Miss = append(d.Miss, name)
			case last > 0:
				d.Hear = append(d.Hear, name)
			}
		}
		if len(d.Miss) > 0 && len(d.Hear) > 0 {
			slices.Sort(d.Hear)
			slices.Sort(d.Miss)
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b store.Deaf) int { return cmp.Or(cmp.Compare(a.Network, b.Network), a.Relay.Compare(b.Relay)) })
	return out
}

// listen remembers since when nodes do not hear something. c.mu is held.
func (c *Cluster) listen(now time.Time) {
	was := c.deaf
	c.deaf = c.hearing(now)
	for i := range c.deaf {
		d := &c.deaf[i]
		d.Since = now
		for _, w := range was {
			if w.Network == d.Network && w.Relay == d.Relay && slices.Equal(w.Miss, d.Miss) {
				d.Since = w.Since
			}
		}
	}
}

// Deaf returns what has been so for a while.
func (c *Cluster) Deaf() []store.Deaf {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []store.Deaf
	for _, d := range c.deaf {
		if c.contact && now.Sub(d.Since) >= deafHolds {
			out = append(out, d)
		}
	}
	return out
}

func parseSource(s string) Source {
	network, relay, ok := strings.Cut(s, "@")
	if !ok {
		return Source{Network: s}
	}
	a, _ := netip.ParseAddr(relay)
	return Source{network, a}
}
