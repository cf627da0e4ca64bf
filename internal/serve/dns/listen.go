package dnsboot

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/net/netutil"

	"surefoot/internal/kernel/bind"
)

const (
	// socketBuffer of the UDP socket in bytes, as far as the kernel allows: room for the queries of
	// a boot storm.
	socketBuffer = 4 << 20
	// maxConnections by TCP at once; more wait in the kernel's queue.
	maxConnections = 1024
)

// Listen opens both sockets, or none.
func (s *Server) Listen(ctx context.Context) error {
	var lc net.ListenConfig
	at := s.cfg.Listen
	pc, err := lc.ListenPacket(ctx, "udp", at.String())
	if err != nil {
		return bind.Explain(err, "udp", at, "")
	}
	s.udp = pc.(*net.UDPConn)
	at = netip.AddrPortFrom(at.Addr(), s.udp.LocalAddr().(*net.UDPAddr).AddrPort().Port()) // the same, if it was 0
	ln, err := lc.Listen(ctx, "tcp", at.String())
	if err != nil {
		_ = s.udp.Close()
		s.udp = nil
		return bind.Explain(err, "tcp", at, "")
	}
	s.tcp = netutil.LimitListener(ln, maxConnections)
	_ = s.udp.SetReadBuffer(socketBuffer)
	if at.Addr().IsUnspecified() { // answers leave from the address that was asked (RFC 2181 section 4)
		if at.Addr().Is4() {
			err = ipv4.NewPacketConn(s.udp).SetControlMessage(ipv4.FlagDst, true)
		} else {
			err = ipv6.NewPacketConn(s.udp).SetControlMessage(ipv6.FlagDst, true)
		}
	}
	if err != nil {
		return errors.Join(err, s.Close())
	}
	return nil
}

// Addr returns the address that Listen opened, with the real port.
func (s *Server) Addr() netip.AddrPort {
	if s.udp == nil {
		return s.cfg.Listen
	}
	a := s.udp.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// Close closes the sockets of a server that was never Run.
func (s *Server) Close() error {
	if s.udp == nil {
		return nil
	}
	return errors.Join(s.udp.Close(), s.tcp.Close())
}

// replyControl makes the control message that lets an answer leave from the address that was
// asked, from the one that came with the query.
func replyControl(oob []byte, v4 bool) []byte {
	if v4 {
		var cm ipv4.ControlMessage
		if cm.Parse(oob) == nil && cm.Dst != nil && !cm.Dst.IsMulticast() {
			return (&ipv4.ControlMessage{Src: cm.Dst}).Marshal()
		}
		return nil
	}
	var cm ipv6.ControlMessage
	if cm.Parse(oob) == nil && cm.Dst != nil && !cm.Dst.IsMulticast() {
		if cm.Dst.To4() != nil { // IPv4 on a socket for both
			return (&ipv4.ControlMessage{Src: cm.Dst}).Marshal()
		}
		return (&ipv6.ControlMessage{Src: cm.Dst, IfIndex: linkIndex(cm)}).Marshal()
	}
	return nil
}

// linkIndex is the interface, which only a link-local address needs.
func linkIndex(cm ipv6.ControlMessage) int {
	if cm.Dst.IsLinkLocalUnicast() {
		return cm.IfIndex
	}
	return 0
}
