package app

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/link"
)

// TestWarnings: what works, but not as configured, is told with its remedy.
func TestWarnings(t *testing.T) {
	elsewhere := func(s string) string {
		s = strings.Replace(s, "127.0.0.1, roles", "192.0.2.7, roles", 1)
		return strings.NewReplacer("tftp: {listen: \"127.0.0.1", "tftp: {listen: \"0.0.0.0", "http: {listen: \"127.0.0.1", "http: {listen: \"0.0.0.0").Replace(s)
	}
	n := prepare(t, func(s string) string { return strings.Replace(elsewhere(s), "a.0", "b.0", 1) })
	got := n.warnings()
	if w := code(got, "address-elsewhere"); w == nil || !strings.Contains(w.Text, "192.0.2.7") || !strings.Contains(w.Fix, "nodes.boot1.address") {
		t.Errorf("no word of an address that is not here: %+v", got)
	}
	if w := code(got, "file-missing"); w == nil || !strings.Contains(w.Fix, "a.0") {
		t.Errorf("no word of a file that is not here: %+v", got)
	}
}

// TestInterfaces: an interface on which nobody can be answered is told, and the node is not ready.
func TestInterfaces(t *testing.T) {
	n := prepare(t, func(s string) string {
		return strings.Replace(s, "roles: [tftp, http]", "interfaces: [eth1]", 1)
	})
	has := []netip.Prefix{netip.MustParsePrefix("10.10.0.11/24")}
	for name, c := range map[string]struct {
		link   link.Link
		err    error
		code   string
		silent bool
	}{
		"served":     {link: link.Link{Addrs: has, Up: true}},
		"no address": {link: link.Link{Up: true}, code: "interface-no-address", silent: true},
		"down":       {link: link.Link{Addrs: has}, code: "interface-down"},
		"gone":       {err: &link.MissingError{Name: "eth1"}, code: "interface-gone", silent: true},
		"not read":   {err: os.ErrDeadlineExceeded, code: "interface-gone"},
	} {
		t.Run(name, func(t *testing.T) {
			n.link = func(string) (link.Link, error) { return c.link, c.err }
			got := n.warnings()
			if c.code == "" && len(got) != 0 || c.code != "" && (len(got) != 1 || got[0].Code != c.code || got[0].Fix == "") {
				t.Errorf("warnings %+v, want %q", got, c.code)
			}
			not := n.notReady()
			silent := slices.ContainsFunc(not, func(s string) bool { return strings.HasPrefix(s, "proxydhcp on eth1") })
			if silent != c.silent {
				t.Errorf("not ready: %q, want the interface in it: %v", not, c.silent)
			}
		})
	}
}

// TestRootMoves: a directory that takes the root's place is served; what is no directory is not.
func TestRootMoves(t *testing.T) {
	n := start(t, nil)
	root := filepath.Join(n.dir, "boot")
	n.put(t, "boot.new/a.0", "new")
	rename := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	rename(root, root+".old")
	n.followRoot(t.Context())
	if got := page(t, n.http, "/a.0"); len(got) != 1100 {
		t.Errorf("with nothing at the root, %d bytes are served", len(got))
	}
	if w := code(n.Status().Warnings, "root-moved"); w == nil || !strings.Contains(w.Text, root) {
		t.Errorf("no word of it: %+v", n.Status().Warnings)
	}
	n.followRoot(t.Context())
	if got := strings.Count(n.log.String(), "cannot be served"); got != 1 {
		t.Errorf("it is in the log %d times, want once", got)
	}
	rename(root+".new", root)
	n.followRoot(t.Context())
	if got := page(t, n.http, "/a.0"); got != "new" {
		t.Errorf("of the new root, %q is served", got)
	}
	x := ask(t, n.tftp, "a.0")
	x.block(t)
	x.acknowledge(t, 1)
	if string(x.file) != "new" {
		t.Errorf("over TFTP %q", x.file)
	}
	if got := n.warnings(); len(got) != 0 {
		t.Errorf("warnings remain: %+v", got)
	}
	if !strings.Contains(n.log.String(), "another directory stands at the root, and is served") {
		t.Errorf("the log does not tell:\n%s", n.log)
	}
	rename(root, root+".new")
	rename(root+".old", root)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for end := time.After(3 * watchEvery); len(page(t, n.http, "/a.0")) != 1100; {
		select {
		case <-again.C:
		case <-end:
			t.Fatal("the watch does not follow the root by itself")
		}
	}
}

// TestNames: a reservation's name is what a machine is called.
func TestNames(t *testing.T) {
	n := prepare(t, func(s string) string {
		return s + "networks:\n  vdi:\n    subnet: 10.10.0.0/22\n    reservations: [{mac: \"52:54:00:12:34:56\", name: pc-90}]\n"
	})
	if got := n.nameOf(boot.MAC{0x52, 0x54, 0, 0x12, 0x34, 0x56}); got != "pc-90" {
		t.Errorf("nameOf = %q", got)
	}
	if got := n.nameOf(boot.MAC{2}); got != "" {
		t.Errorf("nameOf a stranger = %q", got)
	}
	if n.hasPeers() {
		t.Error("one node has peers")
	}
	for _, by := range boot.Protocols() {
		if !n.health.down("boot1", "b.0", by) || n.health.down("boot1", "a.0", by) || n.health.down("pvs1", "b.0", by) {
			t.Errorf("this node lacks b.0, and nothing else is known (%s)", by)
		}
	}
}

// TestUploadFolder: a folder for uploads that is missing is told, and the node starts all the same.
func TestUploadFolder(t *testing.T) {
	n := prepare(t, func(s string) string { return strings.Replace(s, "tftp: {", "tftp: {uploads: [{folder: crash}], ", 1) })
	if w := code(n.warnings(), "upload-folder"); w == nil || !strings.Contains(w.Text, "crash takes no files: there is no such folder") ||
		!strings.Contains(w.Fix, "ReadWritePaths=-"+filepath.Join(n.dir, "boot/crash")) {
		t.Errorf("%+v", n.warnings())
	}
	if err := os.Mkdir(filepath.Join(n.dir, "boot/crash"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := n.warnings(); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}
