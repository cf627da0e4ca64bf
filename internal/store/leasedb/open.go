package leasedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"surefoot/internal/store/sqlfile"
)

// open opens the file for writing, and makes it if it is not there. A damaged one is replaced by
// what can be read of it.
func (d *DB) open(ctx context.Context) (*writer, error) {
	if err := d.finishSalvage(); err != nil {
		return nil, err
	}
	began := time.Now()
	if err := d.holdLog(); err != nil {
		return nil, err
	}
	var w *writer
	err := d.suspect()
	if err == nil {
		w, err = d.openOnce(ctx)
	}
	if sqlfile.Broken(err) {
		if err := d.salvage(ctx, err); err != nil {
			return nil, err
		}
		d.rebuild = false
		w, err = d.openOnce(ctx)
	}
	if err != nil {
		return nil, err
	}
	_ = os.Remove(d.cfg.File + heldLog)
	d.makeRoom()
	d.log.Info("lease file open", "file", d.cfg.File, "took", time.Since(began).Round(time.Millisecond))
	return w, nil
}

// heldLog is a second name of the log while the file is opened: SQLite removes a log that it does
// not understand.
const heldLog = ".log"

func (d *DB) holdLog() error {
	log, held := d.cfg.File+"-wal", d.cfg.File+heldLog
	if _, err := os.Stat(log); err != nil {
		return nil // then what is held, by a start that came to nothing, stays
	}
	if err := os.Remove(held); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("open the lease file: %w", err)
	}
	if err := os.Link(log, held); err != nil {
		return fmt.Errorf("open the lease file: %w", err)
	}
	return nil
}

// suspect says what is wrong with the file before SQLite has seen it.
func (d *DB) suspect() error {
	if d.rebuild {
		return &sqlfile.DamageError{Says: "it was found damaged while it was in use"}
	}
	file, err := os.Stat(d.cfg.File)
	log, err2 := os.Stat(d.cfg.File + "-wal")
	if err == nil && err2 == nil && file.Size() == 0 && log.Size() > 0 { // SQLite would begin anew
		return &sqlfile.DamageError{Says: "the file is empty, and its log is not"}
	}
	return nil
}

func (d *DB) openOnce(ctx context.Context) (*writer, error) {
	db, err := openWrite(ctx, d.cfg.File)
	if err != nil {
		return nil, fmt.Errorf("open the lease file %s: %w", d.cfg.File, err)
	}
	w, err := newWriter(ctx, d, db)
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("open the lease file %s: %w", d.cfg.File, err)
	}
	return w, nil
}

// openWrite opens a file for writing, with its tables, and looks whether it is whole if its last
// process did not close it.
func openWrite(ctx context.Context, path string) (*sql.DB, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o640) // SQLite would let everybody read it
	if err != nil {
		return nil, err
	}
	_ = f.Close()
	// The log keeps its room on the disk, which helps when that becomes full.
	db, err := sql.Open("sqlite", named(path).DSN(
		"rwc", "synchronous(FULL)", "cache_size(-8000)",
		"wal_autocheckpoint(0)", "journal_size_limit(67108864)",
	))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "PRAGMA journal_mode = WAL"); err != nil {
		_ = db.Close()
		return nil, err
	}
	if err := prepare(ctx, db, path); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

func prepare(ctx context.Context, db *sql.DB, path string) error {
	has, err := form(ctx, db, path)
	if err != nil {
		return err
	}
	if has == 0 {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		if _, err := tx.ExecContext(ctx, schema+fmt.Sprintf("PRAGMA user_version = %d;", version)); err != nil {
			return err
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		if err := syncDir(path); err != nil { // the name of a new file is to be there, too
			return err
		}
	}
	// Some 100 ms for 200,000 leases, at every start: what else would find out in time?
	var says string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&says); err != nil {
		return err
	}
	if says != "ok" {
		return &sqlfile.DamageError{Says: says}
	}
	return try(ctx, db)
}

// form returns the version of the schema, 0 of an empty file.
func form(ctx context.Context, db *sql.DB, path string) (int, error) {
	var has int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&has); err != nil {
		return 0, err
	}
	if has > version {
		return 0, &sqlfile.VersionError{File: named(path), Has: has, Want: version}
	}
	return has, nil
}

// try makes the smallest write there is.
func try(ctx context.Context, db execer) error {
	_, err := db.ExecContext(ctx, "INSERT OR REPLACE INTO mark (name, value) VALUES (?, unixepoch())", markTried)
	return err
}

type execer interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}

// syncDir makes names in the folder of a file durable.
func syncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// sameFile reports whether a path still leads to the file that it led to.
func sameFile(path string, was fs.FileInfo) bool {
	is, err := os.Stat(path)
	return err == nil && os.SameFile(is, was)
}
