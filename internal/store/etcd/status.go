package etcd

import (
	"cmp"
	"slices"
	"time"

	"surefoot/internal/lease"
)

// Status is how things stand between this node and the store.
type Status struct {
	Contact     bool            `json:"contact"`
	Since       time.Time       `json:"since"` // of contact, or of its absence
	Why         string          `json:"why,omitempty"`
	Endpoint    string          `json:"endpoint,omitempty"`
	Endpoints   []string        `json:"endpoints"`
	Records     int             `json:"records"`
	Unpublished int             `json:"unpublished"` // given out by this node alone, and not in the store yet
	Waiting     int             `json:"waiting"`     // claims on their way
	Won         uint64          `json:"claims_won"`
	Lost        uint64          `json:"claims_lost"`
	Late        uint64          `json:"claims_late"`    // not answered in time
	Refused     uint64          `json:"claims_refused"` // not tried: no contact
	Median      time.Duration   `json:"claim_median"`   // of the last ones that were won
	Worst       time.Duration   `json:"claim_worst"`
	Lag         time.Duration   `json:"watch_lag"` // from a commit of this node until it saw it
	Twin        bool            `json:"twin,omitempty"`
	Networks    []NetworkStatus `json:"networks"`
	Nodes       []NodeStatus    `json:"nodes"`
	Deaf        []Deaf          `json:"deaf,omitempty"`
}

// NetworkStatus is this node's blocks of a network.
type NetworkStatus struct {
	Network string        `json:"network"`
	Blocks  []lease.Range `json:"blocks"`
	Own     int           `json:"own"`      // addresses in them
	Free    int           `json:"own_free"` // that nobody has or had
}

// NodeStatus is another node, or this one.
type NodeStatus struct {
	Name    string        `json:"name"`
	Self    bool          `json:"self,omitempty"`
	Present bool          `json:"present"`
	Seen    time.Time     `json:"seen,omitzero"`
	Started time.Time     `json:"started"`
	Clock   time.Duration `json:"clock"` // how far it is ahead of ours, with the way of the message
}

// ClockWarn is a difference of clocks that is worth a warning; an address rests for a minute, and that
// has to cover it.
const ClockWarn = 5 * time.Second

// Status returns it.
func (c *Cluster) Status() Status {
	now := c.now()
	deaf := c.Deaf()
	c.mu.Lock()
	defer c.mu.Unlock()
	st := Status{
		Contact: c.contact, Since: c.since, Endpoint: c.at, Records: len(c.seen), Unpublished: len(c.unsaid), Waiting: c.waiting,
		Won: c.stats.winning.Load(), Lost: c.stats.lost.Load(), Late: c.stats.late.Load(), Refused: c.stats.refused.Load(),
		Lag: c.lag, Twin: c.twin, Deaf: deaf,
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
	for scope, p := range c.pools {
		if !p.given {
			continue
		}
		n := NetworkStatus{Network: scope, Blocks: p.mine}
		for _, r := range p.mine {
			n.Own += int(count(r))
			n.Free += int(c.fresh(r))
		}
		st.Networks = append(st.Networks, n)
	}
	slices.SortFunc(st.Networks, func(a, b NetworkStatus) int { return cmp.Compare(a.Network, b.Network) })
	for name, n := range c.nodes {
		s := NodeStatus{Name: name, Self: name == c.cfg.Node, Present: c.present(n, now), Seen: n.saw, Started: time.Unix(0, n.Epoch).UTC()}
		if n.timed && !s.Self {
			s.Clock = n.skew
		}
		st.Nodes = append(st.Nodes, s)
	}
	slices.SortFunc(st.Nodes, func(a, b NodeStatus) int { return cmp.Compare(a.Name, b.Name) })
	return st
}
