package proxydhcp

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"surefoot/internal/boot"
)

// queueLength is how many packets of one socket may wait. What a storm has beyond that is lost
// and asked again by the clients.
const queueLength = 1024

// Run answers until ctx ends, then finishes the packets that wait, closes the sockets and
// returns nil. Listen must have succeeded. An interface that disappears is silent until it is back.
func (s *Server) Run(ctx context.Context, ready func()) error {
	defer func() { _ = s.Close() }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	wg.Go(func() { s.watch(ctx) })
	for _, p := range s.ports {
		for _, from := range []source{
			{p.readRaw, func(b packet) { s.onServerPort(p, b.data) }},
			{p.readBoot, func(b packet) { s.onBootPort(p, b) }},
		} {
			wg.Go(func() { s.serve(ctx, cancel, p, from) })
		}
	}
	stop := context.AfterFunc(ctx, func() {
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

// source is a socket of a port: how to read it and what to do with a packet.
type source struct {
	read func(context.Context) (packet, error)
	work func(packet)
}

// serve reads packets of one socket and works on them in order, one goroutine each, with a
// bounded queue between. It returns when the socket is interrupted and the queue is empty.
func (s *Server) serve(ctx context.Context, fail context.CancelCauseFunc, p *port, from source) {
	queue := make(chan packet, queueLength)
	go func() {
		defer close(queue)
		for {
			b, err := from.read(ctx)
			if err != nil {
				if ctx.Err() == nil {
					fail(fmt.Errorf("proxydhcp on %s: %w", p.name, err))
				}
				return
			}
			select {
			case queue <- b:
			default:
				s.emit(boot.Event{Kind: boot.Ignored, If: p.name, Reason: boot.QueueFull})
				p.release(b)
			}
		}
	}()
	for b := range queue {
		from.work(b)
		p.release(b)
	}
}
