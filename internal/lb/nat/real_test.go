package nat

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"surefoot/internal/kernel/conntrack"
	"surefoot/internal/kernel/forward"
	"surefoot/internal/kernel/nft"
	"surefoot/internal/lb"
)

// Each mode works for a strict client, and backends see whom the mode says.
func TestModes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode    lb.Mode
		six     bool
		gateway int
		client  string
		want    string
	}{
		{lb.NAT, false, 11, "10.1.0.10", "sv1 sees 10.1.0.10"},
		{lb.NAT, true, 11, "fd01::10", "sv1 sees fd01::10"},
		{lb.SNAT, false, 1, "10.1.0.10", "sv1 sees 10.2.0.11"},
		{lb.SNAT, true, 1, "fd01::10", "sv1 sees fd02::11"},
	} {
		l := newLab(t)
		s := service(c.mode, lb.RoundRobin, c.six, 1)
		l.gateway(c.gateway)
		l.backends(s)
		p := New(Deps{Source: func(b netip.Addr) netip.Addr {
			if b.Is6() {
				return netip.MustParseAddr("fd02::11")
			}
			return netip.Addr{} // what the kernel takes
		}})
		l.apply(p, table(s, 0))
		for range 3 {
			if got := l.get(c.client, s.Listen.Addr().String()); got != c.want {
				t.Errorf("%s, IPv6 %v: %q, want %q", c.mode, c.six, got, c.want)
			}
		}
		l.apply(p)
		if got := l.sh("lb", "nft list tables"); got != "" {
			t.Errorf("left behind: %s", got)
		}
	}
}

// Whom a client gets is exactly what Explain says, where a hash decides; with turns everybody has its share.
func TestPicks(t *testing.T) {
	t.Parallel()
	for _, six := range []bool{false, true} {
		l := newLab(t)
		l.gateway(11)
		s := service(lb.NAT, lb.Maglev, six, 1, 2, 1)
		l.backends(s)
		client := func(i int) string {
			if six {
				return fmt.Sprintf("fd01::1:%x", i)
			}
			return fmt.Sprintf("10.1.128.%d", i)
		}
		p := New(Deps{})
		for _, by := range []lb.Scheduler{lb.Maglev, lb.Rendezvous} {
			s.Scheduler = by
			l.apply(p, table(s, 0, 1, 2))
			count := map[string]int{}
			for i := 1; i <= 60; i++ {
				var c lb.Choice
				var err error
				l.in("lb", func() { c, err = p.Explain(context.Background(), s.Name, netip.MustParseAddr(client(i))) })
				if err != nil {
					t.Fatal(err)
				}
				got := who(l.get(client(i), s.Listen.Addr().String()))
				count[got]++
				if got != c.Backends[0].Name {
					t.Fatalf("%s: client %s got %q, and %s was explained: %+v", by, client(i), got, c.Backends[0].Name, c.Trace)
				}
			}
			if len(count) != 3 {
				t.Errorf("%s: %v", by, count)
			}
		}
		for _, c := range []struct {
			by   lb.Scheduler
			want string
		}{{lb.RoundRobin, "map[sv1:4 sv2:4 sv3:4]"}, {lb.Weighted, "map[sv1:3 sv2:6 sv3:3]"}} {
			s.Scheduler = c.by
			l.apply(p, table(s, 0, 1, 2))
			count := map[string]int{}
			for i := range 12 {
				count[who(l.get(client(i+1), s.Listen.Addr().String()))]++
			}
			if got := fmt.Sprint(count); got != c.want {
				t.Errorf("%s: %s, want %s", c.by, got, c.want)
			}
		}
	}
}

// A client keeps its backend, also over a restart; who has one that died gets another, and keeps that.
func TestPersistence(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.gateway(1)
	s := service(lb.SNAT, lb.RoundRobin, false, 1, 1, 1)
	s.Persist = 100 * time.Second
	l.backends(s)
	p := New(Deps{})
	l.apply(p, table(s, 0, 1, 2))
	get := func() string { t.Helper(); return who(l.get("10.1.0.10", vip4)) }
	first := get()
	for range 4 {
		if got := get(); got != first {
			t.Fatalf("%s, and then %s", first, got)
		}
	}
	p = New(Deps{}) // another process
	l.apply(p, table(s, 0, 1, 2))
	if got := get(); got != first {
		t.Errorf("%s, and %s after a restart", first, got)
	}
	counts := l.counters(p)
	if sum := counts[0].Requests + counts[1].Requests + counts[2].Requests; sum != 6 {
		t.Errorf("after a restart %d requests are counted, want 6", sum)
	}
	var c lb.Choice
	var err error
	l.in("lb", func() { c, err = p.Explain(context.Background(), s.Name, netip.MustParseAddr("10.1.0.10")) })
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(c.Trace); c.Backends[0].Name != first || !strings.Contains(text, "has had "+first) {
		t.Errorf("explained: %s", text)
	}
	dead := int(first[2] - '1')
	left := []int{(dead + 1) % 3, (dead + 2) % 3}
	l.apply(p, table(s, left...))
	second := get()
	if second == first || second == "" {
		t.Fatalf("%s is dead, and the client got %q", first, second)
	}
	l.apply(p, table(s, 0, 1, 2)) // it is back
	if got := get(); got != second {
		t.Errorf("%s, and then %s when %s is back", second, got, first)
	}
	drained := table(s, dead)
	drained.Drained = left
	l.apply(p, drained)
	if got := get(); got != second {
		t.Errorf("%s is drained, and its client got %s", second, got)
	}
	for i := range 5 {
		if got := who(l.get(fmt.Sprintf("10.1.128.%d", i), vip4)); got != first {
			t.Errorf("a new client got %s while all but %s are drained", got, first)
		}
	}
	l.apply(p, table(s, dead)) // the time of the drain is over
	if got := get(); got != first {
		t.Errorf("the time is over, and the client got %s", got)
	}
}

// A client that asks again from the same port gets another backend when its own one died. Without the
// eviction it would not: that is shown first.
func TestRetryFromTheSamePort(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.gateway(11)
	s := service(lb.NAT, lb.RoundRobin, false, 1, 1)
	answers, asked := l.backends(s)
	p := New(Deps{})
	l.apply(p, table(s, 0, 1))
	answers[0].Store(false)
	c := l.socket("cl", netip.MustParseAddrPort("10.1.0.10:1338")) // as OVMF does
	to := netip.MustParseAddrPort(vip4 + ":69")
	for i := 0; asked[0].Load() == 0; i++ {
		if i == 3 {
			t.Fatal("the dead one is never asked")
		}
		_ = ask(c, to, 200*time.Millisecond)
		if asked[0].Load() == 0 { // it is the other one's turn: a new entry is needed
			l.in("lb", func() {
				_, _ = conntrack.Evict([]conntrack.Pair{{Asked: to.Addr(), Backend: s.Backends[1].TFTP.Addr()}})
			})
		}
	}
	var text string
	var err error
	l.in("lb", func() {
		var have nft.Listing
		if have, _, err = nft.List(context.Background(), familyNAT, tableNAT); err == nil {
			if text, err = translation([]lb.Table{table(s, 1)}, nil, have); err == nil {
				err = nft.Run(context.Background(), text) // the rules alone
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(c, to, 300*time.Millisecond); got != "silence" {
		t.Fatalf("the kernel asks the rules again: %q, so that nothing needs to be evicted any more", got)
	}
	l.apply(p, table(s, 1))
	if got := ask(c, to, soon); who(got) != "sv2" {
		t.Errorf("after the eviction: %q", got)
	}
	counts := l.counters(p)
	if counts[0].Retries == 0 {
		t.Errorf("no retry is counted: %+v", counts)
	}
}

// Unanswered requests fill the kernel's table of expected transfers, and then no request gets an answer of
// anybody. When their backend is taken for dead, the table is empty again.
func TestExpectationTableFull(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.gateway(11)
	s := service(lb.NAT, lb.RoundRobin, false, 1, 1)
	answers, _ := l.backends(s)
	answers[0].Store(false)
	p := New(Deps{})
	l.apply(p, table(s, 0))
	most, err := conntrack.MaxExpected()
	if err != nil {
		t.Fatal(err)
	}
	if most > 20000 {
		t.Skipf("this machine expects up to %d", most)
	}
	full := func() int {
		var n int
		l.in("lb", func() { n, err = conntrack.Expected() })
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for i := 0; full() < most; i++ {
		if i > 100 {
			t.Fatalf("%d of %d are expected", full(), most)
		}
		for j := range 4 {
			c := l.socket("cl", netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(128 + i), byte(1 + j)}), 0))
			for port := range 500 { // that many clients, by the port that they ask from
				_ = port
				c.Close()
				c = l.socket("cl", netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(128 + i), byte(1 + j)}), 0))
				_, _ = c.WriteToUDPAddrPort([]byte("\x00\x01boot.bin\x00octet\x00"), netip.MustParseAddrPort(vip4+":69"))
			}
			c.Close()
		}
	}
	l.apply(p, table(s, 0, 1))
	if got := l.get("10.1.0.10", vip4); got != "silence" {
		t.Fatalf("the table is full, and a client got %q: the premise is wrong", got)
	}
	l.apply(p, table(s, 1)) // health has noticed
	if n := full(); n > most/10 {
		t.Errorf("%d are expected still", n)
	}
	if got := who(l.get("10.1.0.10", vip4)); got != "sv2" {
		t.Errorf("afterwards a client got %q", got)
	}
}

// Somebody flushes all rules, or a part of ours: that is noticed, and made good. Rules of others stay.
func TestRulesOfOthers(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.gateway(11)
	s := service(lb.NAT, lb.RoundRobin, false, 1, 1)
	l.backends(s)
	l.sh("lb", "nft 'add table ip other; add chain ip other in { type filter hook input priority 0; }; add rule ip other in tcp dport 22 accept'")
	p := New(Deps{})
	l.apply(p, table(s, 0, 1))
	look := func() (err error) { l.in("lb", func() { err = p.Check(context.Background()) }); return err }
	if err := look(); err != nil {
		t.Fatal(err)
	}
	l.sh("lb", "nft add rule ip other in tcp dport 23 accept")
	if err := look(); err != nil {
		t.Errorf("others changed their rules: %v", err)
	}
	for _, damage := range []string{"nft flush ruleset", "nft flush chain inet surefoot_lb prerouting", "nft delete table inet surefoot_lb"} {
		l.sh("lb", damage)
		if err := look(); err == nil {
			t.Errorf("%s is not noticed", damage)
		}
		l.apply(p, table(s, 0, 1))
		if got := l.get("10.1.0.10", vip4); got == "silence" {
			t.Errorf("after %s nothing is balanced any more", damage)
		}
		if err := look(); err != nil {
			t.Errorf("after it was made good: %v", err)
		}
	}
	l.sh("lb", "nft 'add table ip other; add chain ip other in { type filter hook input priority 0; }'")
	var err error
	l.in("lb", func() { err = New(Deps{}).Remove() })
	if got := l.sh("lb", "nft list tables"); err != nil || strings.TrimSpace(got) != "table ip other" {
		t.Errorf("after Remove: %v, %q", err, got)
	}
}

// A standby forwards nothing, and is ready in one step.
func TestStandby(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.gateway(11)
	s := service(lb.NAT, lb.RoundRobin, false, 1)
	_, asked := l.backends(s)
	p := New(Deps{})
	standby := table(s, 0)
	standby.Active = false
	l.apply(p, standby)
	c := l.socket("cl", netip.MustParseAddrPort("10.1.0.10:1338"))
	to := netip.MustParseAddrPort(vip4 + ":69")
	if got := ask(c, to, 200*time.Millisecond); got != "silence" && !strings.Contains(got, "refused") || asked[0].Load() > 0 {
		t.Fatalf("a standby: %q", got)
	}
	l.apply(p, table(s, 0)) // the same port, of which the kernel has an entry that leads to the node itself
	if got := ask(c, to, soon); who(got) != "sv1" {
		t.Errorf("after the take-over: %q", got)
	}
}

// Answers that do not come back through the balancer are not translated: a strict client takes none of them. snat
// needs no gateway, which is why it is there.
func TestGatewayElsewhere(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.gateway(1)
	s := service(lb.NAT, lb.RoundRobin, false, 1)
	_, asked := l.backends(s)
	p := New(Deps{})
	l.apply(p, table(s, 0))
	if got := l.get("10.1.0.10", vip4); got != "silence" || asked[0].Load() == 0 {
		t.Errorf("nat, and the gateway is another: %q, asked %d times", got, asked[0].Load())
	}
	s.Mode = lb.SNAT
	l.apply(p, table(s, 0))
	if got := who(l.get("10.1.0.10", vip4)); got != "sv1" {
		t.Errorf("snat: %q", got)
	}
}

// The settings of the kernel that are named are set, and then nothing is missing and packets flow.
func TestForwarding(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.gateway(11)
	s := service(lb.NAT, lb.RoundRobin, false, 1)
	l.backends(s)
	p := New(Deps{})
	l.apply(p, table(s, 0))
	l.sh("lb", "sysctl -qw net.ipv4.ip_forward=0; sysctl -qw net.ipv4.conf.all.send_redirects=1 net.ipv4.conf.eth0.send_redirects=1")
	if got := l.get("10.1.0.10", vip4); got != "silence" {
		t.Errorf("without forwarding: %q", got)
	}
	var left []forward.Setting
	l.in("lb", func() {
		for _, x := range forward.Missing(s.Listen.Addr(), "eth0") {
			if err := forward.Set(x); err != nil {
				t.Error(err)
			}
			left = append(left, x)
		}
	})
	if len(left) != 3 {
		t.Errorf("missing were %v", left)
	}
	l.in("lb", func() { left = forward.Missing(s.Listen.Addr(), "eth0") })
	if got := who(l.get("10.1.0.10", vip4)); got != "sv1" || len(left) > 0 {
		t.Errorf("afterwards: %q, missing %v", got, left)
	}
}
