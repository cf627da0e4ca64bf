// Package leasedb keeps the leases of a node in an SQLite file: a lease is on disk before its
// client hears of it, and after a crash everything is there that anybody was told. It knows
// records and nothing of DHCP; package lease decides what is in them.
//
// One goroutine writes. It takes all that waits, at most 1024 records, into one transaction, and
// answers when that is on disk; what came meanwhile is the next one. So a lone record waits for
// no timer, and a storm shares its fsyncs. The file is in WAL mode with synchronous=FULL.
//
// # What an answer means
//
// done(nil): the record, or a newer one of the same address, is on disk and survives a power failure.
//
// done(err): nobody may be told of the record. It is not on disk, with one exception: where the
// disk did not answer in time, or reported an error while it made a transaction durable, the
// record may be there all the same. Until that is known nothing more is taken; then the
// addresses in question are read again and handed to Deps.Learn, before the next record is taken.
// If the node dies in between, Load hands them over. Learn and Load belong to lease.Book.Load:
// an address that may be taken counts as taken, which errs on the safe side.
//
// A disk that refuses is asked again by itself, after 200 ms at first, and every 5 s at most.
package leasedb

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	driver "modernc.org/sqlite"

	"surefoot/internal/lease"
	"surefoot/internal/store/sqlfile"
)

// Config says where, and how much may wait.
type Config struct {
	File   string
	Queue  int           // records that may wait for the disk; 0: 16,384
	Leases int           // how many there may be: the log gets room for a storm of them; 0: none
	Slow   time.Duration // a transaction that takes longer is given up by those who wait for it; 0: 2 s
}

// Deps are what the file uses. Nil fields mean the defaults.
type Deps struct {
	Log *slog.Logger
	Now func() time.Time
	// Learn is told what is on disk of addresses whose last answer was an error that may not have
	// been the last word. It is lease.Book.Load.
	Learn func(lease.Record)
	// All returns what is known, for a file that was lost or damaged while it was in use: it is
	// made anew from what could be read of it, and from this.
	All func() []lease.Record
}

// DB is the leases on disk. Use it as Open, Load, Run; Keep, Stats and Fault may be called at any
// time, and by anybody.
type DB struct {
	cfg   Config
	log   *slog.Logger
	now   func() time.Time
	deps  Deps
	queue *queue
	stats stats

	running atomic.Bool

	// Owned by Open, then by the goroutine of Run.
	held    *os.File // the lock; nil: the file system was read-only
	w       *writer  // nil: the file is not open
	unsure  map[netip.Addr]struct{}
	rebuild bool // the file is known to be damaged, whatever a look at it says
	refill  bool // the file is a new one, and lacks what is in memory

	foldAt int64 // bytes of fresh
	moveAt int   // pages of the log

	raw sync.RWMutex // held for writing while the file is read past SQLite, for reading by its connections
}

// How the writer goes about it.
const (
	maxBatch   = 1024                   // records of one transaction
	retryFirst = 200 * time.Millisecond // after a refused write, doubled up to retryMost
	retryMost  = 5 * time.Second
	lastChance = 3 * time.Second // to write what waits when the program ends
)

// Open opens the file, or makes it. A damaged one is moved aside, and what can be read of it is
// carried over. On a disk that takes no writes at present, leases that can be read are enough:
// then Fault says what is wrong. It is an error if another process has the file, or if a newer
// version wrote it.
func Open(ctx context.Context, cfg Config, deps Deps) (*DB, error) {
	if cfg.Queue <= 0 {
		cfg.Queue = 16 << 10
	}
	if cfg.Slow <= 0 {
		cfg.Slow = 2 * time.Second
	}
	d := &DB{cfg: cfg, log: deps.Log, now: deps.Now, deps: deps, queue: newQueue(cfg.Queue), unsure: map[netip.Addr]struct{}{}, foldAt: foldBytes, moveAt: enoughToMove}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if d.now == nil {
		d.now = time.Now
	}
	// A commit waits for the data and the length of the log, not for its time stamps as well.
	_, _ = driver.Fdatasync(true)
	err := d.begin(ctx)
	switch {
	case err == nil:
		return d, nil
	case errors.As(err, new(*sqlfile.InUseError)), errors.As(err, new(*sqlfile.VersionError)), readable(ctx, d.file()) != nil:
		d.release()
		return nil, err
	}
	d.down(err)
	return d, nil
}

// file is the file, with the words for it.
func (d *DB) file() sqlfile.File { return named(d.cfg.File) }

func named(path string) sqlfile.File {
	return sqlfile.File{
		Path: path, Name: "lease file",
		InUse: "stop the other one: two servers with one lease file would give addresses twice",
		Newer: "run the newer version; or move the file away: then nobody knows any more who has which address, so keep the service off until the leases have run out",
	}
}

// begin takes the lock and opens the file for writing.
func (d *DB) begin(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(d.cfg.File), 0o750); err != nil {
		return err
	}
	if d.held == nil {
		held, err := d.file().Lock()
		if err != nil {
			return err
		}
		d.held = held
	}
	w, err := d.open(ctx)
	if err == nil {
		d.w = w
	}
	return err
}

// Keep makes a record durable. It returns at once; done is called exactly once: after the commit,
// in the order of Keep and from another goroutine, or at once by Keep itself with the reason why
// the record is not taken. Done must not wait for anything, and the caller of Keep must not hold
// what done needs.
func (d *DB) Keep(r lease.Record, done func(error)) {
	if err := d.queue.put(item{r, done}); err != nil {
		d.stats.refuse(WhyNot(err), 1)
		done(err)
	}
}

// Fault says why leases cannot be kept at present, nil if they can.
func (d *DB) Fault() error { return d.queue.refused() }

// down refuses everything until the file can be written again.
func (d *DB) down(err error) {
	why := d.refused(err)
	items, was := d.queue.shut(why)
	d.told(why, was)
	d.answer(items, why)
}

// told says why nothing is kept, once for each cause.
func (d *DB) told(why *keepError, was error) {
	if was == nil || was.Error() != why.Error() {
		d.log.Error("leases cannot be kept: machines get no new ones; those that are known are confirmed for the rest of their time",
			"file", d.cfg.File, "reason", string(why.Why), "err", why)
	}
}

// answer refuses items.
func (d *DB) answer(items []item, why *keepError) {
	if len(items) > 0 {
		d.stats.refuse(why.Why, len(items))
	}
	for _, it := range items {
		d.call(it.done, why)
	}
}

// call answers one item; what its owner does wrong is no reason not to answer the others.
func (d *DB) call(done func(error), err error) {
	defer func() {
		if r := recover(); r != nil {
			d.log.Error("a fault in who waits for a lease (please report it)", "fault", r, "stack", string(debug.Stack()))
		}
	}()
	done(err)
}

// Close closes a file that is not run, or not any more.
func (d *DB) Close() error {
	if d.running.Load() {
		return errors.New("the lease file is in use: end Run first")
	}
	d.end()
	if d.w != nil {
		d.w.close()
		d.w = nil
	}
	d.release()
	return nil
}

// end answers what is left, and takes no more.
func (d *DB) end() {
	items, _ := d.queue.shut(errClosed)
	d.answer(items, errClosed)
}

func (d *DB) release() {
	if d.held != nil {
		_ = d.held.Close()
		d.held = nil
	}
}
