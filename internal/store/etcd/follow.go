package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"surefoot/internal/lease"
)

// pageSize is how many keys are read at once.
const pageSize = 2000

// unknownRest is how long nobody here gets an address whose record a later version wrote.
const unknownRest = 24 * time.Hour

// session is one connection: everything is read, or what happened since, and followed until it ends.
func (c *Cluster) session(ctx context.Context) error {
	store, at, closeIt, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer closeIt()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := c.begin(ctx, store, at); err != nil {
		return err
	}
	done := make(chan struct{}, 2)
	go func() {
		cancel(c.beat(ctx, store))
		done <- struct{}{}
	}()
	go func() {
		cancel(c.follow(ctx, store))
		done <- struct{}{}
	}()
	c.live(ctx, store)
	<-done
	<-done
	return context.Cause(ctx)
}

// begin takes a connection into use.
func (c *Cluster) begin(ctx context.Context, store db, at string) error {
	call, cancel := context.WithTimeout(ctx, c.times.Call)
	defer cancel()
	_, rev, err := store.Read(call, c.keys.node(c.cfg.Node))
	if err != nil {
		return err
	}
	var id uint64
	if s, ok := store.(interface{ Cluster() uint64 }); ok {
		id = s.Cluster()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rev > rev || c.seenSome && id != c.cluster {
		c.log.Warn("the shared store is another one, or was set back: what this node knows is compared with all of it", "endpoint", at)
		c.forget()
	}
	c.seenSome, c.cluster, c.at, c.okAt, c.store = true, id, at, time.Now(), store
	c.ring()
	return nil
}

// beat asks the store whether it answers, and returns when it does not.
func (c *Cluster) beat(ctx context.Context, store db) error {
	t := time.NewTicker(c.times.Beat)
	defer t.Stop()
	for {
		call, cancel := context.WithTimeout(ctx, c.times.Lost)
		_, _, err := store.Read(call, c.keys.node(c.cfg.Node))
		cancel()
		if err == nil {
			c.mu.Lock()
			c.okAt = time.Now()
			c.mu.Unlock()
		} else if ctx.Err() == nil {
			return fmt.Errorf("no answer from %s: %w", c.endpoint(), err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

func (c *Cluster) endpoint() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// follow keeps this node's copy up to date, from where it is.
func (c *Cluster) follow(ctx context.Context, store db) error {
	for {
		c.mu.Lock()
		from := c.rev
		c.mu.Unlock()
		if from == 0 {
			var err error
			if from, err = c.readAll(ctx, store); errors.Is(err, errCompacted) {
				continue
			} else if err != nil {
				return fmt.Errorf("read everything: %w", err)
			}
		}
		err := store.Watch(ctx, c.keys.root, from+1, c.saw)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errCompacted):
			c.mu.Lock()
			c.rev = 0
			c.mu.Unlock()
		default:
			return fmt.Errorf("follow the changes: %w", err)
		}
	}
}

// readAll takes everything that is in the store, as it was at one revision.
func (c *Cluster) readAll(ctx context.Context, store db) (rev int64, err error) {
	c.stats.resyncs.Inc()
	found := map[place]struct{}{}
	from, more := "", true
	for more {
		call, cancel := context.WithTimeout(ctx, 5*c.times.Call)
		var list []kv
		list, more, rev, err = c.list(call, store, from, rev)
		cancel()
		if err != nil {
			return 0, err
		}
		c.mu.Lock()
		for _, v := range list {
			c.learn(v)
			if about, scope, a, ok := c.keys.parse(v.key); ok && about == aboutRecord {
				found[place{scope, a}] = struct{}{}
			}
			from = v.key + "\x00"
		}
		c.mu.Unlock()
	}
	c.mu.Lock()
	for p, s := range c.seen {
		if _, ok := found[p]; !ok && s.rev <= rev {
			delete(c.seen, p)
		}
	}
	c.mu.Unlock()
	c.compare()
	c.progress(rev)
	return rev, nil
}

func (c *Cluster) list(ctx context.Context, store db, from string, rev int64) ([]kv, bool, int64, error) {
	return store.List(ctx, c.keys.root, from, pageSize, rev)
}

// saw takes the changes of one revision.
func (c *Cluster) saw(changes []kv) {
	c.mu.Lock()
	for _, v := range changes {
		c.learn(v)
		if about, name, _, ok := c.keys.parse(v.key); ok && about == aboutNode {
			c.sawNode(name, v)
		}
	}
	c.mu.Unlock()
	if len(changes) > 0 {
		c.progress(changes[len(changes)-1].rev)
	}
}

// progress says that everything up to a revision was seen.
func (c *Cluster) progress(rev int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if rev > c.rev {
		c.rev = rev
		close(c.moved)
		c.moved = make(chan struct{})
	}
}

// caughtUp waits until everything up to a revision was seen.
func (c *Cluster) caughtUp(ctx context.Context, rev int64) error {
	for {
		c.mu.Lock()
		done, moved := c.rev >= rev, c.moved
		c.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-moved:
		}
	}
}

// learn takes what the store has of one key. c.mu is held.
func (c *Cluster) learn(v kv) {
	about, name, a, ok := c.keys.parse(v.key)
	switch {
	case !ok:
	case about == aboutRecord:
		c.learnRecord(place{name, a}, v)
	case about == aboutBlocks:
		c.learnBlocks(name, v)
	case about == aboutNode:
		c.learnNode(name, v)
	}
}

func (c *Cluster) learnRecord(p place, v kv) {
	if have := c.seen[p]; v.rev != 0 && v.rev <= have.rev {
		return
	}
	if v.value == nil {
		delete(c.seen, p)
		return
	}
	r, err := parseRecord(v.value, p.scope, p.addr)
	if err != nil {
		c.stats.unread.Inc()
		// A record of a later version: nobody knows whose it is, so nobody gets the address.
		have, _ := c.book.ByAddr(p.addr)
		now := c.now()
		r = lease.Record{Scope: p.scope, Addr: p.addr, State: lease.Declined, Start: now, Expires: now.Add(unknownRest), Serial: have.Serial + 1}
		c.book.Load(r)
		c.seen[p] = seen{rev: v.rev, serial: 1<<64 - 1, expires: r.Expires.Unix(), state: lease.Declined}
		return
	}
	c.book.Load(r)
	c.seen[p] = seenOf(&r, v.rev)
	if now, ok := c.book.ByAddr(p.addr); ok && now.Scope == p.scope {
		r = now // what the Book made of it: an end is never lowered
	}
	c.disk.keep(r)
}

// compare looks for what this node knows and the store does not: what it gave out by itself, what was
// kept before there was a store, and what a store lost that was set back.
func (c *Cluster) compare() {
	c.mu.Lock()
	var scopes []string
	for scope := range c.pools {
		scopes = append(scopes, scope)
	}
	c.mu.Unlock()
	for _, scope := range scopes {
		c.book.Each(scope, func(r lease.Record) bool {
			c.mu.Lock()
			if p := (place{scope, r.Addr}); c.seen[p].serial < r.Serial {
				c.unsaid[p] = r.Serial
			}
			c.mu.Unlock()
			return true
		})
	}
}
