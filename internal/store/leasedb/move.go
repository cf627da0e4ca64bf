package leasedb

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Moving the log into the file takes as long as writing each changed page to its place: minutes
// of fsync on a slow disk. Another connection does most of that while commits go on; the rest,
// what was committed meanwhile, the writer moves, so that the log begins anew and does not grow.
//
// Often and little is better than seldom and much: at eight times as many rows the log grew to 39 MB, beyond its
// room, so that each commit made it longer (room.go), and commits waited 4 ms for the rest of it.
const enoughToMove = 1 << 10 // rows of fresh, with one or two pages of the log each

// move starts to move the log into the file.
func (w *writer) move(ctx context.Context) {
	w.log = 0
	done, d := make(chan struct{}), w.d
	w.moved = done
	go func() {
		defer close(done)
		d.raw.RLock()
		defer d.raw.RUnlock()
		db, err := sql.Open("sqlite", d.file().DSN("rw", "wal_autocheckpoint(0)", "synchronous(FULL)"))
		if err == nil {
			defer db.Close()
			_, err = checkpoint(ctx, db)
		}
		if err != nil {
			d.log.Debug("the log of the lease file is not moved now", "err", err)
		}
	}()
}

// moveRest moves what was committed meanwhile.
func (w *writer) moveRest(ctx context.Context) error {
	w.moved = nil
	began := time.Now()
	left, err := checkpoint(ctx, w.conn)
	if err == nil && left == 0 {
		w.d.stats.checkpoint(time.Since(began))
	}
	return err
}

// checkpoint moves what can be moved without keeping anybody waiting, and returns how many pages are left.
func checkpoint(ctx context.Context, q interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
},
) (int, error) {
	var busy, log, done int
	if err := q.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &log, &done); err != nil {
		return 0, fmt.Errorf("move the log into the lease file: %w", err)
	}
	return log - done, nil
}
