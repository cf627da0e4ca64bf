package dnsboot

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"surefoot/internal/boot"
)

const apex = "boot.hq.example.net."

// testSite has two nodes, three TFTP servers, one of them with an IPv6 address, and many more.
func testSite() *boot.Site {
	at := func(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
	s := &boot.Site{
		Self: "boot1",
		Servers: map[string]boot.Server{
			"boot1": {Name: "boot1", TFTP: at("10.10.0.11:69"), HTTP: at("10.10.0.11:8067"), Node: true},
			"boot2": {Name: "boot2", TFTP: at("10.10.0.12:69"), HTTP: at("10.10.0.12:8067"), Node: true},
			"pvs1":  {Name: "pvs1", TFTP: at("10.10.0.21:69")},
			"pvs2":  {Name: "pvs2", TFTP: at("10.10.0.22:6969")},
			"pvs3":  {Name: "pvs3", TFTP: at("10.10.0.23:69")},
			"six":   {Name: "six", TFTP: at("[2001:db8::6]:69")},
		},
		Networks: []boot.Network{{Name: "vdi", Subnet: netip.MustParsePrefix("10.10.0.0/22")}},
	}
	pvs := []string{"pvs1", "pvs2", "pvs3"}
	name := func(n string, o boot.Order, answers int, from ...string) boot.Name {
		return boot.Name{Name: n, Rule: n, File: "f", From: from, Order: o, Answers: answers}
	}
	s.Names = []boot.Name{
		name("tftp", boot.OrderFirst, 0, pvs...),
		name("turns", boot.OrderRotate, 0, pvs...),
		name("one", boot.OrderRotate, 1, pvs...),
		name("sticky", boot.OrderSticky, 0, pvs...),
		name("UEFI", boot.OrderFirst, 0, "boot1", "boot2"),
		name("both", boot.OrderFirst, 0, "pvs1", "six"),
		name("only6", boot.OrderFirst, 0, "six"),
		name("deep.er", boot.OrderFirst, 0, "pvs1"),
		name("nobody", boot.OrderFirst, 0, "gone"),
		name("imageserver1.hq.example.net.", boot.OrderFirst, 0, "pvs1"),
	}
	var many []string
	for i := range 200 {
		n := fmt.Sprintf("m%03d", i)
		s.Servers[n] = boot.Server{Name: n, TFTP: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 20, 0, byte(i)}), 69)}
		many = append(many, n)
	}
	s.Names = append(s.Names, name("many", boot.OrderFirst, 0, many...))
	return s
}

func settings() Settings {
	return Settings{Zones: []string{apex}, NS: []string{"boot1", "boot2"}, Contact: "net.ops@example.net", TTL: 10 * time.Second}
}

func testZones(t testing.TB, down boot.Down) *Zones {
	t.Helper()
	z, err := NewZones(testSite(), settings(), "boot1", down)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// start is the time at which tests begin.
func start() time.Time { return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) }

func query(name string, qtype uint16) *dns.Msg {
	q := new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype)
	q.RecursionDesired = false
	return q
}

// dead is a set of servers that can change.
type dead struct {
	mu   sync.Mutex // guards list
	list []string
}

func (d *dead) down(server, _ string, _ boot.Protocol) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Contains(d.list, server)
}

func (d *dead) set(list ...string) {
	d.mu.Lock()
	d.list = list
	d.mu.Unlock()
}

// events counts what a server emits, by reason.
type events struct {
	mu   sync.Mutex // guards what follows
	by   map[boot.Reason]int
	last boot.Event
}

func (e *events) emit(ev boot.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.by == nil {
		e.by = map[boot.Reason]int{}
	}
	e.by[ev.Reason]++
	e.last = ev
}

func (e *events) of(r boot.Reason) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.by[r]
}

// run starts a server and returns it once it answers.
func run(t testing.TB, cfg Config, d Deps) *Server {
	t.Helper()
	if cfg.Node == "" {
		cfg.Node = "boot1"
	}
	if cfg.Site == nil {
		cfg.Site = testSite()
	}
	if cfg.Zone.Zones == nil {
		cfg.Zone = settings()
	}
	if !cfg.Listen.IsValid() {
		cfg.Listen = netip.MustParseAddrPort("127.0.0.1:0")
	}
	s, err := New(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	serveUntilEnd(t, s)
	return s
}

func serveUntilEnd(t testing.TB, s *Server) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended, ready := make(chan error, 1), make(chan struct{})
	go func() { ended <- s.Run(ctx, func() { close(ready) }) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Error("Run did not end")
		}
	})
	<-ready
}

// exchange asks a server by UDP or TCP.
func exchange(t testing.TB, s *Server, network string, q *dns.Msg) *dns.Msg {
	t.Helper()
	c := dns.Client{Net: network, Timeout: 5 * time.Second, UDPSize: 4096}
	r, _, err := c.Exchange(q, s.Addr().String())
	if err != nil {
		t.Fatalf("%v by %s: %v", q.Question, network, err)
	}
	return r
}

// records writes a section as one line: types and data.
func records(list []dns.RR) string {
	var out []string
	for _, rr := range list {
		if rr.Header().Rrtype == dns.TypeOPT {
			continue
		}
		data := strings.TrimPrefix(rr.String(), rr.Header().String())
		out = append(out, dns.TypeToString[rr.Header().Rrtype]+" "+data)
	}
	return strings.Join(out, ", ")
}

// program returns the path of an oracle. Without it the test is skipped on a laptop and fails
// where everything is required.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	for _, dir := range []string{"/usr/sbin/", "/sbin/"} {
		if err != nil {
			path, err = exec.LookPath(dir + name)
		}
	}
	if err != nil && os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
		t.Fatalf("%s is required: %v", name, err)
	}
	if err != nil {
		t.Skipf("no %s on this machine", name)
	}
	return path
}
