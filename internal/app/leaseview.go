package app

import (
	"container/heap"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/lease"
	"surefoot/internal/web"
)

// leaseView shows the leases of the node: the window's view of the book, with the site file's names.
type leaseView struct {
	leases *leases
	cfg    func() *config.Config

	mu    sync.Mutex // guards what follows
	at    time.Time  // when it was looked
	pools []web.PoolUsage
	newer []web.Lease
}

// lookEvery is how old what costs a walk through all leases may be.
const lookEvery = 2 * time.Second

// Pools says how full the networks are that get their addresses here.
func (v *leaseView) Pools() []web.PoolUsage {
	v.look()
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.pools
}

// Newest are the leases that were given last.
func (v *leaseView) Newest(n int) []web.Lease {
	v.look()
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.newer[:min(n, len(v.newer))]
}

// newest is how many leases are shown on the page.
const newest = 12

func (v *leaseView) look() {
	now := v.leases.now()
	v.mu.Lock()
	fresh, known := !v.at.IsZero() && now.Sub(v.at) < lookEvery && !now.Before(v.at), len(v.pools)
	v.mu.Unlock()
	cfg := v.cfg()
	if fresh && len(cfg.DHCP.Scopes)+len(cfg.DHCP.Scopes6) == known {
		return
	}
	pools := v.usage(cfg)
	last := topLeases{max: newest, before: func(a, b lease.Record) bool { return a.Start.After(b.Start) }}
	if len(pools) > 0 {
		v.leases.each("", func(r lease.Record) bool { last.add(r); return true })
	}
	list := v.shown(cfg, last.sorted())
	v.mu.Lock()
	defer v.mu.Unlock()
	v.at, v.pools, v.newer = now, pools, list
}

// usage counts the addresses of each network.
func (v *leaseView) usage(cfg *config.Config) []web.PoolUsage {
	pools := []web.PoolUsage{}
	add := func(scope string, subnet netip.Prefix, ranges []config.AddrRange) {
		u := v.leases.book.Usage(scope)
		p := web.PoolUsage{
			Network: scope, Subnet: subnet.String(), Size: u.Size, Active: u.Active, Offered: u.Offered,
			Declined: u.Declined, Resting: u.Resting, Reserved: u.Reserved, Free: u.Free, Ranges: []string{},
		}
		for _, r := range ranges {
			p.Ranges = append(p.Ranges, r.String())
		}
		p.Full = full(u, len(ranges) > 0)
		pools = append(pools, p)
	}
	for _, s := range cfg.DHCP.Scopes {
		add(s.Network, s.Subnet, s.Ranges)
	}
	for _, s := range cfg.DHCP.Scopes6 {
		add(scope6(s.Network), s.Subnet, s.Ranges)
	}
	return pools
}

// nearlyFull is the share of a pool at which somebody should look, in percent.
const nearlyFull = 90

// full says whether new machines will soon get no address, or get none already. Reserved addresses are no
// help to them.
func full(u lease.Usage, ranges bool) string {
	size := u.Size - u.Reserved
	switch left := u.Free + u.Resting; {
	case !ranges || size == 0:
		return ""
	case left == 0:
		return "empty"
	case 100*(size-left) >= nearlyFull*size:
		return "nearly"
	}
	return ""
}

// topLeases keeps the first few of many, in constant memory.
type topLeases struct {
	max    int
	before func(a, b lease.Record) bool
	list   []lease.Record // a heap with the last one on top
}

func (t *topLeases) Len() int           { return len(t.list) }
func (t *topLeases) Less(i, j int) bool { return t.before(t.list[j], t.list[i]) }
func (t *topLeases) Swap(i, j int)      { t.list[i], t.list[j] = t.list[j], t.list[i] }

// Push and Pop make it a heap.
func (t *topLeases) Push(x any) { t.list = append(t.list, x.(lease.Record)) }

// Pop takes the last one away.
func (t *topLeases) Pop() any {
	r := t.list[len(t.list)-1]
	t.list = t.list[:len(t.list)-1]
	return r
}

func (t *topLeases) add(r lease.Record) {
	switch {
	case len(t.list) < t.max:
		heap.Push(t, r)
	case t.before(r, t.list[0]):
		t.list[0] = r
		heap.Fix(t, 0)
	}
}

func (t *topLeases) sorted() []lease.Record {
	slices.SortFunc(t.list, func(a, b lease.Record) int {
		if t.before(a, b) {
			return -1
		}
		return 1
	})
	return t.list
}

// byPlace orders leases by network and address.
func byPlace(a, b lease.Record) bool {
	return a.Scope < b.Scope || a.Scope == b.Scope && a.Addr.Less(b.Addr)
}

// shown are records with the names of the site file.
func (v *leaseView) shown(cfg *config.Config, list []lease.Record) []web.Lease {
	out := []web.Lease{}
	for _, r := range list {
		out = append(out, ShownLease(cfg, r, v.leases.now()))
	}
	return out
}

// LeaseState is the state of a record at a time, in a word.
func LeaseState(r lease.Record, now time.Time) string {
	if r.State == lease.Active && !r.Live(now) {
		return "expired"
	}
	return r.State.String()
}

// ShownLease is a record as it is shown; without a configuration nothing is known of reservations.
func ShownLease(cfg *config.Config, r lease.Record, now time.Time) web.Lease {
	l := web.Lease{
		Network: networkOf(r.Scope), Addr: r.Addr, ID: r.ID, MAC: r.MAC.String(), State: LeaseState(r, now), Start: r.Start, Expires: r.Expires,
		Node: r.Node, Host: r.Host, Relay: r.Relay, Circuit: r.Circuit, Class: r.Class, Serial: r.Serial,
	}
	if boot.Arch(r.Arch) != boot.ArchUnknown && (r.Class != "" || r.Arch != 0) {
		l.Arch = &r.Arch
	}
	if r.MAC.IsZero() {
		l.MAC = "" // DHCPv6 does not tell it always
	}
	if res, ok := reservedFor(cfg, r); ok {
		l.Reserved = res.Addr == r.Addr || res.Addr6 == r.Addr
		if res.Name != l.MAC {
			l.Name = res.Name
		}
	}
	return l
}

// List returns a page of leases. It goes through all of them and keeps one page.
func (v *leaseView) List(q web.LeaseQuery) (web.LeasePage, error) {
	cfg, now := v.cfg(), v.leases.now()
	if q.Network != "" && !slices.ContainsFunc(cfg.Site.Networks, func(n boot.Network) bool { return n.Name == q.Network }) {
		found := false
		v.leases.each(q.Network, func(lease.Record) bool { found = true; return false })
		if !found {
			return web.LeasePage{}, fmt.Errorf("there is no network %q", q.Network)
		}
	}
	wanted, err := LeaseFilter(cfg, q, now)
	if err != nil {
		return web.LeasePage{}, err
	}
	var after lease.Record
	if q.After != "" {
		i := max(strings.LastIndexByte(q.After, '/'), 0)
		scope, text := q.After[:i], strings.TrimPrefix(q.After[i:], "/")
		a, err := netip.ParseAddr(text)
		if err != nil {
			return web.LeasePage{}, fmt.Errorf("after is %q, and no end of a page", q.After)
		}
		after.Scope, after.Addr = scope, a
	}
	page := topLeases{max: max(q.Limit, 1) + 1, before: byPlace}
	v.leases.each(q.Network, func(r lease.Record) bool {
		if wanted(r) && (q.After == "" || byPlace(after, r)) {
			page.add(r)
		}
		return true
	})
	list := page.sorted()
	var out web.LeasePage
	if len(list) > q.Limit {
		list = list[:q.Limit]
		out.Next = list[q.Limit-1].Scope + "/" + list[q.Limit-1].Addr.String()
	}
	out.Leases = v.shown(cfg, list)
	return out, nil
}

// Find looks for an address, a MAC address or a name.
func (v *leaseView) Find(who string) []web.Lease {
	cfg := v.cfg()
	is := LeaseOf(cfg, who)
	found := topLeases{max: 50, before: func(a, b lease.Record) bool { return a.Start.After(b.Start) }}
	v.leases.each("", func(r lease.Record) bool {
		if r.State != lease.Free && is(r) {
			found.add(r)
		}
		return true
	})
	out := v.shown(cfg, found.sorted())
	slices.SortStableFunc(out, func(a, b web.Lease) int {
		switch {
		case (a.State == "active") == (b.State == "active"):
			return 0
		case a.State == "active":
			return -1
		}
		return 1
	})
	return out
}

// Reserved finds the reservations of a machine, by its address, MAC address or name.
func (v *leaseView) Reserved(who string) []web.ReservedAddr { return ReservedFor(v.cfg(), who) }

// Release ends a lease as if its machine had said so. The machine does not hear of it.
func (v *leaseView) Release(ctx context.Context, who string) (web.Lease, error) {
	var active []lease.Record
	is, now := LeaseOf(v.cfg(), who), v.leases.now()
	v.leases.each("", func(r lease.Record) bool {
		if is(r) && r.Live(now) {
			active = append(active, r)
		}
		return len(active) < 5
	})
	switch len(active) {
	case 0:
		return web.Lease{}, fmt.Errorf("%w of %s", web.ErrNoLease, who)
	case 1:
	default:
		return web.Lease{}, fmt.Errorf("%s has several leases (%s and others): name the address", who, active[0].Addr)
	}
	r := active[0]
	ended, why := v.leases.book.Release(now, lease.Ask{Scope: r.Scope, ID: r.ID, MAC: r.MAC, Want: r.Addr})
	if why != boot.Answered {
		return web.Lease{}, fmt.Errorf("release %s: %s", r.Addr, why.Text())
	}
	if err := v.keep(ctx, ended); err != nil {
		return web.Lease{}, fmt.Errorf("release %s: %w", r.Addr, err)
	}
	v.forget()
	return ShownLease(v.cfg(), ended, now), nil
}

// forget has the next look be a fresh one.
func (v *leaseView) forget() {
	v.mu.Lock()
	v.at = time.Time{}
	v.mu.Unlock()
}

// keep has a record kept, and waits for it.
func (v *leaseView) keep(ctx context.Context, r lease.Record) error {
	done := make(chan error, 1)
	v.leases.settle(lease.Grant{Record: r}, func(err error) {
		v.leases.book.Committed(r, err)
		done <- err
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Adopt takes over leases that another server gave.
func (v *leaseView) Adopt(_ context.Context, list []lease.Record, dry bool) []web.Adopted {
	defer v.forget()
	return v.leases.adopt(v.cfg(), list, dry)
}
