package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/health"
	"surefoot/internal/kernel/bind"
	"surefoot/internal/kernel/link"
	"surefoot/internal/probe"
	"surefoot/internal/wire/dhcp4"
)

// firstLook is the time within which each segment is looked at first: people who start a node want
// to know.
const firstLook = 5 * time.Second

// DiscoverDeps are what a Discoverer works with. Nil functions are left out, or the real ones.
type DiscoverDeps struct {
	Log  *slog.Logger
	Now  func() time.Time
	Emit boot.Emit
	// Looked is told of every look at a segment, Changed of every change of what one counts as. They
	// must not keep the caller waiting.
	Looked  func(Look)
	Changed func(Change)

	Ask    func(context.Context, probe.DHCPOptions) probe.Result  // probe.DHCP
	Ask6   func(context.Context, probe.DHCP6Options) probe.Result // probe.DHCP6
	Link   func(name string) (link.Link, error)                   // link.ByName
	Addrs6 func(name string) ([]netip.Prefix, error)              // link.Addrs6
	Held   func(network string, port uint16) bool                 // bind.Held
}

// Discoverer asks each segment of this node again and again who answers DISCOVERs. It never takes an
// address. Use it as New, Run, and everything else from anywhere.
type Discoverer struct {
	deps  DiscoverDeps
	epoch time.Time
	wake  chan struct{}

	mu       sync.Mutex // guards what follows
	cfg      Discovery
	segments []*segment // in the order of the interfaces
}

// NewDiscoverer makes a Discoverer that knows nothing yet. It starts nothing.
func NewDiscoverer(cfg Discovery, d DiscoverDeps) (*Discoverer, error) {
	if cfg.Site == nil {
		return nil, errors.New("watch: no site whose segments are to be asked")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Ask == nil {
		d.Ask = probe.DHCP
	}
	if d.Ask6 == nil {
		d.Ask6 = probe.DHCP6
	}
	if d.Link == nil {
		d.Link = link.ByName
	}
	if d.Addrs6 == nil {
		d.Addrs6 = link.Addrs6
	}
	if d.Held == nil {
		d.Held = bind.Held
	}
	w := &Discoverer{deps: d, epoch: d.Now(), wake: make(chan struct{}, 1)}
	w.Apply(cfg)
	return w, nil
}

// Apply goes over to another configuration. Segments that stay keep what is known.
func (d *Discoverer) Apply(cfg Discovery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	was, period := d.segments, d.cfg.Every
	d.cfg, d.segments = cfg, nil
	now := d.deps.Now()
	for _, iface := range cfg.Interfaces {
		if cfg.Every <= 0 {
			break
		}
		for _, name := range cfg.segmentNames(iface) {
			var s *segment
			if i := slices.IndexFunc(was, func(s *segment) bool { return s.name == name }); i >= 0 {
				s = was[i]
			} else {
				s = &segment{name: name, iface: iface, state: health.Unknown}
			}
			if s.every != cfg.Every || period != cfg.Every {
				s.job = newJob(s.name+" by "+cfg.Site.Self, cfg.Every, d.epoch)
				s.at = now.Add(time.Duration(s.seed % uint64(min(firstLook, cfg.Every))))
			}
			d.segments = append(d.segments, s)
		}
	}
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Run asks until ctx ends.
func (d *Discoverer) Run(ctx context.Context, ready func()) error {
	if ready != nil {
		ready()
	}
	var looks sync.WaitGroup
	defer looks.Wait()
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for {
		timer.Reset(d.begin(ctx, &looks))
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-d.wake:
		}
	}
}

// begin starts what is due and returns how long to wait. There is one look at a segment at a time.
func (d *Discoverer) begin(ctx context.Context, looks *sync.WaitGroup) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.deps.Now()
	next := now.Add(idle)
	for _, s := range d.segments {
		switch {
		case s.running: // its end wakes the loop
		case !s.at.After(now):
			s.running = true
			cfg, own := d.cfg, s.own > 0
			looks.Go(func() { d.look(ctx, s, cfg, own) })
		case s.at.Before(next):
			next = s.at
		}
	}
	return max(next.Sub(now), 0)
}

// look asks a segment once and works on what that shows.
func (d *Discoverer) look(ctx context.Context, s *segment, cfg Discovery, own bool) {
	l := &Look{Name: s.name, Interface: s.iface, Time: d.deps.Now()}
	var ownWorks bool
	if isSix(s.name) {
		l.State, l.Text = cfg.ask6(ctx, d.deps, l)
	} else {
		l.State, l.Text = cfg.ask(ctx, d.deps, l, own, &ownWorks)
	}
	if ctx.Err() != nil {
		return // we are being stopped: it says nothing of the segment
	}
	change, strangers := d.take(s, l, ownWorks)
	if d.deps.Looked != nil {
		d.deps.Looked(*l)
	}
	if change != nil {
		d.emit(l, change.Reason, change.Text)
		if d.deps.Changed != nil {
			d.deps.Changed(*change)
		}
	}
	for _, x := range strangers {
		d.emit(l, boot.StrangerAnswers, fmt.Sprintf("%s (MAC %s) offers %s", x.Server, x.MAC, strings.Join(x.Offers, " | ")))
	}
}

func (d *Discoverer) emit(l *Look, why boot.Reason, text string) {
	d.mu.Lock()
	node := d.cfg.Site.Self
	d.mu.Unlock()
	d.deps.Emit.To(boot.Event{
		Time: d.deps.Now(), Node: node, Role: Role, Kind: boot.HealthChanged, Reason: why, If: l.Interface, Network: l.Network, Detail: text,
	})
}

// ownRuns is after how many looks from the card's own address the monitor's is tried again.
const ownRuns = 60

// take notes a look, and returns the change that it makes and the strangers that are new.
func (d *Discoverer) take(s *segment, l *Look, ownWorks bool) (*Change, []Service) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.running = false
	s.note(l)
	if s.own--; ownWorks {
		s.own = ownRuns
	}
	s.own = max(s.own, 0)
	from, changed := s.step(l, d.cfg.Probes)
	s.at = s.again(l.Time, d.deps.Now(), s.doubt())
	select {
	case d.wake <- struct{}{}:
	default:
	}
	if !slices.Contains(d.segments, s) {
		return nil, nil // a reload took it away meanwhile
	}
	var fresh []Service
	seen := map[string]bool{}
	for _, x := range l.Services {
		if x.Stranger() {
			if seen[x.From+x.MAC] = true; !s.strangers[x.From+x.MAC] {
				fresh = append(fresh, x)
			}
		}
	}
	if l.State != NotAsked {
		s.strangers = seen
	}
	if !changed || from == health.Unknown && s.state == LeftOut {
		return nil, fresh
	}
	return &Change{Time: l.Time, Test: s.name, From: from, To: s.state, Reason: reasonOf(s.state), Text: l.Text}, fresh
}

// reasonOf is the reason of a change to a state.
func reasonOf(s health.Status) boot.Reason {
	switch s {
	case Silent:
		return boot.DHCPSilent
	case Deaf:
		return boot.DHCPDeaf
	case NotAsked:
		return boot.DHCPNotAsked
	case LeftOut:
		return boot.DHCPLeftOut
	}
	return boot.DHCPAnswers
}

// Segments tells of every segment, for a Report.
func (d *Discoverer) Segments(q Query) []SegmentReport {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := []SegmentReport{}
	for _, s := range d.segments {
		if q.Server == "" && (q.Test == "" || q.Test == s.name) {
			out = append(out, s.report(q, d.cfg.Every))
		}
	}
	return out
}

// dhcpHeld reports whether a DHCP server of this machine may be what answers here: it does not hear
// what this machine itself sends as raw frames (packet(7)).
func dhcpHeld(deps DiscoverDeps) bool { return deps.Held("udp", dhcp4.ServerPort) }
