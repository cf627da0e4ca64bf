package sqlite

import (
	"database/sql"
	"time"

	"surefoot/internal/store"
)

// scan reads all rows.
func scan[T any](rows *sql.Rows, one func(func(...any) error) (T, error)) ([]T, error) {
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := one(rows.Scan)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// scanRaw reads series, at, response, first, bytes, resent, cause.
func scanRaw(scan func(...any) error) (id int64, m store.Measurement, err error) {
	var at int64
	var response, first sql.NullInt64
	var cause sql.NullString
	if err = scan(&id, &at, &response, &first, &m.Bytes, &m.Retransmits, &cause); err != nil {
		return 0, m, err
	}
	m.At = time.UnixMilli(at)
	m.Available, m.Response, m.FirstBlock, m.Cause = response.Valid, micros(response.Int64), micros(first.Int64), cause.String
	return id, m, nil
}

// bucketColumns are what scanBucket reads behind the series.
const bucketColumns = "at, runs, good, sum, min, max, first, bytes, resent, cause, times"

func scanBucket(scan func(...any) error, step time.Duration) (id int64, b store.Bucket, err error) {
	var at, sum, first int64
	var least, most sql.NullInt64
	var cause sql.NullString
	var times []byte
	if err = scan(&id, &at, &b.Runs, &b.Good, &sum, &least, &most, &first, &b.Bytes, &b.Retransmits, &cause, &times); err != nil {
		return 0, b, err
	}
	b.Start, b.Step = time.UnixMilli(at).UTC(), step
	b.Sum, b.Min, b.Max, b.First, b.Cause = micros(sum), micros(least.Int64), micros(most.Int64), micros(first), cause.String
	b.Times, err = store.ParseSketch(times)
	return id, b, err
}
