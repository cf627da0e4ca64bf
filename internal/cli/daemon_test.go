package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/journal"
	"surefoot/internal/web"
)

// daemon is a node that commands talk to, over a real unix socket.
type daemon struct {
	socket  string
	journal *journal.Journal
	mu      sync.Mutex // guards what follows
	status  web.Status
	reload  error
}

func startDaemon(t *testing.T) *daemon {
	t.Helper()
	d := &daemon{socket: filepath.Join(t.TempDir(), "api.sock"), journal: journal.New(journal.Config{Node: "boot1"})}
	d.status = web.Status{
		Node: "boot1", Site: "hq", Version: "v1", Started: time.Now().Add(-time.Hour), Ready: true,
		Config: web.ConfigStatus{LoadedAt: time.Now()},
		Roles: []web.RoleStatus{
			{Name: "proxydhcp", State: "ready", Listen: []string{"eth1: DHCP broadcasts and relays (67), udp 4011", "eth2: DHCP broadcasts and relays (67), udp 4011"}},
			{Name: "tftp", State: "ready", Listen: []string{"udp 0.0.0.0:69"}},
		},
		Nodes:    []web.NodeStatus{{Name: "boot1", Address: "10.10.0.11", Self: true, Roles: []string{"proxydhcp", "tftp"}}},
		Rules:    []web.RuleStatus{{Name: "uefi", File: "snponly.efi", From: []string{"boot1"}}},
		Networks: []web.NetworkStatus{{Name: "vdi", Subnet: "10.10.0.0/22", Deliver: "proxy"}},
	}
	s, err := web.New(web.Config{Socket: d.socket}, web.Deps{
		Journal: d.journal, Gatherer: d.journal.Gatherer(), Ready: func() []string { return nil },
		Status: func() web.Status { d.mu.Lock(); defer d.mu.Unlock(); return d.status },
		Reload: func(context.Context) error { d.mu.Lock(); defer d.mu.Unlock(); return d.reload },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, run := range []func(context.Context, func()) error{d.journal.Run, s.Run} {
		up := make(chan struct{})
		wg.Go(func() {
			if err := run(ctx, func() { close(up) }); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
		<-up
	}
	t.Cleanup(func() { cancel(); wg.Wait() })
	return d
}

func (d *daemon) set(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

var (
	macA = boot.MAC{0x52, 0x54, 0, 0x12, 0x34, 0x56}
	macB = boot.MAC{0x52, 0x54, 0, 0x99, 0x34, 0x56}
)

// boots emits two boots and waits until they are stories: one that is done, one of a file that is
// not there.
func (d *daemon) boots(t *testing.T) {
	t.Helper()
	at := time.Now().Add(-time.Minute)
	x64 := boot.ArchX64
	for i, m := range []boot.MAC{macA, macB} {
		ip := netip.AddrFrom4([4]byte{10, 10, 0, byte(90 + i)})
		end := boot.Event{Reason: boot.Done, Bytes: 1004544, Size: 1004544, Dur: 800 * time.Millisecond}
		if m == macB {
			end = boot.Event{Reason: boot.FileMissing, Detail: `no such file: "snponly.efi" (near: snp.efi)`}
		}
		events := []boot.Event{
			{Role: "proxydhcp", Kind: boot.DiscoverSeen, Firmware: boot.FirmwareEDK2, Arch: &x64},
			{Role: "proxydhcp", Kind: boot.OfferSent, Firmware: boot.FirmwareEDK2, Reason: boot.Answered, Rule: "uefi", File: "snponly.efi", Server: "boot1"},
			{Role: "proxydhcp", Kind: boot.RequestSeen, IP: ip, Reason: boot.OtherMessage},
			{Role: "tftp", Kind: boot.ReadRequest, IP: ip, File: "snponly.efi", Transfer: uint64(i)},
			{Role: "tftp", Kind: boot.TransferEnd, IP: ip, File: "snponly.efi", Transfer: uint64(i), Reason: end.Reason, Detail: end.Detail, Bytes: end.Bytes, Size: end.Size, Dur: end.Dur},
		}
		for j, ev := range events {
			ev.Time, ev.Node = at.Add(time.Duration(i)*time.Second+time.Duration(j)*250*time.Millisecond), "boot1"
			if ev.Role == "proxydhcp" {
				ev.MAC, ev.XID = m, 7
			}
			d.journal.Emit(ev)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		s := d.journal.Stories(journal.Query{Machine: macB.String()})
		if len(s) == 1 && s[0].State == journal.Stuck {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the boots did not become stories: %+v", s)
		}
	}
}

// run runs a command against the node.
func (d *daemon) run(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return invoke(t, append(args, "--socket", d.socket)...)
}

// narrow fails the test for lines of more than 100 columns.
func narrow(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
		for _, r := range line {
			if r > 126 || r < ' ' && r != '\n' {
				t.Errorf("not plain ASCII: %q", line)
			}
		}
	}
}

func contains(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in:\n%s", w, text)
		}
	}
}

func TestStatus(t *testing.T) {
	d := startDaemon(t)
	d.boots(t)
	out, errs, code := d.run(t, "status")
	if code != ExitOK || errs != "" {
		t.Errorf("exit %d: %s", code, errs)
	}
	narrow(t, out)
	contains(t, out, "node boot1 of site hq: ready", "embedded defaults", "proxydhcp  ready", "eth2: DHCP", "boot1 (this one)  10.10.0.11",
		"uefi  snponly.efi  boot1", "vdi      10.10.0.0/22  proxy", "2 offers", "1 files (1.0 MB), 1 failed", "52:54:00:12:34:56  10.10.0.90       edk2       done ")

	d.set(func() {
		d.status.Ready, d.status.NotReady = false, []string{"tftp starting"}
		d.status.Warnings = []web.Warning{{Title: "rule uefi names a file that is not here", Text: strings.Repeat("long text ", 30), Fix: "put it there"}}
		d.status.Config.LastError = "surefoot.yaml:6:12: no such server\n  > 6 | x"
	})
	out, errs, code = d.run(t, "status")
	if code != ExitProblems || errs != "" {
		t.Errorf("exit %d: %s", code, errs)
	}
	narrow(t, out)
	contains(t, out, "NOT READY: tftp starting", "warning: rule uefi names", "  fix: put it there", "last reload refused", "  surefoot.yaml:6:12: no such server\n    > 6 | x")

	out, _, code = d.run(t, "status", "--json")
	var st web.Status
	if err := json.Unmarshal([]byte(out), &st); err != nil || st.Node != "boot1" || st.Counters["offers"] != 2 || code != ExitProblems {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
}

func TestStory(t *testing.T) {
	d := startDaemon(t)
	out, _, code := d.run(t, "story")
	if code != ExitOK || out != "no machine has asked for a boot yet\n" {
		t.Errorf("exit %d: %q", code, out)
	}
	d.boots(t)

	out, errs, code := d.run(t, "story")
	if code != ExitOK || errs != "" {
		t.Errorf("exit %d: %s", code, errs)
	}
	narrow(t, out)
	contains(t, out, "52:54:00:12:34:56  10.10.0.90       edk2       done     snponly.efi\n", "          snponly.efi delivered at ", ": 1.0 MB in 0.8 s\n",
		"52:54:00:99:34:56  10.10.0.91       edk2       stuck    snponly.efi\n          asked for snponly.efi, which is not there; near: snp.efi\n")

	for _, text := range []string{macA.String(), "52-54-00-12-34-56", "12:34:56", "123456", "10.10.0.90"} {
		out, errs, code = d.run(t, "story", text)
		if code != ExitOK || errs != "" {
			t.Errorf("story %s: exit %d: %s", text, code, errs)
		}
		narrow(t, out)
		contains(t, out, "52:54:00:12:34:56  ", "  10.10.0.90  uefi-x64(7)", "     +0.000 s  proxydhcp  discover      edk2 asks who can boot it\n",
			"     +0.250 s  proxydhcp  offer         is offered snponly.efi from boot1\n", "     +0.500 s  proxydhcp  dhcp-request  takes an address 10.10.0.90\n",
			"     +1.000 s  tftp       transfer-end  delivered completely: snponly.efi, 1.0 MB of 1.0 MB in 800ms\n", "  done: snponly.efi delivered at ")
		if strings.Contains(out, "10.10.0.91") {
			t.Errorf("story %s shows another machine:\n%s", text, out)
		}
	}

	_, errs, code = d.run(t, "story", "34:56")
	if code != ExitUsage {
		t.Errorf("exit %d for an end that two machines have", code)
	}
	contains(t, errs, `"34:56" means 2 machines: 52:54:00:12:34:56, 52:54:00:99:34:56`, "hint: ")

	_, errs, code = d.run(t, "story", "00:00:00:00:00:01")
	if code != ExitFailed {
		t.Errorf("exit %d for a machine without a story", code)
	}
	contains(t, errs, "this node has seen no boot of 00:00:00:00:00:01", "hint: ")

	out, errs, code = d.run(t, "story", "00:00:00:00:00:01", "--json")
	var failed struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(out), &failed); err != nil || code != ExitFailed || errs != "" || failed.Error.Code != "not-found" {
		t.Errorf("exit %d, %v: %s%s", code, err, out, errs)
	}
	out, errs, code = d.run(t, "story", "zz")
	if code != ExitUsage || out != "" {
		t.Errorf("exit %d for what is no address: %s", code, out)
	}
	contains(t, errs, `"zz" is no MAC address`, "hint: ")
	if out, _, code = d.run(t, "story", "34:56", "--json"); code != ExitUsage || !strings.Contains(out, `"code":"ambiguous"`) {
		t.Errorf("exit %d for an end that two machines have: %s", code, out)
	}

	if _, _, code = d.run(t, "story", "--limit", "0"); code != ExitUsage {
		t.Errorf("--limit 0: exit %d", code)
	}
	if out, _, _ = d.run(t, "story", "--limit", "1"); strings.Contains(out, macA.String()) {
		t.Errorf("--limit 1 shows two machines:\n%s", out)
	}

	out, _, code = d.run(t, "story", "--json", macA.String())
	var doc web.Stories
	if err := json.Unmarshal([]byte(out), &doc); err != nil || code != ExitOK || len(doc.Stories) != 1 || len(doc.Stories[0].Steps) != 5 {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
}

// The newest attempt is the last thing on the screen.
func TestStoryOrder(t *testing.T) {
	d := startDaemon(t)
	for i, file := range []string{"first.0", "second.0"} {
		d.journal.Emit(boot.Event{
			Time: time.Now().Add(time.Duration(i-2) * 20 * time.Minute), Role: "tftp", Kind: boot.ReadRequest, MAC: macA, File: file, Transfer: uint64(i + 1),
		})
	}
	for deadline := time.Now().Add(10 * time.Second); len(d.journal.Stories(journal.Query{})) < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no two stories")
		}
	}
	out, _, _ := d.run(t, "story", macA.String())
	if i, j := strings.Index(out, "first.0"), strings.Index(out, "second.0"); i < 0 || j < i {
		t.Errorf("the order:\n%s", out)
	}
}

// follower is a writer that says when something was written.
type follower struct {
	mu    sync.Mutex // guards text
	text  strings.Builder
	wrote chan struct{}
}

func (f *follower) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text.Write(p)
	select {
	case f.wrote <- struct{}{}:
	default:
	}
	return len(p), nil
}

func TestStoryFollow(t *testing.T) {
	for _, c := range []struct {
		flag string
		want []string
	}{
		{"--json=false", []string{"52:54:00:12:34:56  discover", "asks who can boot it\n"}},
		{"--json", []string{`{"story":{"id":"`, `"event":{"time":"`, `"kind":"discover"`}},
	} {
		d := startDaemon(t)
		out := &follower{wrote: make(chan struct{}, 1)}
		ctx, cancel := context.WithCancel(t.Context())
		env := Env{In: strings.NewReader(""), Out: out, Err: out, Getenv: func(string) string { return "" }}
		over := make(chan int, 1)
		go func() {
			over <- Main(ctx, []string{"story", "--follow", c.flag, macA.String(), "--socket", d.socket}, env)
		}()
		for done := false; !done; { // the follower may come after the first ones
			d.journal.Emit(boot.Event{Time: time.Now(), Role: "proxydhcp", Kind: boot.DiscoverSeen, MAC: macB, XID: 1})
			d.journal.Emit(boot.Event{Time: time.Now(), Role: "proxydhcp", Kind: boot.DiscoverSeen, MAC: macA, XID: 1})
			select {
			case <-out.wrote:
				done = true
			case <-time.After(20 * time.Millisecond):
			}
		}
		cancel()
		if code := <-over; code != ExitOK {
			t.Errorf("%s: exit %d after Ctrl-C", c.flag, code)
		}
		contains(t, out.text.String(), c.want...)
		if strings.Contains(out.text.String(), macB.String()) {
			t.Errorf("another machine: %s", out.text.String())
		}
	}
}

func TestReload(t *testing.T) {
	d := startDaemon(t)
	out, errs, code := d.run(t, "reload")
	if code != ExitOK || errs != "" || out != "reloaded: 1 rule, 1 network, 0 warnings\n" {
		t.Errorf("exit %d: %q %q", code, out, errs)
	}
	d.set(func() { d.reload = errors.New("surefoot.yaml:6:12: boot[0].fiel: unknown key") })
	out, errs, code = d.run(t, "reload")
	if code != ExitFailed || out != "" {
		t.Errorf("exit %d: %q", code, out)
	}
	contains(t, errs, "reload refused, the old configuration goes on:\nsurefoot.yaml:6:12: boot[0].fiel: unknown key", "hint: surefoot config check surefoot.yaml ")
	for _, other := range []string{"status.listen and status.socket cannot change while running: restart surefoot for that", "tftp: listen udp 0.0.0.0:69: address already in use"} {
		d.set(func() { d.reload = errors.New(other) })
		if _, errs, code = d.run(t, "reload"); code != ExitFailed || strings.Contains(errs, "config check") {
			t.Errorf("exit %d: %s", code, errs)
		}
		contains(t, errs, other)
	}
	out, _, code = d.run(t, "reload", "--json")
	var doc struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil || code != ExitFailed || doc.Error.Code != "refused" {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
}

func TestNoDaemon(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "none.sock")
	for _, name := range []string{"status", "story", "reload"} {
		_, errs, code := invoke(t, name, "--socket", socket)
		if code != ExitNoDaemon {
			t.Errorf("%s: exit %d, want %d", name, code, ExitNoDaemon)
		}
		contains(t, errs, socket, "hint: ", "systemctl status surefoot", "--socket")
	}
	var out, errs bytes.Buffer
	env := Env{In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: func(name string) string {
		return map[string]string{"SUREFOOT_SOCKET": socket}[name]
	}}
	if code := Main(t.Context(), []string{"story", "--follow"}, env); code != ExitNoDaemon || !strings.Contains(errs.String(), socket) {
		t.Errorf("by $SUREFOOT_SOCKET: exit %d: %s", code, errs.String())
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "  \n"},
		{"a b", "  a b\n"},
		{strings.Repeat("abcdefghi ", 11), "  " + strings.TrimSpace(strings.Repeat("abcdefghi ", 9)) + "\n  abcdefghi abcdefghi\n"},
		{strings.Repeat("x", 200), "  " + strings.Repeat("x", 200) + "\n"},
	} {
		if got := wrap(c.text, "  "); got != c.want {
			t.Errorf("wrap(%q)\n got %q\nwant %q", c.text, got, c.want)
		}
	}
	for _, c := range []struct{ text, want string }{{"file.efi", "file.efi"}, {"boot/very/long/file.efi", ".../file.efi"}} {
		if got := fit(c.text, 12); got != c.want {
			t.Errorf("fit(%q): %q, want %q", c.text, got, c.want)
		}
	}
}

// The socket is there, but for others.
func TestNotPermitted(t *testing.T) {
	var e *Error
	err := daemonError(&web.UnreachableError{Socket: "/run/surefoot/surefoot.sock", Err: fs.ErrPermission})
	if !errors.As(err, &e) || e.Code != ExitNotPermitted || len(e.Hints) == 0 || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("%+v", err)
	}
}

// A socket that cannot be opened is told once, with the flag that names another.
func TestSocketRefused(t *testing.T) {
	path := "/run/surefoot/surefoot.sock"
	denied := &web.SocketError{Socket: path, Err: &net.OpError{
		Op: "listen", Net: "unix", Addr: &net.UnixAddr{Name: path, Net: "unix"}, Err: os.NewSyscallError("bind", syscall.EACCES),
	}}
	if got := denied.Error(); got != "listen unix /run/surefoot/surefoot.sock: permission denied" || !errors.Is(denied, fs.ErrPermission) {
		t.Errorf("%q", got)
	}
	contains(t, strings.Join(denied.Hint(), "\n"), "run it as root", "--socket PATH")

	path = filepath.Join(siteFile(t, "no folder"), "api.sock")
	j := journal.New(journal.Config{Node: "boot1"})
	s, err := web.New(web.Config{Socket: path}, web.Deps{
		Journal: j, Gatherer: j.Gatherer(), Ready: func() []string { return nil }, Status: func() web.Status { return web.Status{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	var refused *web.SocketError
	if err := s.Listen(t.Context()); !errors.As(err, &refused) || refused.Error() != "listen unix "+path+": not a directory" {
		t.Errorf("%v", err)
	}
	contains(t, strings.Join(hintsOf(refused, nil), "\n"), "name another place: --socket PATH")
}
