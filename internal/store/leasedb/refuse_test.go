package leasedb

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/lease"
	"surefoot/internal/store/leasetest"
)

// untilKept tries until a record is kept again: by itself, and within a time.
func untilKept(t *testing.T, d *DB, n int) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := keep(t, d, n, 1)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it does not recover: %v", err)
		}
	}
}

// TestSlow: whoever waits for a disk that does not answer is told in time. What turns out to be
// on disk all the same is told before anything else is taken.
func TestSlow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "leases.db")
	learnt := make(chan lease.Record, 100)
	d, log, _ := start(t, Config{File: file, Slow: 100 * time.Millisecond}, Deps{Learn: func(r lease.Record) { learnt <- r }})
	other, err := sql.Open("sqlite", d.file().DSN("rw"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil) // keeps the writer waiting, as a slow disk does
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := keep(t, d, 1, 1); WhyNot(err) != Slow {
		t.Errorf("it says %v", err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("and takes %v", took)
	}
	if err := keep(t, d, 2, 1); WhyNot(err) != Slow || WhyNot(d.Fault()) != Slow {
		t.Errorf("the next one says %v, the fault is %v", err, d.Fault())
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	untilKept(t, d, 3)
	select {
	case r := <-learnt:
		if r != leasetest.Record(1, 1) {
			t.Errorf("it learns %+v", r)
		}
	default:
		t.Error("nobody is told that the record is on disk")
	}
	if got := leasetest.All(t, d); len(got) != 2 || d.Fault() != nil {
		t.Errorf("%d records, fault %v", len(got), d.Fault())
	}
	for _, want := range []string{"leases cannot be kept", "reason=slow", "leases are kept again"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	if n := d.Stats().Refused[Slow]; n < 2 {
		t.Errorf("%d are counted", n)
	}
}

// TestBusy: what does not fit is refused at once, the rest is kept; several records of one address
// become one.
func TestBusy(t *testing.T) {
	d, _, stop := start(t, Config{Queue: 100}, Deps{})
	stop()
	d, err := Open(t.Context(), Config{File: d.cfg.File, Queue: 100}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	answers := map[Refusal]int{}
	for i := range 150 {
		all.Add(1)
		d.Keep(leasetest.Record(i%7, uint64(i)), func(err error) {
			mu.Lock()
			answers[WhyNot(err)]++
			mu.Unlock()
			all.Done()
		})
	}
	run(t, d)
	all.Wait()
	if answers[Busy] != 50 || answers[""] != 100 {
		t.Errorf("answers: %v", answers)
	}
	s := d.Stats()
	if s.Commits != 1 || s.Kept != 100 || s.Coalesced != 93 || s.Refused[Busy] != 50 {
		t.Errorf("%+v", s)
	}
	for n, r := range leasetest.All(t, d) {
		if r.Serial < 93 {
			t.Errorf("%v has %d", n, r.Serial)
		}
	}
}

// inside runs a test again in a mount namespace of its own, and reports whether this is there.
func inside(t *testing.T) bool {
	t.Helper()
	const mark = "SUREFOOT_LEASES_DISK"
	if os.Getuid() != 0 {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal("needs root")
		}
		t.Skip("needs root, for a file system of its own")
	}
	if os.Getenv(mark) != "" {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=120s")
	cmd.Env = append(os.Environ(), mark+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

func disk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func ballast(t *testing.T, dir string) string {
	t.Helper()
	name := filepath.Join(dir, "ballast")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(f, io.LimitReader(zeros{}, 100<<20)); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("the disk does not fill up: %v", err)
	}
	return name
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// untilRefused keeps new records until the disk takes no more, and returns how many it took.
func untilRefused(t *testing.T, d *DB) (kept int, why error) {
	t.Helper()
	for ; ; kept++ {
		began := time.Now()
		if err := keep(t, d, kept, 1); err != nil {
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("a refusal takes %v", took)
			}
			return kept, err
		}
	}
}

// TestFullDisk: a full disk refuses at once and by name; all that was acknowledged is there, also
// for a process that starts on the full disk; it goes on by itself when there is room.
func TestFullDisk(t *testing.T) {
	if !inside(t) {
		return
	}
	dir := disk(t, "4m")
	file := filepath.Join(dir, "leases.db")
	d, log, stop := start(t, Config{File: file}, Deps{})
	filler := ballast(t, dir)
	kept, err := untilRefused(t, d)
	if WhyNot(err) != Full || WhyNot(d.Fault()) != Full {
		t.Errorf("it says %v, the fault is %v", err, d.Fault())
	}
	var e *keepError
	if !errors.As(err, &e) || len(e.Hint()) == 0 {
		t.Errorf("without a hint: %v", err)
	}
	check := func(when string, least int) {
		t.Helper()
		got := leasetest.All(t, d)
		for n := range least {
			if got[leasetest.Addr(n)].Serial != 1 {
				t.Fatalf("%s: %d were kept, and %d is not there (%d are)\n%s", when, least, n, len(got), log)
			}
		}
	}
	check("on the full disk", kept)
	stop()
	d, log, stop = start(t, Config{File: file}, Deps{})
	check("after a start on the full disk", kept)
	t.Logf("%d kept; after a restart: %v", kept, d.Fault())
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	untilKept(t, d, 1<<20)
	check("with room again", kept)
	if d.Fault() != nil {
		t.Error(d.Fault())
	}
	stop()
}

// TestFullAfterCrash: the process was killed, and finds no room for what SQLite needs to share the
// file: leases are known all the same.
func TestFullAfterCrash(t *testing.T) {
	if !inside(t) {
		return
	}
	from := filled(t, false)
	dir := disk(t, "8m")
	file := filepath.Join(dir, "leases.db")
	copyFile(t, from, file)
	filler := ballast(t, dir)
	d, log, _ := start(t, Config{File: file}, Deps{})
	if WhyNot(d.Fault()) == "" {
		t.Error("there is no fault on a full disk")
	}
	if got := leasetest.All(t, d); len(got) != salvageable || got[leasetest.Addr(1)].Serial != 2 {
		t.Errorf("%d records, %+v\n%s", len(got), got[leasetest.Addr(1)], log)
	}
	if err := keep(t, d, 1, 3); err == nil {
		t.Error("a record is kept on a full disk")
	}
	t.Log(d.Fault())
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	untilKept(t, d, 1<<20)
	if got := leasetest.All(t, d); len(got) != salvageable+1 {
		t.Errorf("%d records\n%s", len(got), log)
	}
}

// TestReadOnly: on a file system that takes no writes leases are known, new ones are refused by
// name, and it goes on by itself.
func TestReadOnly(t *testing.T) {
	if !inside(t) {
		return
	}
	for _, closed := range []bool{true, false} {
		t.Run(fmt.Sprint("closed ", closed), func(t *testing.T) {
			from := filled(t, closed)
			dir := disk(t, "8m")
			file := filepath.Join(dir, "leases.db")
			for _, tail := range []string{"", "-wal", "-shm", ".lock"} {
				b, err := os.ReadFile(from + tail)
				if err == nil {
					err = os.WriteFile(file+tail, b, 0o600)
				}
				if err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
			}
			if !closed { // a crash leaves it there
				if err := os.WriteFile(file+"-shm", make([]byte, 32<<10), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
				t.Fatal(err)
			}
			d, log, stop := start(t, Config{File: file}, Deps{})
			if got := leasetest.All(t, d); len(got) != salvageable {
				t.Errorf("%d records\n%s", len(got), log)
			}
			if err := keep(t, d, 1, 3); WhyNot(err) != ReadOnly {
				t.Errorf("it says %v", err)
			}
			if err := unix.Mount("", dir, "", unix.MS_REMOUNT, ""); err != nil {
				t.Fatal(err)
			}
			untilKept(t, d, 1<<20)
			if got := leasetest.All(t, d); len(got) != salvageable+1 {
				t.Errorf("%d records\n%s", len(got), log)
			}
			stop()
		})
	}
}

// TestIO: errors of the disk are told by name, and it goes on by itself. A limit on the size of
// files is such an error that a test can make.
func TestIO(t *testing.T) {
	if !inside(t) {
		return
	}
	d, log, _ := start(t, Config{}, Deps{})
	if err := keep(t, d, 0, 1); err != nil {
		t.Fatal(err)
	}
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	limit := unix.Rlimit{Cur: 200 << 10, Max: math.MaxUint64}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	kept, err := untilRefused(t, d)
	if WhyNot(err) != IO {
		t.Errorf("it says %v", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	untilKept(t, d, 1<<20)
	got := leasetest.All(t, d)
	for n := range kept {
		if got[leasetest.Addr(n)].Serial != 1 {
			t.Fatalf("%d were kept, and %d is not there\n%s", kept, n, log)
		}
	}
}

// TestFaultOfOthers: who panics in an answer does not keep the others from theirs.
func TestFaultOfOthers(t *testing.T) {
	d, log, _ := start(t, Config{}, Deps{})
	d.Keep(leasetest.Record(1, 1), func(error) { panic("a fault") })
	if err := keep(t, d, 2, 1); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "please report it") {
		t.Errorf("it is not told\n%s", log)
	}
}
