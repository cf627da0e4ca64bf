// Package dhcp4 is the DHCP server: it hands out addresses, and with each the name of the bootstrap and
// of its servers (RFC 2131, RFC 2132; what firmware really accepts: FACTS F1 to F23).
//
// It is three layers. Decide turns a packet, the leases and the boot rules into an Outcome, with no clock
// and no socket. Append writes the Outcome down. This file and its neighbours move packets: requests are
// read by AF_PACKET on each interface, answers to machines without an address leave as raw frames, and an
// ACK leaves when its lease is on the disk.
//
// Whether it answers never depends on secs, flags, option 61, giaddr, or on what another node is believed
// to do: that both servers are healthy and nobody answers cannot be. Everything that it is silent about
// has a counted reason. Which address a machine gets is the business of package lease.
package dhcp4

import (
	"cmp"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"surefoot/internal/iface"
	"surefoot/internal/kernel/link"
)

// Role is the name in events.
const Role = "dhcp4"

// Server is the role.
type Server struct {
	node  string
	names []string // of the interfaces
	d     Deps
	plan  atomic.Pointer[plan]
	limit *limiter
	guard *guard
	check *checker
	ports []*port      // one for each interface, after Listen
	links *link.Reader // of the namespace of Listen, after it
	ip    packetWriter // to relays, after Listen

	from, to texts // of events
}

// New checks the configuration. It opens nothing.
func New(cfg Config, d Deps) (*Server, error) {
	switch {
	case cfg.Site == nil:
		return nil, errors.New("dhcp4: no site")
	case len(cfg.Interfaces) == 0:
		return nil, errors.New("dhcp4: no interface is named, and it answers on none that nobody named")
	case d.Book == nil || d.Keeper == nil:
		return nil, errors.New("dhcp4: no book of leases, or nobody who keeps them")
	}
	d.Log = cmp.Or(d.Log, slog.New(slog.DiscardHandler))
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Server{node: cfg.Node, names: cfg.Interfaces, d: d}
	cfg.Limits = cfg.Limits.orDefault()
	s.limit, s.guard = newLimiter(cfg.Limits), newGuard(cfg.Limits)
	s.check = newChecker(s)
	if err := s.Apply(cfg); err != nil {
		return nil, err
	}
	return s, nil
}

// Apply makes the server answer by another site and other scopes from the next packet on. It takes what
// a reload changes without touching a socket: interfaces and limits stay as they were. The pools of the
// Book are the caller's to change.
func (s *Server) Apply(cfg Config) error {
	if cfg.Site == nil {
		return errors.New("dhcp4: no site")
	}
	p, err := newPlan(cfg)
	if err != nil {
		return err
	}
	s.plan.Store(p)
	return nil
}

// survive turns a panic while working on one packet into a counted reason and a log line with the packet,
// so that one odd packet cannot stop a site.
func (s *Server) survive(p *port, b []byte) {
	if r := recover(); r != nil {
		ev := iface.Fault(s.d.Log, Role, p.name, r, b)
		s.emit(&ev)
	}
}
