package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"surefoot/internal/store"
)

// Series returns the course of the tests that Name means, by test, server and file. Old parts come
// from buckets of hours and of five minutes, so that a step in them is never shorter than those.
func (d *DB) Series(ctx context.Context, q store.Query) ([]store.Series, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	db, err := d.reader(ctx)
	if err != nil {
		return nil, err
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // all parts at one moment
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	r := seriesReader{q: q, tx: tx, names: map[int64]*store.Series{}}
	if err := r.find(ctx); err != nil || len(r.names) == 0 {
		return nil, err
	}
	parts, err := r.parts(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		if err := r.read(ctx, p); err != nil {
			return nil, fmt.Errorf("read the history: %w", err)
		}
	}
	var out []store.Series
	for _, s := range r.names {
		if s.Buckets = store.Fold(s.Buckets, q.Step); len(s.Buckets) > 0 {
			out = append(out, *s)
		}
	}
	slices.SortFunc(out, func(a, b store.Series) int {
		return slices.Compare([]string{a.Test, a.Server, a.File}, []string{b.Test, b.Server, b.File})
	})
	return out, nil
}

type seriesReader struct {
	q     store.Query
	tx    *sql.Tx
	names map[int64]*store.Series
	ids   string // a list for IN
}

func (r *seriesReader) find(ctx context.Context) error {
	rows, err := r.tx.QueryContext(ctx, "SELECT id, test, server, file FROM series WHERE ? = '' OR test = ? OR server = ?", r.q.Name, r.q.Name, r.q.Name)
	if err != nil {
		return err
	}
	var ids []string
	_, err = scan(rows, func(scan func(...any) error) (none struct{}, err error) {
		var id int64
		s := &store.Series{}
		err = scan(&id, &s.Test, &s.Server, &s.File)
		r.names[id] = s
		ids = append(ids, fmt.Sprint(id))
		return none, err
	})
	r.ids = strings.Join(ids, ",")
	return err
}

// part is a span of time and the table that it is read from.
type part struct {
	table      string
	step       time.Duration
	since, end int64
}

// parts cuts the time asked for: from the coarsest table that is fine enough, and from the others
// what that one has no longer or not yet.
func (r *seriesReader) parts(ctx context.Context) ([]part, error) {
	five, err := getMark(ctx, r.tx, markFive)
	if err != nil {
		return nil, err
	}
	hour, err := getMark(ctx, r.tx, markHour)
	if err != nil {
		return nil, err
	}
	oldest := map[string]int64{}
	for table, query := range map[string]string{
		"raw":  "SELECT min(at) FROM raw",
		"five": "SELECT min(at) FROM (SELECT (SELECT min(at) FROM five WHERE series = id) AS at FROM series)",
	} {
		n, ok, err := number(ctx, r.tx, query)
		if err != nil {
			return nil, err
		}
		if !ok {
			n = 1 << 60
		}
		oldest[table] = n
	}
	// Single measurements take over from the five minutes, and those from the hours, at a whole step:
	// no measurement is counted twice, and none is left out.
	fromRaw, fromFive := five, hour
	if r.q.Step < store.Five {
		fromRaw = min(five, ceil(oldest["raw"], store.Five))
	}
	if r.q.Step < store.Hour {
		fromFive = min(hour, ceil(oldest["five"], store.Hour))
	}
	since, until := store.Align(r.q.Since, r.q.Step).UnixMilli(), r.q.Until.UnixMilli()
	var out []part
	for _, p := range []part{
		{"hour", store.Hour, since, min(until, fromFive)},
		{"five", store.Five, max(since, fromFive), min(until, fromRaw)},
		{"raw", 0, max(since, fromRaw), until},
	} {
		if p.since < p.end {
			out = append(out, p)
		}
	}
	return out, nil
}

// ceil is the first beginning of a step at or after a time.
func ceil(ms int64, step time.Duration) int64 {
	n := step.Milliseconds()
	return (ms + n - 1) / n * n
}

func (r *seriesReader) read(ctx context.Context, p part) error {
	if p.table == "raw" {
		rows, err := r.tx.QueryContext(ctx, "SELECT series, at, response, first, bytes, resent, cause FROM raw WHERE at >= ? AND at < ? AND series IN ("+r.ids+") ORDER BY at", p.since, p.end)
		if err != nil {
			return err
		}
		_, err = scan(rows, func(scan func(...any) error) (none struct{}, err error) {
			id, m, err := scanRaw(scan)
			if err == nil {
				s := r.names[id]
				start := store.Align(m.At, r.q.Step)
				if n := len(s.Buckets); n == 0 || !s.Buckets[n-1].Start.Equal(start) {
					s.Buckets = append(s.Buckets, store.Bucket{Start: start, Step: r.q.Step})
				}
				s.Buckets[len(s.Buckets)-1].Add(m)
			}
			return none, err
		})
		return err
	}
	rows, err := r.tx.QueryContext(ctx, "SELECT series, "+bucketColumns+" FROM "+p.table+" WHERE series IN ("+r.ids+") AND at >= ? AND at < ? ORDER BY series, at", p.since, p.end)
	if err != nil {
		return err
	}
	_, err = scan(rows, func(scan func(...any) error) (none struct{}, err error) {
		id, b, err := scanBucket(scan, p.step)
		if err == nil {
			r.names[id].Buckets = append(r.names[id].Buckets, b)
		}
		return none, err
	})
	return err
}
