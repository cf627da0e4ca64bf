package app

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/lease"
	"surefoot/internal/web"
)

// adoptWaiting is how many records of another server may be on their way to the disk, so that machines find
// room in its queue beside them.
const adoptWaiting = 4096

// adoptClaims is how many of them may wait for the shared store, which has to answer machines in time.
const adoptClaims = 32

// adopt takes over leases that another server gave: known ones keep their address and their end. What cannot
// be taken says why.
func (l *leases) adopt(cfg *config.Config, list []lease.Record, dry bool) []web.Adopted {
	now := l.now()
	out := make([]web.Adopted, len(list))
	book := l.book
	if dry { // in a book that is thrown away
		var err error
		if book, err = lease.NewBook(cfg.Node.Name, pools(cfg)); err != nil {
			return out
		}
		for _, r := range l.all() {
			book.Load(r)
		}
	}
	most := adoptWaiting
	if l.shared != nil {
		most = adoptClaims
	}
	places := make(chan struct{}, most)
	var kept sync.WaitGroup
	for i, r := range list {
		out[i].Addr = r.Addr
		s, ok := scopeOf(cfg, r.Addr)
		if !ok {
			out[i].Why = "no network of the site file with deliver: dhcp has this address"
			continue
		}
		r.Scope = s.Network
		if r.Expires.IsZero() { // it was to last for ever
			r.Expires = now.Add(s.MaxLease).UTC().Truncate(time.Second)
			out[i].Why = "it was to last for ever, and ends in " + s.MaxLease.String() + " unless it is renewed"
		}
		if !r.Expires.After(now) {
			out[i].Why = "it has run out"
			continue
		}
		g, why := book.Adopt(now, r)
		if why != boot.Answered {
			out[i].Why = refusedAdoption(cfg, book, r, why)
			continue
		}
		out[i].Taken = true
		if dry {
			book.Committed(g.Record, nil)
			continue
		}
		places <- struct{}{}
		kept.Add(1)
		l.settle(g, func(err error) {
			l.book.Committed(g.Record, err)
			if err != nil {
				out[i].Taken, out[i].Why = false, "it cannot be kept: "+err.Error()
			}
			<-places
			kept.Done()
		})
	}
	kept.Wait()
	return out
}

// settle has a record of the book kept, or claimed where nodes share a store.
func (l *leases) settle(g lease.Grant, done func(error)) {
	switch {
	case l.shared == nil:
		l.Keep(g.Record, done)
	case g.Claim:
		l.shared.Claim(g, done)
	default:
		l.shared.Keep(g.Record, done)
	}
}

func scopeOf(cfg *config.Config, a netip.Addr) (config.DHCPScope, bool) {
	i := slices.IndexFunc(cfg.DHCP.Scopes, func(s config.DHCPScope) bool { return s.Subnet.Contains(a) })
	if i < 0 {
		return config.DHCPScope{}, false
	}
	return cfg.DHCP.Scopes[i], true
}

// refusedAdoption says in words why a lease is not taken over.
func refusedAdoption(cfg *config.Config, book *lease.Book, r lease.Record, why boot.Reason) string {
	switch why {
	case boot.NotOurLease:
		return "it is here already"
	case boot.WrongNetwork:
		return "the address is in no range of network " + r.Scope + " that this node gives out"
	case boot.LeaseMoved:
		if fixed := reservations(cfg, r.Scope)[r.MAC].Addr; fixed.IsValid() && fixed != r.Addr {
			return "another address is reserved for its machine, " + fixed.String()
		}
		if now, ok := book.ByID(r.Scope, r.ID); ok && now.Addr != r.Addr {
			return "its machine has another lease here, of " + now.Addr.String()
		}
		return "its machine has another lease here"
	case boot.LeaseOfOther:
		if now, ok := book.ByAddr(r.Addr); ok && now.State == lease.Active {
			return "the address is leased to another machine, " + now.ID.String()
		}
		return "the address is reserved for another machine, or just being given to one"
	case boot.StoreRefused:
		return "the store that the nodes share does not answer now, and nothing is given past it"
	}
	return why.Text()
}

// AdoptIntoFile takes over leases into the file of a node that does not run.
func AdoptIntoFile(ctx context.Context, cfg *config.Config, file string, list []lease.Record, o Options, dry bool) ([]web.Adopted, error) {
	if len(cfg.DHCP.Scopes) == 0 {
		return nil, fmt.Errorf("no network of the site file has deliver: dhcp")
	}
	if cfg.Store.Shared() {
		return nil, fmt.Errorf("nodes that share a store take leases while they run, and put them there: leave out --file")
	}
	l, err := newLeases(cfg, o.logger(), time.Now)
	if err != nil {
		return nil, err
	}
	if err := l.configure(cfg); err != nil {
		return nil, err
	}
	if file == "" {
		file = cfg.DHCP.Leases
	}
	if dry {
		if err := l.read(ctx, file); err != nil {
			return nil, err
		}
		return l.adopt(cfg, list, true), nil
	}
	if err := l.open(ctx, file); err != nil {
		return nil, err
	}
	if l.file() == nil {
		return nil, l.refuses()
	}
	ctx, end := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- l.run(ctx, func() {}) }()
	out := l.adopt(cfg, list, false)
	end()
	return out, <-ended
}
