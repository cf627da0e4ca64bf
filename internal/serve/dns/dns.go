// Package dnsboot is the role "dns": an authoritative name server (RFC 1034, 1035) for the few
// names that a site's boot files have, whose answers name only servers that hand the file out.
// It works as a delegated subzone, and behind a forwarder.
//
// It is not a resolver: it asks nobody, keeps no cache of others, and refuses every name that is
// not its own. Nor does it choose servers: boot.Live and boot.Arrange do.
package dnsboot

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"surefoot/internal/boot"
)

// Role is the name that this role's events carry.
const Role = "dns"

// Config is what the role needs to know.
type Config struct {
	Node   string
	Listen netip.AddrPort
	Site   *boot.Site
	Zone   Settings
}

// Settings are those of the zones that do not concern the choice of servers.
type Settings struct {
	Zones     []string      // absolute names, the one that is spoken of first
	NS        []string      // names below each zone, or absolute ones
	Contact   string        // a mail address; "": hostmaster of the zone
	TTL       time.Duration // of answers that depend on health
	RateLimit int           // answers by UDP for each network and second; 0: no limit
}

// Deps are the functions that the role calls. Each may be nil.
type Deps struct {
	Log  *slog.Logger
	Now  func() time.Time
	Emit boot.Emit
	Down boot.Down
}

// Server is the role. Use it as New, Listen, Run.
type Server struct {
	cfg   Config
	deps  Deps
	zones atomic.Pointer[Zones] // a reload exchanges it
	limit atomic.Pointer[limiter]
	udp   *net.UDPConn
	tcp   net.Listener
}

// New checks the configuration. It opens nothing.
func New(cfg Config, d Deps) (*Server, error) {
	if !cfg.Listen.IsValid() {
		return nil, errors.New("dns: no address to listen at")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Server{cfg: cfg, deps: d}
	if err := s.Apply(cfg.Site, cfg.Zone); err != nil {
		return nil, err
	}
	return s, nil
}

// Apply exchanges the site and its zones. Queries under way are answered from the one or the other.
func (s *Server) Apply(site *boot.Site, set Settings) error {
	if site == nil {
		return errors.New("dns: no site")
	}
	z, err := NewZones(site, set, s.cfg.Node, s.deps.Down)
	if err != nil {
		return err
	}
	if l := s.limit.Load(); l == nil || l.perSecond != set.RateLimit {
		s.limit.Store(newLimiter(set.RateLimit))
	}
	s.zones.Store(z)
	return nil
}

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context, ready func()) error {
	if s.udp == nil {
		return errors.New("dns: Run before Listen")
	}
	return s.serve(ctx, ready)
}
