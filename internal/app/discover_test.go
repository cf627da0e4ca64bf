package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"surefoot/internal/alert"
	"surefoot/internal/health"
	"surefoot/internal/journal"
	"surefoot/internal/probe"
	"surefoot/internal/watch"
	"surefoot/internal/web"
)

// TestMain is a node where the environment says so: what asks a segment has to be in its network
// namespace with all its threads.
func TestMain(m *testing.M) {
	if file := os.Getenv("SUREFOOT_APP_NODE"); file != "" {
		a, err := New(Options{ConfigPath: file, Node: os.Getenv("SUREFOOT_APP_NAME"), Socket: file + "." + os.Getenv("SUREFOOT_APP_NAME"), StateDir: filepath.Dir(file)},
			slog.New(slog.NewTextHandler(os.Stderr, nil)))
		if err == nil {
			err = a.Run(context.Background(), nil)
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// segmentLab is a switch with machines on it, each in a network namespace of its own.
type segmentLab struct {
	t    *testing.T
	name string
	dir  string
}

func (s *segmentLab) ns(host string) string { return s.name + host }

func (s *segmentLab) ip(args ...string) string {
	s.t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("ip %v: %s", args, out)
	}
	return string(out)
}

func newSegmentLab(t *testing.T, hosts ...string) *segmentLab {
	t.Helper()
	_, err := exec.LookPath("dnsmasq")
	if err != nil || os.Geteuid() != 0 {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal("needs dnsmasq and root")
		}
		t.Skip("needs dnsmasq and root")
	}
	s := &segmentLab{t: t, name: fmt.Sprintf("sf-d%d-", os.Getpid()), dir: t.TempDir()}
	for _, h := range append([]string{"sw"}, hosts...) {
		s.ip("netns", "add", s.ns(h))
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", s.ns(h)).Run() })
		s.ip("-n", s.ns(h), "link", "set", "lo", "up")
	}
	s.ip("-n", s.ns("sw"), "link", "add", "br0", "type", "bridge", "forward_delay", "0", "stp_state", "0")
	s.ip("-n", s.ns("sw"), "link", "set", "br0", "up")
	for i, h := range hosts {
		s.ip("-n", s.ns("sw"), "link", "add", h, "type", "veth", "peer", "name", "eth0", "netns", s.ns(h))
		s.ip("-n", s.ns("sw"), "link", "set", h, "master", "br0", "up")
		s.ip("-n", s.ns(h), "addr", "add", fmt.Sprintf("10.98.0.%d/24", i+1), "dev", "eth0")
		s.ip("-n", s.ns(h), "link", "set", "eth0", "up")
	}
	return s
}

// start runs a program on a host until the test ends or stop is called.
func (s *segmentLab) start(host string, env []string, args ...string) (stop func()) {
	s.t.Helper()
	cmd := exec.Command("ip", append([]string{"netns", "exec", s.ns(host)}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log, err := os.OpenFile(filepath.Join(s.dir, host+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := false
	stop = func() {
		if !ended {
			ended = true
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			_ = cmd.Wait()
			_ = log.Close()
		}
	}
	s.t.Cleanup(func() {
		stop()
		if s.t.Failed() {
			b, _ := os.ReadFile(log.Name())
			s.t.Logf("%s:\n%s", host, b)
		}
	})
	return stop
}

func (s *segmentLab) dnsmasq(host string, args ...string) (stop func()) {
	s.t.Helper()
	return s.start(host, nil, append([]string{
		"dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--interface=eth0", "--bind-interfaces", "--port=0", "--no-ping",
		"--leasefile-ro", "--user=root", "--pid-file=",
	}, args...)...)
}

const segmentSite = `site: seg
nodes:
  n1: {address: 10.98.0.1, interfaces: [eth0]}
  n2: {address: 10.98.0.2, interfaces: [eth0]}
networks:
  vdi: {subnet: 10.98.0.0/24, deliver: proxy}
boot:
  - {name: test, file: surefoot-test}
watch: {enabled: true, every: 1h, discover: {every: 2s, wait: 500ms}}
alerts: {rules: {resolve_after: 1s}}
history: {file: none}
`

// node runs one, with this test's own binary, and returns its API.
func (s *segmentLab) node(name string) *web.Client {
	s.t.Helper()
	file := filepath.Join(s.dir, "site.yaml")
	if err := os.WriteFile(file, []byte(segmentSite), 0o644); err != nil {
		s.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	s.start(name, []string{"SUREFOOT_APP_NODE=" + file, "SUREFOOT_APP_NAME=" + name}, self)
	return web.Dial(file + "." + name)
}

// firing returns those that fire, by code.
func firing(t *testing.T, c *web.Client) map[alert.Code]alert.Alert {
	out := map[alert.Code]alert.Alert{}
	list, err := c.Alerts(t.Context(), time.Time{})
	if err != nil {
		return out // not up yet
	}
	for _, a := range list.Alerts {
		if a.State == alert.Firing {
			out[a.Code] = a
		}
	}
	return out
}

// until waits for something that the node finds out by itself.
func (s *segmentLab) until(what string, within time.Duration, is func() bool) time.Duration {
	s.t.Helper()
	begun := time.Now()
	for !is() {
		if time.Since(begun) > within {
			s.t.Fatalf("%s: not within %s", what, within)
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.t.Logf("%s: after %.1f s", what, time.Since(begun).Seconds())
	return time.Since(begun)
}

func look(t *testing.T, c *web.Client) (watch.SegmentReport, bool) {
	rep, err := c.Watch(t.Context(), watch.Query{Test: "dhcp/eth0"})
	if err != nil || len(rep.Segments) != 1 || rep.Segments[0].Last == nil {
		return watch.SegmentReport{}, false
	}
	return rep.Segments[0], true
}

// TestDiscoverer: two nodes, a DHCP server that dies and returns, a stranger that says what to boot,
// and a segment that loses unicast answers.
func TestDiscoverer(t *testing.T) {
	s := newSegmentLab(t, "n1", "n2", "dhcp", "evil")
	n1, n2 := s.node("n1"), s.node("n2")
	state := func(want health.Status) func() bool {
		return func() bool { x, ok := look(t, n1); return ok && x.State == want && x.Last.State == want }
	}
	serve := func() func() { return s.dnsmasq("dhcp", "--dhcp-range=10.98.0.100,10.98.0.109,255.255.255.0,1h") }
	const probes, every = 3, 2 * time.Second
	limit := probes*every + 10*time.Second // and some for a busy machine

	stop := serve()
	s.until("answered", limit, state(watch.Answered))
	x, _ := look(t, n1)
	if x.Network != "vdi" || x.Last.MAC != probe.MonitorMAC("seg", "n1", "eth0").String() || x.Last.Response <= 0 {
		t.Errorf("%+v, last %+v", x, x.Last)
	}
	s.until("the other node's service is known", limit, func() bool {
		x, _ := look(t, n1)
		return x.Last != nil && strings.Contains(fmt.Sprint(x.Last.Services), "node n2")
	})
	if got := firing(t, n1); len(got) != 0 {
		t.Errorf("all is well, and alerts fire: %v", got)
	}
	leases, _ := os.ReadFile(filepath.Join(s.dir, "dhcp.log"))
	if strings.Contains(string(leases), "DHCPREQUEST") {
		t.Errorf("somebody took an address:\n%s", leases)
	}

	stop()
	s.until("nobody-answers", limit, func() bool { _, is := firing(t, n1)[alert.NobodyAnswers]; return is })
	if a := firing(t, n1)[alert.NobodyAnswers]; a.Labels["network"] != "vdi" || a.Labels["interface"] != "eth0" || !strings.Contains(strings.Join(a.Evidence, "\n"), "10.98.0.2 answers, and offers") {
		t.Errorf("the other node's ProxyDHCP must not hide it, and is evidence: %+v", a)
	}
	stop = serve()
	s.until("resolved", limit, func() bool { _, is := firing(t, n1)[alert.NobodyAnswers]; return !is })

	end := s.dnsmasq("evil", "--dhcp-range=10.98.0.0,proxy", "--pxe-service=x86PC,Evil,evil", "--enable-tftp", "--tftp-root="+s.dir)
	s.until("rogue-pxe", limit, func() bool { _, is := firing(t, n1)[alert.RogueService]; return is })
	rogue := firing(t, n1)[alert.RogueService]
	mac := strings.Fields(s.ip("-n", s.ns("evil"), "-br", "link", "show", "eth0"))[2]
	for _, want := range []string{"10.98.0.4", mac, "BIOS", "Evil"} {
		if !strings.Contains(fmt.Sprint(rogue.Title, rogue.Evidence), want) {
			t.Errorf("rogue-pxe does not say %q: %+v", want, rogue)
		}
	}
	for _, a := range firing(t, n2) {
		if a.Code == alert.RogueService && a.Labels["from"] != "10.98.0.4" {
			t.Errorf("a node counts as a stranger: %+v", a)
		}
	}
	end()
	s.until("the stranger is gone", limit, func() bool { _, is := firing(t, n1)[alert.RogueService]; return !is })

	// A port that forwards no frame to a MAC address that it does not know, and learns none: as a
	// hypervisor's switch does for a machine's card.
	s.ip("-n", s.ns("sw"), "link", "set", "n1", "type", "bridge_slave", "learning", "off", "flood", "off")
	card := strings.Fields(s.ip("-n", s.ns("n1"), "-br", "link", "show", "eth0"))[2]
	fdb := func(verb string) {
		if out, err := exec.Command("bridge", "-n", s.ns("sw"), "fdb", verb, card, "dev", "n1", "master", "static").CombinedOutput(); err != nil {
			t.Fatalf("bridge fdb: %s", out)
		}
	}
	s.ip("-n", s.ns("sw"), "link", "set", "n1", "type", "bridge_slave", "fdb_flush")
	fdb("replace")
	s.until("asked from the card's own address", limit, func() bool {
		x, ok := look(t, n1)
		return ok && x.Last.State == watch.Answered && x.Last.MAC == card && x.Last.Note != ""
	})
	fdb("delete")
	s.until("deaf", limit, func() bool { _, is := firing(t, n1)[alert.DeafTo]; return is })
	if a := firing(t, n1)[alert.DeafTo]; !strings.Contains(fmt.Sprint(a.Evidence), "only answers to the broadcast address arrive") || a.Labels["lost_flags"] != "0" {
		t.Errorf("%+v", a)
	}
	stop()

	// What this node cannot find out is told as that.
	s.ip("-n", s.ns("n1"), "link", "set", "eth0", "down")
	s.until("the interface is down", limit, state(watch.NotAsked))
	if x, _ := look(t, n1); !strings.Contains(x.Text, "eth0: is down") {
		t.Errorf("%q", x.Text)
	}
	s.ip("-n", s.ns("n1"), "link", "set", "eth0", "up")
	s.ip("-n", s.ns("sw"), "link", "set", "n1", "down")
	s.until("the cable is out", limit, func() bool {
		x, _ := look(t, n1)
		return x.Last != nil && strings.Contains(x.Last.Text, "has no carrier")
	})
	st, err := n1.Status(t.Context())
	if err != nil || !strings.Contains(fmt.Sprint(st.Warnings), "dhcp-not-asked") {
		t.Errorf("status does not warn: %v %v", st.Warnings, err)
	}
	if st2, err := n2.Stories(t.Context(), journal.Query{}); err != nil || len(st2) != 0 {
		t.Errorf("the monitor's DISCOVERs are stories of machines: %v %v", st2, err)
	}
}
