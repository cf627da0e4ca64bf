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

var (
	_ frameWriter  = (*rawsock.PacketConn)(nil)
	_ packetWriter = (*rawsock.IPv4Conn)(nil)
)

// outbox is what leaves together, in as few system calls as possible. It is for one goroutine.
type outbox struct {
	frames, packets batch
	sender          *rawsock.Sender
}

type batch struct {
	room [rawsock.MaxBatch][]byte
	n    int
}

func newOutbox() *outbox { return &outbox{sender: rawsock.NewSender()} }

// add puts an answer in; full says that it has to leave now.
func (o *outbox) add(own boot.MAC, r Route, payload []byte) (full bool) {
	d := frame.Datagram{SrcMAC: own, DstMAC: r.DstMAC, Src: r.Src, Dst: r.Dst, Payload: payload}
	b := &o.packets
	if r.Frame {
		b = &o.frames
		b.room[b.n] = d.AppendFrame(b.room[b.n][:0])
	} else {
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
	return lost, first
}
