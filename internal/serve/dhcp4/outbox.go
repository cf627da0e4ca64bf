package dhcp4

import (
	"surefoot/internal/boot"
	"surefoot/internal/kernel/rawsock"
	"surefoot/internal/wire/frame"
)

// frameWriter is the part of rawsock.PacketConn by which answers leave, and packetWriter that of
// rawsock.IPv4Conn.
type frameWriter interface {
	WriteBatch(s *rawsock.Sender, frames [][]byte) (int, error)
}

type packetWriter interface {
	WriteBatch(s *rawsock.Sender, packets [][]byte) (int, error)
}

// datagramWriter is that of rawsock.HeldPort.
type datagramWriter interface {
	WriteBatch(s *rawsock.Sender, payloads [][]byte, ways []rawsock.Way) (int, error)
}

var (
	_ frameWriter    = (*rawsock.PacketConn)(nil)
	_ packetWriter   = (*rawsock.IPv4Conn)(nil)
	_ datagramWriter = (*rawsock.HeldPort)(nil)
)

// outbox is what leaves together, in as few system calls as possible. It is for one goroutine.
type outbox struct {
	near                       datagramWriter // to relays on the wire; nil: they get packets
	frames, packets, datagrams batch
	ways                       [rawsock.MaxBatch]rawsock.Way // of datagrams
	sender                     *rawsock.Sender
}

type batch struct {
	room [rawsock.MaxBatch][]byte
	n    int
}

func newOutbox(near datagramWriter) *outbox { return &outbox{near: near, sender: rawsock.NewSender()} }

// add puts an answer in; full says that it has to leave now.
func (o *outbox) add(own boot.MAC, r Route, payload []byte) (full bool) {
	d := frame.Datagram{SrcMAC: own, DstMAC: r.DstMAC, Src: r.Src, Dst: r.Dst, Payload: payload}
	b := &o.packets
	switch {
	case r.Frame:
		b = &o.frames
		b.room[b.n] = d.AppendFrame(b.room[b.n][:0])
	case r.Near && o.near != nil:
		b = &o.datagrams
		b.room[b.n] = append(b.room[b.n][:0], payload...)
		o.ways[b.n] = rawsock.Way{Src: r.Src.Addr(), Dst: r.Dst}
	default:
		b.room[b.n] = d.AppendIP(b.room[b.n][:0])
	}
	b.n++
	return b.n == len(b.room)
}

// flush sends everything. It returns how much did not leave, and why.
func (o *outbox) flush(frames frameWriter, packets packetWriter) (lost int, first error) {
	if n := o.frames.n; n > 0 {
		sent, err := frames.WriteBatch(o.sender, o.frames.room[:n])
		lost, first, o.frames.n = lost+n-sent, err, 0
	}
	if n := o.packets.n; n > 0 {
		sent, err := packets.WriteBatch(o.sender, o.packets.room[:n])
		lost, o.packets.n = lost+n-sent, 0
		if first == nil {
			first = err
		}
	}
	if n := o.datagrams.n; n > 0 {
		sent, err := o.near.WriteBatch(o.sender, o.datagrams.room[:n], o.ways[:n])
		lost, o.datagrams.n = lost+n-sent, 0
		if first == nil {
			first = err
		}
	}
	return lost, first
}
