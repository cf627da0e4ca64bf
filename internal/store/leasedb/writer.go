package leasedb

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/netip"
	"os"

	"surefoot/internal/lease"
)

// errMoved says that somebody took the file away: what is written to it would be lost.
var errMoved = &keepError{Why: Moved, Err: errors.New("the lease file was removed or replaced while it was in use")}

// writer is the hold on the open file.
type writer struct {
	d     *DB
	db    *sql.DB
	conn  *sql.Conn
	is    fs.FileInfo // the file, as it was opened
	ins   *sql.Stmt
	body  []byte             // room for a row
	batch []*lease.Record    // the newest of each address
	newer map[netip.Addr]int // address → its place in batch

	fresh int64 // bytes that wait in fresh
	added int64 // by the transaction
	fold  fold
	log   int           // some number of pages that were written since the log was last moved into the file
	moved chan struct{} // closed when that is done; nil: it is not under way
}

func newWriter(ctx context.Context, d *DB, db *sql.DB) (*writer, error) {
	w := &writer{d: d, db: db, newer: map[netip.Addr]int{}}
	var err error
	if w.is, err = os.Stat(d.cfg.File); err != nil {
		return nil, err
	}
	if w.conn, err = db.Conn(ctx); err != nil {
		return nil, err
	}
	if err := w.conn.QueryRowContext(ctx, "SELECT coalesce(sum(length(body)), 0) FROM fresh").Scan(&w.fresh); err != nil {
		return nil, err
	}
	w.ins, err = w.conn.PrepareContext(ctx, insert)
	return w, err
}

// commit writes a batch in one transaction: all of it, or nothing. Several records of one address
// are written as the newest of them.
func (w *writer) commit(ctx context.Context, batch []item) error {
	if !sameFile(w.d.cfg.File, w.is) {
		return errMoved
	}
	w.batch = w.batch[:0]
	clear(w.newer)
	for i := range batch {
		r := &batch[i].record
		at, there := w.newer[r.Addr]
		switch {
		case !there:
			w.newer[r.Addr] = len(w.batch)
			w.batch = append(w.batch, r)
		case r.Serial >= w.batch[at].Serial:
			w.batch[at] = r
		}
	}
	w.added = 0
	err := w.within(ctx, w.append)
	if err == nil {
		w.fresh += w.added
	}
	w.d.stats.coalesced.Add(uint64(len(batch) - len(w.batch)))
	clear(w.batch)
	return err
}

// within runs what is one transaction.
func (w *writer) within(ctx context.Context, do func(context.Context) error) error {
	_, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE")
	if err != nil {
		return err
	}
	if err = do(ctx); err == nil {
		_, err = w.conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		_, _ = w.conn.ExecContext(ctx, "ROLLBACK") // SQLite may have done it already
	}
	return err
}

// append writes the batch to the end of fresh.
func (w *writer) append(ctx context.Context) error {
	w.body = w.body[:0]
	for _, r := range w.batch {
		before := len(w.body)
		w.body = appendRecord(w.body, r)
		if len(w.body) > maxRow && before > 0 {
			if err := w.row(ctx, w.body[:before]); err != nil {
				return err
			}
			w.body = w.body[:copy(w.body, w.body[before:])]
		}
	}
	return w.row(ctx, w.body)
}

func (w *writer) row(ctx context.Context, body []byte) error {
	w.added += int64(len(body))
	w.log++
	_, err := w.ins.ExecContext(ctx, body)
	return err
}

// try finds out whether the file can be written.
func (w *writer) try(ctx context.Context) error {
	if !sameFile(w.d.cfg.File, w.is) {
		return errMoved
	}
	return try(ctx, w.conn)
}

// close closes the file. Its last connection moves the log into it and removes the log.
func (w *writer) close() {
	if w.moved != nil {
		<-w.moved
	}
	if w.fold.ready != nil {
		<-w.fold.ready
	}
	_ = w.ins.Close()
	_ = w.conn.Close()
	_ = w.db.Close()
}
