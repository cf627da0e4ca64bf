package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"surefoot/internal/files"
	"surefoot/internal/publish"
	"surefoot/internal/serve/tftp"
)

// serveTree runs a server over a folder until the test ends, and returns where.
func serveTree(t *testing.T, dir string) string {
	t.Helper()
	root, err := files.Open(dir, files.Options{Fold: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := tftp.New(tftp.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Files: root, DrainTimeout: time.Millisecond}, tftp.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, nil) }()
	t.Cleanup(func() { cancel(); <-done; _ = root.Close() })
	return s.Addr().String()
}

// Two servers, of which one has another file: it is named, with both hashes, and the exit status is 3.
func TestFileVerifyFromServers(t *testing.T) {
	var roots, addrs []string
	for _, content := range []string{"bootstrap", "another"} {
		dir := t.TempDir()
		for name, text := range map[string]string{"pvs/ARDBP32.BIN": content, "snponly.efi": "efi", "menu.tmpl": "{{.MAC}}"} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		roots, addrs = append(roots, dir), append(addrs, serveTree(t, dir))
	}
	site := siteFile(t, fmt.Sprintf(`
site: hq
root: %s
nodes: {n1: {address: 127.0.0.1, roles: [tftp]}, n2: {address: 127.0.0.2, roles: [http]}}
servers: {good: {tftp: "%s"}, bad: {tftp: "%s"}, web: {http: 127.0.0.1:80}}
boot: [{name: pvs, file: snponly.efi}]
networks: {lan: {deliver: none}}
files: [{name: "menu/*", template: menu.tmpl}, {name: menu.cfg, template: menu.tmpl}]
`, roots[0], addrs[0], addrs[1]))

	out, errs, code := invoke(t, "file", "verify", "--config", site, "--from", "good", "--from", addrs[0])
	if code != ExitOK {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	contains(t, out, "3 files, the measure for others", "good ("+addrs[0]+"): 3 files downloaded, all the same bytes", "\n"+addrs[0]+": 3 files", "not compared, since their text is made for each client: menu.cfg")

	out, _, code = invoke(t, "file", "verify", "--config", site, "--from", "good,bad")
	if code != ExitProblems {
		t.Errorf("exit %d: %s", code, out)
	}
	contains(t, out, "bad ("+addrs[1]+"): 1 of 3 files DIFFER\n  changed       pvs/ARDBP32.BIN\n    expected    ", "    because     7 bytes instead of 9\n")
	for line := range strings.Lines(out) {
		if len(line) > columns+1 {
			t.Errorf("a line of %d characters: %s", len(line), line)
		}
	}

	out, _, code = invoke(t, "file", "verify", "--config", site, "--from", "bad", "--json", "*.efi")
	var got struct {
		OK      bool
		Checked int
		Servers []publish.Delivered
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != ExitOK || !got.OK || got.Checked != 1 || got.Servers[0].Files != 1 {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}

	dead, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	at := dead.LocalAddr().String()
	_ = dead.Close()
	out, _, code = invoke(t, "file", "verify", "--root", roots[0], "--from", at)
	if code != ExitProblems {
		t.Errorf("exit %d: %s", code, out)
	}
	contains(t, out, "3 of 3 files DIFFER", "  not-delivered menu.tmpl", "refused: "+at, "  not-asked     2 files more: the server did not answer any more")

	for args, text := range map[string]string{
		"--from web":            "--from web: it serves no TFTP",
		"--all-nodes --from :x": `--from ":x" is not NAME, HOST or HOST:PORT`,
		"--timeout 0s":          "--timeout: more than 0",
	} {
		if _, errs, code := invoke(t, append([]string{"file", "verify", "--config", site}, strings.Fields(args)...)...); code != ExitUsage || !strings.Contains(errs, text) {
			t.Errorf("%s: exit %d: %s", args, code, errs)
		}
	}
	o := fileVerifyOptions{allNodes: true, timeout: 1, fileOptions: &fileOptions{config: site, env: &Env{}}}
	cfg, err := o.site(nil)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := o.servers(cfg); err != nil || len(all) != 1 || all[0] != (publish.Server{Name: "n1", Host: "127.0.0.1", Port: 69}) {
		t.Errorf("all nodes that serve TFTP: %+v, %v", all, err)
	}
}

// Names and notes come from elsewhere: a table stays a table, of at most so many columns.
func TestFileListFits(t *testing.T) {
	root, src := t.TempDir(), t.TempDir()
	for _, name := range []string{strings.Repeat("long/", 30) + "name.efi", "esc\x1b[2J\n", "plain"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(src, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(src, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(strings.Repeat("long/", 30)+"name.efi", filepath.Join(src, "link")); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{strings.Repeat("i", 63), "short"} {
		if _, errs, code := invoke(t, "file", "publish", src, "--root", root, "--id", id, "--note", strings.Repeat("note ", 40)); code != ExitOK {
			t.Fatal(errs)
		}
	}
	out, _, code := invoke(t, "file", "--root", root)
	if code != ExitOK || strings.Contains(out, "\x1b") {
		t.Errorf("exit %d: %q", code, out)
	}
	for line := range strings.Lines(out) {
		if n := len([]rune(line)); n > columns+1 {
			t.Errorf("a line of %d characters: %s", n, line)
		}
	}
	contains(t, out, `"esc\x1b[2J\n"`, " -> ...", "short ", "iiii")
}

// Where there is nothing to compare, nothing was found to be the same.
func TestFileVerifyOfNothing(t *testing.T) {
	out, errs, code := invoke(t, "file", "verify", "--root", t.TempDir(), "--from", "127.0.0.1:1")
	if code != ExitProblems || !strings.Contains(errs, "there is no file below") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
}
