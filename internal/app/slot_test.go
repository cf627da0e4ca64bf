package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"

	"surefoot/internal/kernel/bind"
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

// taken is a role whose port is taken, as the next of some causes says, and then free.
type taken struct {
	fake
	causes []error
}

func (f *taken) Listen(context.Context) error {
	if len(f.causes) == 0 {
		return nil
	}
	err := f.causes[0]
	f.causes = f.causes[1:]
	return fmt.Errorf("x: %w", err)
}

// TestListenWhenFree: a port that this process is about to let go of is waited for, and so is one whose
// holder had let go of it before anybody asked who it is; one of somebody else's is refused.
func TestListenWhenFree(t *testing.T) {
	by := func(holder string) error { return &bind.Error{Holder: holder, Err: unix.EADDRINUSE} }
	ours, gone, others := by(fmt.Sprintf("surefoot (pid %d)", os.Getpid())), by(""), by("dnsmasq (pid 1)")
	for name, c := range map[string]struct {
		causes []error
		free   bool
	}{
		"ours":                     {slices.Repeat([]error{ours}, 20), true},
		"ours, for ever":           {slices.Repeat([]error{ours}, 1000), false},
		"let go of meanwhile":      {[]error{ours, gone, ours, gone}, true},
		"nobody knows whose it is": {slices.Repeat([]error{gone}, 20), false},
		"somebody else's":          {[]error{others}, false},
		"no port at all":           {[]error{errors.New("no such address")}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			if err := listenWhenFree(t.Context(), &taken{causes: c.causes}); (err == nil) != c.free {
				t.Errorf("%s: %v", name, err)
			}
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
