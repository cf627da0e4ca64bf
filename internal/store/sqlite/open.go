package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"surefoot/internal/store/sqlfile"
)

// named is the history's file, with the words for it.
func named(path string) sqlfile.File {
	return sqlfile.File{
		Path: path, Name: "history",
		InUse: "give this node a file of its own: history: {file: PATH}, or none: history: {file: none}",
		Newer: "move the file away and a new history is begun, or give this version another: history: {file: PATH}",
	}
}

// open opens the file for writing, and makes it if it is not there. A file that is broken is
// moved aside, and a new one begun: history must never stop boots.
func (d *DB) open(ctx context.Context) (*sql.DB, error) {
	if err := os.MkdirAll(filepath.Dir(d.cfg.File), 0o750); err != nil {
		return nil, fmt.Errorf("make the folder of the history: %w", err)
	}
	db, err := d.openOnce(ctx)
	if !sqlfile.Broken(err) {
		return db, err
	}
	aside, asideErr := named(d.cfg.File).MoveAside(d.now().UTC().Format("20060102T150405"))
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
	db, err := sql.Open("sqlite", named(d.cfg.File).DSN(
		"rwc", "auto_vacuum(INCREMENTAL)", "journal_mode(WAL)", "synchronous(FULL)",
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
		return &sqlfile.VersionError{File: named(d.cfg.File), Has: has, Want: version}
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
			return &sqlfile.DamageError{Says: says}
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
func openRead(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", named(path).DSN("ro", "query_only(1)", "cache_size(-4000)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(2)
	return db, nil
}
