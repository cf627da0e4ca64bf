package sqlite

import (
	"context"
	"database/sql"
	"time"

	"surefoot/internal/store"
)

// rollFive makes buckets of the next five minutes that are over.
func (t *tidier) rollFive(ctx context.Context) (bool, error) {
	start, did, err := t.next(ctx, "raw", markFive, &t.five, store.Five)
	if did || err != nil || start.IsZero() {
		return did, err
	}
	end := start.Add(store.Five)
	rows, err := t.w.db.QueryContext(ctx, "SELECT series, at, response, first, bytes, resent, cause FROM raw WHERE at >= ? AND at < ? ORDER BY at",
		start.UnixMilli(), end.UnixMilli())
	if err != nil {
		return false, err
	}
	made := map[int64]*store.Bucket{}
	_, err = scan(rows, func(scan func(...any) error) (none struct{}, err error) {
		id, m, err := scanRaw(scan)
		if err == nil {
			bucketOf(made, id, start, store.Five).Add(m)
		}
		return none, err
	})
	if err != nil {
		return false, err
	}
	return true, t.put(ctx, "five", made, markFive, &t.five, end)
}

// rollHour makes buckets of the next hour that is over, from those of five minutes.
func (t *tidier) rollHour(ctx context.Context) (bool, error) {
	start, did, err := t.next(ctx, "five", markHour, &t.hour, store.Hour)
	if did || err != nil || start.IsZero() {
		return did, err
	}
	end := start.Add(store.Hour)
	if end.UnixMilli() > t.five {
		return false, nil
	}
	rows, err := t.w.db.QueryContext(ctx, "SELECT id, "+bucketColumns+" FROM series JOIN five ON series = id WHERE at >= ? AND at < ? ORDER BY id, at",
		start.UnixMilli(), end.UnixMilli())
	if err != nil {
		return false, err
	}
	made := map[int64]*store.Bucket{}
	_, err = scan(rows, func(scan func(...any) error) (none struct{}, err error) {
		id, b, err := scanBucket(scan, store.Five)
		if err == nil {
			bucketOf(made, id, start, store.Hour).Merge(&b)
		}
		return none, err
	})
	if err != nil {
		return false, err
	}
	return true, t.put(ctx, "hour", made, markHour, &t.hour, end)
}

// next returns the beginning of the next step that is over, zero if there is none. A time in which
// there is nothing is passed over at once, and reported as done.
func (t *tidier) next(ctx context.Context, from, name string, mark *int64, step time.Duration) (start time.Time, did bool, err error) {
	query := "SELECT min(at) FROM raw WHERE at >= ?"
	if from == "five" { // by series: the table has no order of time
		query = "SELECT min(at) FROM (SELECT (SELECT min(at) FROM five WHERE series = id AND at >= ?) AS at FROM series)"
	}
	oldest, ok, err := number(ctx, t.w.db, query, *mark)
	if err != nil || !ok {
		return start, false, err
	}
	start = store.Align(time.UnixMilli(oldest), step)
	if start.Add(step + grace).After(t.w.now()) {
		return time.Time{}, false, nil
	}
	if start.UnixMilli() > *mark {
		if err := setMark(ctx, t.w.db, name, start.UnixMilli()); err != nil {
			return start, false, err
		}
		*mark = start.UnixMilli()
	}
	return start, false, nil
}

func bucketOf(made map[int64]*store.Bucket, id int64, start time.Time, step time.Duration) *store.Bucket {
	b := made[id]
	if b == nil {
		b = &store.Bucket{Start: start, Step: step}
		made[id] = b
	}
	return b
}

// put writes buckets and the mark that says so, in one transaction.
func (t *tidier) put(ctx context.Context, table string, made map[int64]*store.Bucket, name string, mark *int64, end time.Time) error {
	tx, err := t.w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := putBuckets(ctx, tx, table, made); err != nil {
		return err
	}
	if err := setMark(ctx, tx, name, end.UnixMilli()); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	*mark = end.UnixMilli()
	return nil
}

func putBuckets(ctx context.Context, tx *sql.Tx, table string, made map[int64]*store.Bucket) error {
	s, err := tx.PrepareContext(ctx, "INSERT OR REPLACE INTO "+table+
		" (series, at, runs, good, sum, min, max, first, bytes, resent, cause, times) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
	if err != nil {
		return err
	}
	defer s.Close()
	for id, b := range made {
		var least, most, cause any
		if b.Good > 0 {
			least, most = b.Min.Microseconds(), b.Max.Microseconds()
		}
		if b.Cause != "" {
			cause = b.Cause
		}
		if _, err := s.ExecContext(ctx, id, b.Start.UnixMilli(), b.Runs, b.Good, b.Sum.Microseconds(), least, most, b.First.Microseconds(),
			b.Bytes, b.Retransmits, cause, append([]byte{}, b.Times.Bytes()...)); err != nil {
			return err
		}
	}
	return nil
}
