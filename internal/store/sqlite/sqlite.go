// Package sqlite keeps a node's history in one SQLite file, by modernc.org/sqlite: SQLite itself,
// translated to Go, so that the program stays one static binary.
//
// One goroutine writes, in the order in which records came, many in one transaction; everybody
// else puts records into a bounded queue and never waits. A disk that is full, slow or broken
// costs history and nothing else: what does not fit is counted by kind and reason.
//
// The file is in WAL mode with synchronous=FULL: a commit is on disk when it is acknowledged, and
// survives a power failure too. NORMAL would save one fsync each second, which is what the group
// commit makes of it, and would lose the silence that somebody was just told is kept.
package sqlite

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver

	"surefoot/internal/store"
)

// Config says where and how much.
type Config struct {
	File    string
	Raw     time.Duration // how long single measurements are kept; 0: what is usual (store.NewAges)
	Five    time.Duration // buckets of five minutes
	Keep    time.Duration // all else
	MaxSize int64         // of the file, in bytes; 0: 500 MiB
	Queue   int64         // bytes that may wait for the disk; 0: 8 MiB
}

func (c Config) ages() store.Ages { return store.NewAges(c.Raw, c.Five, c.Keep) }

// Deps are what the store uses. Nil fields mean the defaults.
type Deps struct {
	Log *slog.Logger
	Now func() time.Time
}

// DB is the history on disk. Use it as New, Run; everything else may be called at any time.
type DB struct {
	cfg   Config
	log   *slog.Logger
	now   func() time.Time
	queue *queue
	stats stats
	tried chan struct{} // closed when the file was opened, or could not be, for the first time
	first sync.Once     // closes tried
	stop  atomic.Bool   // nothing is taken any more

	tidyNow chan chan error // Tidy asks

	mu    sync.Mutex      // guards what follows
	read  *sql.DB         // nil: the file is not open
	fault error           // why the file cannot be used now
	found []store.Content // when the file was opened first; nil: it was not yet
}

// How the writer goes about it.
const (
	gather     = time.Second            // how long records may wait for others to share their commit
	enough     = 1 << 20                // bytes that are not made to wait for others
	maxBatch   = 4 << 20                // bytes of one transaction
	retryFirst = time.Second            // after a refused write, doubled up to retryMost
	retryMost  = 30 * time.Second       //
	lastChance = 3 * time.Second        // to write what waits when the program ends
	tidyEvery  = 30 * time.Second       // retention and downsampling, when nothing is left over
	tidyPause  = 50 * time.Millisecond  // between two steps of it
	slowCommit = 500 * time.Millisecond // told at debug level
)

// New makes the store. It opens nothing.
func New(cfg Config, d Deps) *DB {
	if cfg.MaxSize <= 0 {
		cfg.MaxSize = 500 << 20
	}
	if cfg.Queue <= 0 {
		cfg.Queue = 8 << 20
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	return &DB{cfg: cfg, log: d.Log, now: d.Now, queue: newQueue(cfg.Queue), tried: make(chan struct{}), tidyNow: make(chan chan error)}
}

// Measure takes a measurement.
func (d *DB) Measure(m store.Measurement) { d.take(kindMeasurement, m, measurementCost(&m)) }

// Change takes a change of state.
func (d *DB) Change(c store.Change) { d.take(kindChange, c, 200+len(c.Text)) }

// Story takes a story that came to an end; the same one may come again, with more steps.
func (d *DB) Story(s store.Story) { d.take(kindStory, s, 200+len(s.Body)) }

// Alert takes the beginning or the end of an alert.
func (d *DB) Alert(a store.AlertEvent) { d.take(kindAlert, a, 200+len(a.Body)) }

func measurementCost(m *store.Measurement) int { return 220 + len(m.Text) + len(m.Diagnosis) }

func (d *DB) take(k kind, v any, cost int) {
	if d.stop.Load() || !d.queue.put(item{kind: k, value: v, cost: int64(cost)}) {
		d.stats.lose(k, reasonBehind, 1)
	}
}

// Sync returns when everything that was taken before is on disk.
func (d *DB) Sync(ctx context.Context) error { return d.ask(ctx, kindSync, nil) }

// Tidy makes the buckets that can be made and removes what is too old, at once and not when there is
// time for it.
func (d *DB) Tidy(ctx context.Context) error {
	done := make(chan error, 1)
	select {
	case d.tidyNow <- done:
		return <-done
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ask puts a request into the queue, ahead of no other, and waits for its commit.
func (d *DB) ask(ctx context.Context, k kind, v any) error {
	done := make(chan error, 1)
	if d.stop.Load() || !d.queue.put(item{kind: k, value: v, cost: 200, done: done}) {
		return store.ErrClosed
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Fault says why the history cannot be written at present, nil if it can.
func (d *DB) Fault() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fault
}

func (d *DB) setFault(err error) {
	d.mu.Lock()
	d.fault = err
	d.mu.Unlock()
}

// reader returns the connections for questions, once the file was opened.
func (d *DB) reader(ctx context.Context) (*sql.DB, error) {
	select {
	case <-d.tried:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.read == nil {
		if d.fault != nil {
			return nil, d.fault
		}
		return nil, store.ErrClosed
	}
	return d.read, nil
}
