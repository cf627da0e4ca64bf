package dhcp4

import (
	"context"
	"errors"
	"sync"
	"time"
)

// keepTime is how long a server that stops waits for leases that are on their way to the disk.
const keepTime = 3 * time.Second

// Run answers until ctx ends, then finishes the packets that wait and the leases on their way to the disk,
// closes the sockets and returns nil. Listen must have succeeded. An interface that disappears is silent
// until it is back.
func (s *Server) Run(ctx context.Context, ready func()) error {
	defer func() { _ = s.Close() }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	wg.Go(func() { s.watch(ctx) })
	for _, p := range s.ports {
		wg.Go(func() {
			defer p.queue.close()
			if err := p.read(ctx, s); err != nil {
				cancel(err)
			}
		})
		wg.Go(func() {
			s.newWorker(p).run()
			p.settle()
		})
		wg.Go(func() { s.newWorker(p).answer() })
		wg.Go(func() { s.check.readARP(ctx, p) })
	}
	wg.Go(s.check.readEcho)
	wg.Go(func() { s.check.send(ctx) })
	echo := s.check.echo
	stop := context.AfterFunc(ctx, func() {
		_ = echo.SetDeadline(time.Unix(1, 0))
		for _, p := range s.ports {
			p.interrupt()
		}
	})
	defer stop()
	if ready != nil {
		ready()
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// settle waits until every lease that an answer waits for is on the disk, and ends the answers.
func (p *port) settle() {
	kept := make(chan struct{})
	go func() {
		p.commits.waiting.Wait()
		close(kept)
	}()
	select {
	case <-kept:
	case <-time.After(keepTime):
	}
	p.commits.close()
}
