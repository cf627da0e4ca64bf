package dhcp4

import (
	"fmt"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/rawsock"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/frame"
)

// worker works on the packets of one interface, one after the other.
type worker struct {
	s    *Server
	p    *port
	d    *Decider
	view wire.View
	out  *outbox
	room []byte // a reply
	o    Outcome
}

func (s *Server) newWorker(p *port) *worker {
	if p.held == nil {
		return &worker{s: s, p: p, out: newOutbox(nil)}
	}
	return &worker{s: s, p: p, out: newOutbox(p.held)}
}

// run works on what waits in the queue until that is closed and empty.
func (w *worker) run() {
	var frames [rawsock.MaxBatch][]byte
	for {
		n, ok := w.p.queue.take(frames[:])
		if !ok {
			return
		}
		if n == 0 {
			<-w.p.queue.wake
			continue
		}
		w.renew()
		for _, b := range frames[:n] {
			w.frame(b)
		}
		w.flush()
	}
}

// renew takes over what a reload changed.
func (w *worker) renew() {
	if p := w.s.plan.Load(); w.d == nil || w.d.p != p {
		w.d = newDecider(p, w.s.d.Book, w.s.d.Down, w.s.guard)
		w.d.refuses, w.d.shared = w.s.d.Refuses, w.s.d.Shared != nil
	}
}

// frame works on a frame that carries a datagram to port 67.
func (w *worker) frame(b []byte) {
	defer w.s.survive(w.p, b)
	l := w.p.at()
	d, err := frame.Parse(b)
	h := Heard{View: &w.view, From: d.Src, To: d.Dst, Link: l}
	switch {
	case err != nil:
		w.s.ignore(w.p, boot.Malformed, h, err.Error())
		return
	case d.SrcMAC == l.MAC:
		w.s.ignore(w.p, boot.FromOurselves, h, "")
		return
	}
	if err := w.view.Parse(d.Payload); err != nil {
		w.s.ignore(w.p, boot.Malformed, h, err.Error())
		return
	}
	w.handle(h)
}

// handle has a packet decided, sends the answer or has its lease kept, and tells of it.
func (w *worker) handle(h Heard) {
	now := w.s.d.Now()
	mac, _ := h.View.MAC()
	if detail, ok := w.s.limit.admits(now, place{link: w.p.name, relay: h.View.GIAddr()}, mac); !ok {
		w.s.ignore(w.p, boot.RateLimited, h, detail)
		return
	}
	o := &w.o
	w.d.into(now, h, o)
	if o.Foreign {
		return
	}
	w.s.tellSeen(now, h, o)
	w.hear(now, h, o)
	if o.Ended.Addr.IsValid() {
		w.s.keep(o.Ended)
	}
	if o.Reply.Type == 0 && !o.Reply.BOOTP {
		return
	}
	o.began = now
	w.carryOut(now, h, o)
}

// carryOut sends an answer, or has its lease kept before that.
func (w *worker) carryOut(now time.Time, h Heard, o *Outcome) {
	var err error
	if w.room, err = w.d.Append(w.room[:0], h, o); err != nil {
		if o.Grant.Keep {
			w.s.d.Book.Committed(o.Grant.Record, err)
		}
		o.Reason = boot.SendFailed
		w.s.tellSent(now, h, o, err.Error())
		return
	}
	if o.Reply.Type == wire.ACK && o.Reply.YIAddr.IsValid() {
		w.s.check.forget(o.Reply.YIAddr)
	}
	switch {
	case o.Grant.Claim && w.s.d.Shared != nil:
		w.p.claim(w.s, h, o, w.room)
		return
	case o.Grant.Keep:
		w.p.commit(w.s, h, o, w.room)
		return
	}
	unsure := o.Reply.Type == wire.Offer && o.Grant.Ping && o.scope.ConflictCheck
	if unsure && o.scope.ConflictWait > 0 && w.s.check.ask(now, w.p, h, o) {
		w.p.postpone(w.s, h, o, w.room)
		return
	}
	w.s.tellSent(now, h, o, o.why)
	if unsure {
		w.s.check.ask(now, w.p, h, o)
	}
	if w.out.add(h.Link.MAC, o.Route, w.room) {
		w.flush()
	}
}

// flush sends what was collected.
func (w *worker) flush() { w.s.flush(w.p, w.out) }

func (s *Server) flush(p *port, out *outbox) {
	lost, err := out.flush(p.frames, s.ip)
	for range lost {
		s.emit(&boot.Event{Kind: boot.Ignored, If: p.name, Reason: boot.SendFailed, Detail: fmt.Sprint(err)})
	}
}

// keep has a record kept that no answer waits for.
func (s *Server) keep(r lease.Record) {
	s.d.Keeper.Keep(r, func(err error) {
		s.d.Book.Committed(r, err)
		if err != nil {
			s.emit(&boot.Event{
				Kind: boot.Ignored, MAC: r.MAC, IP: r.Addr, Network: r.Scope, Reason: boot.StoreRefused, Detail: err.Error(),
			})
		}
	})
}
