package etcd

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
	"net/netip"
	"slices"
	"time"

	"surefoot/internal/lease"
)

// pool is the blocks of one scope.
type pool struct {
	cfg     lease.Pool
	given   bool   // it is configured
	size    uint32 // addresses in its ranges
	table   table
	mine    []lease.Range             // those that this node gives out of
	granted map[lease.Range]int64     // to this process: the revision
	found   map[lease.Range]time.Time // this node's by the table, though its disk knew nothing of them
	saved   bool                      // mine stands in the file
	before  []block                   // of a table that the store lost
	leaving []lease.Range             // out of use, and to be given back
	crowded bool                      // this node has no block, and gets none
}

// table is who has which block. One key has all of them, so that two can never overlap.
type table struct {
	rev    int64
	Blocks []block `json:"blocks"`
}

type block struct {
	From netip.Addr `json:"from"`
	To   netip.Addr `json:"to"`
	Node string     `json:"node"`
	At   int64      `json:"at"` // when it was granted: seconds
}

func (b block) addrs() lease.Range { return lease.Range{From: b.From, To: b.To} }

// owner returns whose block an address is in, "" if in none. c.mu is held.
func (c *Cluster) owner(at place) string {
	if p := c.pools[at.scope]; p != nil {
		for _, b := range p.table.Blocks {
			if b.addrs().Contains(at.addr) {
				return b.Node
			}
		}
	}
	return ""
}

// learnBlocks takes a table. What is another node's counts at once; what is this node's when everything
// before its grant is on the disk (settleBlocks). c.mu is held.
func (c *Cluster) learnBlocks(scope string, v kv) {
	p := c.pool(scope)
	if v.rev != 0 && v.rev <= p.table.rev {
		return
	}
	t := table{rev: v.rev}
	if v.value != nil {
		if err := json.Unmarshal(v.value, &t); err != nil {
			c.log.Error("the blocks of a network cannot be read: those known before go on", "network", scope, "err", err)
			p.table.rev = v.rev
			return
		}
	}
	p.table = t
	p.leaving = slices.DeleteFunc(p.leaving, func(r lease.Range) bool { return !p.has(c.cfg.Node, r) })
	c.setOwnOf(scope, p)
}

func (p *pool) has(node string, r lease.Range) bool {
	return slices.ContainsFunc(p.table.Blocks, func(b block) bool { return b.Node == node && b.addrs() == r })
}

// settleBlocks takes blocks into use that the table gives this node, and out of use what it does not.
func (c *Cluster) settleBlocks(ctx context.Context) {
	now := c.now()
	c.mu.Lock()
	todo := map[string][]lease.Range{}
	var upto int64
	for scope, p := range c.pools {
		var want []lease.Range
		for _, b := range p.table.Blocks {
			r := b.addrs()
			if b.Node != c.cfg.Node || slices.Contains(p.leaving, r) {
				continue
			}
			_, granted := p.granted[r]
			if !granted && !slices.Contains(p.mine, r) {
				// What was given out of it is not known here: it is over after a short lease.
				if p.found[r].IsZero() {
					p.found[r] = now
				}
				if now.Sub(p.found[r]) < c.times.Adopt {
					continue
				}
			}
			want = append(want, r)
		}
		if !slices.Equal(want, p.mine) || !p.saved {
			todo[scope] = want
			upto = max(upto, p.table.rev)
		}
	}
	c.mu.Unlock()
	if len(todo) == 0 || c.caughtUp(ctx, upto) != nil || c.disk.settled(ctx) != nil {
		return
	}
	c.mu.Lock()
	was := map[string][]lease.Range{}
	for scope, want := range todo {
		was[scope], c.pools[scope].mine = c.pools[scope].mine, want
	}
	err := c.save()
	for scope := range todo {
		p := c.pools[scope]
		if p.saved = err == nil; err != nil {
			// Without the file the next start would not know them; what is not ours any more ends all the same.
			p.mine = slices.DeleteFunc(was[scope], func(r lease.Range) bool { return !p.has(c.cfg.Node, r) })
		}
		c.setOwnOf(scope, p)
	}
	c.mu.Unlock()
	if err != nil {
		c.log.Error("the file of this node's blocks cannot be written: new blocks are not used", "file", c.cfg.Blocks, "err", err)
	}
}

// Blocks are this many at the least, and no more than this part of a pool goes into those of all nodes
// before they are needed.
const (
	leastBlocks = 2
	blocksPart  = 2 // half
)

// blockSize is how many addresses a block of a pool has; 0: the pool is too small for blocks.
func (c *Cluster) blockSize(p *pool) uint32 {
	size := uint32(c.cfg.BlockSize)
	if size == 0 {
		size = max(16, p.size/20)
	}
	return min(size, p.size/blocksPart/uint32(max(c.cfg.Nodes, 1))/leastBlocks)
}

// wantsBlock reports whether this node should have a block more: it has fewer than two, or more than
// half of what it has is used and enough is left to all.
func (c *Cluster) wantsBlock(scope string) bool {
	c.mu.Lock()
	p := c.pools[scope]
	if p == nil || c.store == nil || c.twin || c.blockSize(p) == 0 {
		c.mu.Unlock()
		return false
	}
	var mine []lease.Range
	taken := uint32(0)
	for _, b := range p.table.Blocks {
		taken += count(b.addrs())
		if b.Node == c.cfg.Node {
			mine = append(mine, b.addrs())
		}
	}
	size := c.blockSize(p)
	half, most := leastBlocks*size/2, p.size/4*3
	leaving := len(p.leaving) > 0
	c.mu.Unlock()
	switch {
	case leaving:
		return false
	case len(mine) == 0:
		return true
	case c.book.Open(c.now(), scope, int(2*size)) < int(2*size):
		return false // giveBack would give it back
	case len(mine) < leastBlocks:
		return true
	}
	free := uint32(0)
	for _, r := range mine {
		free += c.fresh(r)
	}
	return free < half && taken < most
}

// crowd says that this node has no block of a network, and why. c.mu is held.
func (c *Cluster) crowd(scope string, p *pool, why string) {
	p.crowded = true
	c.log.Warn("this node has no addresses of its own in a network: when the shared store does not answer, its new machines get none from this node",
		"network", scope, "why", why)
}

// lookCrowded finds networks that are so full that no block of them is left for this node.
func (c *Cluster) lookCrowded(scope string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pools[scope]
	switch has := len(p.mine) > 0 || slices.ContainsFunc(p.table.Blocks, func(b block) bool { return b.Node == c.cfg.Node }); {
	case has:
		p.crowded = false
	case !p.crowded && p.size > 0 && !c.twin && c.contact:
		c.crowd(scope, p, "no part of it is free enough")
	}
}

// fresh counts the addresses of a range that nobody has or had.
func (c *Cluster) fresh(r lease.Range) (n uint32) {
	for a := r.From; r.Contains(a); a = a.Next() {
		if rec, ok := c.book.ByAddr(a); !ok || rec.State == lease.Free {
			n++
		}
	}
	return n
}

// grant takes a block into the table: the one of which most is free, and where all are, another one than
// other nodes take. It reports whether it is worth trying again at once.
func (c *Cluster) grant(ctx context.Context, store db, scope string) bool {
	c.mu.Lock()
	p := c.pools[scope]
	cfg, size, blocks, at := p.cfg, c.blockSize(p), p.table.Blocks, p.table.rev
	c.mu.Unlock()
	r, ok := c.candidate(cfg, size, blocks)
	if !ok {
		return false
	}
	next := table{Blocks: append(slices.Clone(blocks), block{r.From, r.To, c.cfg.Node, c.now().Unix()})}
	// An error leaves it open: if the block was granted, it is found in the table and used after a while.
	err := c.putBlocks(ctx, store, scope, next, at, func(rev int64) {
		p.granted[r] = rev
		c.log.Info("this node has a block more", "network", scope, "from", r.From, "to", r.To)
	})
	return err == nil
}

// candidate chooses a block.
func (c *Cluster) candidate(cfg lease.Pool, size uint32, blocks []block) (best lease.Range, ok bool) {
	var all []lease.Range
	for _, in := range cfg.Ranges {
		for from, left := in.From, count(in); left >= size && size > 0; left -= size {
			r := lease.Range{From: from, To: plus(from, size-1)}
			from = r.To.Next()
			if !slices.ContainsFunc(blocks, func(b block) bool { return overlap(r, b.addrs()) }) {
				all = append(all, r)
			}
		}
	}
	if len(all) == 0 {
		return best, false
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(c.cfg.Node))
	first, most := int(h.Sum32()%uint32(len(all))), uint32(0)
	for i := range all {
		r := all[(first+i)%len(all)]
		n := c.fresh(r)
		for _, a := range cfg.Exclude {
			if r.Contains(a) {
				n -= min(n, 1)
			}
		}
		for _, a := range cfg.Reserved {
			if r.Contains(a) {
				n -= min(n, 1)
			}
		}
		if n > most {
			best, most = r, n
		}
		if n == size {
			break
		}
	}
	return best, most > size/2
}

// count is how many addresses a range of a pool has; the Book takes no range with more than these.
func count(r lease.Range) uint32 {
	hi, from := number(r.From)
	last, to := number(r.To)
	if hi != last || to < from || to-from >= 1<<32-1 {
		return 0
	}
	return uint32(to-from) + 1
}

// number is an address as two numbers, the first of which a range has once.
func number(a netip.Addr) (hi, lo uint64) {
	b := a.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

func plus(a netip.Addr, n uint32) netip.Addr {
	b := a.As16()
	binary.BigEndian.PutUint64(b[8:], binary.BigEndian.Uint64(b[8:])+uint64(n))
	if a.Is4() {
		return netip.AddrFrom16(b).Unmap()
	}
	return netip.AddrFrom16(b)
}
