package leasedb

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"surefoot/internal/store/leasetest"
)

const crashAddrs = 1000

// TestMain lets this binary be the process that is killed.
func TestMain(m *testing.M) {
	if file := os.Getenv("SUREFOOT_LEASES_WRITER"); file != "" {
		writeUntilKilled(file)
		return
	}
	os.Exit(m.Run())
}

// writeUntilKilled keeps records as fast as it can, and says on stdout which are acknowledged:
// number and serial.
func writeUntilKilled(file string) {
	next, _ := strconv.ParseUint(os.Getenv("SUREFOOT_LEASES_FROM"), 10, 64)
	d, err := Open(context.Background(), Config{File: file}, Deps{})
	if err != nil {
		os.Exit(1)
	}
	d.foldAt, d.moveAt = 64<<10, 64 // all the time, so that it is met in the middle of everything
	go func() { _ = d.Run(context.Background(), nil) }()
	acks := make(chan [16]byte, 1<<14)
	go func() {
		out := bufio.NewWriter(os.Stdout)
		for a := range acks {
			_, _ = out.Write(a[:])
			if len(acks) == 0 {
				_ = out.Flush()
			}
		}
	}()
	room := make(chan struct{}, 512)
	for serial := next; ; serial++ {
		room <- struct{}{}
		n := rand.IntN(crashAddrs)
		d.Keep(leasetest.Record(n, serial), func(err error) {
			if err == nil {
				var a [16]byte
				binary.BigEndian.PutUint64(a[:], uint64(n))
				binary.BigEndian.PutUint64(a[8:], serial)
				acks <- a
			}
			<-room
		})
	}
}

// TestKilled kills the writer at random moments: the file opens again, is whole, and has all that
// was acknowledged, in its newest state.
func TestKilled(t *testing.T) {
	const rounds = 22
	file := filepath.Join(t.TempDir(), "leases.db")
	acked, total, last := map[int]uint64{}, 0, uint64(0)
	for round := range rounds {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SUREFOOT_LEASES_WRITER="+file, "SUREFOOT_LEASES_FROM="+strconv.FormatUint(last+10_000, 10))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(out)
		read := func() bool {
			var a [16]byte
			if _, err := io.ReadFull(in, a[:]); err != nil {
				return false
			}
			n, serial := int(binary.BigEndian.Uint64(a[:])), binary.BigEndian.Uint64(a[8:])
			acked[n] = max(acked[n], serial)
			last = max(last, serial)
			total++
			return true
		}
		for range 1 + rand.IntN(1500) {
			if !read() {
				t.Fatalf("round %d: the writer ended by itself", round)
			}
		}
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond) // any moment of a commit
		_ = cmd.Process.Kill()
		for read() { // what was acknowledged before the end
		}
		_ = cmd.Wait()
		verify(t, file, acked)
	}
	t.Logf("%d rounds, %d acknowledged records", rounds, total)
}

func verify(t *testing.T, file string, acked map[int]uint64) {
	t.Helper()
	d, log, stop := start(t, Config{File: file}, Deps{})
	defer stop()
	if strings.Contains(log.String(), "damaged") {
		t.Fatalf("it was taken for damaged\n%s", log)
	}
	var says string
	if err := d.w.conn.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&says); err != nil || says != "ok" {
		t.Fatalf("integrity_check: %s, %v", says, err)
	}
	got := leasetest.All(t, d)
	for n, serial := range acked {
		r := got[leasetest.Addr(n)]
		if r.Serial < serial {
			t.Errorf("%v: %d was acknowledged, %d is there", leasetest.Addr(n), serial, r.Serial)
		}
		if r != leasetest.Record(n, r.Serial) {
			t.Errorf("%v: it has %+v", leasetest.Addr(n), r)
		}
	}
}
