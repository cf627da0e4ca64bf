package tftp

import (
	"time"

	"golang.org/x/sys/unix"

	wire "surefoot/internal/wire/tftp"
)

// The end of an upload, when its file is kept: the last ACK may be lost, so somebody has to say it
// again for a while (RFC 1350 section 6). The loop does so, which takes no thread.

// uploaded takes a transfer back from its goroutine.
func (l *loop) uploaded(t *transfer) {
	defer l.contain(t)
	if !t.up.kept || t.stopped.Load() != 0 || l.occupy(t) != nil {
		l.drop(t)
		return
	}
	l.alarms.set(t, t.up.m.deadline())
}

// dally works on what epoll tells of an upload's socket. A closed port or an ERROR says that the
// client is not waiting.
func (l *loop) dally(t *transfer, events uint32) {
	if events&unix.EPOLLERR != 0 && closedPort(t.fd, &t.to) {
		l.drop(t)
		return
	}
	n, err := recvFrom(t.fd, l.in[:], &l.from)
	switch {
	case err != nil:
		return
	case !l.from.same(&t.to):
		t.stranger(l.in[:n], &l.from)
		return
	}
	p, err := wire.ParsePacket(l.in[:n]) // the beginning of a long one will do
	switch {
	case err == nil && p.Op == wire.OpERROR:
		l.drop(t)
	case err == nil && p.Op == wire.OpDATA:
		t.acknowledge(t.up.m.data(time.Now(), p.Block, len(p.Data)))
	}
}

// dallied ends it when the time is over.
func (l *loop) dallied(t *transfer, now time.Time) {
	if do := t.up.m.tick(now); do.end == "" {
		l.alarms.set(t, do.deadline)
		return
	}
	l.drop(t)
}
