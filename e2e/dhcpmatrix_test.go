package e2e

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func dhcpMatrixScenarios() []scenario {
	return []scenario{{"dhcp-matrix", dhcpMatrix}, {"dhcp-matrix-churn", dhcpChurn}, {"dhcp-peers", dhcpPeers}}
}

// soon is when a machine has to be answered, at its first packet.
const soon = 500 * time.Millisecond

// named reports whether somebody asked for scenarios whose names begin so, and not for all there are.
func named(name string) bool {
	return strings.HasPrefix(pattern(), name)
}

// pattern is how the names of scenarios must begin, "" where nobody asked for any.
func pattern() string {
	_, pattern, _ := strings.Cut(flag.Lookup("test.run").Value.String(), "/")
	return strings.TrimPrefix(pattern, "^")
}

// dhcpFault is one situation of the matrix.
type dhcpFault struct {
	name  string
	short bool // also where nobody asked for the matrix by its name
	where string
	do    func(s *dhcpSite)
}

// Where a situation is looked at.
const (
	onDirect = "direct"
	onFar    = "far"
	onBoth   = "both"
)

func dhcpFaults() []dhcpFault {
	last := func(s *dhcpSite) int { return len(s.nodes) - 1 }
	return []dhcpFault{
		{"all hear", true, onBoth, func(*dhcpSite) {}},
		{"relay lists one node", true, onFar, func(s *dhcpSite) { s.relayTo(0) }},
		{"one deaf, store link up", true, onBoth, func(s *dhcpSite) { s.deafen(last(s)) }},
		{"one hung", false, onBoth, func(s *dhcpSite) { s.nodes[last(s)].signal(syscall.SIGSTOP) }},
		{"one hung with its etcd", false, onBoth, func(s *dhcpSite) {
			s.nodes[last(s)].signal(syscall.SIGSTOP)
			s.members[last(s)].signal(syscall.SIGSTOP)
		}},
		{"one killed", false, onBoth, func(s *dhcpSite) { s.nodes[last(s)].kill() }},
		{"one killed with its etcd, the leader", true, onBoth, func(s *dhcpSite) {
			at := s.lead(last(s))
			s.nodes[at].kill()
			s.members[at].kill()
		}},
		{"quorum lost", true, onBoth, func(s *dhcpSite) {
			s.members[1].kill()
			s.members[2].kill()
		}},
		{"alone, restarted without quorum", true, onBoth, func(s *dhcpSite) {
			for i := 1; i < etcdMembers; i++ {
				s.members[i].kill()
				if i < len(s.nodes) {
					s.nodes[i].kill()
				}
			}
			s.nodes[0].kill()
			s.startNode(0)
		}},
		{"store slow: 300 ms there and back", false, onBoth, func(s *dhcpSite) { s.slow().delay.Store(int64(300 * time.Millisecond)) }},
	}
}

// lead lets the etcd member of a node lead, by letting whoever leads pause until another does. With the
// witness leading the node cannot be made the leader for sure: the node whose member leads is returned.
func (s *dhcpSite) lead(want int) (at int) {
	s.t.Helper()
	for range 20 {
		if at = s.leader(); at == want || at > 0 && at < len(s.nodes) {
			return at
		}
		s.members[at].signal(syscall.SIGSTOP)
		s.await("another member leads", 20*time.Second, func() bool {
			for i := range s.members {
				if i == at {
					continue
				}
				if _, leads := s.health(i); leads {
					return true
				}
			}
			return false
		})
		s.members[at].signal(syscall.SIGCONT)
		s.awaitMember(at)
	}
	s.t.Fatal("no member beside a node gets to lead")
	return at
}

// dhcpRow is a line of the table.
type dhcpRow struct {
	where, name string
	cells       []dhcpCell
}

// dhcpCell is what became of the machines of one policy in one situation.
type dhcpCell struct {
	machines         int
	answered, served int           // at the first packet and soon; with an address
	ever             int           // answered at all
	offer, ack       time.Duration // the slowest, from the packet that was answered
	servers          map[netip.Addr]int
	failed           []string
}

func (c *dhcpCell) good() bool { return c.answered == c.machines && c.served == c.machines }

func (c *dhcpCell) String() string {
	if c.machines == 0 {
		return ""
	}
	s := fmt.Sprintf("%d/%d", c.answered, c.machines)
	if c.ever != c.answered {
		s += fmt.Sprintf(", later %d", c.ever-c.answered)
	}
	if c.served != c.ever {
		s += fmt.Sprintf(", ACK %d", c.served)
	}
	return s + fmt.Sprintf("; %.2f %.2f s; %d", c.offer.Seconds(), c.ack.Seconds(), len(c.servers))
}

// dhcpTrial runs machines of all policies against whatever answers.
type dhcpTrial struct {
	t        *testing.T
	policies []dhcpPolicy
	machines int           // of a policy
	spread   time.Duration // over which they are switched on
	waits    []time.Duration
	next     uint32 // number of machines so far
}

// run switches on machines that nobody has seen before.
func (d *dhcpTrial) run(ctx context.Context, g *ground) []dhcpCell {
	cells := make([]dhcpCell, len(d.policies))
	var mu sync.Mutex // guards cells
	var wg sync.WaitGroup
	total := d.machines * len(d.policies)
	begun := time.Now()
	for i := range total {
		p := i % len(d.policies)
		m := g.machine(d.mac(), d.policies[p])
		wg.Go(func() {
			time.Sleep(time.Until(begun.Add(d.spread * time.Duration(i) / time.Duration(total))))
			first := time.Now()
			o := m.boot(ctx, d.waits...)
			mu.Lock()
			defer mu.Unlock()
			cells[p].add(m, o, first.Sub(begun))
		})
	}
	wg.Wait()
	return cells
}

// mac makes the next machine's address.
func (d *dhcpTrial) mac() net.HardwareAddr {
	d.next++
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], 0x025f_0000_0000+uint64(d.next)*0x9e37_79b1%0x1_0000_0000)
	return net.HardwareAddr(b[2:])
}

func (c *dhcpCell) add(m *dhcpMachine, o outcome, at time.Duration) {
	if c.servers == nil {
		c.servers = map[netip.Addr]int{}
	}
	c.machines++
	if o.tries > 0 {
		c.ever++
		c.servers[o.server]++
		c.offer = max(c.offer, o.offer)
	}
	if o.atOnce() {
		c.answered++
	}
	if o.addr.IsValid() {
		c.served++
		c.ack = max(c.ack, o.ack)
	}
	if !o.atOnce() || !o.addr.IsValid() {
		c.failed = append(c.failed, fmt.Sprintf("%s, switched on %.3f s after the fault: OFFER at DISCOVER %d after %.3f s from %v; ACK %v after %.3f s, NAK %v",
			m.mac, at.Seconds(), o.tries, o.offer.Seconds(), o.server, o.addr, o.ack.Seconds(), o.refused))
	}
}

// Every machine is answered at its first packet, whatever it writes into secs, flags and option 61, and
// whatever is the matter with all nodes but one: DHCP.md 1.5.
func dhcpMatrix(t *testing.T, b *bench) {
	whole := named("dhcp-matrix")
	trial := &dhcpTrial{t: t, policies: firmwarePolicies(), machines: 64, spread: 1500 * time.Millisecond, waits: []time.Duration{4 * time.Second, 8 * time.Second}}
	sizes := []int{2, 3}
	if !whole {
		trial.machines, sizes = 16, sizes[:1]
	}
	var rows []dhcpRow
	for _, nodes := range sizes {
		t.Run(fmt.Sprintf("%d-nodes", nodes), func(t *testing.T) { rows = append(rows, dhcpSituations(t, b, trial, nodes, whole)...) })
	}
	if whole {
		t.Run("used-up", func(t *testing.T) { rows = append(rows, dhcpUsedUp(t, b, trial)) })
	}
	if !whole {
		t.Log("\n" + dhcpTable(trial.policies, rows))
		return
	}
	document(t, "dhcp-matrix", dhcpTable(trial.policies, rows), rows)
}

// dhcpSituations goes through all that may be the matter with so many nodes.
func dhcpSituations(t *testing.T, b *bench, trial *dhcpTrial, nodes int, whole bool) (rows []dhcpRow) {
	record := newRecorder()
	s := newDHCPSite(t, b, nodes, "64.0-127.255", "lease: 8h")
	grounds := map[string]*ground{onDirect: s.ground("eth0", record), onFar: s.ground("eth1", record)}
	for _, f := range dhcpFaults() {
		if !whole && !f.short {
			continue
		}
		for _, where := range []string{onDirect, onFar} {
			if f.where != where && f.where != onBoth || !whole && where == onFar && f.where == onBoth {
				continue
			}
			f.do(s)
			rows = append(rows, s.look(trial, grounds[where], nodes, where, f.name))
			s.restore()
		}
	}
	record.judge(t)
	return rows
}

// dhcpUsedUp is a node that has given away all addresses that were its own, beside a deaf one that has
// many: what is nobody's own is there for both.
func dhcpUsedUp(t *testing.T, b *bench, trial *dhcpTrial) dhcpRow {
	record := newRecorder()
	s := newDHCPSite(t, b, 2, "64.0-67.255", "lease: 8h")
	g := s.ground("eth0", record)
	d := s.slow()
	s.deafen(1)
	d.delay.Store(int64(300 * time.Millisecond))
	drain := &dhcpTrial{policies: trial.policies[:1], machines: 150, spread: 2 * time.Second, waits: []time.Duration{time.Second}, next: 1 << 20}
	if used := drain.run(t.Context(), g)[0]; used.served == used.machines {
		t.Errorf("the node gave %d addresses away while its store was slow, and has not used up its own", used.served)
	}
	d.delay.Store(0)
	row := s.look(trial, g, 2, onDirect, "one deaf, own addresses used up")
	record.judge(t)
	return row
}

// judge fails the test if an address was two machines' at once.
func (r *recorder) judge(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	t.Logf("%d leases; %d times an address was given or offered to a machine while it was another's", r.grants, len(r.faults))
	for _, f := range r.faults[:min(len(r.faults), 20)] {
		t.Error(f)
	}
}

// look runs the machines of a row.
func (s *dhcpSite) look(trial *dhcpTrial, g *ground, nodes int, where, name string) dhcpRow {
	s.t.Helper()
	row := dhcpRow{fmt.Sprintf("%d nodes, %s", nodes, map[string]string{onDirect: "direct", onFar: "relay"}[where]), name, trial.run(s.t.Context(), g)}
	for i := range row.cells {
		c := &row.cells[i]
		s.t.Logf("%s: %-36s %-26s %s", row.where, name, trial.policies[i].name, c)
		if !c.good() {
			s.t.Errorf("%s, %s, %s: %d of %d machines were answered at their first packet within %s, and %d have an address; for example\n  %s",
				row.where, name, trial.policies[i].name, c.answered, c.machines, soon, c.served, strings.Join(c.failed[:min(len(c.failed), 4)], "\n  "))
		}
	}
	return row
}
