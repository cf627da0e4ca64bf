package tftp

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/tftp"
)

const (
	// requestBatch is how many requests one system call reads.
	requestBatch = 64
	// batchesPerTurn bounds how long newcomers keep running transfers waiting.
	batchesPerTurn = 4
)

// batch is the memory for reading the request port many packets at a time (recvmmsg(2)).
type batch struct {
	msgs [requestBatch]mmsghdr
	iovs [requestBatch]unix.Iovec
	from [requestBatch]sockaddr
	oob  [requestBatch][64]byte
	data [requestBatch][maxRequest + 1]byte // a longer packet shows by its last byte
}

func (b *batch) read(fd int) (int, error) {
	for i := range b.msgs {
		m := &b.msgs[i].head
		b.iovs[i].Base = &b.data[i][0]
		b.iovs[i].SetLen(len(b.data[i]))
		m.Iov, m.Iovlen = &b.iovs[i], 1
		m.Name, m.Namelen = &b.from[i].b[0], uint32(len(b.from[i].b))
		m.Control = &b.oob[i][0]
		m.SetControllen(len(b.oob[i]))
	}
	return recvMMsg(fd, b.msgs[:])
}

// accept reads the requests that wait, before any running transfer is served: with one request
// for each turn of the loop, 170 of 1000 clients ran into their timeout.
func (l *loop) accept() error {
	for range batchesPerTurn {
		if l.sock.fd < 0 {
			return nil
		}
		n, err := l.batch.read(l.sock.fd)
		if err == errAgain {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range n {
			m := &l.batch.msgs[i]
			l.packet(l.batch.data[i][:m.n], l.batch.from[i].addrPort(), destination(l.batch.oob[i][:m.head.Controllen]))
		}
		if n < requestBatch {
			return nil
		}
	}
	return nil
}

// packet works on one packet of the request port. local is the address that it was sent to, the
// invalid one if that was a broadcast or multicast address. It never blocks: a worker opens the
// file.
func (l *loop) packet(b []byte, from netip.AddrPort, local netip.Addr) {
	t := newTransfer(l, ends{from, local}, time.Now())
	t.request = string(b)
	t.ev = boot.Event{IP: from.Addr(), Peer: from.String()}
	defer l.containPacket(t)
	if !local.IsValid() { // RFC 1123 4.2.3.5
		t.ignore(boot.BadRequest, "sent to a broadcast or multicast address")
		return
	}
	t.ev.Local = netip.AddrPortFrom(local, l.s.addr.Port()).String()
	v := judge(b)
	if from.Port() == 0 {
		v = verdict{silent: true, reason: boot.Malformed, detail: "source port 0"}
	}
	if v.silent {
		t.ignore(v.reason, v.detail)
		return
	}
	t.asked, t.ev.File = v.req, v.req.File
	if v.reason == boot.Answered {
		v.reason = l.admit(t)
	}
	l.take(t, v)
}

// admit registers a transfer. Where its request looks like a copy, the client's last ACK may wait
// in the socket of a transfer that is over as soon as it is read: the request port is read first.
func (l *loop) admit(t *transfer) boot.Reason {
	why := l.s.running.admit(t, t.began)
	if why != boot.DuplicateRequest {
		return why
	}
	if old := l.s.running.at(t.ends); old != nil && old.l == l && old.slot >= 0 {
		l.serve(old, unix.EPOLLIN)
	}
	return l.s.running.admit(t, t.began)
}

// take has a worker open the file of a transfer that was admitted, and refuses another.
func (l *loop) take(t *transfer, v verdict) {
	s := l.s
	switch v.reason {
	case boot.DuplicateRequest:
		t.ignore(v.reason, "")
		return
	case boot.TooManyTransfers:
		v.code, v.text = wire.ErrUndefined, "server busy, try again later"
		v.detail = fmt.Sprintf("at most %d run at the same time, %d of one client", s.cfg.MaxTransfers, perAddress(s.cfg.MaxTransfers))
	}
	t.ev.Transfer = s.last.Add(1)
	if v.req.Op == wire.OpRRQ {
		t.tell(boot.ReadRequest, func(ev *boot.Event) { ev.Options = wire.FormatOptions(v.req.Options) })
	}
	if v.reason == boot.Answered && !s.open.submit(job{t, openFile}) {
		s.running.remove(t)
		v.reason, v.detail = boot.TooManyTransfers, "the disk is slower than the requests"
		v.code, v.text = wire.ErrUndefined, "server busy, try again later"
	}
	if v.reason != boot.Answered {
		l.refuse(t, v)
		return
	}
	l.live++
	l.opening++
	l.asked = true
}

// containPacket keeps a fault within the packet that caused it. It is deferred.
func (l *loop) containPacket(t *transfer) {
	p := recover()
	if p == nil {
		return
	}
	l.s.running.remove(t)
	l.s.deps.Log.Error("fault while working on a packet", "role", Role, "from", t.ev.Peer,
		"panic", p, "packet", hex.EncodeToString([]byte(t.request)), "stack", string(debug.Stack()))
	defer func() { _ = recover() }() // whoever listens to events may be the fault
	t.ignore(boot.Panicked, fmt.Sprint(p))
}

// refuse answers a request with an ERROR, from the request port, and tells the story.
func (l *loop) refuse(t *transfer, v verdict) {
	if err := l.sock.write(wire.AppendError(nil, v.code, v.text), t.ends.client, t.ends.local); err != nil {
		v.detail += "; the ERROR could not be sent: " + err.Error()
	}
	t.end(v.reason, v.detail)
}
