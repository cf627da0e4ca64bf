package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// icmp is what a router or a host answered instead of the server (RFC 792).
type icmp struct {
	kind, code uint8
	from       netip.Addr // this machine itself: its neighbour did not answer ARP
}

// The codes of "destination unreachable" that mean something of their own (RFC 792; RFC 1812
// section 5.2.7.1).
const (
	icmpHost       = 1
	icmpNetAdmin   = 9
	icmpHostAdmin  = 10
	icmpProhibited = 13
)

// lastICMP takes the ICMP error behind a socket error from the socket's error queue (ip(7)).
func lastICMP(conn syscall.Conn) (icmp, bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return icmp{}, false
	}
	var found icmp
	ok := false
	_ = raw.Control(func(fd uintptr) {
		oob := make([]byte, 512)
		_, n, _, _, err := unix.Recvmsg(int(fd), make([]byte, 64), oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if err != nil {
			return
		}
		msgs, err := unix.ParseSocketControlMessage(oob[:n])
		if err != nil {
			return
		}
		for _, m := range msgs {
			if m.Header.Level == unix.SOL_IP && m.Header.Type == unix.IP_RECVERR {
				found, ok = parseICMP(m.Data)
			}
		}
	})
	return found, ok
}

// icmp returns the message behind an error of the socket.
func (s *stage) icmp(err error) (icmp, bool) {
	var u *unreachable
	if errors.As(err, &u) {
		return u.icmp, true
	}
	if c, ok := s.conn.(syscall.Conn); ok {
		return lastICMP(c)
	}
	return icmp{}, false
}

// parseICMP reads struct sock_extended_err with the address of who sent the error after it.
func parseICMP(b []byte) (icmp, bool) {
	const size, origin = 16, 4
	if len(b) < size+8 || b[origin] != unix.SO_EE_ORIGIN_ICMP {
		return icmp{}, false
	}
	i := icmp{kind: b[5], code: b[6]}
	if binary.NativeEndian.Uint16(b[size:]) == unix.AF_INET {
		i.from = netip.AddrFrom4([4]byte(b[size+4 : size+8]))
	}
	return i, true
}

// fault names what an ICMP error says of a server; nil if the kernel's own word says as much.
func (i icmp) fault(step Step, server netip.AddrPort) *Fault {
	if i.kind != 3 {
		return nil
	}
	switch i.code {
	case icmpHost:
		if i.from == server.Addr() { // some firewalls
			break
		}
		f := &Fault{Step: step, Code: HostDown}
		if ownAddr(i.from) {
			f.Text = fmt.Sprintf("%s does not answer ARP: nothing has that address on this network", server.Addr())
			f.Hint = []string{"the host is off, its cable or VLAN is another, or the address is wrong"}
			return f
		}
		f.Text = fmt.Sprintf("router %s answers that it cannot reach %s (ICMP host unreachable)", i.from, server.Addr())
		f.Hint = []string{"the router is the last one before the host: the host is off, or the address is wrong"}
		return f
	case icmpNetAdmin, icmpHostAdmin, icmpProhibited:
		return &Fault{
			Step: step, Code: Filtered,
			Text: fmt.Sprintf("%s answers that a filter forbids UDP %d to %s (ICMP code %d)", i.from, server.Port(), server.Addr(), i.code),
			Hint: []string{fmt.Sprintf("a firewall rule on %s rejects it; a silent one would look like no answer", i.from)},
		}
	}
	if i.code != 3 && i.from.IsValid() && !ownAddr(i.from) {
		return &Fault{
			Step: step, Code: Unreachable,
			Text: fmt.Sprintf("%s answers that %s cannot be reached (ICMP code %d)", i.from, server.Addr(), i.code),
			Hint: []string{fmt.Sprintf("ip route get %s shows the way that packets take", server.Addr())},
		}
	}
	return nil
}

// ownAddr reports whether an address is this machine's.
func ownAddr(a netip.Addr) bool {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, x := range list {
		if n, ok := x.(*net.IPNet); ok {
			if b, ok := netip.AddrFromSlice(n.IP); ok && b.Unmap() == a {
				return true
			}
		}
	}
	return false
}
