package sqlite

import (
	"context"
	"fmt"
	"time"

	"surefoot/internal/store"
)

// fit keeps the file within its size: what takes most room is kept for a shorter time, and longer
// again when there is room.
func (t *tidier) fit(ctx context.Context) (bool, error) {
	used, err := t.used(ctx)
	if err != nil {
		return false, err
	}
	t.w.stats.used.Store(used)
	most := t.w.cfg.MaxSize
	switch {
	case used > most*9/10 && t.squeeze < store.MaxSqueeze:
		t.squeeze++
		a := t.kept()
		t.w.log.Warn("the history is as large as it may be, and keeps less", "file", t.w.cfg.File, "used", used, "max_size", most,
			"measurements", a.Raw, "five_minutes", a.Five, "stories", a.Story, "hours", a.Hour)
	case used < most/2 && t.squeeze > 0 && t.w.now().Sub(t.eased) > 6*store.Hour:
		t.squeeze--
	default:
		return false, nil
	}
	t.eased = t.w.now()
	t.w.stats.squeeze.Store(int64(t.squeeze))
	return true, nil
}

// used is what the records take, in bytes.
func (t *tidier) used(ctx context.Context) (int64, error) {
	pages, _, err := number(ctx, t.w.db, "PRAGMA page_count")
	if err != nil {
		return 0, err
	}
	free, _, err := number(ctx, t.w.db, "PRAGMA freelist_count")
	return (pages - free) * pageSize, err
}

// vacuum gives back what is free beyond an eighth of the file, some 4 MB in a step.
func (t *tidier) vacuum(ctx context.Context) (bool, error) {
	pages, _, err := number(ctx, t.w.db, "PRAGMA page_count")
	if err != nil {
		return false, err
	}
	free, _, err := number(ctx, t.w.db, "PRAGMA freelist_count")
	if err != nil || free < 256 || free < pages/8 {
		return false, err
	}
	rows, err := t.w.db.QueryContext(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", min(free, 1000)))
	if err != nil {
		return false, err
	}
	for rows.Next() { // each step frees a page
	}
	err = rows.Err()
	_ = rows.Close()
	after, _, err2 := number(ctx, t.w.db, "PRAGMA freelist_count")
	if err == nil {
		err = err2
	}
	return err == nil && after < free, err
}

// Room is what the history takes and keeps at present.
type Room struct {
	Used, MaxSize int64
	Squeezed      bool
	Kept          store.Ages
}

// Room says what the history takes and keeps at present.
func (d *DB) Room() Room {
	level := int(d.stats.squeeze.Load())
	return Room{d.stats.used.Load(), d.cfg.MaxSize, level > 0, d.cfg.ages().Squeeze(level)}
}

// days is a span as people say it.
func days(d time.Duration) string {
	if d >= 48*store.Hour {
		return fmt.Sprintf("%d days", d/(24*store.Hour))
	}
	return fmt.Sprintf("%d hours", d/store.Hour)
}

// String says it in words.
func (r Room) String() string {
	text := fmt.Sprintf("%.1f of %.0f MiB; single measurements for %s, five minutes for %s, stories for %s, hours for %s",
		float64(r.Used)/(1<<20), float64(r.MaxSize)/(1<<20), days(r.Kept.Raw), days(r.Kept.Five), days(r.Kept.Story), days(r.Kept.Hour))
	if r.Squeezed {
		text += " (less than asked for: the file is full)"
	}
	return text
}
