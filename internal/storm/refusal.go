package storm

import (
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"surefoot/internal/probe"
)

// refusal reads the errors that the kernel queued for a socket and returns the last that speaks of
// one of the addresses.
func refusal(fd int, about ...netip.AddrPort) (errno unix.Errno, found bool) {
	buf, oob := make([]byte, 0, 1), make([]byte, 512)
	for {
		_, n, _, from, err := unix.Recvmsg(fd, buf, oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if err != nil {
			return errno, found
		}
		for _, a := range about {
			if e, ok := queued(oob[:n]); ok && a.IsValid() && sameAddr(from, a) {
				errno, found = e, true
			}
		}
	}
}

// queued finds the error in the control messages of an error queue: struct sock_extended_err, whose
// first field is the number.
func queued(oob []byte) (unix.Errno, bool) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, false
	}
	for _, m := range msgs {
		if (m.Header.Type == unix.IP_RECVERR || m.Header.Type == unix.IPV6_RECVERR) && len(m.Data) >= 4 {
			return unix.Errno(*(*uint32)(unsafe.Pointer(unsafe.SliceData(m.Data)))), true
		}
	}
	return 0, false
}

func sameAddr(sa unix.Sockaddr, a netip.AddrPort) bool {
	switch x := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(x.Addr) == a.Addr() && x.Port == int(a.Port())
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(x.Addr).Unmap() == a.Addr() && x.Port == int(a.Port())
	}
	return false
}

// refusedEvent says what an error of the kernel means to a client.
func refusedEvent(err error, server netip.AddrPort) event {
	ev := event{kind: refused, code: probe.LocalError, text: fmt.Sprintf("exchange with %s: %v", server, err)}
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
		ev.code, ev.text = probe.Refused, fmt.Sprintf("%s answers that nothing listens there", server)
	case errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTDOWN):
		ev.code, ev.text = probe.Unreachable, fmt.Sprintf("%s cannot be reached: %v", server.Addr(), err)
	}
	return ev
}
