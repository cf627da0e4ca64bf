package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"surefoot/internal/lb"
)

// slotPaths is the place of the data paths in the kernel.
const slotPaths = "lb-kernel"

// kind is a plane, with the services that it takes.
type kind struct {
	name  string
	plane lb.Plane
	takes func(lb.Service) bool
}

// dataPaths lets the data paths in the kernel follow the site file, health, drains, and who has the
// service addresses: each time that one of these changes, the tables of all services are made anew and
// handed to their planes whole. There is one for as long as the program runs.
type dataPaths struct {
	log    *slog.Logger
	now    func() time.Time
	kinds  []*kind
	wanted func(active func(vip string) bool) []lb.Table
	wake   chan struct{}

	mu      sync.Mutex // guards what follows; held while planes work
	running bool
	active  map[string]bool // service addresses that this node has, or is about to take
	last    map[string][]lb.Table
	tried   map[string]time.Time
	trouble map[string]string  // by kind, "" when all is well
	counted map[string]counted // by kind
	stale   map[string]bool    // kinds whose data path does not stand as it was left
}

// counted are counters as they were read last: reading them runs a program.
type counted struct {
	at   time.Time
	list []lb.Count
	err  error
}

// countedFor is how long counters are shown as they were read.
const countedFor = time.Second

func newDataPaths(log *slog.Logger, now func() time.Time, kinds []*kind, wanted func(func(string) bool) []lb.Table) *dataPaths {
	return &dataPaths{
		log: log.With("role", roleLB), now: now, kinds: kinds, wanted: wanted, wake: make(chan struct{}, 1),
		active: map[string]bool{}, last: map[string][]lb.Table{}, tried: map[string]time.Time{}, trouble: map[string]string{}, counted: map[string]counted{}, stale: map[string]bool{},
	}
}

const (
	// pathsEvery is how often health is looked at; what changes in between waits for that long.
	pathsEvery = 100 * time.Millisecond
	// pathsCheck is how often it is made sure that the data path still stands.
	pathsCheck = time.Second
)

// Listen makes sure that the data paths can be made.
func (d *dataPaths) Listen(ctx context.Context) error {
	for _, k := range d.kinds {
		c, ok := k.plane.(interface {
			Allowed(context.Context, []lb.Table) error
		})
		tables := d.of(k, func(string) bool { return false })
		if !ok || len(tables) == 0 {
			continue
		}
		if err := c.Allowed(ctx, tables); err != nil {
			return fmt.Errorf("service %s: %w", tables[0].Service.Name, err)
		}
	}
	return nil
}

// of are the tables that a plane is to follow.
func (d *dataPaths) of(k *kind, active func(vip string) bool) []lb.Table {
	var out []lb.Table
	for _, t := range d.wanted(active) {
		if k.takes(t.Service) {
			out = append(out, t)
		}
	}
	return out
}

// Run follows until ctx ends, and leaves the data paths to whoever comes.
func (d *dataPaths) Run(ctx context.Context, ready func()) error {
	d.mu.Lock()
	d.running = true
	for _, k := range d.kinds {
		d.follow(ctx, k, true)
	}
	d.mu.Unlock()
	ready()
	look, check := time.NewTicker(pathsEvery), time.NewTicker(pathsCheck)
	defer look.Stop()
	defer check.Stop()
	for {
		again := false
		select {
		case <-ctx.Done():
			return d.leave()
		case <-look.C:
		case <-d.wake:
		case <-check.C:
			again = true
		}
		d.mu.Lock()
		for _, k := range d.kinds {
			if again && len(d.last[k.name]) > 0 && d.trouble[k.name] == "" {
				d.check(ctx, k)
			}
			d.follow(ctx, k, false)
		}
		d.mu.Unlock()
	}
}

func (d *dataPaths) leave() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running = false
	var err error
	for _, k := range d.kinds {
		err = errors.Join(err, k.plane.Leave())
	}
	clear(d.last)
	return err
}

// check looks whether a data path stands, and makes it anew if not.
func (d *dataPaths) check(ctx context.Context, k *kind) {
	c, ok := k.plane.(lb.Checker)
	if !ok {
		return
	}
	if err := c.Check(ctx); err != nil {
		d.log.Warn("a data path is made anew", "plane", k.name, "why", err)
		d.stale[k.name] = true
	}
}

// follow hands a plane its tables if they are other ones. d.mu is held.
func (d *dataPaths) follow(ctx context.Context, k *kind, first bool) {
	tables := d.of(k, func(vip string) bool { return d.active[vip] })
	last, known := d.last[k.name]
	switch {
	case known && d.trouble[k.name] == "" && !d.stale[k.name] && reflect.DeepEqual(last, tables):
		return
	case len(tables) == 0 && len(last) == 0 && !first && d.trouble[k.name] == "":
		return
	case d.trouble[k.name] != "" && d.now().Sub(d.tried[k.name]) < pathsCheck:
		return
	}
	d.tried[k.name] = d.now()
	if err := k.plane.Apply(ctx, tables); err != nil {
		if ctx.Err() != nil || len(tables) == 0 && first {
			d.log.Debug("what an earlier process left is not looked for", "plane", k.name, "err", err)
			d.last[k.name] = tables
			return
		}
		if text := firstLine(err); text != d.trouble[k.name] {
			d.log.Error("a data path does not follow, it is tried again every second", "plane", k.name, "err", err)
			d.trouble[k.name] = text
		}
		return
	}
	if d.trouble[k.name] != "" {
		d.log.Info("the data path follows again", "plane", k.name)
	}
	d.trouble[k.name], d.stale[k.name] = "", false
	d.tell(last, tables)
	d.last[k.name] = tables
}

// tell logs who gets clients from now on.
func (d *dataPaths) tell(was, is []lb.Table) {
	for _, t := range is {
		i := slices.IndexFunc(was, func(x lb.Table) bool { return x.Service.Name == t.Service.Name })
		if i >= 0 && reflect.DeepEqual(was[i], t) {
			continue
		}
		d.log.Info("a data path follows", "service", t.Service.Name, "mode", string(t.Service.Mode), "address", t.Service.Listen.Addr(),
			"active", t.Active, "alive", strings.Join(t.Names(t.Alive), " "), "drained", strings.Join(t.Names(t.Drained), " "))
	}
	for _, t := range was {
		if !slices.ContainsFunc(is, func(x lb.Table) bool { return x.Service.Name == t.Service.Name }) {
			d.log.Info("a data path is gone", "service", t.Service.Name)
		}
	}
}

// Claiming prepares for a service address that comes to this node: when it returns, packets that the
// neighbours send are handed on.
func (d *dataPaths) Claiming(vip string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.active[vip] = true
	if !d.running {
		return nil
	}
	for _, k := range d.kinds {
		if !d.serves(k, vip) {
			continue
		}
		delete(d.tried, k.name)
		d.follow(context.Background(), k, false)
		if why := d.trouble[k.name]; why != "" {
			d.active[vip] = false
			return fmt.Errorf("the data path of %s is not ready: %s", vip, why)
		}
	}
	return nil
}

// Released takes note that a service address has left.
func (d *dataPaths) Released(vip string) {
	go func() { // whoever holds the lock may wait for the caller
		d.mu.Lock()
		d.active[vip] = false
		d.mu.Unlock()
		d.Wake()
	}()
}

// Wake makes it look at once.
func (d *dataPaths) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Carries says why packets to a service address are not carried, "" if they are.
func (d *dataPaths) Carries(vip string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range d.kinds {
		if why := d.trouble[k.name]; why != "" && d.serves(k, vip) {
			return "the data path does not work: " + why
		}
	}
	return ""
}

func (d *dataPaths) serves(k *kind, vip string) bool {
	return slices.ContainsFunc(d.wanted(func(string) bool { return false }), func(t lb.Table) bool {
		return t.Service.VIP == vip && k.takes(t.Service)
	})
}

// pathView is a data path as it stands.
type pathView struct {
	Table   lb.Table
	By      string // what carries packets
	Trouble string
	Counts  []lb.Count
}

// shown is what a plane says of itself.
type shown interface {
	By(lb.Service) string
	Explain(ctx context.Context, t lb.Table, client netip.Addr) (lb.Choice, error)
}

// Explain says whom a client of a service gets that asks now.
func (d *dataPaths) Explain(ctx context.Context, service string, client netip.Addr) (lb.Choice, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range d.kinds {
		for _, t := range d.last[k.name] {
			if s, ok := k.plane.(shown); ok && t.Service.Name == service {
				return s.Explain(ctx, t, client)
			}
		}
	}
	return lb.Choice{}, fmt.Errorf("the data path of service %s does not run", service)
}

// Views are the data paths that run.
func (d *dataPaths) Views(ctx context.Context) []pathView {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []pathView
	for _, k := range d.kinds {
		if len(d.last[k.name]) == 0 {
			continue
		}
		c := d.counted[k.name]
		if now := d.now(); now.Sub(c.at) > countedFor {
			c.list, c.err = k.plane.Counters(ctx)
			c.at = now
			d.counted[k.name] = c
		}
		counts, err := c.list, c.err
		for _, t := range d.last[k.name] {
			v := pathView{Table: t, Trouble: d.trouble[k.name], By: k.name}
			if s, ok := k.plane.(shown); ok {
				v.By = s.By(t.Service)
			}
			if err != nil && v.Trouble == "" {
				v.Trouble = "its counters cannot be read: " + firstLine(err)
			}
			for _, c := range counts {
				if c.Service == t.Service.Name {
					v.Counts = append(v.Counts, c)
				}
			}
			out = append(out, v)
		}
	}
	return out
}

// Remove takes all data paths away.
func (d *dataPaths) Remove() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var err error
	for _, k := range d.kinds {
		err = errors.Join(err, k.plane.Remove())
		delete(d.last, k.name)
	}
	return err
}
