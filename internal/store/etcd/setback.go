package etcd

import (
	"context"
	"encoding/json"
	"slices"

	"surefoot/internal/lease"
)

// forget begins anew with a store that is another one, or an earlier state of the same: from a backup, or
// made anew. What the nodes know is put back: records by compare, blocks by restoreBlocks. c.mu is held.
func (c *Cluster) forget() {
	c.rev = 0
	clear(c.seen)
	for _, p := range c.pools {
		// The other nodes' blocks stay theirs until the new table says otherwise.
		p.before, p.table = append(p.before, p.table.Blocks...), table{}
	}
}

// restoreBlocks adds to the tables what they had before the store was set back. Without it another node
// could be given a block whose owner, somewhere without a connection, goes on to give out of it.
func (c *Cluster) restoreBlocks(ctx context.Context, store db) error {
	for {
		c.mu.Lock()
		var scope string
		var next table
		var at int64
		for name, p := range c.pools {
			lost := slices.DeleteFunc(p.before, func(b block) bool {
				return slices.ContainsFunc(p.table.Blocks, func(o block) bool { return overlap(b.addrs(), o.addrs()) })
			})
			if p.before = nil; len(lost) > 0 {
				p.before = lost
				scope, at, next.Blocks = name, p.table.rev, append(slices.Clone(p.table.Blocks), lost...)
				break
			}
		}
		c.mu.Unlock()
		if scope == "" {
			return nil
		}
		if err := c.putBlocks(ctx, store, scope, next, at, nil); err != nil {
			return err
		}
	}
}

// putBlocks puts a table in the place of the one of a revision; done is called with c.mu held if so.
func (c *Cluster) putBlocks(ctx context.Context, store db, scope string, next table, at int64, done func(rev int64)) error {
	slices.SortFunc(next.Blocks, func(a, b block) int { return a.From.Compare(b.From) })
	b, err := json.Marshal(next)
	if err != nil {
		return err
	}
	call, cancel := context.WithTimeout(ctx, c.times.Call)
	defer cancel()
	key := c.keys.blocks(scope)
	all, err := store.Commit(call, txn{[]cond{{key, at}}, []write{{key, b}}})
	if err != nil {
		return err // perhaps it is there: then the watch says so
	}
	res := all[0]
	c.mu.Lock()
	defer c.mu.Unlock()
	if !res.done {
		for _, v := range res.have {
			v.key = key
			c.learnBlocks(scope, v)
		}
		return nil
	}
	if done != nil {
		done(res.rev)
	}
	c.learnBlocks(scope, kv{key, b, res.rev})
	return nil
}

func overlap(a, b lease.Range) bool { return a.Contains(b.From) || b.Contains(a.From) }
