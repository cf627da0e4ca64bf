package sqlite

import (
	"bytes"
	"compress/flate"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"surefoot/internal/store"
)

// commit writes a batch in one transaction: all of it, or nothing.
func (w *writer) commit(ctx context.Context, batch []item) error {
	began := time.Now()
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	p := pen{tx: tx, w: w, made: map[string]*sql.Stmt{}}
	for _, it := range batch {
		if err := p.write(ctx, it); err != nil {
			_ = tx.Rollback()
			w.forgetSeries(p.fresh)
			return fmt.Errorf("write to the history: %w", err)
		}
	}
	if p.late != 0 {
		err = p.turnBack(ctx)
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		_ = tx.Rollback() // it may have been done already
		w.forgetSeries(p.fresh)
		return fmt.Errorf("write to the history: %w", err)
	}
	took := time.Since(began)
	w.stats.committed(batch, took)
	if took > slowCommit {
		w.log.Debug("a slow commit to the history", "records", len(batch), "took", took)
	}
	return nil
}

// pen writes the items of one transaction.
type pen struct {
	tx    *sql.Tx
	w     *writer
	made  map[string]*sql.Stmt
	fresh []of  // series that this transaction made
	late  int64 // the earliest time of a measurement behind the mark of downsampling, 0: none
}

func (p *pen) exec(ctx context.Context, query string, args ...any) error {
	s := p.made[query]
	if s == nil {
		var err error
		if s, err = p.tx.PrepareContext(ctx, query); err != nil {
			return err
		}
		p.made[query] = s
	}
	_, err := s.ExecContext(ctx, args...)
	return err
}

func (p *pen) write(ctx context.Context, it item) error {
	switch v := it.value.(type) {
	case store.Measurement:
		return p.measurement(ctx, v)
	case store.Change:
		return p.exec(ctx, "INSERT INTO change (at, server, test, body) VALUES (?, ?, ?, ?)", v.At.UnixMilli(), v.Server, v.Test, jsonText(v))
	case store.Story:
		return p.exec(ctx, "INSERT OR REPLACE INTO story (id, updated, started, machine, name, ip, state, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			v.ID, v.Updated.UnixMilli(), v.Started.UnixMilli(), v.Machine, v.Name, v.IP, v.State, p.w.pack(v.Body))
	case store.AlertEvent:
		return p.exec(ctx, "INSERT INTO alert (at, key, code, state, severity, title, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
			v.At.UnixMilli(), v.Key, v.Code, v.State, v.Severity, v.Title, string(v.Body))
	case store.Silence:
		return p.exec(ctx, "INSERT OR REPLACE INTO silence (id, until, body) VALUES (?, ?, ?)", v.ID, v.Until.UnixMilli(), jsonText(v))
	case string:
		return p.exec(ctx, "DELETE FROM silence WHERE id = ?", v)
	}
	return nil // kindSync: the commit is all
}

func (p *pen) measurement(ctx context.Context, m store.Measurement) error {
	id, err := p.seriesID(ctx, of{m.Test, m.Server, m.File})
	if err != nil {
		return err
	}
	at := m.At.UnixMilli()
	var response, first, cause, text any
	if m.Available {
		response, first = m.Response.Microseconds(), m.FirstBlock.Microseconds()
	} else {
		cause, text = m.Cause, m.Text
	}
	if err := p.exec(ctx, "INSERT OR REPLACE INTO raw (at, series, response, first, bytes, resent, cause, text) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		at, id, response, first, m.Bytes, m.Retransmits, cause, text); err != nil {
		return err
	}
	if at < p.w.tidy.five && (p.late == 0 || at < p.late) {
		p.late = at
	}
	if m.Available && m.Content != "" {
		if err := p.content(ctx, id, at, m.Content); err != nil {
			return err
		}
	}
	if len(m.Diagnosis) == 0 {
		return nil
	}
	return p.exec(ctx, "INSERT OR REPLACE INTO diagnosis (at, series, body) VALUES (?, ?, ?)", at, id, p.w.pack(m.Diagnosis))
}

// turnBack makes downsampling begin again at a measurement that came late, as long as the single
// measurements around it are still there.
func (p *pen) turnBack(ctx context.Context) error {
	at := max(p.late, p.w.tidy.floor())
	if at >= p.w.tidy.five {
		return nil
	}
	for name, step := range map[string]time.Duration{markFive: store.Five, markHour: store.Hour} {
		if err := p.exec(ctx, "UPDATE mark SET value = min(value, ?) WHERE name = ?", store.Align(time.UnixMilli(at), step).UnixMilli(), name); err != nil {
			return err
		}
	}
	p.w.tidy.known = false
	return nil
}

func (p *pen) seriesID(ctx context.Context, o of) (int64, error) {
	if id, ok := p.w.series[o]; ok {
		return id, nil
	}
	if err := p.exec(ctx, "INSERT OR IGNORE INTO series (test, server, file) VALUES (?, ?, ?)", o.test, o.server, o.file); err != nil {
		return 0, err
	}
	var id int64
	err := p.tx.QueryRowContext(ctx, "SELECT id FROM series WHERE test = ? AND server = ? AND file = ?", o.test, o.server, o.file).Scan(&id)
	if err == nil {
		p.w.series[o] = id
		p.fresh = append(p.fresh, o)
	}
	return id, err
}

// forgetSeries takes back what a transaction that failed had made.
func (w *writer) forgetSeries(list []of) {
	for _, o := range list {
		delete(w.series, o)
	}
}

func (w *writer) loadSeries(ctx context.Context) error {
	rows, err := w.db.QueryContext(ctx, "SELECT id, test, server, file FROM series")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var o of
		if err := rows.Scan(&id, &o.test, &o.server, &o.file); err != nil {
			return err
		}
		w.series[o] = id
	}
	return rows.Err()
}

func jsonText(v any) string {
	b, _ := json.Marshal(v) // plain values of our own
	return string(b)
}

// pack compresses: a story is a tenth of its JSON. A compressor takes a megabyte to make, so the
// writer keeps its one.
func (w *writer) pack(body []byte) []byte {
	var b bytes.Buffer
	if w.press == nil {
		w.press, _ = flate.NewWriter(&b, flate.BestSpeed) // the level is right
	}
	w.press.Reset(&b)
	_, _ = w.press.Write(body) // into memory
	_ = w.press.Close()
	return b.Bytes()
}

// maxBody is more than any record of ours, and bounds what a damaged one may become.
const maxBody = 16 << 20

func unpack(b []byte) (json.RawMessage, error) {
	out, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b)), maxBody))
	if err != nil {
		return nil, fmt.Errorf("a record of the history: %w", err)
	}
	return out, nil
}
