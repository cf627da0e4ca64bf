package dhcp6

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv6"

	"surefoot/internal/kernel/link"
	wire "surefoot/internal/wire/dhcp6"
)

// port is an interface that is served.
type port struct {
	name    string
	link    atomic.Pointer[Link] // as it was seen last
	index   int                  // of the interface that the socket is bound to; Listen's, then watch's
	udp     *net.UDPConn
	conn    *ipv6.PacketConn // the same
	waiting sync.WaitGroup   // for the Keeper

	mu     sync.Mutex // guards all below
	ready  []*pending // answers whose leases are on the disk
	closed bool
	wake   chan struct{}
}

// downPause is how long a reader waits after an error that its link may be the cause of.
const downPause = 100 * time.Millisecond

// maxPacket is the longest packet that is read, in bytes.
const maxPacket = 65_536

// at is the interface as it was seen last.
func (p *port) at() Link { return *p.link.Load() }

// saw is what packets go by from now on.
func (p *port) saw(l link.Link, addrs []netip.Prefix) {
	p.link.Store(&Link{Name: p.name, Index: l.Index, Addrs: addrs})
}

// read returns the next packet, with whom it is from and to whom it was sent.
func (p *port) read(ctx context.Context, b []byte) (n int, from netip.AddrPort, to netip.Addr, err error) {
	for {
		n, cm, src, err := p.conn.ReadFrom(b)
		switch {
		case err == nil:
			from := src.(*net.UDPAddr).AddrPort()
			if a := from.Addr(); a.Zone() != "" { // Go looks the name up in whatever namespace it is
				from = netip.AddrPortFrom(a.WithZone(p.name), from.Port())
			}
			if cm != nil {
				to, _ = netip.AddrFromSlice(cm.Dst)
			}
			return n, from, to, nil
		case ctx.Err() != nil:
			return 0, from, to, ctx.Err()
		}
		select {
		case <-ctx.Done():
			return 0, from, to, ctx.Err()
		case <-time.After(downPause):
		}
	}
}

// write sends an answer from the address that was asked, or from the kernel's choice if that was a group.
func (p *port) write(b []byte, h Heard) error {
	to := h.reply()
	cm := &ipv6.ControlMessage{}
	if h.To.IsValid() && !h.To.IsMulticast() {
		cm.Src = h.To.AsSlice()
	}
	if to.Addr().IsLinkLocalUnicast() { // a relay may be reached by another way than it came
		cm.IfIndex = h.Link.Index
		to = netip.AddrPortFrom(to.Addr().WithZone(strconv.Itoa(h.Link.Index)), to.Port())
	}
	if _, err := p.conn.WriteTo(b, cm, net.UDPAddrFromAddrPort(to)); err != nil {
		return fmt.Errorf("send to %s: %w", to, err)
	}
	return nil
}

// groups are what a server listens to (RFC 8415 section 7.1): all servers and relays of a link, and all servers of a
// site, for relays.
func groups() []net.IP {
	return []net.IP{net.ParseIP("ff02::1:2"), net.ParseIP("ff05::1:3")}
}

// join makes the interface of an index hear the groups.
func (p *port) join(index int) error {
	for _, g := range groups() {
		if err := p.conn.JoinGroup(&net.Interface{Index: index, Name: p.name}, &net.UDPAddr{IP: g}); err != nil {
			return fmt.Errorf("join %s on %s: %w", g, p.name, err)
		}
	}
	p.index = index
	return nil
}

var listenAt = netip.AddrPortFrom(netip.IPv6Unspecified(), wire.ServerPort)
