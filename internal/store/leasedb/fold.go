package leasedb

import (
	"context"
	"database/sql"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"surefoot/internal/store/sqlfile"
)

// Fresh records are moved to their places when there are many, or when they have waited for a
// while; between batches, a few at a time, so that no batch waits long. They are deleted from
// fresh when all are in their places. A crash in between does no harm: it begins anew.
const (
	foldBytes = 8 << 20 // of fresh; some 60,000 records
	foldEvery = time.Minute
	foldStep  = 256 // records of one transaction
)

// fold is what is being moved.
type fold struct {
	ready chan struct{} // closed when rows are there; nil: nothing is under way
	rows  []place       // in the order of addresses
	upto  int64         // the last row of fresh
	bytes int64
	bad   int
	err   error
	done  int // rows that are in their places
}

// place is one record on its way.
type place struct {
	addr   netip.Addr
	serial uint64
	body   []byte
}

// waited is closed when somebody waits for the rows, and they are there.
func (f *fold) waited() chan struct{} {
	if f.done > 0 {
		return nil
	}
	return f.ready
}

// begin reads what is in fresh, beside the writer, and sorts it.
func (f *fold) begin(ctx context.Context, d *DB) {
	*f = fold{ready: make(chan struct{})}
	go func(ready chan struct{}) {
		defer close(ready)
		d.raw.RLock()
		defer d.raw.RUnlock()
		db, err := openRead(ctx, d.cfg.File)
		if err != nil {
			f.err = err
			return
		}
		defer db.Close()
		var newest map[netip.Addr]place
		newest, f.upto, f.bytes, f.bad, f.err = readFresh(ctx, db)
		f.rows = make([]place, 0, len(newest))
		for _, p := range newest {
			f.rows = append(f.rows, p)
		}
		compared := 0
		slices.SortFunc(f.rows, func(a, b place) int {
			if compared++; compared%1024 == 0 {
				runtime.Gosched()
			}
			return a.addr.Compare(b.addr)
		})
	}(f.ready)
}

// readFresh returns the newest record of each address in fresh.
func readFresh(ctx context.Context, db *sql.DB) (newest map[netip.Addr]place, upto, bytes int64, bad int, err error) {
	rows, err := db.QueryContext(ctx, "SELECT id, body FROM fresh ORDER BY id")
	if err != nil {
		return nil, 0, 0, 0, err
	}
	defer rows.Close()
	newest = map[netip.Addr]place{}
	for rows.Next() {
		// Answers must not wait for this where there is one core: Go takes it away after 10 ms only.
		runtime.Gosched()
		var body []byte
		if err := rows.Scan(&upto, &body); err != nil {
			return nil, 0, 0, bad, err
		}
		bytes += int64(len(body))
		for len(body) > 0 {
			a, serial, n, err := parseKey(body)
			if err != nil { // the rest of the row cannot be told apart any more
				bad++
				break
			}
			if have, ok := newest[a]; !ok || serial >= have.serial {
				newest[a] = place{a, serial, body[:n]}
			}
			body = body[n:]
		}
	}
	return newest, upto, bytes, bad, rows.Err()
}

// step moves a few records, and says whether that was the last of it.
func (w *writer) step(ctx context.Context, most int) (last bool, err error) {
	f := &w.fold
	if f.err != nil {
		return true, f.err
	}
	rows := f.rows[f.done:min(f.done+most, len(f.rows))]
	last = f.done+len(rows) == len(f.rows)
	err = w.within(ctx, func(ctx context.Context) error {
		if err := putAll(ctx, w.conn, rows); err != nil || !last {
			return err
		}
		_, err := w.conn.ExecContext(ctx, "DELETE FROM fresh WHERE id <= ?", f.upto)
		return err
	})
	if err != nil {
		return true, err
	}
	f.done += len(rows)
	w.log += 1 + len(rows)/4
	if last {
		w.fresh -= f.bytes
		if f.bad > 0 {
			w.d.stats.damaged.Add(uint64(f.bad))
			w.d.log.Error("records of the lease file are damaged: their addresses may count as free", "file", w.d.cfg.File, "records", f.bad)
		}
	}
	return last, nil
}

// putAll puts records into their places.
func putAll(ctx context.Context, to interface {
	PrepareContext(context.Context, string) (*sql.Stmt, error)
}, rows []place,
) error {
	made := map[string]*sql.Stmt{}
	for _, p := range rows {
		query := upsert6
		if p.addr.Is4() {
			query = upsert
		}
		s := made[query]
		if s == nil {
			var err error
			if s, err = to.PrepareContext(ctx, query); err != nil {
				return err
			}
			defer s.Close()
			made[query] = s
		}
		if _, err := s.ExecContext(ctx, key(p.addr), int64(p.serial), p.body); err != nil {
			return err
		}
	}
	return nil
}

// folding goes on with it where there is something to do, and reports whether there is more that
// could be done at once.
func (d *DB) folding(ctx context.Context, due bool, most int) (more bool, err error) {
	w := d.w
	switch {
	case w.fold.ready == nil:
		if w.fresh >= d.foldAt || due && w.fresh > 0 {
			w.fold.begin(ctx, d)
		}
		return false, nil
	case !isClosed(w.fold.ready):
		return false, nil
	}
	last, err := w.step(ctx, most)
	if last {
		w.fold = fold{}
	}
	if err != nil && !sqlfile.Broken(err) { // the disk takes batches, or says itself that it does not
		d.log.Warn("fresh leases stay where they are for now", "file", d.cfg.File, "err", err)
		return false, nil
	}
	return !last, err
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
