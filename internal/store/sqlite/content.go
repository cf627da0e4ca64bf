package sqlite

import (
	"context"
	"time"

	"surefoot/internal/store"
)

// content keeps what a test downloaded last. Mostly it is what it was, and no page is written.
func (p *pen) content(ctx context.Context, series, at int64, sha256 string) error {
	return p.exec(ctx, `INSERT INTO content (series, at, sha256) VALUES (?, ?, ?)
		ON CONFLICT (series) DO UPDATE SET at = excluded.at, sha256 = excluded.sha256 WHERE sha256 <> excluded.sha256`, series, at, sha256)
}

// loadContents reads what the processes before this one kept. It is done before anything is
// written, so that no measurement of this process is among it.
func (w *writer) loadContents(ctx context.Context) ([]store.Content, error) {
	rows, err := w.db.QueryContext(ctx, "SELECT test, server, file, sha256, at FROM content JOIN series ON series = id ORDER BY test, server, file")
	if err != nil {
		return nil, err
	}
	out, err := scan(rows, func(scan func(...any) error) (c store.Content, err error) {
		var at int64
		err = scan(&c.Test, &c.Server, &c.File, &c.SHA256, &at)
		c.At = time.UnixMilli(at).UTC()
		return c, err
	})
	if out == nil {
		out = []store.Content{}
	}
	return out, err
}

// LoadContents returns what was there when the file was opened first.
func (d *DB) LoadContents(ctx context.Context) ([]store.Content, error) {
	if _, err := d.reader(ctx); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.found, nil
}
