package storm

import (
	"context"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// run goes on until every download ended or ctx does.
func (r *runner) run(ctx context.Context) error {
	r.start = time.Now()
	for ctx.Err() == nil {
		now := r.now()
		if err := r.arrive(now); err != nil {
			return err
		}
		if err := r.expire(now); err != nil {
			return err
		}
		if r.running() == 0 && r.over(now) {
			break
		}
		for _, ev := range r.wait(now) {
			if err := r.readable(int(ev.Fd), ev.Events); err != nil {
				return err
			}
		}
		if r.cfg.Progress != nil && now-r.told >= 200*time.Millisecond {
			r.told = now
			r.cfg.Progress(r.progress(now))
		}
	}
	r.log.elapsed = r.now()
	return nil
}

func (r *runner) progress(now time.Duration) Progress {
	p := Progress{Elapsed: now, Done: len(r.log.samples), Failed: len(r.log.failures), Running: r.running(), Total: r.total, Bytes: r.log.bytes}
	for i := range r.slots {
		if s := &r.slots[i]; s.busy {
			p.Bytes += s.client.content.at
		}
	}
	p.Left = r.cfg.left(p)
	return p
}

// left reckons how long a run will go on: as the downloads so far went, but not before the last client
// has come, nor longer than Duration.
func (c Config) left(p Progress) time.Duration {
	left := time.Duration(-1)
	if ended := p.Done + p.Failed; p.Total > 0 && ended > 0 {
		last := p.Total - 1
		if c.Arrive.kind != fixedRate {
			last = min(last, c.Clients-1)
		}
		left = max(time.Duration(float64(p.Elapsed)*float64(p.Total-ended)/float64(ended)), c.Arrive.At(last, c.Clients)-p.Elapsed)
	}
	if until := max(c.Duration-p.Elapsed, 0); c.Duration > 0 && (p.Total == 0 || left > until) {
		left = until
	}
	return left
}

// over reports whether no download begins any more.
func (r *runner) over(now time.Duration) bool {
	return r.total > 0 && r.begun >= r.total || r.cfg.Duration > 0 && now >= r.cfg.Duration || r.begun >= MaxDownloads
}

// arrive begins the downloads that are due.
func (r *runner) arrive(now time.Duration) error {
	for len(r.free) > 0 && !r.over(now) && r.cfg.Arrive.At(r.begun, len(r.slots)) <= now {
		i := r.free[0]
		r.free = r.free[1:]
		s := &r.slots[i]
		if s.fd < 0 {
			if err := r.open(i); err != nil {
				return &SocketError{Client: i, Err: err}
			}
		}
		s.client = client{p: r.profiles[r.begun%len(r.profiles)], content: s.client.content, do: s.client.do}
		s.loss.Seed(r.cfg.Seed, uint64(r.begun))
		s.busy, s.queued = true, 0
		if !s.client.p.lockstep {
			inPieces(s.fd)
		}
		r.begun++
		if err := r.step(i, event{kind: begin}); err != nil {
			return err
		}
	}
	return nil
}

// expire gives a tick to those who wanted one by now.
func (r *runner) expire(now time.Duration) error {
	for len(r.timers) > 0 && r.timers[0].at <= now {
		t := r.timers.pop()
		s := &r.slots[t.slot]
		if !s.busy || s.queued != t.at {
			continue // an entry that an earlier one replaced
		}
		s.queued = 0
		if due := s.client.deadline(); due > now {
			r.queue(t.slot, due)
			continue
		}
		if err := r.step(t.slot, event{kind: tick}); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) queue(i int, at time.Duration) {
	if s := &r.slots[i]; s.queued == 0 || at < s.queued {
		s.queued = at
		r.timers.push(timer{at, i})
	}
}

// step tells a client what happened and does what it says.
func (r *runner) step(i int, ev event) error {
	s := &r.slots[i]
	now := r.now()
	r.active = now
	do, next := s.client.Step(now, ev)
	for _, a := range do {
		if a.reopen {
			if err := r.open(i); err != nil {
				return &SocketError{Client: i, Err: err}
			}
			if !s.client.p.lockstep {
				inPieces(s.fd)
			}
		}
		if a.send == nil {
			continue
		}
		if r.lost(s) {
			r.log.lostSent++
		} else if err := sendTo(s.fd, a.send, a.to); err != nil && !s.client.done {
			return r.step(i, refusedEvent(err, a.to)) // ends the client or does nothing
		}
	}
	if s.client.done {
		r.end(i)
	} else {
		r.queue(i, next)
	}
	return nil
}

// end books a download and frees its place. The port is closed, so that a server which still talks
// to it hears so.
func (r *runner) end(i int) {
	s := &r.slots[i]
	s.busy = false
	r.log.add(&s.client)
	_ = unix.Close(s.fd)
	s.fd = -1
	r.free = append(r.free, i)
}

func (r *runner) lost(s *slot) bool {
	return r.cfg.Loss > 0 && float64(s.loss.Uint64()>>11)/(1<<53) < r.cfg.Loss
}

// readable reads what came for a client.
func (r *runner) readable(i int, events uint32) error {
	s := &r.slots[i]
	if events&unix.EPOLLERR != 0 && s.fd >= 0 {
		if errno, found := refusal(s.fd, s.client.peer, s.client.p.server); found && s.busy {
			if err := r.step(i, refusedEvent(errno, r.cfg.Server)); err != nil || !s.busy {
				return err
			}
		}
	}
	read := r.batch.read
	if s.busy && s.client.p.lockstep {
		read = r.batch.readOne
	}
	var failed error
	for more := s.busy; more && failed == nil; {
		opened := s.opened
		more, _ = read(s.fd, func(from netip.AddrPort, data []byte) bool {
			if r.lost(s) {
				r.log.lostReceived++
				return true
			}
			failed = r.step(i, event{kind: packet, data: data, from: from})
			return failed == nil && s.busy && s.opened == opened // after the size probe the rest is for nobody
		})
	}
	return failed
}

// spin is how long the driver polls before it sleeps: real firmware polls without end, and waking
// up costs more than a server's answer.
const spin = 200 * time.Microsecond

// wait returns what came, after the next thing is due at the latest.
func (r *runner) wait(now time.Duration) []unix.EpollEvent {
	if ready := r.poll.wait(0); len(ready) > 0 {
		return ready
	}
	until := r.next(now)
	from := r.now()
	for at := from; at < until; at = r.now() {
		ms := 0
		if at-r.active > spin {
			ms = int((until-at)/time.Millisecond) + 1
		}
		if ready := r.poll.wait(ms); len(ready) > 0 {
			r.idle += r.now() - from
			return ready
		}
	}
	r.idle += r.now() - from
	return nil
}

// next is when something is due: an arrival, a tick, a look at ctx.
func (r *runner) next(now time.Duration) time.Duration {
	at := now + 100*time.Millisecond
	if len(r.timers) > 0 {
		at = min(at, r.timers[0].at)
	}
	if len(r.free) > 0 && !r.over(now) {
		at = min(at, r.cfg.Arrive.At(r.begun, len(r.slots)))
	}
	return at
}
