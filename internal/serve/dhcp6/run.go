package dhcp6

import (
	"context"
	"errors"
	"sync"
	"time"

	"surefoot/internal/boot"
)

// keepTime is how long a server that stops waits for leases that are on their way to the disk.
const keepTime = 3 * time.Second

// Run answers until ctx ends, then finishes the leases on their way to the disk, closes the sockets and returns
// nil. Listen must have succeeded. An interface that disappears is silent until it is back.
func (s *Server) Run(ctx context.Context, ready func()) error {
	if s.links == nil {
		return errors.New("dhcp6: Run before Listen")
	}
	defer func() { _ = s.Close() }()
	var wg sync.WaitGroup
	wg.Go(func() { s.watch(ctx) })
	for _, p := range s.ports {
		wg.Go(func() {
			s.newWorker(p).run(ctx)
			p.settle()
		})
		wg.Go(func() { s.newWorker(p).answer() })
	}
	stop := context.AfterFunc(ctx, func() {
		for _, p := range s.ports {
			_ = p.udp.SetReadDeadline(time.Unix(1, 0))
		}
	})
	defer stop()
	if ready != nil {
		ready()
	}
	wg.Wait()
	return nil
}

// settle waits until every lease that an answer waits for is on the disk, and ends the answers.
func (p *port) settle() {
	kept := make(chan struct{})
	go func() {
		p.waiting.Wait()
		close(kept)
	}()
	select {
	case <-kept:
	case <-time.After(keepTime):
	}
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.ring()
}

func (p *port) ring() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// watchEvery is how often the interfaces are looked at.
const watchEvery = time.Second

// watch follows the interfaces' addresses, and brings the sockets back to an interface that was removed and made
// anew. It returns when ctx ends.
func (s *Server) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	troubles := make([]string, len(s.ports))
	for {
		for i, p := range s.ports {
			is := s.look(p)
			if is != troubles[i] {
				log := s.d.Log.With("role", Role, "if", p.name)
				if is == "" {
					log.Info("the interface is served", "was", troubles[i])
				} else {
					log.Warn("the interface is not served", "why", is, "next_look", watchEvery)
				}
			}
			troubles[i] = is
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look reads the interface anew and returns what keeps it from being served, "" if nothing.
func (s *Server) look(p *port) string {
	l, err := s.links.ByName(p.name)
	if err != nil {
		return err.Error()
	}
	if l.Index != p.index {
		if err := p.rebind(l.Index); err != nil {
			return err.Error()
		}
	}
	addrs, err := s.links.Addrs6(p.name)
	if err != nil {
		return err.Error()
	}
	p.saw(l, addrs)
	if len(addrs) == 0 {
		return "it has no IPv6 address"
	}
	for _, x := range s.plan.Load().scopes {
		if p.at().within(x.Subnet) {
			return ""
		}
	}
	if len(s.plan.Load().scopes) == 0 {
		return ""
	}
	return "it has an address in no subnet6 that is served: only relays are answered"
}

// ignore tells of a packet that was not decided about.
func (s *Server) ignore(h Heard, r boot.Reason, detail string) {
	ev := boot.Event{Kind: boot.Ignored, If: h.Link.Name, Reason: r, Peer: text(h.From), Detail: detail}
	if h.View.Len() > 0 {
		ev.MAC, ev.XID = h.machine(), h.View.XID()
	}
	s.emit(ev)
}
