package leasedb

import (
	"context"
	"fmt"
	"net/netip"
	"runtime/debug"
	"time"

	"surefoot/internal/lease"
)

// Run writes until ctx ends, then what still waits, and closes the file. It is ready at once, and
// never fails: what cannot be kept is told to who asked for it.
func (d *DB) Run(ctx context.Context, ready func()) error {
	d.running.Store(true)
	defer d.running.Store(false)
	if ready != nil {
		ready()
	}
	end := make(chan struct{})
	go func() {
		defer close(end)
		d.work(ctx, context.WithoutCancel(ctx)) // what is begun is finished
	}()
	<-ctx.Done()
	late := time.NewTimer(lastChance + time.Second)
	defer late.Stop()
	select {
	case <-end:
	case <-late.C: // a disk that does not answer is not waited for
		d.end()
		d.log.Warn("the lease file was not closed: the disk does not answer", "file", d.cfg.File)
	}
	return nil
}

// work is the goroutine that writes.
func (d *DB) work(ctx, work context.Context) {
	defer d.release()
	defer d.end()
	for wait := retryFirst; ; {
		if d.Fault() == nil {
			err := d.safely(func() error { return d.write(ctx, work) })
			if err == nil {
				d.w.close()
				d.w = nil
				return
			}
			d.down(err)
		}
		select {
		case <-ctx.Done():
			if d.w != nil {
				d.w.close()
				d.w = nil
			}
			return
		case <-time.After(wait):
		}
		if err := d.safely(func() error { return d.mend(work) }); err != nil {
			d.down(err)
			wait = min(2*wait, retryMost)
			continue
		}
		if was := d.queue.open(); was != nil {
			d.log.Info("leases are kept again", "file", d.cfg.File)
		}
		wait = retryFirst
	}
}

// safely turns a panic into an error: a fault of ours, or of a library that was a million lines of
// C, stops no boot. The file is opened anew.
func (d *DB) safely(do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			d.log.Error("a fault in the lease file (please report it)", "fault", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("a fault in the lease file: %v", r)
			d.w = nil // nothing is known of its state
		}
	}()
	return do()
}

// write takes batches until ctx ends, nil, or one is not kept. What is not urgent is done between
// batches: when none waits, or when it must not wait any longer.
func (d *DB) write(ctx, work context.Context) error {
	w := d.w
	tick := time.NewTicker(foldEvery)
	defer tick.Stop()
	for due := false; ; {
		batch := d.queue.begin(maxBatch)
		n := len(batch) // it is not ours any more afterwards
		if n > 0 {
			if err := d.keep(work, batch); err != nil {
				return err
			}
		}
		if w.moved != nil && isClosed(w.moved) {
			if err := w.moveRest(work); err != nil {
				return err
			}
		}
		more := false
		if n == 0 || w.fresh > 4*d.foldAt {
			var err error
			if more, err = d.folding(work, due, max(foldStep, 2*n)); err != nil {
				return err
			}
			due = false
		}
		if w.log >= d.moveAt && w.moved == nil {
			w.move(work)
		}
		if ctx.Err() != nil {
			return d.finish(work)
		}
		if n > 0 || more {
			continue
		}
		select {
		case <-ctx.Done():
		case <-d.queue.wake:
		case <-w.fold.waited():
		case <-w.moved:
		case <-tick.C:
			due = true
		}
	}
}

// finish takes no more, and writes what still waits.
func (d *DB) finish(work context.Context) error {
	d.queue.closing()
	for batch := d.queue.begin(maxBatch); batch != nil; batch = d.queue.begin(maxBatch) {
		if err := d.keep(work, batch); err != nil {
			return err
		}
	}
	return nil
}

// keep writes one batch and answers for it.
func (d *DB) keep(ctx context.Context, batch []item) error {
	sure := false
	defer func() {
		if !sure {
			d.doubt(batch)
		}
	}()
	late := time.AfterFunc(d.cfg.Slow, d.overdue)
	began := time.Now()
	err := d.w.commit(ctx, batch)
	took := time.Since(began)
	late.Stop()
	if err != nil {
		d.stats.failed.Add(1)
		return err // down answers
	}
	d.stats.committed(len(batch), took)
	if !d.queue.end() { // it is on disk, and its callers believe that it is not
		return d.slow()
	}
	sure = true
	for i := range batch {
		d.call(batch[i].done, nil)
	}
	d.queue.recycle(batch)
	return nil
}

// overdue answers for a batch that takes too long, and for what waits behind it.
func (d *DB) overdue() {
	why := d.slow()
	if items, ok := d.queue.overdue(d.cfg.Slow, why); ok {
		d.told(why, nil)
		d.answer(items, why)
	}
}

func (d *DB) slow() *keepError {
	return &keepError{Why: Slow, Err: fmt.Errorf("keep leases in %s: the disk has not answered for %v", d.cfg.File, d.cfg.Slow)}
}

// doubt notes of which addresses it is not certain what the disk has.
func (d *DB) doubt(batch []item) {
	for i := range batch {
		d.unsure[batch[i].record.Addr] = struct{}{}
	}
}

// mend tries whether the file can be written again, and opens it anew where that may help. What
// is on disk of the addresses in doubt is told before anything else is taken.
func (d *DB) mend(ctx context.Context) error {
	why := WhyNot(d.Fault())
	d.rebuild = d.rebuild || why == Damaged
	d.refill = d.refill || why == Damaged || why == Moved
	if d.w != nil {
		err := d.refused(d.w.try(ctx))
		if err != nil && err.Why == Full { // a new connection needs room, too
			return err
		}
		if err != nil || d.rebuild {
			d.w.close()
			d.w = nil
		}
	}
	if d.w == nil {
		if err := d.begin(ctx); err != nil {
			return err
		}
	}
	if d.refill {
		if err := d.fillAll(ctx); err != nil {
			return err
		}
		d.refill = false
	}
	if err := d.clear(ctx); err != nil {
		return err
	}
	d.unsure = map[netip.Addr]struct{}{}
	return nil
}

// fillAll writes what is known into a file that was made anew.
func (d *DB) fillAll(ctx context.Context) error {
	if d.deps.All == nil {
		return nil
	}
	all := d.deps.All()
	for rest := all; len(rest) > 0; {
		n := min(maxBatch, len(rest))
		if err := d.fill(ctx, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	d.log.Warn("the leases in memory were written to the new lease file", "file", d.cfg.File, "records", len(all))
	return nil
}

func (d *DB) fill(ctx context.Context, records []lease.Record) error {
	batch := make([]item, len(records))
	for i, r := range records {
		batch[i].record = r
	}
	return d.w.commit(ctx, batch)
}

// clear tells what is on disk of the addresses in doubt.
func (d *DB) clear(ctx context.Context) error {
	if len(d.unsure) == 0 || d.deps.Learn == nil {
		return nil
	}
	return d.Load(ctx, func(r lease.Record) {
		if _, ok := d.unsure[r.Addr]; ok {
			d.deps.Learn(r)
		}
	})
}
