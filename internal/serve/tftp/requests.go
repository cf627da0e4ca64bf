package tftp

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"runtime/debug"
	"strings"
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
	if l.deliver(b, ends{from, local}) {
		return
	}
	t := newTransfer(l, ends{from, local}, time.Now())
	t.request = string(b)
	t.tale.peer = from.String()
	defer l.containPacket(t)
	if !local.IsValid() { // RFC 1123 4.2.3.5
		t.ignore(boot.BadRequest, "sent to a broadcast or multicast address")
		return
	}
	t.tale.local = l.nameOf(local)
	v := judge(b, l.s.uploads.Load() != nil)
	switch {
	case from.Port() == 0:
		v = verdict{silent: true, reason: boot.Malformed, detail: "source port 0"}
	case v.reason == boot.UnexpectedOpcode && l.peers != nil: // in single-port mode it may be late
		v.reason = boot.UnknownTID
	}
	if v.silent {
		t.ignore(v.reason, v.detail)
		return
	}
	t.asked, t.tale.file = v.req, v.req.File
	queued := false
	switch {
	case v.reason != boot.Answered:
	case l.closing:
		v.reason, v.code, v.text = boot.Draining, wire.ErrUndefined, "the server is stopping"
	default:
		v.reason, queued = l.admit(t)
	}
	l.take(t, v, queued)
}

// nameOf is how events name the address that was asked. It is nearly always the same one.
func (l *loop) nameOf(local netip.Addr) string {
	if l.local != local {
		l.local, l.localName = local, netip.AddrPortFrom(local, l.s.addr.Port()).String()
	}
	return l.localName
}

// admit registers a transfer. Where its request looks like a copy, the client's last ACK may wait
// in the socket of a transfer that is over as soon as it is read: the request port is read first.
func (l *loop) admit(t *transfer) (why boot.Reason, queued bool) {
	why, queued = l.s.running.admit(t, t.began)
	if why != boot.DuplicateRequest {
		return why, queued
	}
	if old := l.s.running.at(t.ends); old != nil && old.l == l && old.begun && old.up == nil && old.fd >= 0 {
		l.serve(old, unix.EPOLLIN)
	}
	return l.s.running.admit(t, t.began)
}

// take has a worker open the file of a transfer that was admitted, lets one wait that was queued,
// and refuses another.
func (l *loop) take(t *transfer, v verdict, queued bool) {
	switch {
	case v.reason == boot.DuplicateRequest:
		t.ignore(v.reason, "")
		return
	case v.reason == boot.UnprovenClient && !queued:
		// More at once than may wait. If the address is no forgery, the next ACK proves it, and what is asked for
		// again then finds a place: 1000 machines behind one NAT are served, where an ERROR would end
		// their boots.
		t.ignore(v.reason, l.s.limitText(v.reason))
		return
	}
	t.tale.number = l.s.last.Add(1)
	t.tale.upload = v.req.Op == wire.OpWRQ
	if !t.tale.upload || l.s.uploads.Load() != nil {
		kind := boot.ReadRequest
		if t.tale.upload {
			kind = boot.WriteRequest
		}
		t.tell(kind, func(ev *boot.Event) {
			ev.Options = wire.FormatOptions(v.req.Options)
			if medium, ok := wire.Lookup(v.req.Options, boot.MediaOption); ok {
				ev.Media = boot.MediaOf(medium)
			}
		})
	}
	switch {
	case queued:
		l.live++
		l.enqueue(t, v.reason)
	case v.reason == boot.Answered:
		l.live++
		l.openNow(t)
	default:
		if v.text == "" { // a limit
			v.code, v.text, v.detail = wire.ErrUndefined, busyText, l.s.limitText(v.reason)
		}
		l.refuse(t, v)
	}
}

// openNow has a worker open the file of a transfer that has a place.
func (l *loop) openNow(t *transfer) {
	if t.tale.upload {
		l.beginUpload(t)
		return
	}
	if l.s.cfg.Source != nil {
		l.openSource(t)
		return
	}
	if l.s.open.submit(job{t, openFile}) {
		l.opening++
		l.asked = true
		return
	}
	l.refuse(t, verdict{
		reason: boot.TooManyTransfers, detail: "the disk is slower than the requests",
		code: wire.ErrUndefined, text: busyText,
	})
	l.drop(t)
}

// containPacket keeps a fault within the packet that caused it. It is deferred.
func (l *loop) containPacket(t *transfer) {
	p := recover()
	if p == nil {
		return
	}
	l.s.running.remove(t)
	l.s.deps.Log.Error("fault while working on a packet", "role", Role, "from", t.tale.peer,
		"panic", p, "packet", hex.EncodeToString([]byte(t.request)), "stack", string(debug.Stack()))
	defer func() { _ = recover() }() // whoever listens to events may be the fault
	t.ignore(boot.Panicked, fmt.Sprint(p))
}

// refuse answers a request with an ERROR, from the request port, and tells the story. An address
// that was refused very often lately gets no answer: it may be forged, and whoever has it asked
// for nothing.
func (l *loop) refuse(t *transfer, v verdict) {
	if !l.refusals.Take(time.Now(), t.ends.client.Addr()) {
		v.detail = strings.TrimPrefix(v.detail+"; no ERROR was sent: this address was refused too often lately", "; ")
	} else if err := l.sock.write(wire.AppendError(nil, v.code, v.text), t.ends.client, t.ends.local); err != nil {
		v.detail += "; the ERROR could not be sent: " + err.Error()
	}
	t.end(v.reason, v.detail)
}
