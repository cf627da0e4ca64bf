// Package lb is what all ways of balancing share: a service with its backends, and Choose, which
// says who gets a client, and why. It is pure: health, load and time are handed in, and `surefoot lb
// explain` prints the same trace that the data path decides by. How packets travel is the business of
// the rooms below it.
package lb

import (
	"net/netip"
	"time"
)

// Service is one address behind which several servers stand. It is valid, and never changed.
type Service struct {
	Name      string         `json:"name"`
	Listen    netip.AddrPort `json:"listen"` // of a data path in the kernel: the address, and the first port or 0
	Mode      Mode           `json:"mode"`
	VIP       string         `json:"vip,omitempty"`       // the service address that moves, by its name; "": it does not, or others move it
	Interface string         `json:"interface,omitempty"` // where a data path in the kernel takes packets
	Plane     PlaneKind      `json:"plane,omitempty"`     // what carries packets with direct return
	Ports     []Port         `json:"ports,omitempty"`     // what of the address is balanced by a data path; none: every packet
	Drain     time.Duration  `json:"drain,omitempty"`     // a drained backend keeps its clients for so long
	Backends  []Backend      `json:"backends"`            // in order of preference
	Scheduler Scheduler      `json:"scheduler"`
	Persist   time.Duration  `json:"persist,omitempty"` // a client keeps its backend for so long after its last request; 0: not at all
	Sorry     string         `json:"sorry,omitempty"`   // what a client is told when no backend delivers
}

// Backend is a server that stands behind a service.
type Backend struct {
	Name   string         `json:"name"`
	TFTP   netip.AddrPort `json:"tftp"`
	Weight int            `json:"weight"` // its share, 1 to 100
}

// Mode is how packets travel between clients and backends.
type Mode string

// Relay ends the client's transfer here and makes another one to the backend.
const Relay Mode = "relay"

// Scheduler says which of several living backends is the next.
type Scheduler string

const (
	// RoundRobin gives each its turn.
	RoundRobin Scheduler = "round-robin"
	// Weighted gives each as many turns as its weight says, evenly spread.
	Weighted Scheduler = "weighted"
	// LeastTransfers takes the one with the fewest transfers for its weight.
	LeastTransfers Scheduler = "least-transfers"
	// Rendezvous takes the one that a hash of the client's address prefers: the same on every node, and
	// when a backend goes, only its own clients move.
	Rendezvous Scheduler = "rendezvous"
)

// Schedulers lists them, the default first.
func Schedulers() []Scheduler {
	return []Scheduler{RoundRobin, Weighted, LeastTransfers, Rendezvous, Maglev}
}

// ByAddress reports whether the client's address alone decides, so that every node decides alike.
func (s Scheduler) ByAddress() bool { return s == Rendezvous || s == Maglev }

// State is what a choice depends on besides the service. Nil functions know nothing.
type State struct {
	Turn    uint64                         // counts the choices of a service
	Down    func(server, file string) bool // the one health set, drains included
	Suspect func(server string) bool       // has just failed to deliver: comes last, in case it is true
	Load    func(server string) int        // transfers from it that run
	Kept    string                         // the backend that this client has, "" if none
}

// Choice is who gets a client.
type Choice struct {
	Backends []Backend `json:"backends"` // the one chosen first, then who is next should it fail
	FailOpen bool      `json:"fail_open,omitempty"`
	Trace    []Step    `json:"trace"`
}

// Step is one consideration.
type Step struct {
	Subject string `json:"subject"` // a backend, or what decided the order
	OK      bool   `json:"ok"`
	Why     string `json:"why"`
}

// First returns the backend chosen; false: the service has none.
func (c Choice) First() (Backend, bool) {
	if len(c.Backends) == 0 {
		return Backend{}, false
	}
	return c.Backends[0], true
}
