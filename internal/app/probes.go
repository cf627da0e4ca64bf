package app

import (
	"net/netip"
	"sync"
	"time"

	"surefoot/internal/boot"
)

// ownProbes knows the ports that this process tests its own servers from. What a role tells of such
// a transfer is the monitor's own doing and no machine's boot: it belongs in no story and in no
// metric of deliveries.
type ownProbes struct {
	now func() time.Time

	mu     sync.Mutex // guards what follows
	open   map[uint16]ownProbe
	closed []uint16 // in the order of their ends
}

type ownProbe struct {
	server netip.Addr
	until  time.Time // zero: still open
}

// afterlife is how long a server may still tell of a probe that has ended.
const afterlife = 10 * time.Second

// opened is told of a probe's socket. Every port is kept: which addresses are our own may change.
func (p *ownProbes) opened(local, server netip.AddrPort) (closed func()) {
	port := local.Port()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget()
	if p.open == nil {
		p.open = map[uint16]ownProbe{}
	}
	p.open[port] = ownProbe{server: server.Addr().Unmap()}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		o := p.open[port]
		if o.until.IsZero() {
			o.until = p.now().Add(afterlife)
			p.open[port] = o
			p.closed = append(p.closed, port)
		}
	}
}

// forget drops what ended long ago. The caller holds the lock.
func (p *ownProbes) forget() {
	now := p.now()
	for len(p.closed) > 0 {
		o := p.open[p.closed[0]]
		if !o.until.IsZero() && now.Before(o.until) {
			return
		}
		if !o.until.IsZero() { // else the port was opened again, and its end is still to come
			delete(p.open, p.closed[0])
		}
		p.closed = p.closed[1:]
	}
}

// sent reports whether a packet from this address and port is a probe of this process: a machine
// to itself sends from the address that it sends to, or from loopback.
func (p *ownProbes) sent(from netip.AddrPort) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	o, known := p.open[from.Port()]
	return known && (from.Addr().Unmap() == o.server || from.Addr().Unmap().IsLoopback())
}

// emit gives the journal what roles tell of machines, without the monitors' downloads: our own, and
// those of the site's other nodes, which are no machines to be booted.
func (a *App) emit(ev boot.Event) {
	if s := a.setup(); s.Watch.Enabled {
		from, err := netip.ParseAddrPort(ev.Peer)
		if err == nil && (a.probes.sent(from) || s.peer(from.Addr().Unmap())) {
			return
		}
	}
	a.journal.Emit(ev)
}

// peer reports whether an address is that of another node.
func (s *setup) peer(addr netip.Addr) bool {
	for _, n := range s.Nodes {
		if n.Addr == addr && n.Name != s.Node.Name && addr != s.Node.Addr {
			return true
		}
	}
	return false
}
