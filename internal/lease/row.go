package lease

import (
	"net/netip"
	"slices"
	"time"

	"surefoot/internal/boot"
)

// row is a Record as the Book keeps it: a third of its size. Seconds are 32 bits (until 2106),
// and the texts, which repeat at each renewal, are one string.
type row struct {
	id             ID
	state          State
	mac            boot.MAC
	arch           uint16
	start, expires uint32
	serial         uint64
	pos            uint32
	due, aged      uint32 // seconds of its elements in timers; 0: it has none
	node           uint16
	host, circuit  uint8 // lengths, in this order in text
	class, relay   uint8
	own            bool
	ended          bool // its time was seen to be over
	text           string
}

// second is a time as rows have it.
func second(t time.Time) uint32 {
	u := t.Unix()
	switch {
	case t.IsZero() || u < 1:
		return 1 // 0 means none in timers
	case u > 1<<32-2:
		return 1<<32 - 2
	}
	return uint32(u)
}

func fromSecond(s uint32) time.Time { return time.Unix(int64(s), 0).UTC() }

// plus adds without running over.
func plus(s uint32, d time.Duration) uint32 {
	return uint32(min(uint64(s)+uint64(max(d, 0)/time.Second), 1<<32-2))
}

// blank reports that nobody had the address before, or that it was wiped (Sweep).
func (w *row) blank() bool { return w == nil || w.state == Free }

// live reports whether its time is not over. The client counts from when it sent its request
// (RFC 2131 4.4.1), which may be almost a second after Start: the second of Expires is its own.
func (w *row) live(now uint32) bool { return now <= w.expires }

// setText keeps the texts, in the string that is there already if they are the same.
func (w *row) setText(host, circuit, class string, relay netip.Addr) {
	host, circuit, class = clip(host, maxHost), clip(circuit, maxText), clip(class, maxText)
	var raw []byte
	var room [16]byte
	if relay.Is4() {
		b := relay.As4()
		raw = append(room[:0], b[:]...)
	} else if relay.IsValid() {
		room = relay.As16()
		raw = room[:]
	}
	h, c, k, r := w.texts()
	if h == host && c == circuit && k == class && r == relay {
		return
	}
	w.host, w.circuit, w.class, w.relay = uint8(len(host)), uint8(len(circuit)), uint8(len(class)), uint8(len(raw))
	w.text = host + circuit + class + string(raw)
}

func (w *row) texts() (host, circuit, class string, relay netip.Addr) {
	a := int(w.host)
	b := a + int(w.circuit)
	c := b + int(w.class)
	if w.relay > 0 {
		var room [16]byte
		relay, _ = netip.AddrFromSlice(append(room[:0], w.text[c:]...))
	}
	return w.text[:a], w.text[a:b], w.text[b:c], relay
}

// The bounds of texts: what a client says must not fill the memory.
const (
	maxHost = 64
	maxText = 255
)

func clip(s string, n int) string { return s[:min(len(s), n)] }

// record is the row as others see it.
func (s *scope) record(w *row) Record {
	host, circuit, class, relay := w.texts()
	return Record{
		Scope: s.pool.Scope, Addr: s.plan.addr(w.pos), ID: w.id, MAC: w.mac, State: w.state,
		Start: fromSecond(w.start), Expires: fromSecond(w.expires), Node: s.nodes[w.node],
		Host: host, Relay: relay, Circuit: circuit, Arch: w.arch, Class: class, Serial: w.serial, Own: w.own,
	}
}

// nodeIndex keeps the name of a node once. There are a handful; what is beyond has no name.
func (s *scope) nodeIndex(name string) uint16 {
	i := slices.Index(s.nodes, name)
	if i < 0 && len(s.nodes) < 1<<10 {
		s.nodes = append(s.nodes, name)
		i = len(s.nodes) - 1
	}
	return uint16(max(i, 0))
}
