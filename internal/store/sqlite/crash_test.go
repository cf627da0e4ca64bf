package sqlite

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/store"
	"surefoot/internal/store/sqlfile"
	"surefoot/internal/store/storetest"
)

// TestMain lets this binary be the process that is killed, and the one on a full disk.
func TestMain(m *testing.M) {
	if file := os.Getenv("SUREFOOT_HISTORY_WRITER"); file != "" {
		writeUntilKilled(file)
		return
	}
	os.Exit(m.Run())
}

// saved is a synchronous write, which is on the disk when it is acknowledged.
func saved(ctx context.Context, d *DB, id, what string) error {
	return d.SaveSilence(ctx, store.Silence{ID: id, Comment: what, Since: storetest.Start(), Until: storetest.Start().AddDate(100, 0, 0)})
}

// writeUntilKilled writes measurements, silences and stories, and says on stdout how many of each
// round were acknowledged.
func writeUntilKilled(file string) {
	from, _ := strconv.Atoi(os.Getenv("SUREFOOT_HISTORY_FROM"))
	d := New(Config{File: file}, Deps{})
	go func() { _ = d.Run(context.Background(), nil) }()
	go func() { // buckets are made all the time, too
		for {
			_ = d.Tidy(context.Background())
		}
	}()
	for i := from; ; i++ {
		for k := range 20 {
			d.Measure(measured(i*20+k, k))
		}
		d.Story(store.Story{ID: fmt.Sprint(i), Machine: "m", Updated: measuredAt(i * 20), Started: measuredAt(i * 20), Body: []byte(`{}`)})
		if err := saved(context.Background(), d, "last", strconv.Itoa(i)); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println(i)
	}
}

func measuredAt(n int) time.Time {
	return storetest.Start().Add(time.Duration(n) * 100 * time.Millisecond)
}

func measured(n, test int) store.Measurement {
	return store.Measurement{Test: fmt.Sprintf("t%d", test), Server: "pvs1", File: "a.0", At: measuredAt(n), Available: true, Response: time.Millisecond, Bytes: 1}
}

// TestKilled kills the writer at random moments: the file opens again, is whole, and has all that
// was acknowledged.
func TestKilled(t *testing.T) {
	const rounds = 25
	file := filepath.Join(t.TempDir(), "history.db")
	next, total := 0, 0
	for round := range rounds {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SUREFOOT_HISTORY_WRITER="+file, "SUREFOOT_HISTORY_FROM="+strconv.Itoa(next))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		last := -1
		read := func() bool {
			line, err := lines.ReadString('\n')
			if err != nil {
				return false
			}
			n, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil {
				t.Fatalf("round %d: the writer says %q", round, line)
			}
			last = n
			return true
		}
		for range 1 + rand.IntN(25) {
			if !read() {
				t.Fatalf("round %d: the writer ended by itself", round)
			}
		}
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond) // any moment of a commit
		_ = cmd.Process.Kill()
		for read() { // what was acknowledged before the end
		}
		_ = cmd.Wait()
		verify(t, file, last)
		total, next = last+1, last+2 // the one after the last may be there or not
	}
	t.Logf("%d rounds, %d acknowledged commits", rounds, total)
}

// verify opens a history as the next process would, and looks for what was acknowledged.
func verify(t *testing.T, file string, last int) {
	t.Helper()
	d, log, stop := start(t, Config{File: file, Keep: 100 * 365 * 24 * time.Hour}, nil)
	defer stop()
	if _, err := d.reader(t.Context()); err != nil {
		t.Fatalf("it does not open: %v\n%s", err, log)
	}
	if strings.Contains(log.String(), "moved aside") {
		t.Fatalf("it was taken for broken\n%s", log)
	}
	silences, err := d.LoadSilences(t.Context())
	if err != nil || len(silences) != 1 {
		t.Fatalf("silences %v, %v", silences, err)
	}
	if n, _ := strconv.Atoi(silences[0].Comment); n < last {
		t.Fatalf("round %d was acknowledged, the file has %d", last, n)
	}
	db, err := d.reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var says string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&says); err != nil || says != "ok" {
		t.Fatalf("integrity_check: %s, %v", says, err)
	}
	series, err := d.Series(t.Context(), store.Query{Name: "pvs1", Since: storetest.Start(), Until: measuredAt(last*20 + 20), Step: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	runs := 0
	for _, s := range series {
		for _, b := range s.Buckets {
			runs += b.Runs
		}
	}
	stories, err := d.Stories(t.Context(), store.StoryQuery{Since: storetest.Start(), Until: measuredAt(last*20 + 20)})
	if err != nil {
		t.Fatal(err)
	}
	// Rounds are left out where a writer began anew: what is there counts by its story.
	if want := len(stories) * 20; runs < want {
		t.Fatalf("%d stories, and %d measurements instead of %d at least", len(stories), runs, want)
	}
}

// TestBroken: a damaged file is moved aside, said so, and a new one begun. The next one takes the
// place of the former.
func TestBroken(t *testing.T) {
	fill := func(t *testing.T) string {
		file := filepath.Join(t.TempDir(), "history.db")
		d, _, stop := start(t, Config{File: file}, nil)
		for i := range 2000 {
			d.Measure(measured(i, i%20))
		}
		if err := d.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		stop()
		return file
	}
	for name, damage := range map[string]func(t *testing.T, file string){
		"not a database": func(t *testing.T, file string) { put(t, file, []byte(strings.Repeat("this is no database ", 1000))) },
		"a page overwritten": func(t *testing.T, file string) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for i := 4096; i < len(b); i += 8 {
				binary.LittleEndian.PutUint64(b[i:], rand.Uint64())
			}
			put(t, file, b)
		},
		"cut in half": func(t *testing.T, file string) {
			st, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(file, st.Size()/2); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := fill(t)
			put(t, file+".broken-20200101T000000", nil)
			damage(t, file)
			d, log, _ := start(t, Config{File: file}, nil)
			if err := saved(t.Context(), d, "x", ""); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(log.String(), "moved aside and a new one begun") {
				t.Errorf("the log does not tell:\n%s", log)
			}
			aside, err := filepath.Glob(file + ".broken-*")
			if err != nil || len(aside) == 0 || strings.Contains(strings.Join(aside, " "), "20200101") {
				t.Errorf("aside are %q, %v: want the last one alone", aside, err)
			}
			if d.stats.corrupt.Load() != 1 {
				t.Error("it is not counted")
			}
		})
	}
}

func put(t *testing.T, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestOneWriter: a second process does not touch the file, and goes on when the first has gone.
func TestOneWriter(t *testing.T) {
	file := filepath.Join(t.TempDir(), "history.db")
	a, _, stop := start(t, Config{File: file}, nil)
	if err := a.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	b, _, _ := start(t, Config{File: file}, nil)
	if _, err := b.LoadSilences(t.Context()); !errors.As(err, new(*sqlfile.InUseError)) {
		t.Errorf("the second one says %v", err)
	}
	stop()
	for b.Sync(t.Context()) != nil { // it tries again after a second
		time.Sleep(10 * time.Millisecond)
	}
}

// TestNewer: a file of a newer version is left as it is.
func TestNewer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "history.db")
	a, _, stop := start(t, Config{File: file}, nil)
	if err := a.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	db, err := (&DB{cfg: Config{File: file, MaxSize: 1 << 30}, log: a.log, now: time.Now}).openOnce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	b, _, _ := start(t, Config{File: file}, nil)
	if _, err := b.LoadSilences(t.Context()); !errors.As(err, new(*sqlfile.VersionError)) {
		t.Errorf("it says %v", err)
	}
	if _, err := OpenRead(file); !errors.As(err, new(*sqlfile.VersionError)) {
		t.Errorf("for reading it says %v", err)
	}
}

// TestFullDisk runs in a mount namespace of its own, on a small file system: writes are refused and
// counted, questions are answered, and it goes on by itself when there is room.
func TestFullDisk(t *testing.T) {
	const inside = "SUREFOOT_HISTORY_DISK"
	if os.Getuid() != 0 {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal("needs root")
		}
		t.Skip("needs root, for a file system of its own")
	}
	if os.Getenv(inside) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestFullDisk$", "-test.v", "-test.timeout=60s")
		cmd.Env = append(os.Environ(), inside+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestFullDisk") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }()
	d, log, stop := start(t, Config{File: filepath.Join(dir, "history.db"), Queue: 1 << 20}, nil)
	defer stop()
	if err := saved(t.Context(), d, "before", ""); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, io.LimitReader(zeros{}, 10<<20)); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("the disk does not fill up: %v", err)
	}
	_ = f.Close()
	err = nil
	for i := 0; err == nil; i++ { // SQLite may have room in pages of its own at first
		for k := range 1000 {
			d.Measure(measured(i*1000+k, k%20))
		}
		err = saved(t.Context(), d, "refused", "")
	}
	if sqlfile.Code(err) == 0 || d.Fault() == nil {
		t.Errorf("on a full disk SaveSilence says %v, the fault is %v", err, d.Fault())
	}
	for range 20 { // never waits, and what does not fit is counted
		for k := range 1000 {
			d.Measure(measured(k, k%20))
		}
	}
	if n := d.Lost()["measurement"]; n == 0 {
		t.Errorf("nothing is counted as lost: %v", d.Lost())
	}
	if got, err := d.LoadSilences(t.Context()); err != nil || len(got) == 0 || got[0].ID != "before" {
		t.Errorf("a question on a full disk: %v, %v", got, err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for saved(t.Context(), d, "after", "") != nil { // by itself
		time.Sleep(20 * time.Millisecond)
	}
	if d.Fault() != nil || !strings.Contains(log.String(), "written again") {
		t.Errorf("fault %v\n%s", d.Fault(), log)
	}
	if got, err := d.LoadSilences(t.Context()); err != nil || len(got) != 2 || got[0].ID != "after" {
		t.Errorf("afterwards: %v, %v", got, err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }
