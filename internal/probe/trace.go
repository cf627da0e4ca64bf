package probe

import (
	"fmt"
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

// trace keeps the first packets and the last, however many there are.
type trace struct {
	head, tail []Packet
	dropped    int
}

func (t *trace) add(p Packet) {
	switch {
	case len(t.head) < traceHead:
		t.head = append(t.head, p)
		return
	case len(t.tail) == traceTail:
		copy(t.tail, t.tail[1:])
		t.tail = t.tail[:traceTail-1]
		t.dropped++
	}
	t.tail = append(t.tail, p)
}

func (t *trace) packets() []Packet {
	out := append([]Packet(nil), t.head...)
	if t.dropped > 0 {
		out = append(out, Packet{At: t.head[len(t.head)-1].At, What: fmt.Sprintf("... %d more packets ...", t.dropped)})
	}
	return append(out, t.tail...)
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
