package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/link"
	"surefoot/internal/kernel/rawsock"
	"surefoot/internal/wire/frame"
)

// findSide finds the segment that a server is on, and its MAC.
func findSide(ctx context.Context, t Through, service netip.AddrPort) (*side, *Fault) {
	s := &side{Side: Side{Interface: t.Interface, Backend: t.Backend.String()}, backend: t.Backend}
	if !t.Backend.Is4() || !service.Addr().Is4() {
		return s, localFault(fmt.Errorf("a download through the data plane knows IPv4 alone so far, not %s", service.Addr()))
	}
	route, err := link.RouteTo(t.Backend)
	switch {
	case err != nil:
		return s, localFault(err)
	case route.If == "lo":
		return s, localFault(fmt.Errorf("%s is this machine's own address: nobody can send to oneself through the network; probe it from another node", t.Backend))
	case route.Gateway.IsValid():
		return s, localFault(fmt.Errorf("%s is behind the router %s: direct server return reaches servers on the balancer's own segment only", t.Backend, route.Gateway))
	}
	if s.Interface == "" {
		s.Interface = route.If
	}
	l, err := link.ByName(s.Interface)
	if err != nil {
		return s, localFault(err)
	}
	s.index, s.own, s.from = l.Index, l.MAC, route.Source
	for _, a := range l.Addrs { // not from the service address, should this machine have it
		if s.from == service.Addr() && a.Addr() != service.Addr() {
			s.from = a.Addr()
		}
	}
	if s.from == service.Addr() {
		return s, localFault(fmt.Errorf("interface %s has no address but the service's, %s: the answer could not be told apart", s.Interface, s.from))
	}
	macs, err := s.whoHas(ctx, t.Backend, 0)
	if err != nil {
		return s, localFault(err)
	}
	if len(macs) == 0 {
		return s, &Fault{
			Step: StepRequest, Code: HostDown,
			Text: fmt.Sprintf("%s does not answer ARP on %s: nothing has that address there", t.Backend, s.Interface),
			Hint: []string{"the host is off, its cable or VLAN is another, or the address is wrong"},
		}
	}
	s.mac = macs[0]
	s.MAC = s.mac.String()
	return s, nil
}

// The waits for ARP answers: a request is repeated, since a busy host may lose one, and a second answer is waited
// for, since it is what tells that two have an address.
const (
	arpTries = 3
	arpWait  = 300 * time.Millisecond
	arpMore  = 150 * time.Millisecond
)

// whoHas asks by ARP who has an address, and returns the MACs of all that answer within some time of the first. Nobody's table changes by it
// (RFC 5227 section 2.1.1).
func (s *side) whoHas(ctx context.Context, a netip.Addr, more time.Duration) ([]boot.MAC, error) {
	conn, err := rawsock.ListenARP(s.Interface, s.index, s.own)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var out []boot.MAC
	buf := make([]byte, 128)
	for range arpTries {
		if err := conn.Write(frame.AppendProbe(nil, s.own, a)); err != nil {
			return nil, err
		}
		until := time.Now().Add(arpWait)
		for ctx.Err() == nil {
			_ = conn.SetReadDeadline(until)
			n, err := conn.Read(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return nil, err
			}
			p, err := frame.ParseARP(buf[:n])
			if err != nil || p.Sender != a || slices.Contains(out, p.SenderMAC) {
				continue
			}
			if out = append(out, p.SenderMAC); len(out) == 1 {
				until = time.Now().Add(more)
			}
		}
		if len(out) > 0 || ctx.Err() != nil {
			break
		}
	}
	return out, ctx.Err()
}

// Holders asks by ARP, on an interface, who has an IPv4 address, and returns the MACs of all that answer; this machine
// does not answer itself. It needs CAP_NET_RAW.
func Holders(ctx context.Context, iface string, a netip.Addr) ([]boot.MAC, error) {
	l, err := link.ByName(iface)
	if err != nil {
		return nil, err
	}
	s := &side{Side: Side{Interface: iface}, index: l.Index, own: l.MAC}
	return s.whoHas(ctx, a, arpMore)
}

// udpConn is what a download needs of a socket.
type udpConn interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	SetReadDeadline(t time.Time) error
	LocalAddr() net.Addr
	Close() error
}

// frames is a socket that writes and reads whole frames, to and from one MAC.
type frames struct {
	side *side
	port *net.UDPConn // holds the port, so that the kernel does not answer that it is closed
	raw  *rawsock.PacketConn
	own  netip.AddrPort
	in   [rawsock.MaxFrame]byte
	out  []byte
}

// open opens the socket that a stage of a download asks from.
func (d *download) open() (udpConn, error) {
	if d.side == nil {
		return listen(d.server.Addr())
	}
	s := d.side
	port, err := net.ListenUDP("udp4", &net.UDPAddr{IP: s.from.AsSlice()})
	if err != nil {
		return nil, err
	}
	f := &frames{side: s, port: port, own: port.LocalAddr().(*net.UDPAddr).AddrPort()}
	f.own = netip.AddrPortFrom(f.own.Addr().Unmap(), f.own.Port())
	if f.raw, err = rawsock.ListenAnswers(s.Interface, s.index, s.own, f.own.Port()); err != nil {
		_ = port.Close()
		return nil, err
	}
	return f, nil
}

func (f *frames) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, err := f.raw.Read(f.in[:])
		if err != nil {
			return 0, netip.AddrPort{}, err
		}
		if d, err := frame.Parse(f.in[:n]); err == nil {
			if d.Dst == f.own {
				return copy(b, d.Payload), d.Src, nil
			}
			continue
		}
		if u, err := frame.ParseUnreachable(f.in[:n]); err == nil && u.Src == f.own {
			return 0, netip.AddrPort{}, &unreachable{icmp{kind: 3, code: u.Code, from: u.From}}
		}
	}
}

func (f *frames) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	d := frame.Datagram{SrcMAC: f.side.own, DstMAC: f.side.mac, Src: f.own, Dst: to, Payload: b}
	f.out = d.AppendFrame(f.out[:0])
	return len(b), f.raw.Write(f.out)
}

func (f *frames) SetReadDeadline(t time.Time) error { return f.raw.SetReadDeadline(t) }
func (f *frames) LocalAddr() net.Addr               { return f.port.LocalAddr() }

func (f *frames) Close() error { return errors.Join(f.raw.Close(), f.port.Close()) }
