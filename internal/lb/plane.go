package lb

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
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

// Names are those of some backends.
func (t Table) Names(of []int) []string {
	var out []string
	for _, i := range of {
		out = append(out, t.Service.Backends[i].Name)
	}
	return out
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

// Checker is a Plane that can tell whether the data path still stands as Apply left it: somebody may
// have taken it away, or the interface is another one now.
type Checker interface {
	Check(ctx context.Context) error
}

// Explainer is a Plane that can say whom a client gets that asks now, by what the kernel has.
type Explainer interface {
	Explain(ctx context.Context, service string, client netip.Addr) (Choice, error)
}

// PlaneKind is what carries packets with direct return.
type PlaneKind string

const (
	// PlaneAuto is XDP where the interface can, else tcx, else nftables.
	PlaneAuto PlaneKind = "auto"
	// PlaneXDP is BPF in the driver, or before the kernel's network stack.
	PlaneXDP PlaneKind = "xdp"
	// PlaneTCX is BPF at the entry of traffic control.
	PlaneTCX PlaneKind = "tcx"
	// PlaneNFT is nftables: for kernels that permit no BPF.
	PlaneNFT PlaneKind = "nft"
)

// Port is a port of a protocol.
type Port struct {
	Protocol string // udp or tcp
	Number   uint16
}

func (p Port) String() string { return p.Protocol + "/" + strconv.Itoa(int(p.Number)) }

// MarshalText writes it as in the site file.
func (p Port) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads that.
func (p *Port) UnmarshalText(text []byte) error {
	protocol, number, _ := strings.Cut(string(text), "/")
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || protocol != "udp" && protocol != "tcp" {
		return fmt.Errorf("%.40q is not a port, as in udp/69", text)
	}
	*p = Port{protocol, uint16(n)}
	return nil
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
