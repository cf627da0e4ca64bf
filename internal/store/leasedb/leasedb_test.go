package leasedb

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"surefoot/internal/lease"
	"surefoot/internal/store/leasetest"
)

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

func start(t testing.TB, cfg Config, deps Deps) (*DB, *lines, func()) {
	t.Helper()
	if cfg.File == "" {
		cfg.File = filepath.Join(t.TempDir(), "leases.db")
	}
	log := &lines{}
	deps.Log = slog.New(slog.NewTextHandler(log, nil))
	d, err := Open(t.Context(), cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	return d, log, run(t, d)
}

// run runs a file until the function that it returns is called, or the test ends.
func run(t testing.TB, d *DB) func() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	end := make(chan struct{})
	ready := make(chan struct{})
	go func() {
		defer close(end)
		_ = d.Run(ctx, func() { close(ready) })
	}()
	<-ready
	stop := sync.OnceFunc(func() {
		cancel()
		<-end
	})
	t.Cleanup(stop)
	return stop
}

func keep(t *testing.T, d *DB, n int, serial uint64) error {
	t.Helper()
	return leasetest.Keep(t, d, leasetest.Record(n, serial))
}

func TestSuite(t *testing.T) {
	leasetest.Run(t, func(t *testing.T) leasetest.Open {
		file := filepath.Join(t.TempDir(), "leases.db")
		return func(t *testing.T) (leasetest.Store, func()) {
			d, _, stop := start(t, Config{File: file}, Deps{})
			return d, stop
		}
	})
}

// TestSuiteMoving is the suite while records are moved to their places all the time.
func TestSuiteMoving(t *testing.T) {
	leasetest.Run(t, func(t *testing.T) leasetest.Open {
		file := filepath.Join(t.TempDir(), "leases.db")
		return func(t *testing.T) (leasetest.Store, func()) {
			d, err := Open(t.Context(), Config{File: file}, Deps{})
			if err != nil {
				t.Fatal(err)
			}
			d.foldAt, d.moveAt = 200, 4
			return d, run(t, d)
		}
	})
}

func FuzzRecord(f *testing.F) {
	r := leasetest.Record(1, 2)
	f.Add(appendRecord(nil, &r))
	f.Add(appendRecord(nil, &lease.Record{Addr: leasetest.Addr(1)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, n, err := parseRecord(b, words{})
		if err != nil {
			return
		}
		if n > len(b) {
			t.Fatalf("%d bytes of %d", n, len(b))
		}
		again, _, err := parseRecord(appendRecord(nil, &r), words{})
		if err != nil || again != r {
			t.Errorf("%+v becomes %+v, %v", r, again, err)
		}
	})
}

// copyFile copies a file with its log, as a crash leaves them.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	for _, tail := range []string{"", "-wal"} {
		b, err := os.ReadFile(from + tail)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+tail, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
