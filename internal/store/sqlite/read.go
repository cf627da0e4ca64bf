package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"surefoot/internal/store"
	"surefoot/internal/store/sqlfile"
)

// OpenRead opens a history for questions alone, while no node writes it, or beside one that does.
// What it returns takes no records.
func OpenRead(file string) (*DB, error) {
	if _, err := os.Stat(file); err != nil {
		return nil, err
	}
	read, err := openRead(file)
	if err != nil {
		return nil, err
	}
	d := New(Config{File: file}, Deps{})
	d.stop.Store(true)
	d.first.Do(func() { close(d.tried) })
	var has int
	if err := read.QueryRow("PRAGMA user_version").Scan(&has); err != nil {
		_ = read.Close()
		return nil, fmt.Errorf("open the history %s: %w", file, err)
	}
	if has != version {
		_ = read.Close()
		return nil, &sqlfile.VersionError{File: named(file), Has: has, Want: version}
	}
	d.read = read
	return d, nil
}

// Close closes what OpenRead opened.
func (d *DB) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.read == nil {
		return nil
	}
	err := d.read.Close()
	d.read = nil
	return err
}

// Changes returns changes of state, in order.
func (d *DB) Changes(ctx context.Context, q store.Query) ([]store.Change, error) {
	out, err := bodies[store.Change](ctx, d, "SELECT body FROM change WHERE at >= ? AND at < ? AND (? = '' OR server = ? OR test = ?) ORDER BY at DESC, id DESC LIMIT ?",
		q.Since.UnixMilli(), q.Until.UnixMilli(), q.Name, q.Name, q.Name, limit(q.Limit))
	slices.Reverse(out)
	return out, err
}

// Alerts returns beginnings and ends of alerts, in order. Name is a code, a server or a test.
func (d *DB) Alerts(ctx context.Context, q store.Query) ([]store.AlertEvent, error) {
	db, err := d.reader(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, "SELECT at, key, code, state, severity, title, body FROM alert WHERE at >= ? AND at < ? AND (? = '' OR code = ? OR instr(key, ?) > 0) ORDER BY at DESC, id DESC LIMIT ?",
		q.Since.UnixMilli(), q.Until.UnixMilli(), q.Name, q.Name, q.Name, limit(q.Limit))
	if err != nil {
		return nil, err
	}
	out, err := scan(rows, func(scan func(...any) error) (a store.AlertEvent, err error) {
		var at int64
		var body sql.NullString
		err = scan(&at, &a.Key, &a.Code, &a.State, &a.Severity, &a.Title, &body)
		a.At = time.UnixMilli(at).UTC()
		if body.String != "" {
			a.Body = json.RawMessage(body.String)
		}
		return a, err
	})
	slices.Reverse(out)
	return out, err
}

// Stories returns stories, the newest first.
func (d *DB) Stories(ctx context.Context, q store.StoryQuery) ([]store.Story, error) {
	db, err := d.reader(ctx)
	if err != nil {
		return nil, err
	}
	m := strings.ToLower(q.Machine)
	rows, err := db.QueryContext(ctx, `SELECT id, updated, started, machine, name, ip, state, body FROM story
		WHERE updated >= ? AND updated < ? AND (? = '' OR machine = ? OR name = ? OR ip = ? OR machine LIKE '%' || ?) ORDER BY updated DESC, id DESC LIMIT ?`,
		q.Since.UnixMilli(), q.Until.UnixMilli(), m, m, q.Machine, m, strings.NewReplacer("%", "", "_", "", "-", ":").Replace(m), limit(q.Limit))
	if err != nil {
		return nil, err
	}
	return scan(rows, func(scan func(...any) error) (s store.Story, err error) {
		var updated, started int64
		var body []byte
		if err = scan(&s.ID, &updated, &started, &s.Machine, &s.Name, &s.IP, &s.State, &body); err != nil {
			return s, err
		}
		s.Updated, s.Started = time.UnixMilli(updated).UTC(), time.UnixMilli(started).UTC()
		s.Body, err = unpack(body)
		return s, err
	})
}

// Diagnosis returns the last one of a test or server before q.Until.
func (d *DB) Diagnosis(ctx context.Context, q store.Query) (json.RawMessage, error) {
	db, err := d.reader(ctx)
	if err != nil {
		return nil, err
	}
	var body []byte
	err = db.QueryRowContext(ctx, "SELECT body FROM diagnosis JOIN series ON series = series.id WHERE at >= ? AND at < ? AND (? = '' OR test = ? OR server = ?) ORDER BY at DESC LIMIT 1",
		q.Since.UnixMilli(), q.Until.UnixMilli(), q.Name, q.Name, q.Name).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return unpack(body)
}

// limit is SQLite's: below 0 is none.
func limit(n int) int {
	if n <= 0 {
		return -1
	}
	return n
}
