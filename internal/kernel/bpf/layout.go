package bpf

import (
	"crypto/sha256"
	_ "embed"
)

//go:embed dsr.o
var object []byte

// Limits that dsr.c has, too.
const (
	MaxBackends = 64
	MaxSlots    = 16384
	MaxCounters = 1024
	MaxClients  = 65536
	MaxServices = 128
	MaxPorts    = 8
)

// layout counts the changes of what the maps hold: a process takes over maps of its own layout only.
const layout = 1

// Addr is an address as the maps hold it, IPv4 as ::ffff:a.b.c.d.
type Addr [16]byte

// Flags of a backend.
const (
	Alive   = 1 // gets clients
	Drained = 2 // keeps those that it has
	Local   = 4 // is this node
)

// Backend is a place of a service.
type Backend struct {
	MAC     [6]byte
	Flags   uint8
	Next    uint8  // the place of the living one after it
	ID      uint32 // of its name
	Counter uint16
	Sender  uint8
	_       uint8
}

// Schedulers.
const (
	ByHash = 0
	ByTurn = 1
)

// Service is what becomes of packets to an address.
type Service struct {
	MAC      [6]byte // of the interface
	Active   uint8
	By       uint8
	Port     uint16 // of requests, in the order of the network
	Ports    uint16 // how many of Only are in use; 0: every packet to the address is balanced
	Only     [MaxPorts]Port
	Backends uint32
	Slots    uint32
	Turn     uint32
	Timeout  uint64 // ns
	Senders  [256]uint8
	Backend  [MaxBackends]Backend
	Slot     [MaxSlots]uint8
}

// Port is one that a service takes, its number in the order of the network.
type Port struct {
	Protocol uint8
	_        uint8
	Number   uint16
}

// Client is the key of what is remembered of a client.
type Client struct{ Service, From Addr }

// Kept is what is remembered of a client.
type Kept struct {
	Seen    uint64 // ns of CLOCK_MONOTONIC
	Asked   uint64
	ID      uint32
	Port    uint16
	Backend uint8
	Tries   uint8
}

// Count is what went to a backend.
type Count struct{ Packets, Bytes, Requests, Retries, Clients uint64 }

type about struct {
	Layout uint32
	Sum    [32]byte
}

// sum tells one object from another.
func sum() [32]byte { return sha256.Sum256(object) }

// Finish computes what follows from the backends: who is next after each, and the chains by which a frame of
// theirs is known quickly.
func (s *Service) Finish() {
	s.Senders = [256]uint8{}
	n := int(s.Backends)
	for i := range n {
		b := &s.Backend[i]
		b.Next = uint8(i)
		for k := 1; k < n; k++ {
			if j := (i + k) % n; s.Backend[j].Flags&Alive != 0 {
				b.Next = uint8(j)
				break
			}
		}
		b.Sender = 0
		if b.MAC == ([6]byte{}) || b.Flags&Local != 0 {
			continue
		}
		bucket := b.MAC[3] ^ b.MAC[4] ^ b.MAC[5]
		b.Sender, s.Senders[bucket] = s.Senders[bucket], uint8(i+1)
	}
}
