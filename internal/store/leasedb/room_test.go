package leasedb

import (
	"os"
	"path/filepath"
	"testing"

	"surefoot/internal/lease"
)

func logSize(t *testing.T, file string) int64 {
	t.Helper()
	is, err := os.Stat(file + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	return is.Size()
}

// The log of many leases has its room from the start, and keeps its length while leases are written to it. What
// was written is read back after a crash, and so is what is written behind that.
func TestLogHasRoom(t *testing.T) {
	const leases = 5000
	file := filepath.Join(t.TempDir(), "leases.db")
	crashed := filepath.Join(t.TempDir(), "leases.db")
	d, _, stop := start(t, Config{File: file, Leases: leases}, Deps{})
	if got := logSize(t, file); got != leases*roomEach {
		t.Fatalf("the log has %d bytes", got)
	}
	keepAll(t, d, 0, 500)
	if got := logSize(t, file); got != leases*roomEach {
		t.Errorf("the log has %d bytes after 500 leases", got)
	}
	copyFile(t, file, crashed)
	stop()
	d, log, _ := start(t, Config{File: crashed, Leases: 2 * leases}, Deps{})
	if got := logSize(t, crashed); got != 2*leases*roomEach {
		t.Errorf("the log has %d bytes after a crash\n%s", got, log)
	}
	keepAll(t, d, 500, 600)
	got := map[string]bool{}
	if err := d.Load(t.Context(), func(r lease.Record) { got[r.Addr.String()] = true }); err != nil || len(got) != 600 {
		t.Errorf("%d leases, %v\n%s", len(got), err, log)
	}
}

// A small site's log grows as it is written, and so does one on a full disk.
func TestLogWithoutRoom(t *testing.T) {
	file := filepath.Join(t.TempDir(), "leases.db")
	start(t, Config{File: file, Leases: 250}, Deps{})
	if got := logSize(t, file); got > 1<<20 {
		t.Errorf("the log of a small site has %d bytes", got)
	}
	if err := lengthen("/dev/full", 1<<20); err == nil { // full(4)
		t.Error("a full disk has no room")
	}
}

func keepAll(t *testing.T, d *DB, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := keep(t, d, i, 1); err != nil {
			t.Fatal(err)
		}
	}
}
