package leasedb

import (
	"context"
	"database/sql"
	"fmt"
	"os"

	"surefoot/internal/lease"
	"surefoot/internal/store/sqlfile"
)

// Load hands over every record, before Run or beside it. Of a record that is damaged it tells in
// the log, and goes on.
func (d *DB) Load(ctx context.Context, f func(lease.Record)) error {
	d.raw.RLock()
	defer d.raw.RUnlock()
	damaged, err := Read(ctx, d.cfg.File, f)
	if damaged > 0 {
		d.stats.damaged.Add(uint64(damaged))
		d.log.Error("records of the lease file are damaged: their addresses count as free", "file", d.cfg.File, "records", damaged)
	}
	return err
}

// Read hands over every record of a file, beside the node that writes it, or without one, and
// says how many are damaged.
func Read(ctx context.Context, path string, f func(lease.Record)) (damaged int, err error) {
	db, err := openRead(ctx, path)
	if err != nil {
		return 0, fmt.Errorf("read the lease file %s: %w", path, err)
	}
	defer db.Close()
	w := words{}
	fresh, _, _, damaged, err := readFresh(ctx, db)
	for _, query := range []string{"SELECT body FROM lease", "SELECT body FROM lease6"} {
		if err == nil {
			err = readTable(ctx, db, query, func(body []byte) {
				a, serial, _, err := parseKey(body)
				if newer, ok := fresh[a]; ok && newer.serial >= serial {
					return
				}
				r, _, err2 := parseRecord(body, w)
				if err != nil || err2 != nil {
					damaged++
					return
				}
				delete(fresh, a)
				f(r)
			})
		}
	}
	if err != nil {
		return damaged, fmt.Errorf("read the lease file %s: %w", path, err)
	}
	for _, p := range fresh {
		if r, _, err := parseRecord(p.body, w); err == nil {
			f(r)
		} else {
			damaged++
		}
	}
	return damaged, nil
}

func readTable(ctx context.Context, db *sql.DB, query string, f func([]byte)) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var body sql.RawBytes
		if err := rows.Scan(&body); err != nil {
			return err
		}
		f(body)
	}
	return rows.Err()
}

// openRead opens a file for reading, in one of the ways that its disk allows.
func openRead(ctx context.Context, path string) (*sql.DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	f := named(path)
	ways := []string{
		f.DSN("ro", "query_only(1)"),
		// SQLite shares an index of the log by a file, for which a full disk has no room; who is
		// alone keeps it in memory.
		f.DSN("rw", "locking_mode(EXCLUSIVE)", "query_only(1)"),
	}
	if st, err := os.Stat(path + "-wal"); err != nil || st.Size() == 0 {
		// A file system that is read-only takes no such file either; without a log there is no need.
		ways = append(ways, f.DSN("ro", "query_only(1)")+"&immutable=1")
	}
	var first error
	for _, way := range ways {
		db, err := sql.Open("sqlite", way)
		if err == nil {
			db.SetMaxOpenConns(1)
			if _, err = form(ctx, db, path); err == nil {
				return db, nil
			}
			_ = db.Close()
		}
		if first == nil {
			first = err
		}
		if !sqlfile.Passing(err) {
			break
		}
	}
	return nil, first
}

// readable reports whether a file has leases that can be read.
func readable(ctx context.Context, f sqlfile.File) error {
	db, err := openRead(ctx, f.Path)
	if err != nil {
		return err
	}
	defer db.Close()
	var n int
	return db.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM lease LIMIT 1)").Scan(&n)
}
