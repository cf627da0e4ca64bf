package etcd

import (
	"context"
	"slices"
	"time"

	"surefoot/internal/lease"
)

// A block goes back in three steps, so that at no time two nodes can give out of it. Its owner takes it out of
// use, when nothing in it is offered or on its way (lease.Book.GiveUp). Then its own disk does not name it any
// more, so that it is not used after a restart either, and all that was given out of it is published. Only
// then the owner takes it out of the table, by compare and swap; the store has the end of every lease in it by
// then, and an address passes to another machine by a claim, as any that is in nobody's block.

// giveBack takes a block of this node out of use, if the part of a pool that all can claim is used up. The last
// one stays: it is for when the store does not answer.
func (c *Cluster) giveBack(scope string) {
	now := c.now()
	c.mu.Lock()
	p := c.pools[scope]
	size := c.blockSize(p)
	if !c.contact || c.twin || size == 0 || len(p.mine) < 2 || now.Sub(c.began) < p.cfg.Offer {
		c.mu.Unlock()
		return
	}
	mine := slices.Clone(p.mine)
	c.mu.Unlock()
	if c.book.Open(now, scope, int(size)) > int(size/2) {
		return
	}
	var best lease.Range
	most := uint32(0)
	for _, r := range mine {
		if n := c.fresh(r); n > most {
			best, most = r, n
		}
	}
	if most <= count(best)/2 {
		return // it would help nobody for long
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(p.mine, best) || !c.book.GiveUp(now, scope, best) {
		return
	}
	p.mine = slices.DeleteFunc(slices.Clone(p.mine), func(r lease.Range) bool { return r == best })
	p.leaving = append(p.leaving, best)
	delete(p.granted, best)
	p.saved = false // settleBlocks writes the file
}

// release takes blocks out of the table that are out of use.
func (c *Cluster) release(ctx context.Context, store db, scope string) {
	c.mu.Lock()
	p := c.pools[scope]
	var gone []lease.Range
	if p.saved && c.contact {
		for _, r := range p.leaving {
			if !c.unpublished(scope, r) {
				gone = append(gone, r)
			}
		}
	}
	next, at := table{}, p.table.rev
	for _, b := range p.table.Blocks {
		if b.Node != c.cfg.Node || !slices.Contains(gone, b.addrs()) {
			next.Blocks = append(next.Blocks, b)
		}
	}
	changes := len(next.Blocks) != len(p.table.Blocks)
	c.mu.Unlock()
	if !changes {
		return
	}
	// An error leaves it open: it is tried again, and learnBlocks forgets what is not in the table any more.
	_ = c.putBlocks(ctx, store, scope, next, at, func(int64) {
		for _, r := range gone {
			c.log.Info("this node gave a block back: the rest of the network is used up", "network", scope, "from", r.From, "to", r.To)
		}
	})
}

// unpublished reports whether something in a block is not in the store yet. c.mu is held.
func (c *Cluster) unpublished(scope string, r lease.Range) bool {
	for p := range c.unsaid {
		if p.scope == scope && r.Contains(p.addr) {
			return true
		}
	}
	for p := range c.last {
		if p.scope == scope && r.Contains(p.addr) {
			return true
		}
	}
	return false
}

// Blocks of a node that the site file does not name any more go back when it cannot be using them: without
// the store a node gives out of its blocks for Times.Alone and no longer, by the last word of it that the
// store has, and what it gave then is over after the longest lease and the rest. Clocks that differ only
// make it wait, since it looks at no block while they do.
func (c *Cluster) reclaim(ctx context.Context, store db, scope string) {
	now := c.now()
	c.mu.Lock()
	p := c.pools[scope]
	next, at := table{}, p.table.rev
	var gone []block
	for _, b := range p.table.Blocks {
		if c.abandoned(p, b, now) {
			gone = append(gone, b)
			continue
		}
		next.Blocks = append(next.Blocks, b)
	}
	sure := c.contact && !c.twin && !now.Before(c.doubtful)
	c.mu.Unlock()
	if len(gone) == 0 || !sure {
		return
	}
	_ = c.putBlocks(ctx, store, scope, next, at, func(int64) {
		for _, b := range gone {
			c.log.Info("a block of a node that is not in the site file any more is free", "network", scope, "node", b.Node, "from", b.From, "to", b.To)
		}
	})
}

// abandoned reports whether a block's node is gone for good. c.mu is held.
func (c *Cluster) abandoned(p *pool, b block, now time.Time) bool {
	if b.Node == c.cfg.Node || len(c.cfg.Members) == 0 || slices.Contains(c.cfg.Members, b.Node) {
		return false
	}
	last := time.Unix(b.At, 0)
	if n, ok := c.nodes[b.Node]; ok {
		if said := time.UnixMilli(n.At); said.After(last) {
			last = said
		}
	}
	return now.Sub(last) > c.times.Alone+p.cfg.Hold()+2*lease.MostSkew
}

// alone takes this node's blocks out of use when the store has not heard of it for too long: by now they may
// be another's, if the site file names this node no more. They come back with the store. A clock that was set
// back says nothing.
func (c *Cluster) alone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stale || c.word.IsZero() || c.now().Sub(c.word) <= c.times.Alone {
		return
	}
	c.stale = true
	c.log.Error("the shared store has not answered for so long that this node's own addresses may be given to another node: it gives none of them to new machines until the store answers",
		"since", c.word, "most", c.times.Alone)
	c.setOwn()
}

// rejoin takes the blocks into use again that are still this node's. It is called after settleBlocks.
func (c *Cluster) rejoin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stale {
		return
	}
	c.stale = false
	c.setOwn()
}

// setOwn tells the Book of all blocks. c.mu is held.
func (c *Cluster) setOwn() {
	for scope, p := range c.pools {
		c.setOwnOf(scope, p)
	}
}

// setOwnOf is the same of one network. A block that the table gives this node, and that it does not use, is as
// if it was another's: nobody can claim anything in it. c.mu is held.
func (c *Cluster) setOwnOf(scope string, p *pool) {
	mine := p.mine
	if c.twin || c.stale {
		mine = nil
	}
	others := slices.Clone(p.leaving)
	for _, b := range p.table.Blocks {
		if r := b.addrs(); !slices.Contains(mine, r) {
			others = append(others, r)
		}
	}
	c.book.SetOwn(scope, mine, true)
	c.book.SetOthers(scope, others)
}
