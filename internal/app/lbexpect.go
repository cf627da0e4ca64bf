package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"surefoot/internal/config"
	"surefoot/internal/kernel/conntrack"
	"surefoot/internal/kernel/forward"
	"surefoot/internal/lb"
)

// expectEvery is how often the table of expected transfers is counted: all of it is read.
const expectEvery = 2 * time.Second

// expecting is how full the kernel's table of expected transfers is.
type expecting struct {
	mu      sync.Mutex // guards the rest
	at      time.Time
	n, most int
}

func (e *expecting) get() (n, most int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.n, e.most
}

// look counts when it is time to, and reports whether it did.
func (e *expecting) look(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now.Sub(e.at) < expectEvery {
		return false
	}
	e.at = now
	n, err := conntrack.Expected()
	if err != nil {
		return false
	}
	most, err := conntrack.MaxExpected()
	if err != nil {
		return false
	}
	e.n, e.most = n, most
	return true
}

// Check also counts what is expected, and has people told when that comes near to what the kernel holds.
func (p *translating) Check(ctx context.Context) error {
	if now := p.now(); p.expecting.look(now) {
		n, most := p.expecting.get()
		p.told(now, n, most)
	}
	return p.Plane.Check(ctx)
}

// expectations takes them to the alerts.
func (a *alerting) expectations(now time.Time, n, most int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.machine.Expectations(now, n, most)
}

// warnBalances tells of data paths that do not work, and of settings of the kernel that they need.
func (a *App) warnBalances(s *setup, add adder) {
	told := map[string]bool{}
	for _, v := range a.balances() {
		if v.Trouble != "" {
			add("lb-trouble", "service "+v.Name+" does not follow", v.Trouble, "surefoot lb show "+v.Name+"; it is tried again every second")
		}
		i := slices.IndexFunc(s.Balances, func(b config.Balance) bool { return b.Name == v.Name })
		if v.Mode != lb.NAT && v.Mode != lb.SNAT || i < 0 {
			continue
		}
		for _, x := range forward.Missing(v.Listen.Addr(), v.Interface) {
			if told[x.Name] {
				continue
			}
			told[x.Name] = true
			add("lb-forwarding", "service "+v.Name+" needs "+x.String(), x.Why+": it is "+x.Is,
				fmt.Sprintf("sysctl -w %s, and a line of it in /etc/sysctl.d; or forwarding: set at lb.services.%s", x, v.Name))
		}
	}
	if n, most := a.expecting.get(); most > 0 && slices.ContainsFunc(s.inKernel(), func(b config.Balance) bool { return b.Forwarding != "" }) {
		if most < expectEnough {
			add("lb-expectations-small", "the kernel expects few transfers at a time",
				fmt.Sprintf("net.netfilter.nf_conntrack_expect_max is %d: so many unanswered requests within half a minute, and no machine gets an answer any more", most),
				fmt.Sprintf("sysctl -w net.netfilter.nf_conntrack_expect_max=%d, outside of network namespaces; or forwarding: set", expectEnough))
		}
		if n*10 >= most*8 {
			add("lb-expectations-full", "the kernel's table of expected transfers is nearly full", fmt.Sprintf("%d of %d", n, most), "surefoot lb list shows who does not answer")
		}
	}
}

// LBLeft lists what there is of data paths on this machine, and with remove takes it away.
func LBLeft(ctx context.Context, remove bool) ([]string, error) {
	left, err := leftOfPaths(ctx)
	if err != nil || !remove || len(left) == 0 {
		return left, err
	}
	if err := removePaths(); err != nil {
		return left, err
	}
	still, err := leftOfPaths(ctx)
	if err == nil && len(still) > 0 {
		err = fmt.Errorf("still there: %s", strings.Join(still, ", "))
	}
	return left, err
}
