// Package dhcp6 is the DHCPv6 server: it hands out IPv6 addresses, and with each the URL of the bootstrap (RFC 8415,
// RFC 5970), to machines on its own links and behind relays. It tells machines that have an address from elsewhere
// what to boot, too (RFC 8415 section 18.3.6).
//
// Decide turns a message, the leases and the boot rules into an Outcome, with no clock and no socket; Append writes it
// down. A REPLY leaves when its leases are on the disk. Whether it answers never depends on the elapsed time or on
// what another node is believed to do: every node answers every SOLICIT, and the client chooses.
//
// It sends no router advertisements: without a router that says M or O no client asks (RFC 4861 section 4.2).
package dhcp6

import (
	"cmp"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/iface"
	"surefoot/internal/kernel/link"
)

// Role is the name in events.
const Role = "dhcp6"

// Server is the role.
type Server struct {
	node   string
	names  []string // of the interfaces
	d      Deps
	plan   atomic.Pointer[plan]
	limit  *limiter
	guard  *guard
	holder *holders
	ports  []*port      // one for each interface, after Listen
	links  *link.Reader // of the namespace of Listen, after it
}

// New checks the configuration. It opens nothing.
func New(cfg Config, d Deps) (*Server, error) {
	switch {
	case len(cfg.Interfaces) == 0:
		return nil, errors.New("dhcp6: no interface is named, and it answers on none that nobody named")
	case d.Book == nil || d.Keeper == nil:
		return nil, errors.New("dhcp6: no book of leases, or nobody who keeps them")
	}
	d.Log = cmp.Or(d.Log, slog.New(slog.DiscardHandler))
	if d.Now == nil {
		d.Now = time.Now
	}
	cfg.Limits = cfg.Limits.orDefault()
	s := &Server{
		node: cfg.Node, names: cfg.Interfaces, d: d, limit: newLimiter(cfg.Limits), guard: newGuard(cfg.Limits), holder: newHolders(),
	}
	if err := s.Apply(cfg); err != nil {
		return nil, err
	}
	return s, nil
}

// Apply makes the server answer by another site and other scopes from the next packet on. Interfaces and limits
// stay as they were. The pools of the Book are the caller's to change.
func (s *Server) Apply(cfg Config) error {
	p, err := newPlan(cfg)
	if err != nil {
		return err
	}
	s.plan.Store(p)
	return nil
}

func (s *Server) emit(ev boot.Event) {
	ev.Time, ev.Node, ev.Role = s.d.Now(), s.node, Role
	s.d.Emit.To(ev)
}

// survive turns a panic while working on one packet into a counted reason and a log line with the packet.
func (s *Server) survive(p *port, b []byte) {
	if r := recover(); r != nil {
		s.emit(iface.Fault(s.d.Log, Role, p.name, r, b))
	}
}
