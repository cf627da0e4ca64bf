package proxydhcp

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"surefoot/internal/kernel/bind"
	"surefoot/internal/kernel/link"
	"surefoot/internal/kernel/rawsock"
	"surefoot/internal/wire/dhcp4"
)

// NoAddressError says that an interface has no IPv4 address: a ProxyDHCP server must name itself.
type NoAddressError struct{ Interface string }

func (e *NoAddressError) Error() string {
	return fmt.Sprintf("interface %s: has no IPv4 address", e.Interface)
}

// Hint says how to give it one.
func (e *NoAddressError) Hint() []string {
	return []string{fmt.Sprintf("give it one (ip address add ADDR/BITS dev %s), or name another interface", e.Interface)}
}

// Listen opens all sockets, or returns one error and leaves none open. They stay in the network
// namespace in which Listen was called, wherever Run runs.
func (s *Server) Listen(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	for _, name := range s.cfg.Interfaces {
		p, err := openPort(ctx, name)
		if err != nil {
			return err
		}
		s.ports = append(s.ports, p)
	}
	ip, err := rawsock.DialIPv4()
	if err != nil {
		return err
	}
	s.ip = ip
	return nil
}

// Close closes the sockets of a server that was Listened to but never Run. Run does it itself.
func (s *Server) Close() {
	for _, p := range s.ports {
		p.close()
	}
	s.ports = nil
	if c, ok := s.ip.(io.Closer); ok {
		_ = c.Close()
	}
	s.ip = nil
}

func openPort(ctx context.Context, name string) (*port, error) {
	l, err := link.ByName(name)
	if err != nil {
		return nil, err
	}
	if len(l.Addrs) == 0 {
		return nil, &NoAddressError{Interface: name}
	}
	if l.MAC.IsZero() {
		return nil, fmt.Errorf("interface %s: is not an Ethernet", name)
	}
	p := &port{link: Link{Name: l.Name, MAC: l.MAC, Addrs: l.Addrs}}
	if p.raw, err = rawsock.ListenPacket(name, l.Index, l.MAC, dhcp4.ServerPort); err != nil {
		return nil, err
	}
	if p.udp, err = listenBoot(ctx, name); err != nil {
		p.close()
		return nil, err
	}
	p.frames, p.boot = p.raw, p.udp
	return p, nil
}

// listenBoot opens port 4011 on one interface, for every address there, and asks for the address
// that each datagram was sent to: replies must come from it.
func listenBoot(ctx context.Context, name string) (*net.UDPConn, error) {
	at := netip.AddrPortFrom(netip.IPv4Unspecified(), dhcp4.PXEPort)
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) error {
		var inner error
		err := rc.Control(func(fd uintptr) {
			if inner = unix.BindToDevice(int(fd), name); inner != nil {
				return
			}
			inner = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		})
		if err != nil {
			return err
		}
		return inner
	}}
	c, err := lc.ListenPacket(ctx, "udp4", at.String())
	if err != nil {
		return nil, bind.Explain(err, "udp", at, name)
	}
	return c.(*net.UDPConn), nil
}
