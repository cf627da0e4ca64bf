package httpboot

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"surefoot/internal/boot"
	"surefoot/internal/files"
)

// Entries hold for HTTP as for TFTP; a text made for the client is kept by nobody.
func TestEntries(t *testing.T) {
	s := start(t, Config{}, map[string]string{
		"real.efi": "real", "t.tmpl": "{{.Firmware}} {{.MAC}} {{.IP}} {{.Server}} {{.File}}", "wrong.tmpl": "\n{{.No}}",
		"versions/v1/real.efi": "version", "versions/v1/t.tmpl": "v1 {{.MAC}}",
	})
	root, err := files.Open(s.cfg.Files.Dir(), files.Options{Fold: true, Entries: []files.Entry{
		{Name: "bootx64.efi", File: "real.efi"}, {Name: "cfg/*", Template: "t.tmpl"}, {Name: "wrong", Template: "wrong.tmpl"}, {Name: "gone", File: "nowhere"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	s.Apply(nil, root)
	ask := func(target, want string, status int, reason boot.Reason) boot.Event {
		t.Helper()
		resp, body := raw(t, s, "GET "+target+" HTTP/1.1\r\nHost: x\r\nUser-Agent: iPXE/1.0\r\nIf-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT\r\nConnection: close\r\n\r\n")
		if resp.StatusCode != status || status == 200 && body != want || !strings.Contains(body, want) {
			t.Errorf("%s: %d %q, want %q", target, resp.StatusCode, body, want)
		}
		ev := s.wait(t)
		if ev.Reason != reason {
			t.Errorf("%s: %+v", target, ev)
		}
		if strings.HasPrefix(target, "/cfg/") && (resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" || resp.Header.Get("Last-Modified") != "") {
			t.Errorf("%s: %v", target, resp.Header)
		}
		return ev
	}
	ask("/cfg/01-52-54-00-12-34-56", "ipxe 52:54:00:12:34:56 127.0.0.1 127.0.0.1 cfg/01-52-54-00-12-34-56", 200, boot.Done)
	ev := ask("/cfg/x?mac=52:54:00:00:00:01", "ipxe 52:54:00:00:00:01 127.0.0.1 127.0.0.1 cfg/x", 200, boot.Done)
	if ev.File != "cfg/x" || ev.Template != "t.tmpl" || ev.MAC != (boot.MAC{0x52, 0x54, 0, 0, 0, 1}) {
		t.Errorf("%+v", ev)
	}
	if ev := ask("/wrong", "the file could not be made from its template", 500, boot.TemplateFailed); !strings.HasPrefix(ev.Detail, "wrong.tmpl:2:2:") {
		t.Errorf("%+v", ev)
	}
	if ev := ask("/gone", "no such file", 404, boot.FileMissing); !strings.Contains(ev.Detail, `stands for "nowhere", which is not there`) {
		t.Errorf("%+v", ev)
	}
	if err := os.Symlink("versions/v1", filepath.Join(root.Dir(), "current")); err != nil {
		t.Fatal(err)
	}
	if ev := ask("/cfg/x?mac=52:54:00:00:00:01", "v1 52:54:00:00:00:01", 200, boot.Done); ev.Version != "v1" {
		t.Errorf("%+v", ev)
	}
	resp, body := raw(t, s, "GET /BOOTX64.EFI HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if body != "version" || resp.Header.Get("Content-Type") != "application/efi" {
		t.Errorf("%q %v", body, resp.Header)
	}
	if ev := s.wait(t); ev.File != "real.efi" || ev.Version != "v1" {
		t.Errorf("%+v", ev)
	}
}

// What the node knows of a machine goes before what its file name says.
func TestAskerIsTheClient(t *testing.T) {
	asked := boot.MAC{}
	s, err := New(Config{Files: &files.Root{}, Listen: netip.MustParseAddrPort("127.0.0.1:0")}, Deps{Who: func(_ netip.Addr, m boot.MAC) files.Client {
		asked = m
		return files.Client{}
	}})
	if err != nil {
		t.Fatal(err)
	}
	mac := boot.MAC{2, 0, 0, 0, 0, 1}
	a := s.asker(boot.Event{IP: netip.MustParseAddr("10.0.0.7"), MAC: mac, Local: "[::ffff:10.0.0.1]:80", Firmware: boot.FirmwareGRUB})
	if a.Who(a.IP, a.MAC); asked != mac || a.Server != netip.MustParseAddr("10.0.0.1") || a.Firmware != boot.FirmwareGRUB {
		t.Errorf("%+v, asked for %v", a, asked)
	}
}
