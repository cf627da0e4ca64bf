package etcd

import (
	"context"
	"time"
)

// live is what a node does while it is connected.
func (c *Cluster) live(ctx context.Context, store db) {
	for c.join(ctx, store) != nil {
		if ctx.Err() != nil {
			return
		}
	}
	presence, upkeep := time.NewTicker(c.times.Presence), time.NewTicker(c.times.Upkeep)
	defer presence.Stop()
	defer upkeep.Stop()
	c.upkeep(ctx, store)
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.greet:
			_, _ = c.announce(ctx, store)
		case <-presence.C:
			_, _ = c.announce(ctx, store) // beat tells if the store does not answer
		case <-upkeep.C:
			c.upkeep(ctx, store)
		}
		c.mu.Lock()
		for p := range c.unsaid {
			c.publish(p)
		}
		c.mu.Unlock()
	}
}

// join waits until everything in the store was seen and everything of this node is in it, and says so.
// What happened in between the two is seen by then as well.
func (c *Cluster) join(ctx context.Context, store db) error {
	for range 2 {
		rev, err := c.announce(ctx, store)
		for err != nil {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(c.times.Beat):
			}
			rev, err = c.announce(ctx, store)
		}
		if err := c.caughtUp(ctx, rev); err != nil {
			return err
		}
		c.unsureAtFirst()
		if err := c.restoreBlocks(ctx, store); err != nil {
			return err
		}
		if err := c.publishAll(ctx); err != nil {
			return err
		}
	}
	c.settleBlocks(ctx)
	if ctx.Err() == nil {
		c.rejoin()
		c.gain()
	}
	return context.Cause(ctx)
}

// grantTries is how often a block is asked for in one go.
const grantTries = 10

// upkeep sees to the blocks of this node.
func (c *Cluster) upkeep(ctx context.Context, store db) {
	c.trust()
	c.alone()
	c.saveWord()
	c.settleBlocks(ctx)
	for _, scope := range c.scopes() {
		for _, g := range c.book.Sweep(c.now(), scope, maxBatch) {
			c.Claim(g, func(err error) { c.book.Committed(g.Record, err) })
		}
		for try := 0; try < grantTries && ctx.Err() == nil && c.wantsBlock(scope); try++ { // others may be first
			if !c.grant(ctx, store, scope) {
				break
			}
		}
		c.lookCrowded(scope)
		c.giveBack(scope)
		c.release(ctx, store, scope)
		c.reclaim(ctx, store, scope)
	}
	c.settleBlocks(ctx)
}
