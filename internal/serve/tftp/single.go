package tftp

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	wire "surefoot/internal/wire/tftp"
)

// Single-port mode (Ports.Single): the request socket serves the transfers, too. The kernel still
// shares clients out among the loops by address and port, so that all packets of one transfer
// come to the loop that has it.

// deliver gives a packet of the request port to the transfer that it belongs to, if there is one.
// A request is always a new beginning.
func (l *loop) deliver(b []byte, e ends) bool {
	if l.peers == nil {
		return false
	}
	if op, ok := wire.PeekOp(b); !ok || op == wire.OpRRQ || op == wire.OpWRQ {
		return false
	}
	t := l.peers[e]
	if t == nil {
		return false
	}
	defer l.contain(t)
	l.hear(t, b)
	return true
}

// lookAround is how often a loop that is done looks whether the others are.
const lookAround = 50 * time.Millisecond

// stays reports whether a loop that is done has to keep its socket: without it the kernel would
// share the clients out anew, and packets of transfers under way would come to the wrong loop.
func (l *loop) stays() bool { return l.peers != nil && l.s.running.count() > 0 }

// sourceControl is the control message with which a packet leaves from an address (IP_PKTINFO,
// ip(7); RFC 3542 section 6.2).
func sourceControl(from netip.Addr) []byte {
	if from.Is4() {
		return unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: from.As4()})
	}
	return unix.PktInfo6(&unix.Inet6Pktinfo{Addr: from.As16(), Ifindex: zoneIndex(from.Zone())})
}

// awaitSharedRoom has epoll tell when the request socket can take more.
func (l *loop) awaitSharedRoom(t *transfer) {
	l.full = append(l.full, t)
	if len(l.full) == 1 {
		_ = unix.EpollCtl(l.ep, unix.EPOLL_CTL_MOD, l.sock.fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT, Fd: slotRequests})
	}
}

// room lets those go on that waited for room in the request socket.
func (l *loop) room() {
	waited := l.full
	l.full = nil
	_ = unix.EpollCtl(l.ep, unix.EPOLL_CTL_MOD, l.sock.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: slotRequests})
	for _, t := range waited {
		t.writable = false
		l.goOn(t)
	}
}

func (l *loop) goOn(t *transfer) {
	defer l.contain(t)
	if !t.over {
		l.flush(t)
	}
}
