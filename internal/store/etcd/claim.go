package etcd

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"surefoot/internal/lease"
)

// place is what a record is of.
type place struct {
	scope string
	addr  netip.Addr
}

// seen is what the store has of a place, as far as the rule asks: a record takes a third of its size so.
type seen struct {
	rev            int64 // 0: nothing is there
	serial         uint64
	id             lease.ID
	start, expires int64
	state          lease.State
}

func seenOf(r *lease.Record, rev int64) seen {
	return seen{rev: rev, serial: r.Serial, id: r.ID, start: r.Start.Unix(), expires: r.Expires.Unix(), state: r.State}
}

// record is the same as the rule has it. What it does not ask for is that of another record of the place.
func (s seen) record(like lease.Record) lease.Record {
	if s.rev == 0 {
		return lease.Record{}
	}
	like.Serial, like.ID, like.State = s.serial, s.id, s.state
	like.Start, like.Expires = time.Unix(s.start, 0).UTC(), time.Unix(s.expires, 0).UTC()
	return like
}

// purpose is by which rule a record replaces what the store has.
type purpose uint8

const (
	toClaim   purpose = iota // lease.Grant.Claims
	toPublish                // lease.Merge: it is this node's own and counts already
	toEnd                    // lease.End: a release or a decline
)

// claim is a record on its way to the store.
type claim struct {
	at    place
	g     lease.Grant // of a claim
	r     lease.Record
	put   lease.Record // what the store gets
	why   purpose
	done  func(error) // nil once it was called
	asked time.Time
	late  *time.Timer

	before *claim // the one of the same place that has to be over first
	sent   bool
	wake   *claim // waits for this one
}

// What may be on its way.
const (
	committers = 2
	maxBatch   = 60   // records of a commit: etcd takes 128 operations
	maxWaiting = 8192 // claims that wait; more are answered as if there was no contact
)

// Claim puts the record of a grant into the store, if the rule allows it (lease.Grant.Claims), and has it kept
// on this node's disk as well if it is more than an offer. done is called once, after Times.Claim at the
// latest: nil if so, lease.ErrLost if another record was there, which the Book has by then, and any other
// error if the answer did not come. Then the record may still get there, and the Book learns of it.
func (c *Cluster) Claim(g lease.Grant, done func(error)) {
	c.mu.Lock()
	if !c.contact || c.waiting >= maxWaiting {
		c.mu.Unlock()
		c.stats.refused.Inc()
		done(lease.ErrNoContact)
		return
	}
	k := &claim{at: place{g.Record.Scope, g.Record.Addr}, g: g, r: g.Record, why: toClaim, done: done, asked: time.Now()}
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

// judge says whether a record may replace what the store has, as far as was seen, and what is written. The
// rule is that of package lease, and no other.
func (c *Cluster) judge(k *claim) (value []byte, ok bool) {
	have := c.seen[k.at].record(k.r)
	switch k.why {
	case toClaim:
		if k.put, ok = k.g.Claims(have, c.cfg.Node, c.owner(k.at)); !ok {
			c.catchUpStore(k.at, have.Serial)
		}
	case toEnd:
		k.put, ok = lease.End(have, k.r)
	case toPublish:
		if k.put, ok = lease.Merge(have, k.r); !ok {
			c.clash(have, k.r)
		}
	}
	if !ok {
		return nil, false
	}
	return appendRecord(nil, &k.put), true
}

// catchUpStore publishes what the Book has of a place if it is later than what the store has: a decline that
// could not be said, or what a store lost that was set back. Without it no claim would ever fit. c.mu is held.
func (c *Cluster) catchUpStore(p place, serial uint64) {
	if r, ok := c.book.ByAddr(p.addr); ok && r.Scope == p.scope && r.Serial > serial {
		c.unsaid[p] = max(c.unsaid[p], r.Serial)
		c.publish(p)
	}
}

// clash tells of an address that two machines have. c.mu is held.
func (c *Cluster) clash(have, mine lease.Record) {
	if now := c.now(); have.ID == mine.ID || mine.State != lease.Active || have.State != lease.Active || !have.Live(now) || !mine.Live(now) {
		return
	}
	c.stats.clashes.Inc()
	c.log.Error("an address that this node gave out by itself is another machine's in the shared store (please report it)",
		"ip", mine.Addr, "network", mine.Scope, "client", mine.ID)
}

// finish takes a claim off its way, and returns who is to be told. c.mu is held; what is returned is
// called without it.
func (c *Cluster) finish(k *claim, err error) func() {
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
	k.before = nil
	done := k.done
	k.done = nil
	if k.why == toPublish {
		c.published(k, err)
	}
	switch {
	case err == nil && done == nil:
		// Nobody waits any more, and the Book was told that it did not get there.
		c.book.Load(k.put)
		c.disk.keep(k.put)
		return func() {}
	case done == nil:
		return func() {}
	case err != nil:
		return func() { done(err) }
	case k.r.State == lease.Offered || k.r.State == lease.Free:
		c.disk.keep(k.put)
		return func() { done(nil) }
	}
	// A disk that refuses it is tried again until it has it. The answer may leave all the same: the record is
	// on the disks of the quorum, and nothing that this node gives without the store rests on it. What it may
	// give by itself is in its own blocks, where no claim gives anything to a new machine, and a block is
	// taken into use only when the disk has everything (settleBlocks).
	return func() { c.disk.commit(k.put, func(error) { done(nil) }) }
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
				c.seen[k.at] = seenOf(&k.put, r.rev)
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
