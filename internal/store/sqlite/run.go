package sqlite

import (
	"compress/flate"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	lib "modernc.org/sqlite/lib"

	"surefoot/internal/store"
	"surefoot/internal/store/sqlfile"
)

// Run opens the file and writes until ctx ends, then what still waits. It is ready at once, and
// never fails: a history that cannot be written must not stop anything.
func (d *DB) Run(ctx context.Context, ready func()) error {
	if ready != nil {
		ready()
	}
	defer d.stop.Store(true)
	defer d.queue.fail(store.ErrClosed)
	work := context.WithoutCancel(ctx) // what is begun is finished
	for wait := retryFirst; ctx.Err() == nil; wait = min(2*wait, retryMost) {
		w, err := d.begin(work)
		if err != nil {
			d.refused(err)
		}
		d.first.Do(func() { close(d.tried) })
		if err == nil {
			err = w.safely(ctx, work)
			w.close(work)
			wait = retryFirst
		}
		if err == nil {
			return nil
		}
		d.refused(err)
		d.queue.fail(err)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	n, _, _ := d.queue.waits()
	d.loseAll(d.queue.peek(1<<62), reasonRefused)
	d.queue.drop(n)
	return nil
}

// refused keeps and tells why the history cannot be used, once for each cause.
func (d *DB) refused(err error) {
	if was := d.Fault(); was == nil || was.Error() != err.Error() {
		d.log.Warn("the history cannot be written; everything else goes on", "file", d.cfg.File, "err", err)
	}
	d.setFault(err)
}

// writer is the goroutine's hold on the open file.
type writer struct {
	*DB
	db     *sql.DB
	lock   *os.File
	series map[of]int64
	now    func() time.Time
	tidy   tidier
	press  *flate.Writer // of pack; nil: not made yet
}

// of is a series by its names.
type of struct{ test, server, file string }

// begin opens the file for writing, and then for questions.
func (d *DB) begin(ctx context.Context) (*writer, error) {
	if err := os.MkdirAll(filepath.Dir(d.cfg.File), 0o750); err != nil {
		return nil, err
	}
	held, err := named(d.cfg.File).Lock()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	db, err := d.open(ctx)
	if err != nil {
		_ = held.Close()
		return nil, err
	}
	w := &writer{DB: d, db: db, lock: held, series: map[of]int64{}, now: d.now}
	w.tidy = tidier{w: w, ages: d.cfg.ages()}
	if err := w.loadSeries(ctx); err != nil {
		w.close(ctx)
		return nil, err
	}
	found, err := w.loadContents(ctx)
	if err != nil {
		w.close(ctx)
		return nil, err
	}
	read, err := openRead(d.cfg.File)
	if err != nil {
		w.close(ctx)
		return nil, err
	}
	d.mu.Lock()
	d.read, d.fault = read, nil
	if d.found == nil {
		d.found = found
	}
	d.mu.Unlock()
	d.log.Info("history open", "file", d.cfg.File, "took", time.Since(began).Round(time.Millisecond))
	return w, nil
}

// safely runs the writer. A fault of ours, or of a library that was a million lines of C, costs history
// and stops no boot: the file is opened anew.
func (w *writer) safely(ctx, work context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			w.log.Error("a fault in the history (please report it)", "fault", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("a fault in the history: %v", r)
			batch := w.queue.peek(maxBatch) // it may be the cause, and would be again
			w.loseAll(batch, reasonRefused)
			w.queue.fail(err)
			n, _, _ := w.queue.waits()
			w.queue.drop(min(n, len(batch)))
		}
	}()
	return w.run(ctx, work)
}

// run writes until ctx ends, nil, or the file turns out to be broken.
func (w *writer) run(ctx, work context.Context) error {
	tidy := time.NewTimer(tidyEvery / 10)
	defer tidy.Stop()
	var late <-chan time.Time // of the next try
	for wait := time.Duration(0); ; {
		select {
		case <-ctx.Done():
			return w.finish(work)
		case <-w.queue.wake:
			if wait > 0 { // the disk refused a moment ago: who waits for a commit is told now
				w.queue.fail(w.Fault())
				continue
			}
		case <-late:
		case done := <-w.tidyNow:
			done <- w.tidyAll(work)
			continue
		case <-tidy.C:
			more, err := w.tidy.step(work)
			if sqlfile.Broken(err) {
				return err
			}
			if err != nil {
				w.refused(err)
			} else if wait == 0 {
				w.mended()
			}
			next := tidyEvery
			if more && err == nil {
				next = tidyPause
			}
			tidy.Reset(next)
			continue
		}
		if wait == 0 {
			w.gather(ctx)
		}
		err := w.writeAll(work)
		switch {
		case sqlfile.Broken(err):
			return err
		case err != nil:
			wait = min(max(2*wait, retryFirst), retryMost)
			late = time.After(wait)
		default:
			wait, late = 0, nil
		}
	}
}

// tidyAll does all that there is to do.
func (w *writer) tidyAll(ctx context.Context) error {
	for {
		if more, err := w.tidy.step(ctx); !more || err != nil {
			return err
		}
	}
}

// gather waits for others to share the commit, unless somebody waits for it or much is there.
func (w *writer) gather(ctx context.Context) {
	end := time.NewTimer(gather)
	defer end.Stop()
	for {
		if n, cost, urgent := w.queue.waits(); n == 0 || urgent || cost >= enough {
			return
		}
		select {
		case <-w.queue.wake:
		case <-end.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// writeAll writes what waits. What the disk refuses stays in the queue and is tried again, for as
// long as the queue has room; who waits for a commit is told at once.
func (w *writer) writeAll(ctx context.Context) error {
	for {
		batch := w.queue.peek(maxBatch)
		if len(batch) == 0 {
			return nil
		}
		err := w.commit(ctx, batch)
		if sqlfile.Code(err) == lib.SQLITE_FULL { // perhaps by our own bound: what is too old may make room
			if w.tidyAll(ctx) == nil {
				err = w.commit(ctx, batch)
			}
		}
		if err != nil {
			w.refused(err)
			w.stats.failed.Add(1)
			if sqlfile.Passing(err) || sqlfile.Broken(err) {
				w.queue.fail(err)
				return err
			}
			w.loseAll(batch, reasonRefused) // one of them is what the disk does not take: do not try it for ever
		} else {
			w.mended()
		}
		w.queue.drop(len(batch))
		for _, it := range batch {
			if it.done != nil {
				it.done <- err
			}
		}
	}
}

// mended notes that the history can be written.
func (d *DB) mended() {
	if d.Fault() != nil {
		d.log.Info("the history is written again", "file", d.cfg.File)
		d.setFault(nil)
	}
}

func (d *DB) loseAll(batch []item, reason string) {
	for _, it := range batch {
		d.stats.lose(it.kind, reason, 1)
	}
}

// finish writes what still waits, for a moment, and closes the file in order.
func (w *writer) finish(work context.Context) error {
	w.stop.Store(true)
	ctx, cancel := context.WithTimeout(work, lastChance)
	defer cancel()
	if err := w.writeAll(ctx); err != nil {
		n, _, _ := w.queue.waits()
		w.loseAll(w.queue.peek(1<<62), reasonRefused)
		w.queue.drop(n)
	}
	if err := setMark(ctx, w.db, markOpen, 0); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		w.log.Warn("the history was not closed in order; it is looked through at the next start", "err", err)
	}
	return nil
}

func (w *writer) close(context.Context) {
	w.mu.Lock()
	read := w.read
	w.read = nil
	w.mu.Unlock()
	if read != nil {
		_ = read.Close()
	}
	_ = w.db.Close() // the last connection moves the WAL into the file and removes it
	_ = w.lock.Close()
}
