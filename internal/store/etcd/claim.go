package etcd

import (
	"context"
	"errors"
	"hash/maphash"
	"net/netip"
	"time"

	"surefoot/internal/lease"
)

// place is what a record is of.
type place struct {
	scope string
	addr  netip.Addr
}

// seen is what the store has of a place. The machine is known by a hash here: it is compared with one
// that is believed to be the same, and a record takes a third of its size so.
type seen struct {
	rev     int64 // 0: nothing is there
	serial  uint64
	id      uint64
	expires int64
	state   lease.State
}

var seed = maphash.MakeSeed()

func idHash(id lease.ID) uint64 { return maphash.Comparable(seed, id) }

// purpose is by which rule a record replaces what the store has.
type purpose uint8

const (
	toClaim   purpose = iota // if that is what the Book saw
	toPublish                // it is this node's own and counts already
	toEnd                    // a release or a decline: if it is still about the same lease
)

// claim is a record on its way to the store.
type claim struct {
	at    place
	r     lease.Record
	prev  uint64
	why   purpose
	done  func(error) // nil once it was called
	asked time.Time
	late  *time.Timer

	before *claim // the one of the same place that has to be over first
	sent   bool
	over   bool
	won    bool
	wake   *claim // waits for this one
}

// What may be on its way.
const (
	committers = 2
	maxBatch   = 60   // records of a commit: etcd takes 128 operations
	maxWaiting = 8192 // claims that wait; more are answered as if there was no contact
)

// Claim puts a record in the place of the one with the Serial prev, and has it kept on this node's disk
// as well if it is more than an offer. done is called once, after Times.Claim at the latest: nil if so,
// lease.ErrLost if another record was there, which the Book has by then, and any other error if the
// answer did not come. Then the record may still get there, and the Book learns of it.
func (c *Cluster) Claim(r lease.Record, prev uint64, done func(error)) {
	c.mu.Lock()
	if !c.contact || c.waiting >= maxWaiting {
		c.mu.Unlock()
		c.stats.refused.Inc()
		done(lease.ErrNoContact)
		return
	}
	k := &claim{at: place{r.Scope, r.Addr}, r: r, prev: prev, why: toClaim, done: done, asked: time.Now()}
	k.late = time.AfterFunc(c.times.Claim, func() { c.tooLate(k) })
	c.enqueue(k)
	c.mu.Unlock()
}

// enqueue sends a claim on its way, behind those of the same place. c.mu is held.
func (c *Cluster) enqueue(k *claim) {
	if k.why == toClaim {
		c.waiting++
	}
	if b := c.last[k.at]; b != nil {
		k.before, b.wake = b, k
		c.last[k.at] = k
		return
	}
	c.last[k.at] = k
	c.ready = append(c.ready, k)
	c.ring()
}

func (c *Cluster) ring() {
	select {
	case c.work <- struct{}{}:
	default:
	}
}

// tooLate answers a claim that takes too long. It stays on its way.
func (c *Cluster) tooLate(k *claim) {
	c.mu.Lock()
	done := k.done
	k.done = nil
	c.mu.Unlock()
	if done != nil {
		c.stats.late.Inc()
		done(lease.ErrNoContact)
	}
}

// take returns claims that go into one commit, after those that are lost already were told so. c.mu is
// not held.
func (c *Cluster) take() (store db, batch []*claim, list []txn) {
	c.mu.Lock()
	var over []func()
	if store = c.store; store != nil {
		n := 0
		for _, k := range c.ready {
			n++
			if k.why == toClaim && k.done == nil && !k.sent { // nobody waits for it any more
				over = append(over, c.finish(k, lease.ErrNoContact))
				continue
			}
			v, ok := c.judge(k)
			if !ok {
				over = append(over, c.finish(k, lease.ErrLost))
				continue
			}
			k.sent = true
			batch = append(batch, k)
			key := c.keys.record(k.at.scope, k.at.addr)
			x := txn{conds: []cond{{key, c.seen[k.at].rev}}, writes: []write{{key, v}}}
			if k.why == toClaim { // and nobody was given a block there meanwhile
				x.conds = append(x.conds, cond{c.keys.blocks(k.at.scope), c.pool(k.at.scope).table.rev})
			}
			list = append(list, x)
			if len(batch) == maxBatch {
				break
			}
		}
		c.ready = c.ready[n:]
	}
	c.mu.Unlock()
	for _, f := range over {
		f()
	}
	return store, batch, list
}

// judge says whether a record may replace what the store has, as far as was seen, and what is written.
func (c *Cluster) judge(k *claim) (value []byte, ok bool) {
	have, r := c.seen[k.at], k.r
	same := have.rev != 0 && have.id == idHash(r.ID)
	switch k.why {
	case toClaim:
		if b := k.before; b != nil && !b.won && b.r.Serial == k.prev {
			return nil, false // it was to go on from a record that did not get there
		}
		// What the store does not have, or has an earlier state of, it had: it was set back.
		if have.rev != 0 && have.serial > k.prev {
			return nil, false
		}
		// Two nodes may use one Serial, so the same Serial alone does not say that it is the same record.
		if have.rev != 0 && !same && have.state != lease.Free && have.expires >= c.now().Unix() {
			return nil, false
		}
		if owner := c.owner(k.at); owner != "" && owner != c.cfg.Node && !same {
			return nil, false
		}
	case toEnd:
		// A decline names no machine: nothing may have happened to the address since.
		if r.State == lease.Released && (!same || have.serial >= r.Serial) || r.State != lease.Released && have.serial+1 != r.Serial {
			return nil, false
		}
	case toPublish:
		free := have.rev == 0 || have.state == lease.Free || have.expires < c.now().Unix()
		switch {
		case !same && !free:
			c.stats.clashes.Inc()
			c.log.Error("an address that this node gave out by itself is another machine's in the shared store (please report it)",
				"ip", k.at.addr, "network", k.at.scope, "client", r.ID)
			return nil, false
		case have.serial >= r.Serial && (!same || r.Expires.Unix() <= have.expires):
			return nil, false // it is there already
		case have.serial >= r.Serial:
			r.Serial = have.serial + 1
		}
	}
	if same && r.Expires.Unix() < have.expires {
		r.Expires = time.Unix(have.expires, 0).UTC() // an end is never lowered
	}
	k.r = r
	return appendRecord(nil, &r), true
}

// finish takes a claim off its way, and returns who is to be told. c.mu is held; what is returned is
// called without it.
func (c *Cluster) finish(k *claim, err error) func() {
	k.over, k.won = true, err == nil
	if k.why == toClaim && errors.Is(err, lease.ErrLost) {
		c.stats.lost.Inc()
	}
	if k.why == toClaim {
		c.waiting--
	}
	if k.late != nil {
		k.late.Stop()
	}
	if n := k.wake; n != nil {
		c.ready = append(c.ready, n)
		c.ring()
	} else {
		delete(c.last, k.at)
	}
	k.before = nil // of before only what it came to counts, and that was looked at
	done := k.done
	k.done = nil
	if k.why == toPublish {
		c.published(k, err)
	}
	switch {
	case err == nil && done == nil:
		// Nobody waits any more, and the Book was told that it did not get there.
		c.book.Load(k.r)
		c.disk.keep(k.r)
		return func() {}
	case done == nil:
		return func() {}
	case err != nil:
		return func() { done(err) }
	case k.r.State == lease.Offered || k.r.State == lease.Free:
		c.disk.keep(k.r)
		return func() { done(nil) }
	}
	return func() {
		c.disk.commit(k.r, func(err error) {
			if err != nil {
				c.book.Load(k.r) // the store has it all the same
			}
			done(err)
		})
	}
}

// failWaiting answers all that is on its way; what was sent may still get there. c.mu is held.
func (c *Cluster) failWaiting() {
	var tell []func(error)
	for _, k := range c.last {
		for ; k != nil; k = k.before {
			if k.done != nil && k.why != toPublish {
				tell, k.done = append(tell, k.done), nil
			}
		}
	}
	if len(tell) > 0 {
		go func() {
			for _, done := range tell {
				done(lease.ErrNoContact)
			}
		}()
	}
}

// commit is one of the goroutines that send claims.
func (c *Cluster) commit(ctx context.Context) {
	for {
		store, batch, list := c.take()
		if len(batch) == 0 {
			select {
			case <-ctx.Done():
				return
			case <-c.work:
			case <-time.After(c.times.Beat): // a store that has come back
			}
			continue
		}
		c.ring() // for the other one, if there is more
		call, cancel := context.WithTimeout(ctx, c.times.Call)
		began := time.Now()
		res, err := store.Commit(call, list...)
		cancel()
		c.landed(batch, list, res, err, time.Since(began))
	}
}

// landed takes the answer to a commit.
func (c *Cluster) landed(batch []*claim, list []txn, res []commit, err error, took time.Duration) {
	var over []func()
	c.mu.Lock()
	if err != nil {
		c.stats.failed.Inc()
		for _, k := range batch {
			over = append(over, c.finish(k, lease.ErrNoContact))
		}
		batch = nil
	} else {
		c.okAt = time.Now()
		c.stats.commits.Observe(took.Seconds())
	}
	var again []*claim
	for i, k := range batch {
		r := res[i]
		if r.done {
			c.stats.won(k)
			if r.rev > c.seen[k.at].rev {
				c.seen[k.at] = seenOf(&k.r, r.rev)
			}
			over = append(over, c.finish(k, nil))
			continue
		}
		c.stats.conflicts.Inc()
		for j, v := range r.have {
			v.key = list[i].conds[j].key
			if v.rev != list[i].conds[j].rev {
				c.learn(v)
			}
		}
		again = append(again, k) // it is judged again, by what is known now
	}
	if len(again) > 0 {
		c.ready = append(again, c.ready...)
		c.ring()
	}
	c.mu.Unlock()
	for _, f := range over {
		f()
	}
}

func seenOf(r *lease.Record, rev int64) seen {
	return seen{rev: rev, serial: r.Serial, id: idHash(r.ID), expires: r.Expires.Unix(), state: r.State}
}
