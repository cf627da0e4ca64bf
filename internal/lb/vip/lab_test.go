package vip

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// TestMain is the client of the lab where the environment says so: it pings an address every 4 ms, and
// prints when each answer came.
func TestMain(m *testing.M) {
	if addr := os.Getenv("SUREFOOT_VIP_PING"); addr != "" {
		if err := ping(addr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func ping(addr string) error {
	network, local, typ, reply, proto := "ip4:icmp", "0.0.0.0", icmp.Type(ipv4.ICMPTypeEcho), icmp.Type(ipv4.ICMPTypeEchoReply), 1
	if strings.Contains(addr, ":") {
		network, local, typ, reply, proto = "ip6:ipv6-icmp", "::", ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply, 58
	}
	c, err := icmp.ListenPacket(network, local)
	if err != nil {
		return err
	}
	go func() {
		for seq := 0; ; seq++ {
			b, err := (&icmp.Message{Type: typ, Body: &icmp.Echo{ID: 77, Seq: seq & 0xffff, Data: []byte("surefoot")}}).Marshal(nil)
			if err == nil {
				_, _ = c.WriteTo(b, &net.IPAddr{IP: net.ParseIP(addr)})
			}
			time.Sleep(4 * time.Millisecond)
		}
	}()
	buf := make([]byte, 1500)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return err
		}
		if m, err := icmp.ParseMessage(proto, buf[:n]); err == nil && m.Type == reply && from.String() == addr {
			fmt.Println(time.Now().UnixNano())
		}
	}
}

// lab is a switch with two nodes and a client, each in a network namespace of its own.
type lab struct {
	t      *testing.T
	name   string
	dir    string
	binary string
}

var labs = struct {
	once   sync.Once
	dir    string
	err    error
	number chan int
}{number: make(chan int, 1)}

func newLab(t *testing.T) *lab {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal("needs root")
		}
		t.Skip("needs root")
	}
	labs.once.Do(func() {
		labs.number <- 0
		labs.dir, labs.err = os.MkdirTemp("", "surefoot-vip")
		if labs.err == nil {
			build := exec.Command("go", "build", "-o", filepath.Join(labs.dir, "surefoot"), "surefoot/cmd/surefoot")
			build.Env = append(os.Environ(), "CGO_ENABLED=0")
			var out []byte
			if out, labs.err = build.CombinedOutput(); labs.err != nil {
				labs.err = fmt.Errorf("%w: %s", labs.err, out)
			}
		}
	})
	if labs.err != nil {
		t.Fatal(labs.err)
	}
	n := <-labs.number
	labs.number <- n + 1
	l := &lab{t: t, name: fmt.Sprintf("sf-v%d-%d-", os.Getpid(), n), binary: filepath.Join(labs.dir, "surefoot")}
	var err error
	if l.dir, err = os.MkdirTemp("", "sf-vip"); err != nil { // short: the path of a socket has 107 bytes
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(l.dir) })
	for _, h := range []string{"sw", "n1", "n2", "c"} {
		l.ip("netns", "add", l.ns(h))
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", l.ns(h)).Run() })
		l.ip("-n", l.ns(h), "link", "set", "lo", "up")
	}
	l.ip("-n", l.ns("sw"), "link", "add", "br0", "type", "bridge", "forward_delay", "0", "stp_state", "0", "mcast_snooping", "0")
	l.ip("-n", l.ns("sw"), "link", "set", "br0", "up")
	for i, h := range []string{"n1", "n2", "c"} {
		l.ip("-n", l.ns("sw"), "link", "add", h, "type", "veth", "peer", "name", "eth0", "netns", l.ns(h))
		l.ip("netns", "exec", l.ns(h), "sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0")
		l.ip("-n", l.ns("sw"), "link", "set", h, "master", "br0", "up")
		l.ip("-n", l.ns(h), "addr", "add", fmt.Sprintf("10.97.0.%d/24", i+1), "dev", "eth0")
		l.ip("-n", l.ns(h), "addr", "add", fmt.Sprintf("fd97::%d/64", i+1), "dev", "eth0", "nodad")
		l.ip("-n", l.ns(h), "link", "set", "eth0", "up")
	}
	return l
}

func (l *lab) ns(host string) string { return l.name + host }

func (l *lab) ip(args ...string) string {
	l.t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("ip %v: %s", args, out)
	}
	return string(out)
}

// link sets a host's port of the switch up or down.
func (l *lab) link(host, state string) {
	l.t.Helper()
	l.ip("-n", l.ns("sw"), "link", "set", host, state)
}

func (l *lab) has(host, addr string) bool {
	l.t.Helper()
	return strings.Contains(l.ip("-n", l.ns(host), "addr", "show", "dev", "eth0"), " "+addr+"/")
}

// await waits until something is so.
func (l *lab) await(what string, is func() bool) {
	l.t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			l.t.Fatalf("%s: not within 20 s\n%s", what, l.logs())
		}
	}
}

func (l *lab) logs() string {
	var b strings.Builder
	files, _ := filepath.Glob(filepath.Join(l.dir, "*.log"))
	for _, f := range files {
		text, _ := os.ReadFile(f)
		fmt.Fprintf(&b, "--- %s\n%s", filepath.Base(f), text[max(0, len(text)-2500):])
	}
	return b.String()
}

// process is a program on a host.
type process struct {
	*exec.Cmd
	done chan struct{}
}

func (p *process) kill(sig syscall.Signal) { _ = p.Process.Signal(sig); <-p.done }

func (l *lab) start(host string, env []string, args ...string) *process {
	l.t.Helper()
	log, err := os.OpenFile(filepath.Join(l.dir, host+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		l.t.Fatal(err)
	}
	p := &process{exec.Command("ip", append([]string{"netns", "exec", l.ns(host)}, args...)...), make(chan struct{})}
	p.Stdout, p.Stderr, p.Env = log, log, append(os.Environ(), env...)
	if err := p.Start(); err != nil {
		l.t.Fatal(err)
	}
	go func() { _ = p.Wait(); _ = log.Close(); close(p.done) }()
	l.t.Cleanup(func() {
		select {
		case <-p.done:
		default:
			p.kill(syscall.SIGKILL)
		}
	})
	return p
}

// group is what both nodes are to agree on.
type group struct {
	version int
	advert  string // as Surefoot has it
	unicast bool
	address string // with its length
	more    string // keys for Surefoot alone
}

func (g group) addr() string { a, _, _ := strings.Cut(g.address, "/"); return a }

// surefoot starts Surefoot on a node.
func (l *lab) surefoot(host string, g group) *process {
	l.t.Helper()
	peers := "multicast"
	if g.unicast {
		peers = "unicast"
	}
	file := filepath.Join(l.dir, host+".yaml")
	text := fmt.Sprintf(`site: vip
nodes:
  n1: {address: 10.97.0.1, interfaces: [eth0], roles: [tftp]}
  n2: {address: 10.97.0.2, interfaces: [eth0], roles: [tftp]}
boot: [{name: test, file: surefoot-test}]
status: {socket: %s}
state: %s
vips:
  boot: {address: %q, vrid: 51, nodes: {n1: {priority: 200}, n2: {priority: 100}}, version: %d, advert: %s, peers: %s%s}
`, filepath.Join(l.dir, host+".sock"), filepath.Join(l.dir, host+".state"), g.address, g.version, g.advert, peers, g.more)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return l.start(host, nil, l.binary, "serve", "--config", file, "--node", host)
}

// keepalived starts the real keepalived on a node.
func (l *lab) keepalived(host string, g group) *process {
	l.t.Helper()
	if _, err := exec.LookPath("keepalived"); err != nil {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			l.t.Fatal("needs keepalived")
		}
		l.t.Skip("needs keepalived")
	}
	d, err := time.ParseDuration(g.advert)
	if err != nil {
		l.t.Fatal(err)
	}
	priority, peer := 200, "10.97.0.2"
	if host == "n2" {
		priority, peer = 100, "10.97.0.1"
	}
	unicast := ""
	if g.unicast {
		unicast = "unicast_peer {\n " + peer + "\n}"
	}
	text := fmt.Sprintf("global_defs {\n vrrp_version %d\n}\nvrrp_instance a {\n state BACKUP\n interface eth0\n virtual_router_id 51\n priority %d\n advert_int %s\n %s\n virtual_ipaddress {\n %s dev eth0\n }\n}\n",
		g.version, priority, strconv.FormatFloat(d.Seconds(), 'f', -1, 64), unicast, g.address)
	file := filepath.Join(l.dir, host+".conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	_, _ = os.Remove(file+".pid"), os.Remove(file+".vrrp.pid") // of a killed one, whose number may be somebody's
	return l.start(host, nil, "keepalived", "-n", "-l", "-P", "-D", "-f", file, "-p", file+".pid", "-r", file+".vrrp.pid")
}

// crash kills a node's programs at once, as a power failure does: its port goes down in the same moment.
func (l *lab) crash(host string, p *process) time.Time {
	l.t.Helper()
	pids := []int{p.Process.Pid}
	if b, err := os.ReadFile(filepath.Join(l.dir, host+".conf.vrrp.pid")); err == nil { // keepalived's child does the work
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			pids = append(pids, pid)
		}
	}
	for _, pid := range pids { // so that nobody sees the other die, or the link, and cleans up
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
	at := time.Now()
	l.link(host, "down")
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-p.done
	return at
}

// pinger collects the times at which the client was answered.
type pinger struct {
	mu    sync.Mutex // guards times
	times []time.Time
}

func (l *lab) ping(addr string) *pinger {
	l.t.Helper()
	self, err := os.Executable()
	if err != nil {
		l.t.Fatal(err)
	}
	cmd := exec.Command("ip", "netns", "exec", l.ns("c"), self)
	cmd.Env = append(os.Environ(), "SUREFOOT_VIP_PING="+addr)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	p := &pinger{}
	go func() {
		for sc := bufio.NewScanner(out); sc.Scan(); {
			if n, err := strconv.ParseInt(sc.Text(), 10, 64); err == nil {
				p.mu.Lock()
				p.times = append(p.times, time.Unix(0, n))
				p.mu.Unlock()
			}
		}
	}()
	return p
}

// answeredAfter reports whether there is an answer of after that time.
func (p *pinger) answeredAfter(at time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.times) > 0 && p.times[len(p.times)-1].After(at)
}

// gap is the longest time without an answer between two times.
func (p *pinger) gap(from, to time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := []time.Time{from}
	for _, t := range p.times {
		if t.After(from) && t.Before(to) {
			at = append(at, t)
		}
	}
	at = append(at, to)
	var longest time.Duration
	for i := range at[1:] {
		longest = max(longest, at[i+1].Sub(at[i]))
	}
	return longest
}

// table collects what was measured, to be printed in order.
type table struct {
	mu   sync.Mutex // guards rows
	rows []string
}

func (m *table) add(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows = append(m.rows, fmt.Sprintf(format, args...))
}

func (m *table) print(t *testing.T, head string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	slices.Sort(m.rows)
	t.Log("\n" + head + "\n" + strings.Join(m.rows, "\n"))
}
