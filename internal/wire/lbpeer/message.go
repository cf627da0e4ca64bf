// Package lbpeer is the protocol between balancers that stand in for each other: which backends each sees alive, and which
// clients have another backend than the hash of their address says. It is our own, by UDP, each datagram by itself; a
// key that both have authenticates it (HMAC-SHA-256, RFC 2104, of which 16 bytes are sent), and nothing in it is
// secret. Who repeats old datagrams is found out by the session numbers: every process draws one, and takes only what
// names its own.
package lbpeer

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/netip"
)

// Message is a datagram. One that names no receiver's session says nothing but its own: it asks for an answer.
type Message struct {
	From, To uint64 // sessions of sender and receiver; To 0: not known yet
	Seq      uint64 // rises within a session
	Node     string
	Views    []View
	Service  netip.Addr // of Clients
	Round    uint32     // of Clients: a whole list has one number
	Clients  []Client
}

// View is what the sender sees of a service.
type View struct {
	Service  netip.Addr
	Active   bool // it has the address
	Backends []Backend
}

// Backend is what it sees of a backend.
type Backend struct {
	ID      uint32 // of its name
	Alive   bool
	Drained bool
}

// Client is one that has another backend than its address says.
type Client struct {
	From    netip.Addr
	Backend uint32
	Idle    uint32 // ms since its last packet
}

// Limits of a message: a datagram fits into any Ethernet frame.
const (
	MaxNode     = 64
	MaxViews    = 4
	MaxBackends = 64
	MaxClients  = 40
	tagSize     = 16
	magic       = "SFB1"
)

// Errors of Decode.
var (
	ErrOther   = errors.New("not a datagram between balancers")
	ErrKey     = errors.New("the other balancer has another key")
	ErrInvalid = errors.New("a datagram that says what it cannot")
)

// Encode writes a message, which keeps to the limits.
func Encode(m *Message, key []byte) []byte {
	b := append([]byte{}, magic...)
	b = binary.BigEndian.AppendUint64(b, m.From)
	b = binary.BigEndian.AppendUint64(b, m.To)
	b = binary.BigEndian.AppendUint64(b, m.Seq)
	b = append(append(b, byte(len(m.Node))), m.Node...)
	b = append(b, byte(len(m.Views)))
	for _, v := range m.Views {
		b = append(addr(b, v.Service), flag(v.Active, 1), byte(len(v.Backends)))
		for _, x := range v.Backends {
			b = append(binary.BigEndian.AppendUint32(b, x.ID), flag(x.Alive, 1)|flag(x.Drained, 2))
		}
	}
	b = addr(b, m.Service)
	b = append(binary.BigEndian.AppendUint32(b, m.Round), byte(len(m.Clients)))
	for _, c := range m.Clients {
		b = addr(b, c.From)
		b = binary.BigEndian.AppendUint32(b, c.Backend)
		b = binary.BigEndian.AppendUint32(b, c.Idle)
	}
	return append(b, tag(b, key)...)
}

func tag(b, key []byte) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write(b)
	return h.Sum(nil)[:tagSize]
}

func flag(is bool, bit byte) byte {
	if is {
		return bit
	}
	return 0
}

// addr writes an address in 16 bytes; the invalid one is all zeros.
func addr(b []byte, a netip.Addr) []byte {
	var x [16]byte
	if a.IsValid() {
		x = a.As16()
	}
	return append(b, x[:]...)
}

// Decode reads a message of somebody who has the key.
func Decode(b, key []byte) (*Message, error) {
	if len(b) < len(magic)+tagSize || string(b[:len(magic)]) != magic {
		return nil, ErrOther
	}
	body, sum := b[:len(b)-tagSize], b[len(b)-tagSize:]
	if !hmac.Equal(sum, tag(body, key)) {
		return nil, ErrKey
	}
	r := reader{b: body[len(magic):]}
	m := &Message{From: r.u64(), To: r.u64(), Seq: r.u64()}
	m.Node = string(r.take(r.upTo(MaxNode)))
	for range r.upTo(MaxViews) {
		v := View{Service: r.addr(), Active: r.u8() == 1}
		for range r.upTo(MaxBackends) {
			x := Backend{ID: r.u32()}
			f := r.u8()
			x.Alive, x.Drained = f&1 != 0, f&2 != 0
			v.Backends = append(v.Backends, x)
		}
		m.Views = append(m.Views, v)
	}
	m.Service, m.Round = r.addr(), r.u32()
	for range r.upTo(MaxClients) {
		m.Clients = append(m.Clients, Client{From: r.addr(), Backend: r.u32(), Idle: r.u32()})
	}
	if r.bad || len(r.b) > 0 {
		return nil, ErrInvalid
	}
	return m, nil
}

// reader takes bytes from the front; bad stays once there were too few.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || len(r.b) < n {
		r.bad = true
		return make([]byte, n)
	}
	x := r.b[:n]
	r.b = r.b[n:]
	return x
}

func (r *reader) u8() byte    { return r.take(1)[0] }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

func (r *reader) upTo(limit int) int {
	n := int(r.u8())
	if n > limit {
		r.bad = true
		return 0
	}
	return n
}

func (r *reader) addr() netip.Addr {
	x := [16]byte(r.take(16))
	if x == [16]byte{} {
		return netip.Addr{}
	}
	return netip.AddrFrom16(x).Unmap()
}
