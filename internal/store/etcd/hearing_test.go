package etcd

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"surefoot/internal/lease"
)

// ears is a Cluster without a store whose clock and neighbours a test sets.
func ears(t *testing.T) (*Cluster, *time.Time) {
	t.Helper()
	now := time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)
	b, err := lease.NewBook("a", nil)
	if err != nil {
		t.Fatal(err)
	}
	c := newCluster(Config{Node: "a", Site: "s"}, Deps{Now: func() time.Time { return now }, Book: b, Keep: func(lease.Record, func(error)) {}})
	c.contact = true
	return c, &now
}

// says is another node's word about itself.
func (c *Cluster) says(t *testing.T, name string, started, at time.Time, heard map[string]int64) {
	t.Helper()
	b, err := json.Marshal(Node{Epoch: started.UnixNano(), At: at.UnixMilli(), Heard: heard})
	if err != nil {
		t.Fatal(err)
	}
	v := kv{c.keys.node(name), b, 1}
	c.mu.Lock()
	c.learnNode(name, v)
	c.sawNode(name, v)
	c.mu.Unlock()
}

func TestHearing(t *testing.T) {
	const relay = "vdi@10.0.0.1"
	for _, x := range []struct {
		name  string
		heard func(sec int64) map[string]int64 // by node b, of which a hears vdi and the relay each second
		want  string                           // who misses what, after 20 minutes
	}{
		{"all is well", func(s int64) map[string]int64 { return map[string]int64{"vdi": s - 5, relay: s - 5} }, ""},
		{"the relay does not name b", func(s int64) map[string]int64 { return map[string]int64{"vdi": s} }, relay + ": b"},
		{"b is deaf on the wire", func(s int64) map[string]int64 { return map[string]int64{"vdi": 0, relay: s} }, "vdi: b"},
		{"b is not on the wire", func(s int64) map[string]int64 { return map[string]int64{relay: s} }, ""},
		{"only b hears another relay", func(s int64) map[string]int64 { return map[string]int64{"vdi": s, relay: s, "vdi@10.0.0.9": s} }, "vdi@10.0.0.9: a"},
	} {
		c, now := ears(t)
		start := *now
		for range 20 * 60 {
			*now = now.Add(time.Second)
			c.Hear(*now, "vdi", netip.Addr{})
			c.Hear(*now, "vdi", netip.MustParseAddr("10.0.0.1"))
			c.says(t, "b", start, *now, x.heard(now.Unix()))
			c.mu.Lock()
			c.listen(*now)
			c.mu.Unlock()
			if got := c.Deaf(); now.Sub(start) < time.Minute && len(got) > 0 {
				t.Fatalf("%s: too early, after %s: %+v", x.name, now.Sub(start), got)
			}
		}
		var got []string
		for _, d := range c.Deaf() {
			got = append(got, Source{d.Network, d.Relay}.String()+": "+strings.Join(d.Miss, " "))
		}
		if s := strings.Join(got, ", "); s != x.want {
			t.Errorf("%s: got %q, want %q", x.name, s, x.want)
		}
	}
}

// TestHearingOnce: what a node tells ten seconds late is no deafness.
func TestHearingOnce(t *testing.T) {
	c, now := ears(t)
	start := *now
	for i := range 3600 {
		*now = now.Add(time.Second)
		heard := map[string]int64{"vdi": 0}
		if i >= 1000 {
			heard["vdi"] = start.Unix() + 1000 // one packet in the whole hour, which a hears and tells at once
			if i < 1010 {
				heard["vdi"] = 0
			}
			c.Hear(start.Add(1000*time.Second), "vdi", netip.Addr{})
		}
		c.says(t, "b", start, *now, heard)
		c.mu.Lock()
		c.listen(*now)
		c.mu.Unlock()
		if got := c.Deaf(); len(got) > 0 {
			t.Fatalf("after %d s: %+v", i, got)
		}
	}
}

func TestAbsentIsNotDeaf(t *testing.T) {
	c, now := ears(t)
	c.says(t, "b", *now, *now, map[string]int64{"vdi": now.Unix()})
	for range 600 {
		*now = now.Add(time.Second)
		c.Hear(*now, "vdi", netip.Addr{})
		c.mu.Lock()
		c.listen(*now)
		c.mu.Unlock()
	}
	if got := c.Deaf(); len(got) > 0 {
		t.Errorf("a node that is gone: %+v", got)
	}
}

func TestClock(t *testing.T) {
	c, now := ears(t)
	c.says(t, "b", *now, now.Add(-8*time.Second), nil)
	st := c.Status()
	if len(st.Nodes) != 1 || st.Nodes[0].Clock != -8*time.Second || !st.Nodes[0].Present {
		t.Errorf("%+v", st.Nodes)
	}
}
