package tftp

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/files"
)

// settle waits until a file written before counts as settled.
func settle(t *testing.T, path string) {
	t.Helper()
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(fi.ModTime().Add(settled + 20*time.Millisecond)))
}

// shelf is a root of files with a cache.
type shelf struct {
	t    *testing.T
	dir  string
	root *files.Root
	c    *cache
}

func newShelf(t *testing.T, c *cache, sizes ...int) *shelf {
	t.Helper()
	s := &shelf{t: t, dir: t.TempDir(), c: c}
	for i, n := range sizes {
		if err := os.WriteFile(filepath.Join(s.dir, fmt.Sprint(i)), bytes.Repeat([]byte{byte('a' + i)}, n), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if s.root, err = files.Open(s.dir, files.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.stop(); _ = s.root.Close() })
	return s
}

func (s *shelf) get(name string) []byte {
	s.t.Helper()
	f, err := s.root.Open(name)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	return s.c.content(f, false)
}

func TestCacheKeepsWithinItsBudget(t *testing.T) {
	s := newShelf(t, &cache{budget: 2500, longest: 1500}, 1000, 1000, 1000, 2000)
	if s.get("0") != nil {
		t.Error("a file that may be written again within the same step of its times was kept")
	}
	settle(t, filepath.Join(s.dir, "3"))
	zero, one := s.get("0"), s.get("1")
	if string(zero) != strings.Repeat("a", 1000) || string(one) != strings.Repeat("b", 1000) {
		t.Fatalf("%.20q, %.20q", zero, one)
	}
	if again := s.get("0"); &again[0] != &zero[0] {
		t.Error("a second copy of the same version")
	}
	s.get("2") // 1 was used longest ago
	if s.c.used != 2000 || s.c.known[cacheKey{name: "1"}] != nil || s.c.known[cacheKey{name: "0"}] == nil {
		t.Errorf("%d bytes, %v", s.c.used, s.c.known)
	}
	if s.get("3") != nil {
		t.Error("a file longer than allowed was kept")
	}
	if one[0] != 'b' {
		t.Error("the forgotten version changed under its user")
	}
	if err := os.WriteFile(filepath.Join(s.dir, "0"), bytes.Repeat([]byte("n"), 1000), 0o644); err != nil {
		t.Fatal(err)
	}
	if s.get("0") != nil || zero[0] != 'a' {
		t.Error("the new version was taken for the old one, or came into its place")
	}
	settle(t, filepath.Join(s.dir, "0"))
	if got := s.get("0"); len(got) != 1000 || got[0] != 'n' || s.c.used != 2000 || s.c.order.Len() != 2 {
		t.Errorf("%.10q, %d bytes of %d versions", got, s.c.used, s.c.order.Len())
	}
}

// Many that ask at once get one copy; a long file is loaded aside, and nobody waits for it.
func TestCacheLoadsOnce(t *testing.T) {
	s := newShelf(t, &cache{budget: 100 << 20, longest: 100 << 20}, 1<<20, loadAtOnce+1, 0)
	settle(t, filepath.Join(s.dir, "2")) // the last one that was written
	var all sync.WaitGroup
	copies := make([][]byte, 20)
	for i := range copies {
		all.Go(func() { copies[i] = s.get("0") })
	}
	all.Wait()
	for _, c := range copies {
		if len(c) != 1<<20 || &c[0] != &copies[0][0] {
			t.Fatal("another copy")
		}
	}
	if s.get("1") != nil {
		t.Error("somebody waited for a long file")
	}
	s.c.loading.Wait()
	if got := s.get("1"); len(got) != loadAtOnce+1 {
		t.Errorf("%d bytes", len(got))
	}
	if got := s.get("2"); got == nil || len(got) != 0 {
		t.Errorf("an empty file: %v", got)
	}
}

// A transfer goes on with the version that it began with, whatever becomes of the file.
func TestTransferKeepsItsVersion(t *testing.T) {
	s := start(t, "", nil)
	s.write("f", bytes.Repeat([]byte("old."), 300))
	settle(t, filepath.Join(s.root, "f"))
	p := dial(t, "127.0.0.1:0")
	p.send(rrq("f"), s.srv.Addr())
	p.recv()
	if err := os.Truncate(filepath.Join(s.root, "f"), 4); err != nil {
		t.Fatal(err)
	}
	q := dial(t, "127.0.0.1:0")
	q.send(rrq("f"), s.srv.Addr())
	if d := q.recv(); string(d.Data) != "old." {
		t.Errorf("the new version: %+v", d)
	}
	for b := uint16(1); b <= 3; b++ {
		p.send(ackOf(b), p.tid)
		if b == 3 {
			break
		}
		for d := p.recv(); d.Block != b+1; d = p.recv() {
		}
	}
	if ev := s.event(func(ev boot.Event) bool { return ev.Kind == boot.TransferEnd && ev.Peer == p.c.LocalAddr().String() }); ev.Reason != boot.Done || ev.Bytes != 1200 {
		t.Errorf("%+v", ev)
	}
}
