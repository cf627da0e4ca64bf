package sqlite

import (
	"context"
	"fmt"
	"time"

	"surefoot/internal/store"
)

// tidier makes buckets of measurements and removes what is too old, in small transactions of the
// writer's goroutine, between two batches: records wait for one step at the most.
type tidier struct {
	w       *writer
	ages    store.Ages
	squeeze int       // how much less is kept, for want of room
	eased   time.Time // when it last changed
	known   bool      // five and hour are those of the file
	five    int64     // measurements before it are in buckets
	hour    int64
}

// grace is how late a measurement may come without turning the work back.
const grace = 30 * time.Second

// chunk is how many rows one step removes.
const chunk = 5000

// step does one piece of work, and reports whether there is more.
func (t *tidier) step(ctx context.Context) (more bool, err error) {
	if !t.known {
		if t.five, err = getMark(ctx, t.w.db, markFive); err != nil {
			return false, err
		}
		if t.hour, err = getMark(ctx, t.w.db, markHour); err != nil {
			return false, err
		}
		t.known = true
	}
	// What is done here can be done again: it waits for no fsync of its own. The next commit of
	// records, or of the WAL into the file, takes it along.
	if _, err := t.w.db.ExecContext(ctx, "PRAGMA synchronous = NORMAL"); err != nil {
		return false, err
	}
	defer func() {
		if _, err2 := t.w.db.ExecContext(ctx, "PRAGMA synchronous = FULL"); err == nil {
			err = err2
		}
	}()
	for _, work := range []func(context.Context) (bool, error){t.rollFive, t.rollHour, t.expire, t.fit, t.vacuum} {
		if did, err := work(ctx); did || err != nil {
			if err != nil {
				err = fmt.Errorf("tidy the history: %w", err)
			}
			return did, err
		}
	}
	return false, nil
}

// floor is the time before which single measurements may be gone.
func (t *tidier) floor() int64 {
	return store.Align(t.w.now().Add(-t.kept().Raw), store.Hour).Add(store.Hour).UnixMilli()
}

// kept are the ages at the present squeeze.
func (t *tidier) kept() store.Ages { return t.ages.Squeeze(t.squeeze) }

// expire removes the oldest piece of the first table that has something too old.
func (t *tidier) expire(ctx context.Context) (bool, error) {
	a := t.kept()
	before := func(d time.Duration) int64 { return store.Align(t.w.now().Add(-d), store.Hour).UnixMilli() }
	for _, x := range []struct {
		table, column string
		cut           int64
	}{
		{"raw", "at", min(before(a.Raw), t.five)}, // never what is in no bucket yet
		{"diagnosis", "at", before(a.Diagnosis)},
		{"story", "updated", before(a.Story)},
		{"change", "at", before(a.Hour)},
		{"alert", "at", before(a.Hour)},
		{"silence", "until", before(24 * store.Hour)},
	} {
		oldest, ok, err := number(ctx, t.w.db, "SELECT min("+x.column+") FROM "+x.table)
		if err != nil {
			return false, err
		}
		if !ok || oldest >= x.cut {
			continue
		}
		cut := x.cut
		to, ok, err := number(ctx, t.w.db, fmt.Sprintf("SELECT %[1]s FROM %[2]s WHERE %[1]s < ? ORDER BY %[1]s LIMIT 1 OFFSET %[3]d", x.column, x.table, chunk), cut)
		if err != nil {
			return false, err
		}
		if ok && to > oldest { // never none: a whole chunk at one moment goes at once
			cut = to
		}
		_, err = t.w.db.ExecContext(ctx, "DELETE FROM "+x.table+" WHERE "+x.column+" < ?", cut)
		return true, err
	}
	if did, err := t.expireBuckets(ctx, "five", min(before(a.Five), t.hour)); did || err != nil {
		return did, err
	}
	return t.expireBuckets(ctx, "hour", before(a.Hour))
}

// expireBuckets removes old buckets, of some series in each step.
func (t *tidier) expireBuckets(ctx context.Context, table string, cut int64) (bool, error) {
	rows, err := t.w.db.QueryContext(ctx, "SELECT id FROM series WHERE EXISTS (SELECT 1 FROM "+table+" WHERE series = id AND at < ?) LIMIT 100", cut)
	if err != nil {
		return false, err
	}
	ids, err := scan(rows, func(scan func(...any) error) (id int64, err error) { err = scan(&id); return })
	if err != nil || len(ids) == 0 {
		return false, err
	}
	tx, err := t.w.db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback() }()
	for _, id := range ids {
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE series = ? AND at < ?", id, cut); err != nil {
			return false, err
		}
	}
	return true, tx.Commit()
}
