package sqlite

import (
	"context"
	"database/sql"
	"errors"
)

// querier is a connection or a transaction.
type querier interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}

// getMark returns a mark, 0 if it was never set.
func getMark(ctx context.Context, q querier, name string) (int64, error) {
	var v int64
	err := q.QueryRowContext(ctx, "SELECT value FROM mark WHERE name = ?", name).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return v, err
}

func setMark(ctx context.Context, q querier, name string, v int64) error {
	_, err := q.ExecContext(ctx, "INSERT OR REPLACE INTO mark (name, value) VALUES (?, ?)", name, v)
	return err
}

// number asks for one number; NULL is not ok.
func number(ctx context.Context, q querier, query string, args ...any) (n int64, ok bool, err error) {
	var v sql.NullInt64
	err = q.QueryRowContext(ctx, query, args...).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return v.Int64, v.Valid, err
}
