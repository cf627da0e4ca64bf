package sqlite

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"surefoot/internal/store"
	"surefoot/internal/store/storetest"
)

// clock is a time that stands until it is set.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

// lines is a log that may be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs a store until the test ends, or until stop.
func start(t *testing.T, cfg Config, now func() time.Time) (d *DB, log *lines, stop func()) {
	t.Helper()
	if cfg.File == "" {
		cfg.File = filepath.Join(t.TempDir(), "history.db")
	}
	log = &lines{}
	d = New(cfg, Deps{Now: now, Log: slog.New(slog.NewTextHandler(log, nil))})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx, nil); close(ended) }()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	}
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Log(log)
		}
	})
	return d, log, stop
}

func TestSuite(t *testing.T) {
	storetest.Run(t, func(t *testing.T, now time.Time) store.Store {
		d, _, _ := start(t, Config{}, (&clock{t: now}).now)
		return d
	})
}

// tidied is a store whose background work was done after every Sync, as if much time had passed.
type tidied struct{ *DB }

func (d tidied) Sync(ctx context.Context) error {
	if err := d.DB.Sync(ctx); err != nil {
		return err
	}
	return d.Tidy(ctx)
}

// TestSuiteOfBuckets: the same answers when measurements have become buckets.
func TestSuiteOfBuckets(t *testing.T) {
	storetest.Run(t, func(t *testing.T, now time.Time) store.Store {
		d, _, _ := start(t, Config{}, (&clock{t: now}).now)
		return tidied{d}
	})
}
