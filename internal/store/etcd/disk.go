package etcd

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"surefoot/internal/lease"
)

// disk has this node's own disk keep what comes from the store. Nobody waits for that, except the use of
// a new block: before it everything must be there.
type disk struct {
	keeper Keep
	book   *lease.Book
	log    *slog.Logger
	wake   chan struct{}

	mu     sync.Mutex // guards what follows
	out    int        // on their way
	behind map[place]struct{}
	idle   chan struct{} // closed when nothing is on its way or behind
	told   bool
}

// What may be on its way to the disk from here; the rest waits, and leaves room for answers.
const (
	diskMost  = 4096
	diskRetry = time.Second
)

func newDisk(k Keep, b *lease.Book, log *slog.Logger) *disk {
	d := &disk{keeper: k, book: b, log: log, wake: make(chan struct{}, 1), behind: map[place]struct{}{}, idle: make(chan struct{})}
	close(d.idle)
	return d
}

// commit keeps a record that somebody waits for.
func (d *disk) commit(r lease.Record, done func(error)) {
	d.begin()
	d.keeper(r, func(err error) {
		done(err)
		d.end(r, err)
	})
}

// keep keeps a record some time soon.
func (d *disk) keep(r lease.Record) {
	d.mu.Lock()
	if d.out >= diskMost {
		d.fallBehind(place{r.Scope, r.Addr})
		d.mu.Unlock()
		return
	}
	d.mu.Unlock()
	d.begin()
	d.keeper(r, func(err error) { d.end(r, err) })
}

func (d *disk) begin() {
	d.mu.Lock()
	d.busy()
	d.out++
	d.mu.Unlock()
}

func (d *disk) busy() {
	if d.out == 0 && len(d.behind) == 0 {
		d.idle = make(chan struct{})
	}
}

func (d *disk) fallBehind(p place) {
	d.busy()
	d.behind[p] = struct{}{}
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *disk) end(r lease.Record, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.out--
	if err != nil {
		d.behind[place{r.Scope, r.Addr}] = struct{}{}
		if !d.told {
			d.told = true
			d.log.Warn("leases of other nodes cannot be kept on this node's disk, which is tried again", "err", err)
		}
		return // run looks at it after a while
	}
	d.told = false
	if d.out == 0 && len(d.behind) == 0 {
		close(d.idle)
	}
}

// run keeps what fell behind.
func (d *disk) run(ctx context.Context) {
	t := time.NewTicker(diskRetry)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-t.C:
		}
		for again := true; again && ctx.Err() == nil; {
			var some []place
			d.mu.Lock()
			for p := range d.behind {
				if d.out+len(some) >= diskMost/2 {
					break
				}
				some = append(some, p)
			}
			for _, p := range some { // they count as on their way before they stop to be behind
				delete(d.behind, p)
			}
			d.out += len(some)
			again = len(d.behind) > 0
			d.mu.Unlock()
			for _, p := range some {
				r, ok := d.book.ByAddr(p.addr)
				if !ok || r.Scope != p.scope {
					d.end(lease.Record{}, nil)
					continue
				}
				d.keeper(r, func(err error) { d.end(r, err) })
			}
			if again {
				select {
				case <-ctx.Done():
				case <-time.After(5 * time.Millisecond):
				}
			}
			d.mu.Lock()
			again = again && !d.told
			d.mu.Unlock()
		}
	}
}

// settled waits until everything that came from the store is on the disk.
func (d *disk) settled(ctx context.Context) error {
	d.mu.Lock()
	idle := d.idle
	d.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-idle:
		return nil
	}
}
