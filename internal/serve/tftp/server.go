package tftp

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"
)

// Listen opens the request port. An error says who holds the port or what is missing.
func (s *Server) Listen(ctx context.Context) error {
	socks, err := listenRequests(ctx, s.cfg.Listen, s.cfg.Loops, s.cfg.Ports.Single, s.cfg.AnyAddress)
	if err != nil {
		return err
	}
	s.socks, s.addr = socks, socks[0].addr
	return nil
}

// Addr returns the address that Listen opened, with the real port.
func (s *Server) Addr() netip.AddrPort {
	if s.socks == nil {
		return s.cfg.Listen
	}
	return s.addr
}

// Close closes the sockets of a server that was never Run.
func (s *Server) Close() error {
	for _, sock := range s.socks {
		sock.close()
	}
	return nil
}

// Run serves until ctx ends. Then the request port is closed, which tells a client at once to try
// its next server, and transfers under way may finish within the drain timeout.
func (s *Server) Run(ctx context.Context, ready func()) error {
	if s.socks == nil {
		return errors.New("tftp: Run before Listen")
	}
	for _, sock := range s.socks {
		l, err := newLoop(s, sock)
		if err != nil {
			for _, l := range s.loops {
				l.close()
			}
			_ = s.Close()
			return err
		}
		s.loops = append(s.loops, l)
	}
	s.doors.Store(int32(len(s.loops)))
	s.open = startOpener(min(2*s.cfg.Limits.Transfers, maxJobs))
	defer s.cache.stop()
	defer s.open.stop()
	stop := context.AfterFunc(ctx, s.closeDoors)
	defer stop()
	errs := make([]error, len(s.loops))
	var all sync.WaitGroup
	for i, l := range s.loops {
		all.Go(func() { errs[i] = l.run() })
	}
	done := make(chan struct{})
	defer close(done)
	go s.endLate(ctx, done)
	if ready != nil {
		ready()
	}
	all.Wait()
	return errors.Join(errs...)
}

// endLate ends what still runs when the drain timeout has passed.
func (s *Server) endLate(ctx context.Context, done <-chan struct{}) {
	select {
	case <-ctx.Done():
	case <-done:
		return
	}
	late := time.NewTimer(s.cfg.DrainTimeout)
	defer late.Stop()
	select {
	case <-late.C:
		s.running.interruptAll(draining)
	case <-done:
	}
}

// Shut is closed when the server begins nothing new any more, some moments after Run was told to end.
func (s *Server) Shut() <-chan struct{} { return s.shut }

// closeDoors lets nobody in any more.
func (s *Server) closeDoors() {
	for _, l := range s.loops {
		l.post(note{kind: closeDoor})
	}
}

// abandon ends everything: a request socket is broken.
func (s *Server) abandon() {
	s.closeDoors()
	s.running.interruptAll(draining)
}
