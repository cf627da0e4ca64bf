package app

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/files"
	"surefoot/internal/journal"
	"surefoot/internal/web"
)

const withFiles = `
files:
  - {name: loader, file: a.0}
  - {name: "cfg/*", template: t.tmpl}
  - {name: gone, file: nowhere}
networks:
  lan: {subnet: 127.0.0.0/8, reservations: [{mac: "52:54:00:12:34:56", name: pc-90}, {mac: "52:54:00:12:34:57"}]}
`

// lead makes the node's root serve a version.
func (n *node) lead(t *testing.T, id string) {
	t.Helper()
	tmp := filepath.Join(n.dir, "boot/tmp")
	if err := os.Symlink("versions/"+id, tmp); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(n.dir, "boot/current")); err != nil {
		t.Fatal(err)
	}
}

// TestTemplates: what a machine told when it booted is what its template is told, by TFTP and HTTP.
func TestTemplates(t *testing.T) {
	n := prepare(t, func(s string) string { return s + withFiles })
	n.put(t, "boot/t.tmpl", "{{.MAC}} {{.Name}} {{.Network}} {{.Arch}} {{.Firmware}} {{.Node}} {{.Site}} {{.Server}}")
	n = n.begin(t)
	x64 := boot.ArchX64
	mac := boot.MAC{0x52, 0x54, 0, 0x12, 0x34, 0x56}
	loop := netip.MustParseAddr("127.0.0.1")
	updates := n.journal.Follow(t.Context())
	for _, ev := range []boot.Event{
		{Role: roleProxy, Kind: boot.DiscoverSeen, MAC: mac, XID: 1, Arch: &x64, Firmware: boot.FirmwareEDK2},
		{Role: roleProxy, Kind: boot.RequestSeen, MAC: mac, XID: 1, IP: loop},
	} {
		ev.Time = time.Now()
		n.journal.Emit(ev)
	}
	for s := (journal.Story{}); s.MAC != mac || s.IP != loop; { // until the journal has worked on them
		select {
		case u := <-updates:
			s = u.Story
		case <-time.After(patience):
			t.Fatal("the journal does not learn the machine")
		}
	}
	const want = "52:54:00:12:34:56 pc-90 lan uefi-x64 edk2 boot1 hq 127.0.0.1"
	if got := page(t, n.http, "/cfg/x"); got != want {
		t.Errorf("over HTTP: %q, want %q", got, want)
	}
	x := ask(t, n.tftp, "CFG\\01-02-00-00-00-00-09")
	if x.block(t); string(x.file) != want {
		t.Errorf("over TFTP: %q, want %q", x.file, want)
	}
	x.acknowledge(t, 1)
	if got := page(t, n.http, "/cfg/x?mac=52:54:00:12:34:57"); !strings.HasPrefix(got, "52:54:00:12:34:57  lan ") {
		t.Errorf("another one, without a name, at the same address: %q", got)
	}
	if got := page(t, n.http, "/LOADER"); len(got) != 1100 {
		t.Errorf("an entry for a file: %d bytes", len(got))
	}
	if w := code(n.warnings(), "entry-broken"); w == nil || !strings.Contains(w.Title, "gone") || !strings.Contains(w.Fix, "nowhere") {
		t.Errorf("no word of an entry that stands for nothing: %+v", n.warnings())
	}
}

// TestVersionIsShown: a switch is served at once, without a reload, and status, metric and log say so.
func TestVersionIsShown(t *testing.T) {
	n := start(t, nil)
	n.put(t, "boot/versions/v1/a.0", "one")
	n.put(t, "boot/versions/v2/A.0", "two")
	check := func(want, version string) {
		t.Helper()
		if got := page(t, n.http, "/a.0"); !strings.HasPrefix(got, want) {
			t.Errorf("served: %.10q, want %s", got, want)
		}
		st, err := web.Dial(n.setup().Socket).Status(t.Context())
		if err != nil || st.Files == nil || st.Files.Version != version || st.Files.Root != n.dir+"/boot" {
			t.Errorf("status %+v, %v", st.Files, err)
		}
		metric := `surefoot_files_version_info{version="` + version + `"} 1`
		if got := page(t, n.status, "/metrics"); strings.Contains(got, metric) != (version != "") {
			t.Errorf("no %s among the metrics", metric)
		}
	}
	check("aaa", "")
	n.lead(t, "v1")
	check("one", "v1")
	n.lead(t, "v2")
	check("two", "v2")
	n.followVersion()
	n.followVersion()
	if got := strings.Count(n.log.String(), "another version of the files is served from now on"); got != 1 {
		t.Errorf("the log tells it %d times", got)
	}
	n.lead(t, "v3")
	if w := code(n.warnings(), "version-broken"); w == nil || !strings.Contains(w.Text, "v3") || !strings.Contains(w.Fix, "rollback") {
		t.Errorf("no word of a version that is not there: %+v", n.warnings())
	}
	if st := n.Status(); st.Files.Error == "" || !n.health.down("boot1", "a.0", boot.ByTFTP) {
		t.Errorf("a node without its files sends machines to itself: %+v", st.Files)
	}
}

func TestDescribe(t *testing.T) {
	cfg, err := config.Parse("f", []byte("site: hq\nnodes: {n1: {address: 10.0.0.1, roles: [tftp]}}\nboot: [{name: t, file: surefoot-test}]\nnetworks: {lan: {subnet: 10.0.0.0/24, deliver: none}}\n"), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := Describe(cfg, files.Client{Arch: "bios", Network: "elsewhere"}, netip.MustParseAddr("10.9.0.1"), boot.MAC{})
	if want := (files.Client{Arch: "bios", Network: "elsewhere", Node: "n1", Site: "hq"}); got != want {
		t.Errorf("%+v", got)
	}
	if got := Describe(cfg, files.Client{}, netip.MustParseAddr("10.0.0.9"), boot.MAC{2}); got.Network != "lan" || got.MAC != "02:00:00:00:00:00" || got.Name != "" {
		t.Errorf("%+v", got)
	}
}
