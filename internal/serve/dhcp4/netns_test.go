package dhcp4

import (
	"context"
	"testing"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	"surefoot/internal/testkit/dhcpwire"
)

// cable is a wire with the role at one end.
type cable struct{ *dhcpwire.Cable }

func newCable(t *testing.T) cable {
	t.Helper()
	return cable{dhcpwire.New(t)}
}

// role is a running server.
type role struct {
	events chan boot.Event
	keeper *memory
	book   *lease.Book
	s      *Server
}

// start runs the role on the server's eth0.
func (c cable) start(t *testing.T, cfg Config) *role { return c.startWith(t, cfg, nil) }

func (c cable) startWith(t *testing.T, cfg Config, change func([]lease.Pool)) *role {
	t.Helper()
	r := &role{events: make(chan boot.Event, 1000), keeper: &memory{}, book: testBook(t, change)}
	var err error
	r.s, err = New(cfg, Deps{Emit: func(ev boot.Event) { r.events <- ev }, Book: r.book, Keeper: r.keeper})
	if err != nil {
		t.Fatal(err)
	}
	c.Server.Do(t, func() error { return r.s.Listen(t.Context()) })
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- r.s.Run(ctx, func() { close(ready) }) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v, want nil after the end of its context", err)
		}
	})
	<-ready
	return r
}
