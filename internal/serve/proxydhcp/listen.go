package proxydhcp

import (
	"context"
	"errors"
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

// Listen opens all sockets, or returns one error and leaves none open. They stay in the network
// namespace in which Listen was called, wherever Run runs.
func (s *Server) Listen(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			_ = s.Close()
		}
	}()
	if s.links, err = link.Open(); err != nil {
		return err
	}
	for _, name := range s.cfg.Interfaces {
		p, err := s.openPort(ctx, name)
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
func (s *Server) Close() error {
	var err error
	for _, p := range s.ports {
		err = errors.Join(err, p.close())
	}
	s.ports = nil
	if c, ok := s.ip.(io.Closer); ok {
		err = errors.Join(err, c.Close())
	}
	s.ip = nil
	if s.links != nil {
		s.links.Close()
	}
	s.links = nil
	return err
}

// openPort opens the sockets of one interface, which must be there. Its address may come later.
func (s *Server) openPort(ctx context.Context, name string) (*port, error) {
	l, err := s.links.ByName(name)
	if err != nil {
		return nil, err
	}
	if l.MAC.IsZero() {
		return nil, fmt.Errorf("interface %s: is not an Ethernet", name)
	}
	p := &port{name: name, index: l.Index}
	p.iface = p.follow()
	p.iface.See(l)
	if p.raw, err = rawsock.ListenPacket(name, l.Index, l.MAC, dhcp4.ServerPort); err != nil {
		return nil, err
	}
	if p.udp, err = listenBoot(ctx, name); err != nil {
		_ = p.close()
		return nil, err
	}
	p.frames, p.reply = p.raw, p.udp
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
