package tftp

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"surefoot/internal/boot"
	"surefoot/internal/files"
	wire "surefoot/internal/wire/tftp"
)

// withEntries runs a server whose root has entries.
func withEntries(t *testing.T, entries ...files.Entry) *site {
	t.Helper()
	return start(t, "", func(c *Config) {
		root, err := files.Open(c.Files.Dir(), files.Options{Fold: true, Entries: entries})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = root.Close() })
		c.Files = root
	})
}

// A text made for the client: the size that is granted is the size that comes, each transfer has
// its own, and the story says what it was made from.
func TestTemplateTransfer(t *testing.T) {
	s := withEntries(t, files.Entry{Name: "pxelinux.cfg/*", Template: "cfg.tmpl"})
	s.write("cfg.tmpl", []byte("{{.MAC}} at {{.IP}} asks {{.Server}} for {{.File}}\n"))
	for i, name := range []string{"pxelinux.cfg/01-52-54-00-12-34-56", "pxelinux.cfg/01-52-54-00-12-34-57", `/PXELINUX.CFG\default`} {
		mac := []string{"52:54:00:12:34:56", "52:54:00:12:34:57", ""}[i]
		want := mac + " at 127.0.0.1 asks 127.0.0.1 for " + strings.TrimLeft(name, "/") + "\n"
		p := dial(t, "127.0.0.1:0")
		p.send(rrq(name, wire.Option{Name: "tsize", Value: "0"}), s.srv.Addr())
		oack := p.recv()
		p.send(ackOf(0), p.tid)
		d := p.recv()
		if string(d.Data) != want || wire.FormatOptions(oack.Options) != "tsize="+strconv.Itoa(len(want)) {
			t.Errorf("%s: %q of %s, want %q", name, d.Data, wire.FormatOptions(oack.Options), want)
		}
		p.send(ackOf(1), p.tid)
		end := s.event(func(ev boot.Event) bool { return ev.Reason == boot.Done && ev.Transfer == uint64(i+1) })
		if end.File != strings.TrimLeft(name, "/") || end.Template != "cfg.tmpl" || end.Size != int64(len(want)) {
			t.Errorf("%+v", end)
		}
	}
	// In netascii the line's end has two bytes, and the size counts them.
	p := dial(t, "127.0.0.1:0")
	p.send(wire.AppendRequest(nil, wire.Request{Op: wire.OpRRQ, File: "pxelinux.cfg/x", Mode: "netascii"}), s.srv.Addr())
	if d := p.recv(); string(d.Data) != " at 127.0.0.1 asks 127.0.0.1 for pxelinux.cfg/x\r\n" {
		t.Errorf("%q", d.Data)
	}
	p.send(ackOf(1), p.tid)
}

// A template that is wrong costs the one who asks its file: it is told no more than that, the story
// names the place, and everybody else is served.
func TestTemplateFault(t *testing.T) {
	s := withEntries(t, files.Entry{Name: "wrong", Template: "wrong.tmpl"}, files.Entry{Name: "gone", File: "pvs/gone.bin"}, files.Entry{Name: "ardbp32.bin", File: "real"})
	s.write("wrong.tmpl", []byte("a\n{{.Secret}}\n"))
	s.write("real", []byte("real"))
	p := dial(t, "127.0.0.1:0")
	p.send(rrq("wrong"), s.srv.Addr())
	if e := p.recv(); e.Op != wire.OpERROR || e.Code != wire.ErrUndefined || e.Message != "the file cannot be made" {
		t.Errorf("%+v", e)
	}
	if end := s.ended(boot.TemplateFailed); !strings.HasPrefix(end.Detail, "wrong.tmpl:2:2: there is no .Secret") || end.File != "wrong" {
		t.Errorf("%+v", end)
	}
	p.send(rrq("gone"), s.srv.Addr())
	if e := p.recv(); e.Code != wire.ErrNotFound || e.Message != "no such file: gone" {
		t.Errorf("%+v", e)
	}
	if end := s.ended(boot.FileMissing); !strings.Contains(end.Detail, `it stands for "pvs/gone.bin", which is not there`) {
		t.Errorf("%+v", end)
	}
	p.send(rrq(`\ARDBP32.BIN`), s.srv.Addr()) // F30
	if d := p.recv(); string(d.Data) != "real" {
		t.Errorf("%+v", d)
	}
	p.send(ackOf(1), p.tid)
	if end := s.ended(boot.Done); end.File != "real" {
		t.Errorf("%+v", end)
	}
}

// A switch of versions counts from the next request on; a transfer that runs keeps its file, also
// one that was read into memory for others.
func TestVersionSwitch(t *testing.T) {
	s := start(t, "", nil)
	lead := func(id string) {
		t.Helper()
		tmp := filepath.Join(s.root, "tmp")
		if err := os.Symlink("versions/"+id, tmp); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tmp, filepath.Join(s.root, "current")); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"1", "2"} {
		if err := os.MkdirAll(filepath.Join(s.root, "versions", id), 0o755); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("versions", id, "ARDBP32.BIN")
		s.write(file, []byte(strings.Repeat(id, 1100)))
		settle(t, filepath.Join(s.root, file))
	}
	get := func(p *peer, blocks ...uint16) string {
		t.Helper()
		text := ""
		for _, b := range blocks {
			d := p.recv()
			if d.Op != wire.OpDATA || d.Block != b {
				t.Fatalf("%+v", d)
			}
			text += string(d.Data)
			p.send(ackOf(b), p.tid)
		}
		return text
	}
	lead("1")
	slow := dial(t, "127.0.0.1:0")
	slow.send(rrq("ardbp32.bin"), s.srv.Addr())
	first := get(slow, 1)
	lead("2")
	next := dial(t, "127.0.0.1:0")
	next.send(rrq("ARDBP32.bin"), s.srv.Addr())
	if got := get(next, 1, 2, 3); got != strings.Repeat("2", 1100) {
		t.Errorf("the next one gets %.20q", got)
	}
	if got := first + get(slow, 2, 3); got != strings.Repeat("1", 1100) {
		t.Errorf("the one that had begun gets %.20q ... %.20q", got, got[600:])
	}
	for n, id := range map[uint64]string{1: "1", 2: "2"} {
		end := s.event(func(ev boot.Event) bool { return ev.Reason == boot.Done && ev.Transfer == n })
		if end.Version != id || end.File != "ARDBP32.BIN" {
			t.Errorf("transfer %d: %+v", n, end)
		}
	}
}
