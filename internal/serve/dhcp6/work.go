package dhcp6

import (
	"context"
	"net/netip"
	"strings"
	"sync"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/bind"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp6"
)

// worker works on the packets of one interface, one after the other.
type worker struct {
	s    *Server
	p    *port
	d    *Decider
	view wire.View
	room []byte // an answer
}

func (s *Server) newWorker(p *port) *worker { return &worker{s: s, p: p} }

// run works on packets until ctx ends.
func (w *worker) run(ctx context.Context) {
	b := make([]byte, maxPacket)
	for {
		n, from, to, err := w.p.read(ctx, b)
		if err != nil {
			return
		}
		w.renew()
		w.packet(b[:n], from, to)
	}
}

// renew takes over what a reload changed.
func (w *worker) renew() {
	if p := w.s.plan.Load(); w.d == nil || w.d.p != p {
		w.d = newDecider(p, w.s.d.Book, w.s.d.Down, w.s.holder, w.s.guard)
	}
}

// packet has a packet decided, sends the answer or has its leases kept, and tells of it.
func (w *worker) packet(b []byte, from netip.AddrPort, to netip.Addr) {
	defer w.s.survive(w.p, b)
	h := Heard{View: &w.view, From: from, To: to, Link: w.p.at()}
	if err := w.view.Parse(b); err != nil {
		w.s.ignore(h, boot.Malformed, err.Error())
		return
	}
	now := w.s.d.Now()
	if detail, ok := w.s.limit.admits(now, h); !ok {
		w.s.ignore(h, boot.RateLimited, detail)
		return
	}
	o := w.d.Decide(now, h)
	o.began = now
	w.s.tellSeen(h, &o)
	w.hear(now, h, &o)
	for _, r := range o.Ended {
		w.s.keep(r)
	}
	if o.Reply == 0 {
		w.s.abandon(&o)
		return
	}
	w.carryOut(h, &o)
}

// carryOut sends an answer, or has its leases kept before that.
func (w *worker) carryOut(h Heard, o *Outcome) {
	var err error
	if w.room, err = w.d.Append(w.room[:0], h, o); err != nil {
		w.s.abandon(o)
		o.Reason = boot.SendFailed
		w.s.tell(w.s.sent(h, o, err.Error()))
		return
	}
	if n := o.records(); n > 0 {
		w.p.commit(w.s, h, o, n, w.room)
		return
	}
	w.send(h, o, w.room)
}

// send sends an answer and tells of it.
func (w *worker) send(h Heard, o *Outcome, b []byte) {
	ev := w.s.sent(h, o, "")
	if o.why != "" {
		ev.Detail = strings.TrimPrefix(ev.Detail+", "+o.why, ", ")
	}
	if err := w.p.write(b, h); err != nil {
		ev.Kind, ev.Reason, ev.Detail = boot.Ignored, boot.SendFailed, err.Error()
	}
	w.s.tell(ev)
}

// records is how many must be kept before the answer.
func (o *Outcome) records() (n int) {
	for i := range o.Bindings {
		if o.Bindings[i].Grant.Keep {
			n++
		}
	}
	return n
}

// noAnswer is what the Book is told of records whose answer is not sent.
type noAnswer struct{}

func (noAnswer) Error() string { return "no answer is sent" }

// abandon gives back what the Book holds for an answer that is not sent.
func (s *Server) abandon(o *Outcome) {
	for i := range o.Bindings {
		if g := &o.Bindings[i].Grant; g.Keep {
			s.d.Book.Committed(g.Record, noAnswer{})
		}
	}
}

// pending is an answer that waits for its leases to be on the disk.
type pending struct {
	heard   Heard // without its View
	request []byte
	payload []byte
	outcome Outcome
	claimed bool // the shared store was asked

	mu   sync.Mutex // guards what follows
	left int        // records that are on their way
	err  error
}

// commit has the records of an outcome kept, and its answer sent after that.
func (p *port) commit(s *Server, h Heard, o *Outcome, n int, payload []byte) {
	c := &pending{heard: h, outcome: *o, left: n}
	c.request, c.payload = append(c.request, h.View.Bytes()...), append(c.payload, payload...)
	c.heard.View = nil
	p.waiting.Add(1)
	var grants []lease.Grant // of its own: once the last of them is told of, the outcome is somebody else's
	for i := range o.Bindings {
		if g := o.Bindings[i].Grant; g.Keep {
			grants = append(grants, g)
			c.claimed = c.claimed || g.Claim && s.d.Shared != nil
		}
	}
	for _, g := range grants {
		done := func(err error) {
			s.d.Book.Committed(g.Record, err)
			if c.done(err) {
				p.put(c)
			}
		}
		if g.Claim && s.d.Shared != nil {
			s.d.Shared.Claim(g, done)
			continue
		}
		s.d.Keeper.Keep(g.Record, done)
	}
}

// done notes what the Keeper said of one record, and reports whether it was the last.
func (c *pending) done(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.err = err
	}
	c.left--
	return c.left == 0
}

func (p *port) put(c *pending) {
	p.mu.Lock()
	p.ready = append(p.ready, c)
	p.mu.Unlock()
	p.ring()
}

// take returns what is ready; ok is false when nothing will come any more.
func (p *port) take() (ready []*pending, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ready, p.ready = p.ready, nil
	return ready, len(ready) > 0 || !p.closed
}

// answer sends the answers of one interface as their leases come to the disk.
func (w *worker) answer() {
	for {
		ready, ok := w.p.take()
		if !ok {
			return
		}
		if len(ready) == 0 {
			<-w.p.wake
			continue
		}
		w.renew()
		for _, c := range ready {
			w.kept(c)
		}
	}
}

// kept sends one answer, or another one, or none, as the Keeper said.
func (w *worker) kept(c *pending) {
	defer w.p.waiting.Done()
	defer w.s.survive(w.p, c.request)
	h := c.heard
	h.View = &w.view
	if err := w.view.Parse(c.request); err != nil {
		return // it was parsed before
	}
	o := &c.outcome
	switch {
	case c.err == nil:
		w.send(h, o, c.payload)
		return
	case c.claimed:
		w.anew(h, c)
		return
	}
	b, err := c.payload, error(nil)
	if ok := w.d.again(w.s.d.Now(), o); ok {
		b, err = w.d.Append(b[:0], h, o)
	} else {
		err = c.err
	}
	if err != nil {
		ev := event(h, o)
		ev.Kind, ev.Reason, ev.Detail = boot.Ignored, boot.StoreRefused, c.err.Error()
		w.s.tell(ev)
		return
	}
	w.send(h, o, b)
}

// keep has a record kept that no answer waits for.
func (s *Server) keep(r lease.Record) {
	s.d.Keeper.Keep(r, func(err error) {
		s.d.Book.Committed(r, err)
		if err != nil {
			s.emit(boot.Event{
				Kind: boot.Ignored, MAC: r.MAC, IP: r.Addr, Network: r.Scope, Reason: boot.StoreRefused, Detail: err.Error(),
			})
		}
	})
}

// rebind moves the socket to the interface that has the port's name now.
func (p *port) rebind(index int) error {
	if err := bind.ToDevice(p.udp, p.name); err != nil {
		return err
	}
	return p.join(index)
}
