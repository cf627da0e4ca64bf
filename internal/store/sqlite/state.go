package sqlite

import (
	"context"
	"encoding/json"

	"surefoot/internal/store"
)

// LoadSilences returns the silences, those that ended a day ago or less as well.
func (d *DB) LoadSilences(ctx context.Context) ([]store.Silence, error) {
	return bodies[store.Silence](ctx, d, "SELECT body FROM silence ORDER BY until, id")
}

// SaveSilence keeps a silence.
func (d *DB) SaveSilence(ctx context.Context, s store.Silence) error {
	return d.ask(ctx, kindSaveSilence, s)
}

// RemoveSilence forgets a silence.
func (d *DB) RemoveSilence(ctx context.Context, id string) error {
	return d.ask(ctx, kindRemoveSilence, id)
}

// bodies reads values that are kept as JSON.
func bodies[T any](ctx context.Context, d *DB, query string, args ...any) ([]T, error) {
	db, err := d.reader(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return scan(rows, func(scan func(...any) error) (v T, err error) {
		var body string
		if err = scan(&body); err == nil {
			err = json.Unmarshal([]byte(body), &v)
		}
		return v, err
	})
}
