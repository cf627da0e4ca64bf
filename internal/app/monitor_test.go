package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/files"
	"surefoot/internal/health"
	"surefoot/internal/journal"
	"surefoot/internal/serve/tftp"
	"surefoot/internal/watch"
	"surefoot/internal/web"
)

// other is a TFTP server of somebody else's, on an address of its own.
type other struct {
	stop  context.CancelFunc
	ended chan error
}

// serveAt hands out a directory at an address until it is killed.
func serveAt(t *testing.T, dir, addr string, port int) *other {
	t.Helper()
	root, err := files.Open(dir, files.Options{})
	if err != nil {
		t.Fatal(err)
	}
	at := netip.AddrPortFrom(netip.MustParseAddr(addr), uint16(port))
	s, err := tftp.New(tftp.Config{Node: addr, Listen: at, Files: root, Limits: tftp.Limits{Transfers: 100}}, tftp.Deps{Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	o := &other{stop: stop, ended: make(chan error, 1)}
	up := make(chan struct{})
	go func() { o.ended <- s.Run(ctx, func() { close(up) }); close(o.ended) }()
	<-up
	t.Cleanup(func() { o.kill() })
	return o
}

func (o *other) kill() {
	o.stop()
	<-o.ended
}

const period = 200 * time.Millisecond

// watching starts a node that sends machines to two servers of somebody else's, 127.0.0.2 and
// 127.0.0.3, and tests them five times a second.
func watching(t *testing.T) (n *node, pvs [2]*other) {
	t.Helper()
	port := freePort(t)
	n = start(t, func(s string) string {
		dir := filepath.Dir(strings.TrimSpace(strings.TrimPrefix(strings.SplitN(s, "\n", 3)[1], "root: ")))
		s = strings.Replace(s, "boot:\n", fmt.Sprintf("servers:\n  pvs1: {tftp: \"127.0.0.2:%d\"}\n  pvs2: {tftp: \"127.0.0.3:%d\"}\nboot:\n  - {name: pvs, when: {arch: bios}, file: a.0, from: [pvs1, pvs2]}\n", port, port), 1)
		return s + fmt.Sprintf("watch: {every: %s, timeout: 50ms, down_after: 3}\nstate: %s\n", period, dir)
	})
	for i := range pvs {
		pvs[i] = serveAt(t, filepath.Join(n.dir, "boot"), fmt.Sprintf("127.0.0.%d", i+2), port)
	}
	n.until(t, "both servers are up", func() bool {
		return !slices.ContainsFunc(n.monitor.Servers(), func(s watch.ServerReport) bool { return s.Health != health.Up })
	})
	return n, pvs
}

// until waits for what the monitor finds out, and returns how long it took.
func (n *node) until(t *testing.T, what string, holds func() bool) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	began := time.Now()
	moves := n.monitor.Follow(ctx, "")
	for !holds() {
		if _, ok := <-moves; !ok {
			t.Fatalf("it never comes that %s: %+v", what, n.monitor.Report(watch.Query{}))
		}
	}
	return time.Since(began)
}

// named are the servers that a BIOS machine is told, in order.
func (n *node) named() string {
	d := boot.Decide(boot.Client{Arch: boot.ArchBIOS, Firmware: boot.FirmwarePXE}, &n.setup().Site, n.health.down)
	var out []string
	for _, s := range d.Answer.Servers {
		out = append(out, s.Name)
	}
	if d.Answer.FailOpen {
		out = append(out, "(fail open)")
	}
	return strings.Join(out, " ")
}

// TestDeadServerLeavesAnswers kills one of two servers, then both, and starts them again.
func TestDeadServerLeavesAnswers(t *testing.T) {
	n, pvs := watching(t)
	if got := n.named(); got != "pvs1 pvs2" {
		t.Fatalf("with both alive %q are named", got)
	}
	pvs[0].kill()
	took := n.until(t, "pvs1 is out", func() bool { return n.named() == "pvs2" })
	t.Logf("pvs1 left the answers %s after its death (every %s, down after 3)", took.Round(time.Millisecond), period)
	if limit := 3*period + time.Second; took > limit {
		t.Errorf("it took %s, longer than %s", took, limit)
	}
	if w := code(n.Status().Warnings, "server-down"); w == nil || !strings.Contains(w.Title, "pvs1") || !strings.Contains(w.Text, "refused") {
		t.Errorf("status does not tell: %+v", n.Status().Warnings)
	}
	pvs[1].kill()
	n.until(t, "both are named again", func() bool { return n.named() == "pvs1 pvs2 (fail open)" })
	if w := code(n.Status().Warnings, "all-servers-down"); w == nil || !strings.Contains(w.Text, "pvs1, pvs2") {
		t.Errorf("status does not tell of fail open: %+v", n.Status().Warnings)
	}
	port := int(n.setup().Site.Servers["pvs1"].TFTP.Port())
	serveAt(t, filepath.Join(n.dir, "boot"), "127.0.0.2", port)
	n.until(t, "pvs1 is back", func() bool { return n.named() == "pvs1" })
	if !strings.Contains(n.log.String(), "reason=all-servers-down") || !strings.Contains(n.log.String(), "reason=server-down") {
		t.Errorf("the log does not tell:\n%s", n.log)
	}
}

// TestTwoProtocols: of a server with TFTP and HTTP both are tested, and each steers its own answers.
func TestTwoProtocols(t *testing.T) {
	page := httptest.NewUnstartedServer(nil)
	defer page.Close()
	port := freePort(t)
	n := start(t, func(s string) string {
		page.Config.Handler = http.FileServer(http.Dir(strings.TrimSpace(strings.TrimPrefix(strings.SplitN(s, "\n", 3)[1], "root: "))))
		page.Start()
		s = strings.Replace(s, "boot:\n", fmt.Sprintf("servers: {pvs1: {tftp: \"127.0.0.2:%d\", http: \"%s\"}}\nboot:\n  - {name: pvs, file: a.0, from: [boot1, pvs1]}\n", port, page.Listener.Addr()), 1)
		s = strings.Replace(s, "  - {name: rest, file: a.0}\n", "", 1)
		return s + fmt.Sprintf("watch: {every: %s, timeout: 50ms, down_after: 2}\n", period)
	})
	served := serveAt(t, filepath.Join(n.dir, "boot"), "127.0.0.2", port)
	named := func(f boot.Firmware) (out string) {
		for _, s := range boot.Decide(boot.Client{Arch: boot.ArchX64, Firmware: f}, &n.setup().Site, n.health.down).Answer.Servers {
			out += s.Name + " "
		}
		return out
	}
	states := func() (out []string) {
		for _, x := range n.monitor.Report(watch.Query{}).Tests {
			out = append(out, x.Name+" "+string(x.State))
		}
		return out
	}
	want := []string{"boot1/a.0 up", "http:boot1/a.0 up", "pvs1/a.0 up", "http:pvs1/a.0 up"}
	n.until(t, "all are up", func() bool { return slices.Equal(states(), want) })
	page.Close()
	n.until(t, "its HTTP is dead", func() bool { return states()[3] == "http:pvs1/a.0 down" })
	if tftp, http := named(boot.FirmwareEDK2), named(boot.FirmwareUEFIHTTP); tftp != "boot1 pvs1 " || http != "boot1 " {
		t.Errorf("with its HTTP dead, by TFTP are named %q, by HTTP %q", tftp, http)
	}
	if w := code(n.Status().Warnings, "server-down"); w == nil || !strings.Contains(w.Title, "pvs1") || !strings.Contains(w.Title, "some") {
		t.Errorf("status: %+v", n.Status().Warnings)
	}
	again, err := net.Listen("tcp", page.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	go func() { _ = http.Serve(again, page.Config.Handler) }() // it ends with the listener
	served.kill()
	n.until(t, "its TFTP is dead, its HTTP is back", func() bool { return slices.Equal(states()[2:], []string{"pvs1/a.0 down", "http:pvs1/a.0 up"}) })
	if tftp, http := named(boot.FirmwareEDK2), named(boot.FirmwareUEFIHTTP); tftp != "boot1 " || http != "boot1 pvs1 " {
		t.Errorf("with its TFTP dead, by TFTP are named %q, by HTTP %q", tftp, http)
	}
}

// TestDrainsOverTheSocket drains and resumes as the command line does, and restarts in between.
func TestDrainsOverTheSocket(t *testing.T) {
	n, _ := watching(t)
	c := web.Dial(n.setup().Socket)
	if out, err := c.Drain(t.Context(), "pvs1", web.DrainRequest{Reason: "work", DryRun: true}); err != nil || !out.Changed || n.named() != "pvs1 pvs2" {
		t.Errorf("a dry run: %+v, %v; named are %s", out, err, n.named())
	}
	out, err := c.Drain(t.Context(), "pvs1", web.DrainRequest{For: time.Hour, Reason: "work"})
	if err != nil || out.NotKept != "" || n.named() != "pvs2" {
		t.Errorf("drained: %+v, %v; named are %s", out, err, n.named())
	}
	if w := code(n.Status().Warnings, "server-drained"); w == nil || !strings.Contains(w.Text, "work") {
		t.Errorf("status does not tell: %+v", n.Status().Warnings)
	}
	if _, err := c.Drain(t.Context(), "pvs2", web.DrainRequest{}); err != nil || n.named() != "pvs1 pvs2" {
		t.Errorf("with both drained %s are named, %v", n.named(), err)
	}
	if w := code(n.Status().Warnings, "drain-yields"); w == nil {
		t.Errorf("status does not tell: %+v", n.Status().Warnings)
	}
	if _, err := c.Resume(t.Context(), "pvs2", false); err != nil || n.named() != "pvs2" {
		t.Errorf("resumed: %s are named, %v", n.named(), err)
	}

	n.stop()
	if err := <-n.ended; err != nil {
		t.Fatal(err)
	}
	again, err := New(n.opts, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- again.Run(ctx, nil) }()
	n.await(t, "READY=1")
	n2 := &node{App: again}
	if got := n2.named(); got != "pvs2" {
		t.Errorf("after a restart %s are named", got)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestProbesAreNoMachines: the monitor's downloads from this very node are in no story and in no
// metric of deliveries, and those of machines are.
func TestProbesAreNoMachines(t *testing.T) {
	n, _ := watching(t)
	n.until(t, "this node was tested 5 times", func() bool {
		for _, x := range n.monitor.Report(watch.Query{Server: "boot1"}).Tests {
			if x.Runs >= 5 {
				return true
			}
		}
		return false
	})
	if got := n.journal.Counters()["files_delivered"]; got != 0 {
		t.Errorf("%d deliveries are counted", got)
	}
	if s := n.journal.Stories(journal.Query{}); len(s) != 0 {
		t.Errorf("the monitor has a story: %+v", s)
	}
	x := ask(t, n.tftp, "a.0")
	for i := byte(1); !x.block(t); i++ {
		x.acknowledge(t, i)
	}
	x.acknowledge(t, 3)
	n.until(t, "a machine's is counted", func() bool { return n.journal.Counters()["files_delivered"] == 1 })
}

// TestWatchIsOff where there is nobody else to send machines to.
func TestWatchIsOff(t *testing.T) {
	n := prepare(t, nil)
	if tests := n.monitor.Report(watch.Query{}).Tests; len(tests) != 0 {
		t.Errorf("a single node tests %+v", tests)
	}
	n = prepare(t, func(s string) string { return s + "watch: {every: 1s}\n" })
	if tests := n.monitor.Report(watch.Query{}).Tests; len(tests) != 2 || tests[0].Server != "boot1" || tests[1].Name != "http:boot1/a.0" {
		t.Errorf("a single node that is told to watch tests %+v", tests)
	}
}

func TestOwnProbes(t *testing.T) {
	now := time.Now()
	p := ownProbes{now: func() time.Time { return now }}
	ap := netip.MustParseAddrPort
	closed := p.opened(ap("0.0.0.0:50000"), ap("10.0.0.1:69"))
	for from, want := range map[string]bool{"10.0.0.1:50000": true, "127.0.0.1:50000": true, "10.0.0.9:50000": false, "10.0.0.1:50001": false} {
		if got := p.sent(ap(from)); got != want {
			t.Errorf("%s is a probe: %v", from, got)
		}
	}
	closed()
	now = now.Add(afterlife / 2)
	again := p.opened(ap("0.0.0.0:50001"), ap("10.0.0.1:69"))
	if !p.sent(ap("10.0.0.1:50000")) {
		t.Error("what the server tells of the end is taken for a machine's")
	}
	now = now.Add(afterlife)
	again()
	p.opened(ap("0.0.0.0:50002"), ap("10.0.0.1:69"))()
	if p.sent(ap("10.0.0.1:50000")) || !p.sent(ap("10.0.0.1:50001")) {
		t.Error("ports are not forgotten in their time")
	}
	now = now.Add(2 * afterlife)
	p.opened(ap("0.0.0.0:50003"), ap("10.0.0.1:69"))
	if len(p.open) != 1 || len(p.closed) != 0 {
		t.Errorf("%d ports are kept", len(p.open))
	}
}
