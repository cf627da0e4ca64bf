package dhcp6

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"surefoot/internal/kernel/bind"
	"surefoot/internal/kernel/link"
)

// receiveBuffer of each socket in bytes: room for the first packets of many machines.
const receiveBuffer = 4 << 20

// Listen opens all sockets, or returns one error and leaves none open. They stay in the network namespace in
// which Listen was called, wherever Run runs.
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
	return nil
}

// Close closes the sockets of a server that was Listened to but never Run. Run does it itself.
func (s *Server) Close() error {
	var err error
	for _, p := range s.ports {
		err = errors.Join(err, p.udp.Close())
	}
	s.ports = nil
	if s.links != nil {
		s.links.Close()
	}
	s.links = nil
	return err
}

// openPort opens the socket of one interface, which must be there. Its address may come later.
func (s *Server) openPort(ctx context.Context, name string) (*port, error) {
	l, err := s.links.ByName(name)
	if err != nil {
		return nil, err
	}
	addrs, err := s.links.Addrs6(name)
	if err != nil {
		return nil, err
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var inner error
		outer := c.Control(func(fd uintptr) {
			if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
				_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
			}
			inner = unix.BindToDevice(int(fd), name)
		})
		return errors.Join(outer, inner)
	}}
	c, err := lc.ListenPacket(ctx, "udp6", listenAt.String())
	if err != nil {
		return nil, bind.Explain(err, "udp", listenAt, name)
	}
	p := &port{name: name, udp: c.(*net.UDPConn), conn: ipv6.NewPacketConn(c), wake: make(chan struct{}, 1)}
	p.saw(l, addrs)
	if err := p.conn.SetControlMessage(ipv6.FlagDst|ipv6.FlagInterface, true); err != nil {
		err = fmt.Errorf("ask for the addresses of packets on %s: %w", name, err)
		return nil, errors.Join(err, c.Close())
	}
	if err := p.join(l.Index); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return p, nil
}
