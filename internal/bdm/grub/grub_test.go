package grub_test

import (
	"bytes"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"surefoot/internal/bdm"
	"surefoot/internal/bdm/grub"
)

var update = flag.Bool("update", false, "write golden files")

func settings() bdm.Settings {
	return bdm.Settings{
		Version: "1.2.3", Built: "2026-11-25", File: "pvs/x.efi", Servers: []string{"tftp://10.0.0.1/", "tftp://boot.example.com/sub/"},
		Static: netip.MustParsePrefix("10.0.0.9/24"), Gateway: netip.MustParseAddr("10.0.0.254"), DNS: []netip.Addr{netip.MustParseAddr("10.0.0.53")},
		Tries: 2, Timeout: 2, Wait: 5,
	}
}

func TestScript(t *testing.T) {
	b, err := grub.Script(settings())
	if err != nil || len(b) != grub.ScriptSize {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	got := string(bytes.TrimRight(b, "\n")) + "\n"
	path := filepath.Join("testdata", "static.cfg")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if diff := cmp.Diff(string(want), got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestScriptRefuses(t *testing.T) {
	f := func(want string, change func(*bdm.Settings)) {
		t.Helper()
		s := settings()
		change(&s)
		if _, err := grub.Script(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f("has no HTTP", func(s *bdm.Settings) { s.Servers = []string{"http://10.0.0.1/"} })
	f("port 69 only", func(s *bdm.Settings) { s.Servers = []string{"tftp://10.0.0.1:1069/"} })
	f("knows no VLANs", func(s *bdm.Settings) { s.VLAN = 3 })
	f("names no file", func(s *bdm.Settings) { s.File = "" })
	f("fewer servers", func(s *bdm.Settings) {
		for range 16 {
			s.Servers = append(s.Servers, "tftp://"+strings.Repeat("long-label.", 14)+"com/")
		}
	})
}

func TestLoad(t *testing.T) {
	program := filepath.Join(t.TempDir(), "x.efi")
	if err := os.WriteFile(program, []byte("MZ..."), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := grub.Load(grub.Paths{Shim: program, GRUB: program, MOK: program})
	if err != nil || len(files) != 3 {
		t.Fatalf("%v", err)
	}
	image, err := bdm.Build(bdm.Spec{Format: bdm.ISO, Settings: settings(), ESP: files, Texts: bdm.Texts{bdm.GRUBName: grub.Script}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := bdm.Open(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		t.Fatal(err)
	}
	m.CheckTexts(bdm.Texts{bdm.GRUBName: grub.Script})
	if len(m.Problems) > 0 || len(m.UEFI) != 2 {
		t.Errorf("%q, %q", m.Problems, m.UEFI)
	}
	at := bytes.Index(image, []byte("net_add_addr"))
	image[at] = 'N'
	if m, err = bdm.Open(bytes.NewReader(image), int64(len(image))); err != nil {
		t.Fatal(err)
	}
	if m.CheckTexts(bdm.Texts{bdm.GRUBName: grub.Script}); len(m.Problems) != 1 {
		t.Errorf("a script that was edited: %q", m.Problems)
	}
	if _, err := grub.Load(grub.Paths{Shim: program + "x", GRUB: program, MOK: program}); err == nil {
		t.Error("a path that leads nowhere")
	}
}
