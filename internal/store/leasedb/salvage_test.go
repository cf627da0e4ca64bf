package leasedb

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"surefoot/internal/lease"
	"surefoot/internal/store/leasetest"
	"surefoot/internal/store/sqlfile"
)

const salvageable = 3000

// filled is a file with leases, most of them in their places, closed in order or as a crash
// leaves it.
func filled(t *testing.T, closed bool) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "leases.db")
	records := make([]lease.Record, salvageable)
	for i := range records {
		records[i] = leasetest.Record(i, 1)
	}
	d, err := Open(t.Context(), Config{File: file}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.fill(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	d.w.fold.begin(t.Context(), d)
	<-d.w.fold.ready
	for last := false; !last; {
		if last, err = d.w.step(t.Context(), 100); err != nil {
			t.Fatal(err)
		}
	}
	for i := range records[:salvageable/10] {
		records[i].Serial = 2
	}
	if err := d.fill(t.Context(), records[:salvageable/10]); err != nil {
		t.Fatal(err)
	}
	if closed {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		return file
	}
	copied := filepath.Join(t.TempDir(), "leases.db")
	copyFile(t, file, copied)
	_ = d.Close()
	return copied
}

// TestDamaged: of a damaged file all that is whole is carried over, and said so with numbers.
func TestDamaged(t *testing.T) {
	for name, c := range map[string]struct {
		closed bool
		least  int // records that are found again
		damage func(b []byte) []byte
	}{
		"no database": {true, 0, func([]byte) []byte { return []byte(strings.Repeat("this is no database ", 1000)) }},
		"its first page overwritten": {true, salvageable, func(b []byte) []byte {
			copy(b, make([]byte, 4096))
			return b
		}},
		"all of it gone, and its log of a crash no log": {false, salvageable, func([]byte) []byte { return make([]byte, 8192) }},
		"empty, with the log of a crash":                {false, salvageable, func([]byte) []byte { return nil }},
		"every tenth page overwritten": {true, salvageable * 8 / 10, func(b []byte) []byte {
			for i := 4096; i < len(b); i += 40960 {
				for k := range 4096 {
					b[i+k] = byte(rand.Uint32())
				}
			}
			return b
		}},
		"cut in half": {true, salvageable / 3, func(b []byte) []byte { return b[:len(b)/2] }},
	} {
		t.Run(name, func(t *testing.T) {
			file := filled(t, c.closed)
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			damaged := c.damage(bytes.Clone(b))
			if err := os.WriteFile(file, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(name, "no log") {
				if err := os.WriteFile(file+"-wal", cutHead(t, file+"-wal"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			d, log, stop := start(t, Config{File: file}, Deps{})
			got := leasetest.All(t, d)
			t.Logf("%d of %d records", len(got), salvageable)
			if len(got) < c.least {
				t.Errorf("%d records are there, want %d at least\n%s", len(got), c.least, log)
			}
			for _, r := range got {
				want := leasetest.Record(int(r.MAC[4])<<8|int(r.MAC[5]), 1)
				want.Serial = r.Serial
				if r != want {
					t.Errorf("it has %+v", r)
				}
			}
			if len(got) == salvageable && got[leasetest.Addr(1)].Serial != 2 {
				t.Errorf("an older record is back: %+v", got[leasetest.Addr(1)])
			}
			if !strings.Contains(log.String(), "carried over") || d.Stats().Salvages != 1 || d.Stats().Salvaged != uint64(len(got)) {
				t.Errorf("it is not told: %+v\n%s", d.Stats(), log)
			}
			aside, err := filepath.Glob(file + ".broken-*")
			if err != nil || len(aside) == 0 {
				t.Fatalf("nothing is kept aside: %v", err)
			}
			if kept, err := os.ReadFile(aside[0]); err != nil || !bytes.Equal(kept, damaged) {
				t.Errorf("what is kept aside is not what was found: %v", err)
			}
			if err := keep(t, d, 1, 3); err != nil {
				t.Error(err)
			}
			stop()
			d, log, _ = start(t, Config{File: file}, Deps{})
			if again := leasetest.All(t, d); len(again) < len(got) || d.Stats().Salvages != 0 {
				t.Errorf("the next start has %d\n%s", len(again), log)
			}
		})
	}
}

// cutHead takes the header of a log away, so that SQLite does not know it.
func cutHead(t *testing.T, path string) []byte {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copy(b, make([]byte, 32))
	return b
}

// TestSalvageCut: a crash between two steps of making the file anew loses nothing.
func TestSalvageCut(t *testing.T) {
	file := filled(t, true)
	d, err := Open(t.Context(), Config{File: file}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	_ = d.Close()
	// The new file is whole, the damaged one is still in its place, with a log.
	if err := os.Rename(file, file+salvageFile); err != nil {
		t.Fatal(err)
	}
	for _, tail := range []string{"", "-wal"} {
		if err := os.WriteFile(file+tail, []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, log, _ := start(t, Config{File: file}, Deps{})
	if got := leasetest.All(t, d); len(got) != salvageable {
		t.Errorf("%d records\n%s", len(got), log)
	}
}

// TestRefill: a file that turns out to be damaged while it is in use is made anew, and what is in
// memory is written into it.
func TestRefill(t *testing.T) {
	file := filled(t, true)
	memory := []lease.Record{leasetest.Record(1, 7), leasetest.Record(salvageable, 1)}
	d, err := Open(t.Context(), Config{File: file}, Deps{All: func() []lease.Record { return memory }})
	if err != nil {
		t.Fatal(err)
	}
	d.down(&sqlfile.DamageError{Says: "a page is not what it was"})
	if err := d.mend(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.queue.open()
	run(t, d)
	if err := keep(t, d, 2, 9); err != nil {
		t.Fatal(err)
	}
	got := leasetest.All(t, d)
	if len(got) != salvageable+1 || got[leasetest.Addr(1)].Serial != 7 || got[leasetest.Addr(2)].Serial != 9 {
		t.Errorf("%d records, %+v", len(got), got[leasetest.Addr(1)])
	}
}

// TestRemoved: a file that somebody removes while it is in use is made anew of what is in memory.
func TestRemoved(t *testing.T) {
	file := filepath.Join(t.TempDir(), "leases.db")
	memory := []lease.Record{leasetest.Record(1, 1)}
	d, _, stop := start(t, Config{File: file}, Deps{All: func() []lease.Record { return memory }})
	if err := keep(t, d, 1, 1); err != nil {
		t.Fatal(err)
	}
	for _, tail := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(file + tail); err != nil {
			t.Fatal(err)
		}
	}
	if err := keep(t, d, 2, 1); WhyNot(err) != Moved {
		t.Errorf("it says %v", err)
	}
	untilKept(t, d, 3)
	stop()
	d, log, _ := start(t, Config{File: file}, Deps{})
	if got := leasetest.All(t, d); len(got) != 2 || got[leasetest.Addr(1)].Serial != 1 {
		t.Errorf("it has %+v\n%s", got, log)
	}
}

// TestOneWriter: a second process is refused, and told what to do.
func TestOneWriter(t *testing.T) {
	file := filepath.Join(t.TempDir(), "leases.db")
	_, _, stop := start(t, Config{File: file}, Deps{})
	_, err := Open(t.Context(), Config{File: file}, Deps{})
	var used *sqlfile.InUseError
	if !errors.As(err, &used) || len(used.Hint()) == 0 || !strings.Contains(err.Error(), "another surefoot writes the lease file") {
		t.Errorf("the second one says %v", err)
	}
	stop()
	d, err := Open(t.Context(), Config{File: file}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	_ = d.Close()
}

// TestNewer: a file of a newer version is left as it is.
func TestNewer(t *testing.T) {
	file := filled(t, true)
	db, err := openWrite(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	_, err = Open(t.Context(), Config{File: file}, Deps{})
	var newer *sqlfile.VersionError
	if !errors.As(err, &newer) || len(newer.Hint()) == 0 {
		t.Errorf("it says %v", err)
	}
	if _, err := Read(t.Context(), file, func(lease.Record) {}); !errors.As(err, &newer) {
		t.Errorf("for reading it says %v", err)
	}
}
