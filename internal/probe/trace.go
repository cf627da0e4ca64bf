package probe

import (
	"fmt"
	"net/netip"
	"time"

	"surefoot/internal/wire/tftp"
)

// Packet is one packet of a trace.
type Packet struct {
	At   time.Duration `json:"at_ns"` // since the first request
	Sent bool          `json:"sent"`
	What string        `json:"what"`
	Peer string        `json:"peer,omitempty"` // where it came from, or went if not to the server
}

func (p Packet) String() string {
	dir := "<"
	if p.Sent {
		dir = ">"
	}
	s := fmt.Sprintf("%9.3f ms %s %s", float64(p.At)/float64(time.Millisecond), dir, p.What)
	if p.Peer != "" {
		s += "  [" + p.Peer + "]"
	}
	return s
}

const (
	traceHead = 24
	traceTail = 24
)

// Room is memory that a download needs while it runs, and that another one can use after it.
type Room struct {
	packet [1 << 16]byte // the largest there is
	trace  trace
}

// trace keeps the first packets and the last, however many there are.
type trace struct {
	head  []noted
	tail  []noted // a ring once it is full
	after int     // packets that came after those of the head
}

// noted is a packet that has yet to be put in words: most traces are never read.
type noted struct {
	Packet
	peer netip.AddrPort // valid: in place of Packet.Peer
	size int            // of a DATA or ACK, 0: it is none
	raw  []byte         // its op and block; of another packet all of it; nil: Packet.What says it
}

func (t *trace) add(p Packet) { *t.next() = noted{Packet: p} }

// note adds a packet of TFTP as it went over the wire. A peer that is not valid is not named.
func (t *trace) note(at time.Duration, sent bool, b []byte, peer netip.AddrPort) {
	n := t.next()
	raw := n.raw[:0] // its memory serves again
	if raw == nil {
		raw = make([]byte, 0, 64) // most packets without data
	}
	*n = noted{Packet: Packet{At: at, Sent: sent}, peer: peer}
	if op, _ := tftp.PeekOp(b); op == tftp.OpDATA && len(b) >= 4 || op == tftp.OpACK && len(b) == 4 {
		n.size = len(b)
		b = b[:4]
	}
	n.raw = append(raw, b...)
}

// next is the place of the next packet.
func (t *trace) next() *noted {
	if t.head == nil {
		t.head, t.tail = make([]noted, 0, traceHead), make([]noted, 0, traceTail)
	}
	if len(t.head) < traceHead {
		t.head = t.head[:len(t.head)+1]
		return &t.head[len(t.head)-1]
	}
	i := t.after % traceTail
	t.after++
	if len(t.tail) < traceTail {
		t.tail = t.tail[:i+1]
	}
	return &t.tail[i]
}

// reset forgets all packets and keeps their places.
func (t *trace) reset() { t.head, t.tail, t.after = t.head[:0], t.tail[:0], 0 }

// packets puts what was kept in words.
func (t *trace) packets() []Packet {
	if len(t.head) == 0 {
		return nil
	}
	out := make([]Packet, 0, len(t.head)+1+len(t.tail))
	for i := range t.head {
		out = append(out, t.head[i].packet())
	}
	from := 0 // of the tail
	if dropped := t.after - traceTail; dropped > 0 {
		out = append(out, Packet{At: t.head[len(t.head)-1].At, What: fmt.Sprintf("... %d more packets ...", dropped)})
		from = dropped
	}
	for i := range t.tail {
		out = append(out, t.tail[(from+i)%traceTail].packet())
	}
	return out
}

func (n *noted) packet() Packet {
	p := n.Packet
	if n.peer.IsValid() {
		p.Peer = n.peer.String()
	}
	switch {
	case n.size > 0:
		p.What = describeBlock(n.raw, n.size)
	case n.raw != nil:
		p.What = describe(n.raw)
	}
	return p
}

// describeBlock says what a DATA or ACK of so many bytes is.
func describeBlock(raw []byte, size int) string {
	block := uint16(raw[2])<<8 | uint16(raw[3])
	if op, _ := tftp.PeekOp(raw); op == tftp.OpACK {
		return fmt.Sprintf("ACK %d", block)
	}
	return fmt.Sprintf("DATA %d, %d bytes", block, size-4)
}

// describe says what a packet is, in a line.
func describe(b []byte) string {
	if op, ok := tftp.PeekOp(b); ok && (op == tftp.OpRRQ || op == tftp.OpWRQ) {
		if r, err := tftp.ParseRequest(b); err == nil {
			return fmt.Sprintf("%s %s %s %s", op, quote(r.File), r.Mode, tftp.FormatOptions(r.Options))
		}
	}
	p, err := tftp.ParsePacket(b)
	if err != nil {
		return fmt.Sprintf("%d bytes that are no packet: %v", len(b), err)
	}
	switch p.Op {
	case tftp.OpDATA:
		return fmt.Sprintf("DATA %d, %d bytes", p.Block, len(p.Data))
	case tftp.OpACK:
		return fmt.Sprintf("ACK %d", p.Block)
	case tftp.OpERROR:
		return fmt.Sprintf("ERROR %s %s", p.Code, quote(p.Message))
	}
	return "OACK " + tftp.FormatOptions(p.Options)
}

// clean is a stranger's text as it is if that is safe to print, else quoted.
func clean(s string) string {
	if q := quote(s); q != `"`+s+`"` {
		return q
	}
	return s
}

// quote makes a stranger's text safe to print, in plain ASCII.
func quote(s string) string {
	if len(s) > 200 {
		s = s[:200]
	}
	return fmt.Sprintf("%+q", s)
}
