package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/lease"
	"surefoot/internal/store/etcd"
	"surefoot/internal/store/leasedb"
)

// leases are the addresses that this node gave out: in memory, and on disk once a network needs it.
type leases struct {
	book *lease.Book
	log  *slog.Logger
	now  func() time.Time

	shared *etcd.Cluster // nil: this node shares its leases with nobody
	wired  func() []string

	every time.Duration // how often a file that cannot be opened is tried again

	mu      sync.Mutex  // guards what follows
	path    string      // of the file; "": no network has needed it yet
	db      *leasedb.DB // nil: it is not open
	fault   error       // why not
	running bool
	up      chan struct{} // closed when there is a path
}

func newLeases(cfg *config.Config, log *slog.Logger, now func() time.Time) (*leases, error) {
	book, err := lease.NewBook(cfg.Node.Name, pools(cfg))
	if err != nil {
		return nil, err
	}
	l := &leases{book: book, log: log, now: now, every: 5 * time.Second, up: make(chan struct{})}
	l.shared, err = newShared(cfg, l, log, now)
	return l, err
}

// pools are the networks' addresses as the book has them.
func pools(cfg *config.Config) []lease.Pool {
	var out []lease.Pool
	for _, s := range cfg.DHCP.Scopes {
		p := lease.Pool{
			Scope: s.Network, Subnet: s.Subnet, Reserved: map[lease.ID]netip.Addr{},
			Lease: s.Lease, MinLease: s.MinLease, MaxLease: s.MaxLease,
			Offer: s.OfferTime, Decline: s.DeclineTime, Rest: s.Rest, ByClientID: s.Identity == config.IdentityClientID,
		}
		for _, r := range s.Ranges {
			p.Ranges = append(p.Ranges, lease.Range(r))
		}
		for _, r := range s.Exclude { // which may be far more than what is given
			for _, in := range s.Ranges {
				from, to := r.From, r.To
				if from.Less(in.From) {
					from = in.From
				}
				if in.To.Less(to) {
					to = in.To
				}
				for a := from; !to.Less(a); a = a.Next() {
					p.Exclude = append(p.Exclude, a)
				}
			}
		}
		for mac, r := range reservations(cfg, s.Network) {
			if r.Addr.IsValid() {
				p.Reserved[lease.Hardware(1, mac[:])] = r.Addr
			}
		}
		out = append(out, p)
	}
	return append(out, pools6(cfg)...)
}

func reservations(cfg *config.Config, network string) map[boot.MAC]boot.Reservation {
	for _, n := range cfg.Site.Networks {
		if n.Name == network {
			return n.Reservations
		}
	}
	return nil
}

// configure takes the pools of another configuration; leases stay.
func (l *leases) configure(cfg *config.Config) error {
	if err := l.book.Configure(pools(cfg)); err != nil {
		return err
	}
	if l.shared != nil {
		l.shared.Configure(pools(cfg), givers(cfg))
		return nil
	}
	for _, s := range cfg.DHCP.Scopes {
		l.book.SetOthers(s.Network, othersOf(cfg, s.Split))
	}
	for _, s := range cfg.DHCP.Scopes6 {
		l.book.SetOthers(scope6(s.Network), othersOf(cfg, s.Split))
	}
	return nil
}

// othersOf are the parts of a range that other nodes give.
func othersOf(cfg *config.Config, split []config.NodeRange) []lease.Range {
	var others []lease.Range
	for _, p := range split {
		if p.Node != cfg.Node.Name {
			others = append(others, lease.Range(p.AddrRange))
		}
	}
	return others
}

// open opens the file and reads it, the first time that a network needs it. A node that starts goes on
// without its leases, since everything else works: reservations are answered, and what needs no address. A
// reload that brings the first network with addresses is refused.
func (l *leases) open(ctx context.Context, file string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.path != "" {
		return nil
	}
	db, err := l.openFile(ctx, file)
	if err != nil && (l.running || ctx.Err() != nil) {
		return err
	}
	if l.db, l.fault = db, err; err != nil {
		args := []any{"role", "leases", "file", file, "err", err, "next_try", l.every}
		if hint := hintOf(err); hint != "" {
			args = append(args, "hint", hint)
		}
		l.log.Error("the leases cannot be read: until they are, machines with a reservation get an address, and no others", args...)
	}
	l.path = file
	close(l.up)
	return nil
}

// openFile opens the file and reads it.
func (l *leases) openFile(ctx context.Context, file string) (*leasedb.DB, error) {
	db, err := leasedb.Open(ctx, leasedb.Config{File: file, Leases: l.book.Addresses()}, leasedb.Deps{
		Log: l.log.With("role", "leases"), Now: l.now, Learn: l.book.Load, All: l.all,
	})
	if err != nil {
		return nil, err
	}
	n := 0
	began := l.now()
	if err := db.Load(ctx, func(r lease.Record) { l.book.Load(r); n++ }); err != nil {
		return nil, errors.Join(fmt.Errorf("read the leases: %w", err), db.Close())
	}
	l.book.Stepped(l.now(), 0, began) // a clock that was ahead gave leases of years
	l.log.Info("leases read", "role", "leases", "file", file, "leases", n, "took", l.now().Sub(began).Round(time.Millisecond))
	l.book.Began(l.now())
	if l.shared != nil {
		l.shared.Begin()
	}
	return db, nil
}

// hintOf is what an error says of how to get on.
func hintOf(err error) string {
	var h interface{ Hint() []string }
	if !errors.As(err, &h) {
		return ""
	}
	return strings.Join(h.Hint(), "; ")
}

// reopen tries until the file is open, nil when ctx ends first.
func (l *leases) reopen(ctx context.Context) *leasedb.DB {
	for l.file() == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(l.every):
		}
		db, err := l.openFile(ctx, l.path) // nothing is locked: a disk that hangs must not hold up answers
		l.mu.Lock()
		l.db, l.fault = db, err
		l.mu.Unlock()
	}
	return l.file()
}

// read reads a file that another process may have, and keeps nothing. A file that is not there is empty.
func (l *leases) read(ctx context.Context, file string) error {
	_, err := leasedb.Read(ctx, file, l.book.Load)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// all returns everything that is in the book.
func (l *leases) all() []lease.Record {
	var out []lease.Record
	l.each("", func(r lease.Record) bool { out = append(out, r); return true })
	return out
}

// file is the open file, nil if there is none.
func (l *leases) file() *leasedb.DB {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.db
}

// Keep makes a record durable: the DHCP server's Keeper.
func (l *leases) Keep(r lease.Record, done func(error)) {
	if db := l.file(); db != nil {
		db.Keep(r, done)
		return
	}
	done(l.refuses())
}

// refuses says why no leases are kept at present, nil if they are.
func (l *leases) refuses() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.db != nil:
		return l.db.Fault()
	case l.fault != nil:
		return l.fault
	}
	return errors.New("the file of the leases is not open")
}

// run writes leases to the disk until ctx ends, and ends those that have run out.
func (l *leases) run(ctx context.Context, ready func()) error {
	l.mu.Lock()
	l.running = true
	l.mu.Unlock()
	ready()
	select {
	case <-l.up:
	case <-ctx.Done():
		return nil
	}
	var wg sync.WaitGroup
	wg.Go(func() { l.expire(ctx) })
	defer wg.Wait()
	if db := l.reopen(ctx); db != nil {
		return db.Run(ctx, func() {})
	}
	return nil
}
