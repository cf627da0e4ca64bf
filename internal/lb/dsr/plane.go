package dsr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"surefoot/internal/kernel/bpf"
	"surefoot/internal/kernel/neigh"
	"surefoot/internal/lb"
)

// Config is how packets are taken.
type Config struct {
	Dir string // where programs stay when the process ends; "": the folder of the network namespace
}

// Deps are what it needs of others.
type Deps struct {
	Log *slog.Logger
	Now func() time.Time
}

// Plane is the data path of all services with direct server return. It opens nothing before the first Apply, must
// get that in the network namespace whose packets it is to balance, and owns a goroutine until Leave or Remove.
type Plane struct {
	cfg Config
	d   Deps

	mu      sync.Mutex // guards the rest
	path    *bpf.Path
	table   *neigh.Table
	stop    context.CancelFunc
	stopped chan struct{}
	tables  []lb.Table
	at      map[string]neigh.Interface // by service
	way     map[string]bpf.Way         // by interface
	told    string                     // the last trouble that was logged
	known   map[netip.Addr]hop
	asked   map[netip.Addr]bool
	live    map[bpf.Addr]*bpf.Service // what the kernel follows
	fresh   chan struct{}             // closed and made anew when hops change
}

var (
	_ lb.Plane   = (*Plane)(nil)
	_ lb.Checker = (*Plane)(nil)
)

// hop is the way to a backend.
type hop struct {
	mac   [6]byte
	up    bool
	local bool
}

// New makes a plane.
func New(cfg Config, d Deps) *Plane {
	return &Plane{
		cfg: cfg, d: d, at: map[string]neigh.Interface{}, way: map[string]bpf.Way{}, known: map[netip.Addr]hop{},
		asked: map[netip.Addr]bool{}, fresh: make(chan struct{}),
	}
}

// Allowed says whether this process may balance in the kernel, and what it lacks.
func (p *Plane) Allowed(context.Context) error { return bpf.Allowed() }

// Check says whether the programs are still where Apply put them.
func (p *Plane) Check(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.path == nil {
		return nil
	}
	return p.path.Check()
}

// patience is how long Apply waits for the MACs of backends that it never heard of.
const patience = time.Second

// Apply makes the kernel follow these tables and no others. Backends without a MAC get nothing until they have
// one; then they do by themselves.
func (p *Plane) Apply(ctx context.Context, tables []lb.Table) error {
	p.mu.Lock()
	err := p.apply(tables)
	p.mu.Unlock()
	if err != nil {
		return err
	}
	return p.await(ctx)
}

func (p *Plane) apply(tables []lb.Table) error {
	if err := check(tables); err != nil {
		return err
	}
	if err := p.open(); err != nil {
		return err
	}
	was := p.tables
	p.tables = tables
	if err := p.attach(); err != nil {
		p.tables = was
		return err
	}
	if err := p.refresh(); err != nil {
		return err
	}
	return p.write()
}

// check refuses what the kernel's programs cannot do.
func check(tables []lb.Table) error {
	if len(tables) > bpf.MaxServices {
		return fmt.Errorf("%d services are more than the %d that the kernel's table holds", len(tables), bpf.MaxServices)
	}
	for _, t := range tables {
		s := &t.Service
		if !s.Listen.Addr().IsValid() || s.Listen.Addr().IsUnspecified() {
			return fmt.Errorf("service %s has no address", s.Name)
		}
		if len(s.Ports) > bpf.MaxPorts {
			return fmt.Errorf("service %s names %d ports, more than %d; without any it takes all", s.Name, len(s.Ports), bpf.MaxPorts)
		}
		if _, err := lb.NewDeal(s, t.Alive); err != nil {
			return err
		}
		for _, b := range s.Backends {
			if a := b.TFTP.Addr(); a.Unmap().Is4() != s.Listen.Addr().Unmap().Is4() {
				return fmt.Errorf("service %s at %s: backend %s at %s is of the other kind of IP", s.Name, s.Listen.Addr(), b.Name, a)
			}
		}
	}
	return nil
}

func (p *Plane) open() error {
	if p.path != nil {
		return nil
	}
	dir := p.cfg.Dir
	if dir == "" {
		var err error
		if dir, err = bpf.Place(); err != nil {
			return err
		}
	}
	path, err := bpf.Open(dir)
	if err != nil {
		return err
	}
	if p.live, err = path.Services(); err != nil {
		return errors.Join(err, path.Close())
	}
	if p.table, err = neigh.Open(); err != nil {
		return errors.Join(err, path.Close())
	}
	if path.Adopted {
		p.d.Log.Info("packets flow on as the former process left them", "role", "lb", "services", len(p.live))
	}
	p.path = path
	ctx, cancel := context.WithCancel(context.Background())
	p.stop, p.stopped = cancel, make(chan struct{})
	go p.follow(ctx)
	return nil
}

// attach puts programs on the interfaces of the services, and on no others.
func (p *Plane) attach() error {
	used := map[int]bool{}
	at := map[string]neigh.Interface{}
	for _, t := range p.tables {
		name, err := p.iface(&t.Service)
		if err != nil {
			return fmt.Errorf("service %s: %w", t.Service.Name, err)
		}
		i, err := p.table.Interface(name)
		if err != nil {
			return fmt.Errorf("service %s: %w", t.Service.Name, err)
		}
		if !used[i.Index] {
			way, err := p.path.Attach(name, ways(t.Service.Plane))
			if err != nil {
				return fmt.Errorf("service %s: %w", t.Service.Name, err)
			}
			if p.way[name] != way {
				p.d.Log.Info("packets are balanced by the kernel", "role", "lb", "if", name, "by", way)
			}
			p.way[name] = way
		}
		used[i.Index], at[t.Service.Name] = true, i
	}
	p.at = at
	return p.path.Only(used)
}

// ways are those of a service's plane.
func ways(plane lb.PlaneKind) bpf.Way {
	switch plane {
	case lb.PlaneXDP:
		return bpf.XDP
	case lb.PlaneTCX:
		return bpf.TCX
	default:
		return bpf.Auto
	}
}

// iface is the interface of a service: the named one, or that of the backends.
func (p *Plane) iface(s *lb.Service) (string, error) {
	if s.Interface != "" {
		return s.Interface, nil
	}
	var why error
	for _, b := range s.Backends {
		name, local, err := p.table.Toward(b.TFTP.Addr().Unmap())
		if err == nil && !local {
			return name, nil
		}
		why = errors.Join(why, err)
	}
	if why == nil {
		why = errors.New("all its backends are this node itself: name the interface")
	}
	return "", why
}

// write lets the kernel follow what is known now.
func (p *Plane) write() error {
	next, fresh := compile(p.live, p.tables, p.at, p.known)
	for _, i := range fresh {
		if err := p.path.Clear(i); err != nil {
			return err
		}
	}
	if err := p.path.Replace(next); err != nil {
		return err
	}
	p.live = next
	return nil
}

// Leave ends this process's part: packets flow on by the last tables.
func (p *Plane) Leave() error { return p.end((*bpf.Path).Close) }

// Remove takes everything away, also what a former process left.
func (p *Plane) Remove() error {
	p.mu.Lock()
	opened := p.path != nil
	p.mu.Unlock()
	if opened {
		return p.end((*bpf.Path).Remove)
	}
	dir := p.cfg.Dir
	if dir == "" {
		var left bool
		if dir, left = bpf.Left(); !left {
			return nil
		}
	}
	return bpf.Clear(dir)
}

func (p *Plane) end(how func(*bpf.Path) error) error {
	p.mu.Lock()
	stop, stopped := p.stop, p.stopped
	p.mu.Unlock()
	if stop == nil {
		return nil
	}
	stop()
	<-stopped
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.path == nil {
		return nil
	}
	p.table.Close()
	err := how(p.path)
	p.path, p.table, p.stop = nil, nil, nil
	return err
}
