package etcd

import (
	"context"
	"encoding/json"
	"time"
)

// Node is what a node says of itself, every Times.Presence.
type Node struct {
	Epoch int64            `json:"epoch"`           // when its process began: nanoseconds since 1970
	At    int64            `json:"at"`              // its clock: milliseconds
	Doubt int64            `json:"doubt,omitempty"` // for how many seconds more it takes clocks to differ
	Heard map[string]int64 `json:"heard,omitempty"` // where packets came from, and when the last one: seconds

	compared bool // a word of it came after one of ours

	skew  time.Duration // of its clock from ours, when it was seen at once
	timed bool
	saw   time.Time // when by our clock
}

// announce writes this node's word about itself.
func (c *Cluster) announce(ctx context.Context, store db) (rev int64, err error) {
	call, cancel := context.WithTimeout(ctx, c.times.Call)
	defer cancel()
	now := c.now()
	if c.wired != nil {
		for _, network := range c.wired() {
			c.heard.note(Source{Network: network}, 0)
		}
	}
	c.mu.Lock()
	doubt := c.doubtLeft(now)
	c.mu.Unlock()
	b, err := json.Marshal(Node{Epoch: c.epoch, At: now.UnixMilli(), Doubt: doubt, Heard: c.heard.snapshot(now)})
	if err != nil {
		return 0, err
	}
	began := time.Now()
	res, err := store.Commit(call, txn{nil, []write{{c.keys.node(c.cfg.Node), b}}})
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.why = err
		return 0, err
	}
	c.okAt = time.Now()
	c.stats.commits.Observe(c.okAt.Sub(began).Seconds())
	c.spoke, c.spokeAt, c.spokeNow = res[0].rev, c.okAt, now
	c.word = now
	if c.rev >= c.spoke {
		c.lag = 0
	}
	c.listen(now)
	return res[0].rev, nil
}

// learnNode takes what a node said of itself, at some time. c.mu is held.
func (c *Cluster) learnNode(name string, v kv) {
	if v.value == nil {
		delete(c.nodes, name)
		return
	}
	var n Node
	if json.Unmarshal(v.value, &n) != nil {
		return
	}
	was := c.nodes[name]
	n.skew, n.timed, n.saw = was.skew, was.timed && was.Epoch == n.Epoch, was.saw
	n.compared = was.compared && was.Epoch == n.Epoch
	c.nodes[name] = n
	now := c.now()
	c.hearDoubt(name, n, now)
	if own := name == c.cfg.Node && n.Epoch == c.epoch; !own {
		c.compareClock(name, time.UnixMilli(n.At), v.rev, now)
	}
	if name != c.cfg.Node && was.Epoch != n.Epoch { // it has just started, and is to hear of our clock
		select {
		case c.greet <- struct{}{}:
		default:
		}
	}
}

// sawNode is the same just after it happened, so that its clock can be compared. c.mu is held.
func (c *Cluster) sawNode(name string, v kv) {
	n, ok := c.nodes[name]
	if !ok || v.value == nil {
		return
	}
	now := c.now()
	if name == c.cfg.Node && v.rev == c.spoke {
		c.lag = time.Since(c.spokeAt)
	}
	n.skew, n.timed, n.saw = time.UnixMilli(n.At).Sub(now), true, now
	c.nodes[name] = n
	if name == c.cfg.Node && n.Epoch != c.epoch && !c.twin {
		c.twin = true
		c.log.Error("another process works under the name of this node: neither can use the blocks of that name any more; give one of them another name and restart both", "node", name)
		c.setOwn()
	}
}

// present reports whether a node spoke of itself lately. c.mu is held.
func (c *Cluster) present(n Node, now time.Time) bool {
	return now.Sub(time.UnixMilli(n.At).Add(-n.skew)) < 3*c.times.Presence
}
