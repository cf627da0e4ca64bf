package tftp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"surefoot/internal/kernel/bind"
	wire "surefoot/internal/wire/tftp"
)

// receiveBuffer of the request port in bytes: room for a boot storm's first packets, which wait
// here while running transfers are served.
const receiveBuffer = 8 << 20

// Listen opens the request port.
func (s *Server) Listen(ctx context.Context) error {
	network := networkOf(s.cfg.Listen.Addr())
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			// Best effort: forced if we may, else as much as the machine allows.
			if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
				_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
			}
		})
	}}
	pc, err := lc.ListenPacket(ctx, network, s.cfg.Listen.String())
	if err != nil {
		return bind.Explain(err, "udp", s.cfg.Listen, "")
	}
	if network == "udp4" {
		err = ipv4.NewPacketConn(pc).SetControlMessage(ipv4.FlagDst, true)
	} else {
		err = ipv6.NewPacketConn(pc).SetControlMessage(ipv6.FlagDst, true)
	}
	if err != nil {
		_ = pc.Close()
		return fmt.Errorf("listen udp %s: destination addresses: %w", s.cfg.Listen, err)
	}
	s.conn = pc.(*net.UDPConn)
	return nil
}

// Addr returns the address that Listen opened, with the real port.
func (s *Server) Addr() netip.AddrPort {
	if s.conn == nil {
		return s.cfg.Listen
	}
	return s.conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// Close closes the socket of a server that was never Run.
func (s *Server) Close() error {
	if s.conn == nil {
		return nil
	}
	return s.conn.Close()
}

func networkOf(a netip.Addr) string {
	if a.Is4() || a.Is4In6() {
		return "udp4"
	}
	return "udp6"
}

// local is the address that a packet was sent to: the one that the answer must come from, since
// EDK2 and PXELINUX take it from no other (F25).
func (s *Server) local(oob []byte) netip.AddrPort {
	port := s.Addr().Port()
	var dst net.IP
	var v4 ipv4.ControlMessage
	var v6 ipv6.ControlMessage
	if v4.Parse(oob) == nil && v4.Dst != nil {
		dst = v4.Dst
	} else if v6.Parse(oob) == nil {
		dst = v6.Dst
	}
	if a, ok := netip.AddrFromSlice(dst); ok && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return netip.AddrPortFrom(a.Unmap(), port)
	}
	return netip.AddrPortFrom(s.cfg.Listen.Addr(), port)
}

// transferSocket opens a socket with a port of its own (its TID) at the address that was asked.
func transferSocket(local netip.Addr) (*net.UDPConn, error) {
	c, err := net.ListenUDP(networkOf(local), net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0)))
	if err != nil {
		return nil, err
	}
	raw, err := c.SyscallConn()
	if err == nil {
		// An ICMP "port unreachable" becomes an error of the next call: the client is gone.
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVERR, 1)
		})
	}
	return c, nil
}

// refuse sends an ERROR in answer to a request, from a port of its own as every answer.
func (s *Server) refuse(to, local netip.AddrPort, code wire.ErrorCode, text string) {
	c, err := transferSocket(local.Addr())
	if err != nil {
		return
	}
	defer c.Close()
	_, _ = c.WriteToUDPAddrPort(wire.AppendError(nil, code, text), to) // lost or not, there is nobody to tell
}
