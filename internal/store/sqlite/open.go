package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// dsn is the name by which the driver opens a file with settings.
func dsn(file, mode string, pragmas ...string) string {
	v := url.Values{"mode": {mode}, "_txlock": {"immediate"}}
	for _, p := range append([]string{fmt.Sprintf("busy_timeout(%d)", busy)}, pragmas...) {
		v.Add("_pragma", p)
	}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: file, RawQuery: v.Encode()}).String()
}

// VersionError says that a newer Surefoot wrote the file.
type VersionError struct {
	File      string
	Has, Want int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("the history %s has the form %d of a newer surefoot, this one knows %d", e.File, e.Has, e.Want)
}

// Hint says how to get on.
func (e *VersionError) Hint() []string {
	return []string{"move the file away and a new history is begun, or give this version another: history: {file: PATH}"}
}

// open opens the file for writing, and makes it if it is not there. A file that is broken is
// moved aside, and a new one begun: history must never stop boots.
func (d *DB) open(ctx context.Context) (*sql.DB, error) {
	if err := os.MkdirAll(filepath.Dir(d.cfg.File), 0o750); err != nil {
		return nil, fmt.Errorf("make the folder of the history: %w", err)
	}
	db, err := d.openOnce(ctx)
	if !broken(err) {
		return db, err
	}
	aside, asideErr := moveAside(d.cfg.File, d.now().UTC().Format("20060102T150405"))
	if asideErr != nil {
		return nil, errors.Join(err, asideErr)
	}
	d.stats.corrupt.Add(1)
	d.log.Error("the history was broken: it was moved aside and a new one begun", "file", d.cfg.File, "aside", aside, "err", err)
	return d.openOnce(ctx)
}

func (d *DB) openOnce(ctx context.Context) (*sql.DB, error) {
	f, err := os.OpenFile(d.cfg.File, os.O_CREATE|os.O_RDWR, 0o640) // SQLite would let everybody read it
	if err != nil {
		return nil, fmt.Errorf("open the history: %w", err)
	}
	_ = f.Close()
	db, err := sql.Open("sqlite", dsn(
		d.cfg.File, "rwc", "auto_vacuum(INCREMENTAL)", "journal_mode(WAL)", "synchronous(FULL)",
		"journal_size_limit(16777216)", "cache_size(-4000)",
	))
	if err != nil {
		return nil, fmt.Errorf("open the history %s: %w", d.cfg.File, err)
	}
	db.SetMaxOpenConns(1)
	if err := d.prepare(ctx, db); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("open the history %s: %w", d.cfg.File, err)
	}
	return db, nil
}

// prepare makes the tables of a new file, and looks whether an old one is whole if its last
// process did not close it.
func (d *DB) prepare(ctx context.Context, db *sql.DB) error {
	var has int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&has); err != nil {
		return err
	}
	switch {
	case has > version:
		return &VersionError{d.cfg.File, has, version}
	case has == 0:
		if err := create(ctx, db); err != nil {
			return err
		}
	}
	if _, err := db.ExecContext(ctx, later); err != nil {
		return err
	}
	if n, err := getMark(ctx, db, markOpen); err != nil {
		return err
	} else if n != 0 {
		var says string
		if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&says); err != nil {
			return err
		}
		if says != "ok" {
			return &brokenError{says}
		}
	}
	// Above the size that retention keeps to: nothing but a fault of ours should meet it.
	_, err := db.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count(%d)", max(d.cfg.MaxSize/pageSize*11/10, 64)))
	if err != nil {
		return err
	}
	return setMark(ctx, db, markOpen, 1)
}

func create(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, schema+fmt.Sprintf("PRAGMA user_version = %d;", version)); err != nil {
		return err
	}
	return tx.Commit()
}

// openRead opens connections for questions: two, so that one long question does not keep a short
// one waiting.
func openRead(file string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(file, "ro", "query_only(1)", "cache_size(-4000)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(2)
	return db, nil
}

// brokenError is what quick_check found.
type brokenError struct{ says string }

func (e *brokenError) Error() string { return e.says }

// broken reports whether an error means that the file's content is damaged.
func broken(err error) bool {
	var b *brokenError
	if errors.As(err, &b) {
		return true
	}
	switch code(err) {
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return true
	}
	return false
}

// code is SQLite's primary result code, 0 if the error is not one of SQLite's.
func code(err error) int {
	var e *driver.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// moveAside renames a file and what belongs to it, and removes those that were moved before, so
// that broken histories do not fill the disk.
func moveAside(file, stamp string) (string, error) {
	old, err := filepath.Glob(globEscape(file) + ".broken-*")
	if err != nil {
		return "", err
	}
	for _, name := range old {
		if err := os.Remove(name); err != nil {
			return "", fmt.Errorf("remove an older broken history: %w", err)
		}
	}
	aside := file + ".broken-" + stamp
	for _, tail := range []string{"-wal", "-shm"} {
		if err := os.Rename(file+tail, aside+tail); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return aside, os.Rename(file, aside)
}

func globEscape(s string) string {
	return strings.NewReplacer("\\", "\\\\", "*", "\\*", "?", "\\?", "[", "\\[").Replace(s)
}
