package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"surefoot/internal/lb"
)

// notedPlane keeps what it is told.
type notedPlane struct {
	mu      sync.Mutex // guards the rest
	applied [][]lb.Table
	refuse  error
	changed error
	left    int
}

func (p *notedPlane) Apply(_ context.Context, t []lb.Table) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse != nil {
		return p.refuse
	}
	p.applied = append(p.applied, slices.Clone(t))
	return nil
}

func (p *notedPlane) Check(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.changed
	p.changed = nil
	return err
}
func (p *notedPlane) Counters(context.Context) ([]lb.Count, error) { return nil, nil }
func (p *notedPlane) Leave() error                                 { p.left++; return nil }
func (p *notedPlane) Remove() error                                { return nil }

func (p *notedPlane) set(refuse, changed error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse, p.changed = refuse, changed
}

func (p *notedPlane) n() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.applied)
}

// Planes are told of what changes, and of nothing else; before an address comes, and again when one was refused.
func TestDataPaths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &notedPlane{}
		var mu sync.Mutex
		alive := []int{0, 1}
		service := lb.Service{Name: "boot", Mode: lb.NAT, VIP: "boot", Backends: []lb.Backend{{Name: "a"}, {Name: "b"}}}
		d := newDataPaths(slog.New(slog.DiscardHandler), time.Now, []*kind{
			{name: "nat", plane: p, takes: func(s lb.Service) bool { return s.Mode == lb.NAT }},
		}, func(active func(string) bool) []lb.Table {
			mu.Lock()
			defer mu.Unlock()
			return []lb.Table{{Service: service, Alive: slices.Clone(alive), Active: active("boot")}}
		})
		ctx, cancel := context.WithCancel(t.Context())
		ready := make(chan struct{})
		done := make(chan error)
		go func() { done <- d.Run(ctx, func() { close(ready) }) }()
		<-ready
		last := func() lb.Table {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.applied[len(p.applied)-1][0]
		}
		if p.n() != 1 || last().Active {
			t.Fatalf("at the start: %+v", p.applied)
		}
		time.Sleep(10 * time.Second)
		if p.n() != 1 {
			t.Fatalf("nothing changed, and it was applied %d times", p.n())
		}
		if err := d.Claiming("boot"); err != nil || p.n() != 2 || !last().Active {
			t.Fatalf("an address comes: %v, %+v", err, last())
		}
		mu.Lock()
		alive = []int{1}
		mu.Unlock()
		time.Sleep(2 * pathsEvery)
		if p.n() != 3 || len(last().Alive) != 1 {
			t.Fatalf("a backend died: %+v", last())
		}
		p.set(nil, errors.New("somebody flushed it"))
		time.Sleep(2 * pathsCheck)
		if p.n() != 4 {
			t.Errorf("somebody changed it, and it was applied %d times", p.n())
		}
		d.Released("boot")
		time.Sleep(2 * pathsEvery)
		if last().Active {
			t.Error("the address left, and the path is active")
		}
		p.set(errors.New("no"), nil)
		if err := d.Claiming("boot"); err == nil || d.Carries("boot") == "" || d.Carries("other") != "" {
			t.Errorf("a path that does not follow: %v, %q", err, d.Carries("boot"))
		}
		n := p.n()
		p.set(nil, nil)
		time.Sleep(3 * pathsCheck)
		if p.n() == n && d.Carries("boot") != "" {
			t.Error("it is not tried again")
		}
		if err := d.Claiming("boot"); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-done; err != nil || p.left != 1 {
			t.Errorf("the end: %v, left %d times", err, p.left)
		}
	})
}
