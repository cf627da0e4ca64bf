package lb

import (
	"context"
	"net/netip"
)

const (
	// DSR rewrites nothing but the MAC: the backend has the service's address and answers the client itself.
	DSR Mode = "dsr"
	// NAT writes the backend's address over the service's and keeps the client's: the backends' way back leads through here.
	NAT Mode = "nat"
	// SNAT writes the node's address over the client's as well: no backend needs to change, and none sees who asked.
	SNAT Mode = "snat"
)

// Table is what a data path does for one service from now on: immutable, made by whoever knows
// health and drains, applied whole.
type Table struct {
	Service Service
	Alive   []int // indexes of Service.Backends that get clients; when health leaves nobody, all: fail open
	Drained []int // of those that are not alive: they keep the clients that they have until their deadline
	Active  bool  // this node has the service's address; a standby keeps its tables warm and forwards nothing
}

// Plane is one way of letting packets travel, in the kernel. What a former process left is adopted by
// Apply: packets go on flowing meanwhile, and after Leave.
type Plane interface {
	// Apply makes the data path follow these services and no others, all of them in one step.
	Apply(ctx context.Context, tables []Table) error
	// Counters are since the data path was made, which may be before this process began.
	Counters(ctx context.Context) ([]Count, error)
	// Leave ends this process's part and lets packets flow on; Remove takes everything away.
	Leave() error
	Remove() error
}

// Count is what went to one backend of a service.
type Count struct {
	Service  string `json:"service"`
	Backend  string `json:"backend"`
	Packets  uint64 `json:"packets"`
	Bytes    uint64 `json:"bytes"`
	Requests uint64 `json:"requests"` // those that began something: an RRQ, a connection
	Retries  uint64 `json:"retries"`  // requests that were repeated: the client had no answer
}

// Target is a backend as a link-layer plane needs it.
type Target struct {
	Addr netip.Addr
	MAC  [6]byte
}
