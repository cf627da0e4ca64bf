package app

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"
)

// fake is a role whose address only one server can hold at a time.
type fake struct {
	addr  string
	held  map[string]bool // addresses in use, shared by all fakes of a test
	fault error           // what Listen says, if not nil
	fail  chan error      // ends Run
}

func (f *fake) Listen(context.Context) error {
	if f.fault != nil {
		return f.fault
	}
	if f.held[f.addr] {
		return fmt.Errorf("listen %s: %w", f.addr, unix.EADDRINUSE)
	}
	f.held[f.addr] = true
	return nil
}

func (f *fake) Run(ctx context.Context, ready func()) error {
	ready()
	defer delete(f.held, f.addr)
	select {
	case <-ctx.Done():
		return nil
	case err := <-f.fail:
		return err
	}
}

// slotOf makes a slot whose first server is given and whose maker gives remade.
func slotOf(first, remade *fake) *slot {
	return &slot{name: "x", swaps: make(chan swap), drains: func() {}, now: first, state: "starting", make: func(cfg *setup) (server, error) {
		if cfg == nil { // the former setup, in these tests
			return &fake{addr: first.addr, held: first.held}, nil
		}
		return remade, nil
	}}
}

func addrOf(s *slot) string {
	srv, state := s.get()
	if srv == nil {
		return "none " + state
	}
	return srv.(*fake).addr + " " + state
}

func TestSlotReload(t *testing.T) {
	tests := []struct {
		name string
		next *fake // nil empties the slot
		err  bool
		want string
	}{
		{name: "another address", next: &fake{addr: "b"}, want: "b ready"},
		{name: "the same address", next: &fake{addr: "a"}, want: "a ready"},
		{name: "a refused address", next: &fake{addr: "c", fault: errors.New("no such address")}, err: true, want: "a ready"},
		{name: "an address of somebody else", next: &fake{addr: "taken"}, err: true, want: "a ready"},
		{name: "emptied", want: "none "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				held := map[string]bool{"taken": true}
				first := &fake{addr: "a", held: held}
				if err := first.Listen(t.Context()); err != nil {
					t.Fatal(err)
				}
				s := slotOf(first, tt.next)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- s.run(ctx, func() {}) }()
				synctest.Wait()
				var next server
				if tt.next != nil {
					tt.next.held, next = held, tt.next
				}
				err := s.reload(ctx, nil, &setup{}, next)
				synctest.Wait()
				if (err != nil) != tt.err {
					t.Errorf("reload = %v, want an error: %v", err, tt.err)
				}
				if got := addrOf(s); got != tt.want {
					t.Errorf("the slot holds %q, want %q", got, tt.want)
				}
				cancel()
				if err := <-done; err != nil {
					t.Errorf("run = %v", err)
				}
				if delete(held, "taken"); len(held) != 0 {
					t.Errorf("still held: %v", held)
				}
			})
		})
	}
}

func TestSlotServerFails(t *testing.T) {
	boom := errors.New("boom")
	first := &fake{addr: "a", held: map[string]bool{}, fail: make(chan error, 1)}
	first.fail <- boom
	s := slotOf(first, nil)
	if err := s.run(t.Context(), func() {}); !errors.Is(err, boom) {
		t.Errorf("run = %v, want boom", err)
	}
	if _, state := s.get(); state != "failed" {
		t.Errorf("state = %q, want failed", state)
	}
}
