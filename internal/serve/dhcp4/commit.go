package dhcp4

import (
	"sync"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp4"
)

// pending is an answer that waits for its lease to be on the disk.
type pending struct {
	record  lease.Record
	route   Route
	payload []byte // the reply
	own     boot.MAC
	tell    boot.Event
	err     error // what the Keeper said, or the shared store
	claimed bool  // the shared store was asked

	// For the answer that a known lease gets when the disk refuses the record.
	request []byte
	heard   Heard // without its View
	outcome Outcome
}

// commits are the answers of one interface that wait. Those whose records one commit kept leave together.
type commits struct {
	wake    chan struct{}
	waiting sync.WaitGroup // for the Keeper
	spare   sync.Pool      // of *pending

	mu     sync.Mutex // guards all below
	ready  []*pending
	closed bool
}

// pending makes an answer that waits.
func (p *port) pending(s *Server, h Heard, o *Outcome, payload []byte) *pending {
	c, _ := p.commits.spare.Get().(*pending)
	if c == nil {
		c = new(pending)
	}
	c.err, c.claimed = nil, false
	c.record, c.route, c.own = o.Grant.Record, o.Route, h.Link.MAC
	c.payload = append(c.payload[:0], payload...)
	c.request = append(c.request[:0], h.View.Bytes()...)
	s.sent(&c.tell, &h, o, o.why)
	c.heard, c.outcome = h, *o
	c.heard.View, c.outcome.Decision = nil, boot.Decision{}
	p.commits.waiting.Add(1)
	return c
}

// postpone sends an offer after the scope's ConflictWait, unless somebody has the address.
func (p *port) postpone(s *Server, h Heard, o *Outcome, payload []byte) {
	c := p.pending(s, h, o, payload)
	time.AfterFunc(o.scope.ConflictWait, func() {
		defer p.commits.waiting.Done()
		if s.check.free(c.outcome.Reply.YIAddr, c.outcome.Ask.MAC) {
			p.commits.put(c)
			return
		}
		c.tell.Kind, c.tell.Reason = boot.Ignored, boot.AddressDeclined
		s.emit(&c.tell)
	})
}

// commit has the record of an outcome kept, and its answer sent after that.
func (p *port) commit(s *Server, h Heard, o *Outcome, payload []byte) {
	c := p.pending(s, h, o, payload)
	s.d.Keeper.Keep(c.record, func(err error) {
		s.d.Book.Committed(c.record, err)
		c.err = err
		p.commits.put(c)
		p.commits.waiting.Done()
	})
}

func (c *commits) put(p *pending) {
	c.mu.Lock()
	c.ready = append(c.ready, p)
	c.mu.Unlock()
	c.ring()
}

func (c *commits) ring() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// take exchanges what is ready for an empty list. ok is false when nothing will come any more.
func (c *commits) take(empty []*pending) (ready []*pending, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ready, c.ready = c.ready, empty[:0]
	return ready, len(ready) > 0 || !c.closed
}

// close makes take report the end once nothing is ready.
func (c *commits) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.ring()
}

// answer sends the answers of one interface as their leases come to the disk.
func (w *worker) answer() {
	var list []*pending
	for {
		ready, ok := w.p.commits.take(list)
		if !ok {
			return
		}
		if len(ready) == 0 {
			list = ready
			<-w.p.commits.wake
			continue
		}
		w.renew()
		for _, c := range ready {
			w.kept(c)
		}
		w.flush()
		for i, c := range ready {
			ready[i] = nil
			w.p.commits.spare.Put(c)
		}
		list = ready
	}
}

// kept sends one answer, or another one, or none, as the Keeper said.
func (w *worker) kept(c *pending) {
	defer w.s.survive(w.p, c.request)
	if c.claimed {
		w.claimed(c)
		return
	}
	if c.err != nil && !w.again(c) {
		return
	}
	w.s.emit(&c.tell)
	if w.out.add(c.own, c.route, c.payload) {
		w.flush()
	}
}

// again makes the answer to a request whose record the disk refused.
func (w *worker) again(c *pending) bool {
	h, o := c.heard, &c.outcome
	h.View = &w.view
	err := w.view.Parse(c.request)
	if o.Reason = w.d.again(w.s.d.Now(), o); err != nil || o.Reason != boot.Answered || o.Reply.Type != wire.ACK {
		c.tell.Kind, c.tell.Reason, c.tell.Detail = boot.Ignored, boot.StoreRefused, c.err.Error()
		w.s.emit(&c.tell)
		return false
	}
	w.d.answer(h, o, wire.ACK)
	if c.payload, err = w.d.Append(c.payload[:0], h, o); err != nil {
		return false
	}
	w.s.sent(&c.tell, &h, o, "the disk refuses new leases: "+c.err.Error())
	return true
}
