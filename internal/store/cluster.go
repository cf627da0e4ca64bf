package store

import (
	"net/netip"
	"time"
)

// Shared is how things stand between a node and the store that the nodes share.
type Shared struct {
	Contact     bool            `json:"contact"`
	Since       time.Time       `json:"since"` // of contact, or of its absence
	Why         string          `json:"why,omitempty"`
	Endpoint    string          `json:"endpoint,omitempty"` // in use
	Endpoints   []string        `json:"endpoints"`
	Records     int             `json:"records"`
	Unpublished int             `json:"unpublished"`     // given out by this node alone, and not in the store yet
	Waiting     int             `json:"waiting"`         // claims on their way
	Won         uint64          `json:"claims_won"`      // since the start
	Lost        uint64          `json:"claims_lost"`     // another node was first
	Late        uint64          `json:"claims_late"`     // not answered in time
	Refused     uint64          `json:"claims_refused"`  // not tried: no contact
	Median      time.Duration   `json:"claim_median_ns"` // of the last ones that were won
	Worst       time.Duration   `json:"claim_worst_ns"`
	Lag         time.Duration   `json:"watch_lag_ns"` // from a change by this node until it saw it
	Twin        bool            `json:"twin,omitempty"`
	Doubt       time.Time       `json:"clocks_doubted_until,omitzero"` // until then no address passes from one machine to another
	Networks    []SharedNetwork `json:"networks"`
	Nodes       []SharedNode    `json:"nodes"`
	Deaf        []Deaf          `json:"deaf,omitempty"`
}

// SharedNetwork is a node's own blocks of a network.
type SharedNetwork struct {
	Network string   `json:"network"`
	Blocks  []string `json:"blocks"`            // FIRST-LAST
	Own     int      `json:"own"`               // addresses in them
	Free    int      `json:"own_free"`          // that nobody has or had
	Crowded bool     `json:"crowded,omitempty"` // there is no block for this node
}

// SharedNode is a node as the store knows it.
type SharedNode struct {
	Name    string        `json:"name"`
	Self    bool          `json:"self,omitempty"`
	Present bool          `json:"present"` // it spoke of itself lately
	Seen    time.Time     `json:"seen,omitzero"`
	Started time.Time     `json:"started"`
	Clock   time.Duration `json:"clock_ns"` // how far it is ahead of ours, with the way of the message
}

// Deaf says that nodes do not hear what others do: broadcasts of a network, or what a relay forwards.
// Such a node answers nobody from there, and nothing else shows it as long as the others live.
type Deaf struct {
	Network string     `json:"network"`
	Relay   netip.Addr `json:"relay,omitzero"`
	Hear    []string   `json:"hear"` // nodes that do
	Miss    []string   `json:"miss"` // and that do not
	Since   time.Time  `json:"since"`
}
