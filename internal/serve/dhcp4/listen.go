package dhcp4

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"surefoot/internal/kernel/link"
	"surefoot/internal/kernel/rawsock"
	wire "surefoot/internal/wire/dhcp4"
)

// Listen opens all sockets, or returns one error and leaves none open. They stay in the network namespace
// in which Listen was called, wherever Run runs.
func (s *Server) Listen(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			_ = s.Close()
		}
	}()
	if s.links, err = link.Open(); err != nil {
		return err
	}
	for _, name := range s.names {
		p, err := s.openPort(ctx, name)
		if err != nil {
			return err
		}
		s.ports = append(s.ports, p)
	}
	s.own()
	ip, err := rawsock.DialIPv4()
	if err != nil {
		return err
	}
	s.ip = ip
	var lc net.ListenConfig
	if s.check.echo, err = lc.ListenPacket(ctx, "ip4:icmp", "0.0.0.0"); err != nil {
		return fmt.Errorf("open a socket for ICMP: %w", err)
	}
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
	if s.check.echo != nil {
		err = errors.Join(err, s.check.echo.Close())
	}
	s.check.echo = nil
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
	p := newPort(name, s.limit.limits.Queue)
	p.index = l.Index
	p.iface = p.follow()
	p.iface.See(l)
	if p.raw, err = rawsock.ListenPacket(name, l.Index, l.MAC, wire.ServerPort); err != nil {
		return nil, err
	}
	// Nobody reads it: without it the kernel would tell relays that the port is unreachable.
	if p.held, err = rawsock.Hold(ctx, wire.ServerPort, name); err != nil {
		_ = p.close()
		return nil, err
	}
	arp, err := rawsock.ListenARP(name, l.Index, l.MAC)
	if err != nil {
		_ = p.close()
		return nil, err
	}
	p.frames, p.arp = p.raw, arp
	return p, nil
}

func (p *port) close() error {
	var err error
	if p.raw != nil {
		err = p.raw.Close()
	}
	if p.held != nil {
		err = errors.Join(err, p.held.Close())
	}
	if p.arp != nil {
		err = errors.Join(err, p.arp.Close())
	}
	return err
}
