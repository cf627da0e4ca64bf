package rawsock

import (
	"context"
	"io"
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
// the datagrams in error (UdpInErrors). device may be "": the port on all interfaces.
//
// A port that is taken, or a missing capability, is a *bind.Error.
func Hold(ctx context.Context, port uint16, device string) (io.Closer, error) {
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
	return c, nil
}

func attach(fd int, filter []bpf.RawInstruction) error {
	code := make([]unix.SockFilter, len(filter))
	for i, f := range filter {
		code[i] = unix.SockFilter{Code: f.Op, Jt: f.Jt, Jf: f.Jf, K: f.K}
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]})
}
