package rawsock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"surefoot/internal/kernel/bind"
)

// Hold takes a UDP port on one interface, on every address there, and reads nothing from it; whoever
// reads the port does it by a PacketConn. So no other program answers from the port, and the kernel
// does not tell relays and renewing clients by ICMP that nobody listens (RFC 1122 section 4.1.3.1).
// What arrives is thrown away by a filter, before it takes memory; the kernel counts it among
// the datagrams in error (UdpInErrors). device may be "": the port on all interfaces. What is sent is marked as
// network control (DSCP CS6), as DHCP servers mark it.
//
// A port that is taken, or a missing capability, is a *bind.Error.
func Hold(ctx context.Context, port uint16, device string) (*HeldPort, error) {
	at := netip.AddrPortFrom(netip.IPv4Unspecified(), port)
	filter, err := bpf.Assemble([]bpf.Instruction{bpf.RetConstant{Val: 0}})
	if err != nil {
		return nil, err
	}
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) error {
		var inner error
		err := rc.Control(func(fd uintptr) {
			if device != "" {
				if inner = unix.BindToDevice(int(fd), device); inner != nil {
					return
				}
			}
			inner = attach(int(fd), filter) // before the port is bound: nothing slips through
		})
		if err != nil {
			return err
		}
		return inner
	}}
	c, err := lc.ListenPacket(ctx, "udp4", at.String())
	if err != nil {
		return nil, bind.Explain(err, "udp", at, device)
	}
	h := &HeldPort{c: c.(*net.UDPConn)}
	if h.rc, err = h.c.SyscallConn(); err == nil {
		err = h.rc.Control(func(fd uintptr) { // what the system does not do of it, it does without
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TOS, networkControl)
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT)
		})
	}
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("set up the socket of port %d: %w", port, err)
	}
	return h, nil
}

const networkControl = 0xc0

// HeldPort is a port that is held.
type HeldPort struct {
	c  *net.UDPConn
	rc syscall.RawConn
}

// Close lets the port go.
func (h *HeldPort) Close() error { return h.c.Close() }

// Rebind holds the port on the interface that has the name now.
func (h *HeldPort) Rebind(device string) error { return bind.ToDevice(h.c, device) }

// Way is from which address of this host a datagram goes, and where to.
type Way struct {
	Src netip.Addr
	Dst netip.AddrPort
}

// WriteBatch sends datagrams from the port that is held, on its interface if it has one, and otherwise does what
// IPv4Conn.WriteBatch does, for a fifth less: the kernel keeps the route to a neighbour for it, which it makes anew
// for each packet whose header is not its own.
func (h *HeldPort) WriteBatch(s *Sender, payloads [][]byte, ways []Way) (int, error) {
	for _, b := range payloads {
		if len(b) == 0 {
			return 0, errors.New("send a datagram of no bytes")
		}
	}
	s.begin(payloads, true)
	s.ways = ways
	if err := h.rc.Control(s.write); err != nil {
		s.fail(0, err)
	}
	s.ways = nil
	sent, which, err := s.end()
	if err != nil {
		return sent, fmt.Errorf("send a datagram to %s: %w", ways[which].Dst, err)
	}
	return sent, nil
}

func attach(fd int, filter []bpf.RawInstruction) error {
	code := make([]unix.SockFilter, len(filter))
	for i, f := range filter {
		code[i] = unix.SockFilter{Code: f.Op, Jt: f.Jt, Jf: f.Jf, K: f.K}
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]})
}
