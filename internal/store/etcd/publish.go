package etcd

import (
	"context"
	"errors"
	"time"

	"surefoot/internal/lease"
)

// Keep makes a record durable that needs no claim: on this node's disk, and in the store as soon as
// that answers. It is what the DHCP server hands its records to.
func (c *Cluster) Keep(r lease.Record, done func(error)) {
	if !r.Own {
		c.end(r, done)
		return
	}
	c.disk.commit(r, func(err error) {
		done(err)
		if err == nil {
			c.mu.Lock()
			p := place{r.Scope, r.Addr}
			c.unsaid[p] = max(c.unsaid[p], r.Serial)
			c.publish(p)
			c.mu.Unlock()
		}
	})
}

// end takes a release or a decline of a lease that the store has: there first, since it is not for this
// node alone to say.
func (c *Cluster) end(r lease.Record, done func(error)) {
	c.mu.Lock()
	if !c.contact {
		c.mu.Unlock()
		done(lease.ErrNoContact)
		return
	}
	c.enqueue(&claim{at: place{r.Scope, r.Addr}, r: r, why: toEnd, done: done, asked: time.Now()})
	c.mu.Unlock()
}

// publish sends what this node gave out by itself, unless it is on its way. c.mu is held.
func (c *Cluster) publish(p place) {
	serial, ok := c.unsaid[p]
	if !ok || c.store == nil {
		return
	}
	for k := c.last[p]; k != nil; k = k.before {
		if k.why == toPublish {
			return // published says what is next
		}
	}
	r, ok := c.book.ByAddr(p.addr)
	if !ok || r.Scope != p.scope {
		delete(c.unsaid, p)
		return
	}
	if r.Serial < serial {
		return // the Book has not heard of it from the disk yet; the next look finds it
	}
	c.enqueue(&claim{at: p, r: r, why: toPublish, done: func(error) {}, asked: time.Now()})
}

// published takes the answer to a record that was sent by publish. c.mu is held.
func (c *Cluster) published(k *claim, err error) {
	if errors.Is(err, lease.ErrNoContact) {
		return
	}
	if c.unsaid[k.at] <= k.r.Serial {
		delete(c.unsaid, k.at)
	}
}

// publishAll publishes everything that is not, and waits for it.
func (c *Cluster) publishAll(ctx context.Context) error {
	t := time.NewTicker(publishPause)
	defer t.Stop()
	for {
		c.mu.Lock()
		left := len(c.unsaid)
		for p := range c.unsaid {
			c.publish(p)
		}
		c.mu.Unlock()
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.C:
		}
	}
}

const publishPause = 20 * time.Millisecond
