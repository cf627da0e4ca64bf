package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// churn is machines that come and go while nodes and members of the store do.
type churn struct {
	s     *dhcpSite
	trial *dhcpTrial // makes machines
	mu    sync.Mutex // guards trial and gaps
	gaps  []string

	boots, unanswered, renewals, unheard, refused, restarts, releases, left atomic.Int64
}

// Machines join, renew, restart, release and vanish; nodes and members of the store are killed, hung,
// cut off and slow, several at once; addresses are few, so that they pass from one machine to another.
// At no time have two machines the same. E2E_CHURN=10m lets it go on for longer, E2E_SEED repeats what
// happened to the nodes.
func dhcpChurn(t *testing.T, b *bench) {
	length := 30 * time.Second
	if named("dhcp-matrix") {
		length = 4 * time.Minute
	}
	if d, err := time.ParseDuration(os.Getenv("E2E_CHURN")); err == nil {
		length = d
	}
	seed := uint64(time.Now().UnixNano())
	if n, err := strconv.ParseUint(os.Getenv("E2E_SEED"), 10, 64); err == nil {
		seed = n
	}
	record := newRecorder()
	c := &churn{s: newDHCPSite(t, b, 3, "64.0-66.255", "lease: 2m", "--debug"), trial: &dhcpTrial{policies: firmwarePolicies()}}
	grounds := []*ground{c.s.ground("eth0", record), c.s.ground("eth0", record), c.s.ground("eth1", record)}
	c.s.slow()
	c.s.crowded = true
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var wg sync.WaitGroup
	machines := make([]*dhcpMachine, 150)
	for i := range machines {
		wg.Go(func() { machines[i] = c.live(ctx, grounds[i%len(grounds)]) })
	}
	said := c.trouble(ctx, rand.New(rand.NewPCG(seed, 1)))
	wg.Wait()
	c.s.restore()
	c.remembered(machines)
	t.Logf("seed %d: %s\n%s", seed, length, strings.Join(said, "\n"))
	t.Logf("%d boots (%d without an address at their end), %d renewals (%d not answered), %d restarts with the same address, %d released, %d vanished, %d NAKs",
		c.boots.Load(), c.unanswered.Load(), c.renewals.Load(), c.unheard.Load(), c.restarts.Load(), c.releases.Load(), c.left.Load(), c.refused.Load())
	t.Logf("the last without an address:\n%s", strings.Join(c.gaps[max(0, len(c.gaps)-100):], "\n"))
	record.judge(t)
	if c.boots.Load() < 150 || c.renewals.Load() == 0 {
		t.Error("the machines did not do much, so this proves nothing")
	}
}

func (c *churn) newMachine(g *ground) *dhcpMachine {
	c.mu.Lock()
	defer c.mu.Unlock()
	return g.machine(c.trial.mac(), c.trial.policies[int(c.trial.next)%len(c.trial.policies)])
}

func pause(ctx context.Context, from, to time.Duration) bool {
	select {
	case <-time.After(from + rand.N(to-from)):
		return true
	case <-ctx.Done():
		return false
	}
}

// live is one machine after the other, and returns the last.
func (c *churn) live(ctx context.Context, g *ground) *dhcpMachine {
	m := c.newMachine(g)
	for pause(ctx, 100*time.Millisecond, 5*time.Second) {
		if m.addr.IsValid() && time.Now().After(m.until) {
			g.record.ended(m.mac)
			m.forget()
		}
		var o outcome
		had, until, what := m.addr, m.until, "asks with DISCOVER"
		switch n := rand.IntN(100); {
		case !m.addr.IsValid() || n < 5:
			c.boots.Add(1)
			if o = m.boot(ctx, time.Second, 2*time.Second, 4*time.Second); !o.addr.IsValid() && ctx.Err() == nil {
				c.unanswered.Add(1)
				c.unserved(m, o)
			}
		case n < 55, n < 92 && n >= 75 && c.far(m):
			c.renewals.Add(1)
			what = "renews"
			if o = m.renew(ctx, n < 30 || c.far(m)); !o.addr.IsValid() && ctx.Err() == nil {
				c.unheard.Add(1)
			}
		case n < 75:
			o, what = m.again(ctx), "asks for it again"
			c.restarts.Add(1)
		case n < 92:
			m.release()
			c.releases.Add(1)
			m = c.newMachine(g)
		default:
			m.forget() // its address stays its own until its lease ends
			c.left.Add(1)
			m = c.newMachine(g)
		}
		if o.refused {
			c.refused.Add(1)
			g.record.ended(m.mac)
			c.s.t.Errorf("NAK: %s %s had %v until %s and %s: %s", time.Now().Format(clock), m.mac, had, until.Format(clock), what, o.why)
		}
	}
	return m
}

// unserved notes a boot that brought no address.
func (c *churn) unserved(m *dhcpMachine, o outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	what := "no OFFER"
	if o.tries > 0 {
		what = fmt.Sprintf("an OFFER from %v, no ACK", o.server)
	}
	c.gaps = append(c.gaps, fmt.Sprintf("  %s %s %s: %s", time.Now().Format(clock), m.g.sock.Name(), m.mac, what))
}

// remembered lets all that have an address ask for it again, of the nodes that all work by now: whatever
// happened, what was promised counts.
func (c *churn) remembered(machines []*dhcpMachine) {
	var wg sync.WaitGroup
	var asked atomic.Int64
	for _, m := range machines {
		if !m.addr.IsValid() || time.Until(m.until) < 5*time.Second {
			continue
		}
		asked.Add(1)
		wg.Go(func() {
			had := m.addr
			if o := m.again(c.s.t.Context()); o.addr != had {
				c.s.t.Errorf("%s had %s, and asked for it when everything worked again: got %v, NAK %v", m.mac, had, o.addr, o.refused)
			}
		})
	}
	wg.Wait()
	c.s.t.Logf("%d machines asked for their address again when everything worked", asked.Load())
}

// far says that a machine is behind the relay: nobody there answers for its address, so it can hear
// broadcasts of the relay only.
func (c *churn) far(m *dhcpMachine) bool { return m.addr.IsValid() && m.addr.As4()[1] == 76 }

// trouble lets nodes and members fail until ctx ends, and says what it did.
func (c *churn) trouble(ctx context.Context, rnd *rand.Rand) (said []string) {
	began := time.Now()
	say := func(format string, args ...any) {
		said = append(said, fmt.Sprintf("  %6.1f s  ", time.Since(began).Seconds())+fmt.Sprintf(format, args...))
	}
	s := c.s
	type ending struct {
		at time.Time
		do func()
	}
	var open []ending
	busy := map[string]bool{}
	for ctx.Err() == nil {
		// What is over ends.
		kept := open[:0]
		for _, e := range open {
			if time.Now().After(e.at) {
				e.do()
			} else {
				kept = append(kept, e)
			}
		}
		open = kept
		i, what := rnd.IntN(3), rnd.IntN(8)
		d := time.Second + time.Duration(rnd.Int64N(int64(9*time.Second)))
		key := fmt.Sprint("node", i)
		if what >= 4 {
			key = fmt.Sprint("member", i)
		}
		if what == 7 {
			key = "store"
		}
		if !busy[key] && len(open) < 4 {
			busy[key] = true
			name := fmt.Sprintf("%s %d", strings.TrimRight(key, "012"), i+1)
			end := func(do func()) {
				open = append(open, ending{time.Now().Add(d), func() { do(); busy[key] = false }})
			}
			switch what {
			case 0:
				say("%s killed for %.1f s", name, d.Seconds())
				s.nodes[i].kill()
				end(func() { s.startNode(i) })
			case 1:
				say("%s stopped, and started", name)
				s.nodes[i].stop()
				s.startNode(i)
				busy[key] = false
			case 2:
				say("%s hung for %.1f s", name, d.Seconds())
				s.nodes[i].signal(syscall.SIGSTOP)
				end(func() { s.nodes[i].signal(syscall.SIGCONT) })
			case 3:
				say("%s deaf for %.1f s", name, d.Seconds())
				s.deafen(i)
				end(func() { s.heal(i) })
			case 4, 5:
				say("%s killed for %.1f s", name, d.Seconds())
				s.members[i].kill()
				end(func() { s.startMember(i) })
			case 6:
				say("%s hung for %.1f s", name, d.Seconds())
				s.members[i].signal(syscall.SIGSTOP)
				end(func() { s.members[i].signal(syscall.SIGCONT) })
			case 7:
				slow := time.Duration(rnd.Int64N(int64(time.Second)))
				say("store slow by %.2f s for %.1f s", slow.Seconds(), d.Seconds())
				s.detour.delay.Store(int64(slow))
				end(func() { s.detour.delay.Store(0) })
			}
		}
		select {
		case <-time.After(time.Duration(rnd.Int64N(int64(1500 * time.Millisecond)))):
		case <-ctx.Done():
		}
	}
	return said
}
