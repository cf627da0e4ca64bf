package dsr

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"surefoot/internal/lb"
)

// lab is the one-armed layout: clients behind a router, and on one link two balancers and three backends, each in
// a network namespace of its own.
type lab struct {
	t       *testing.T
	name    string
	dir     string
	content []byte
	procs   map[string]*exec.Cmd
}

const (
	vip4 = "10.2.0.20"
	vip6 = "fd02::20"
)

// number makes names of labs that run at once differ.
var number = new(atomic.Int32)

func require(t *testing.T, what string, ok bool) {
	t.Helper()
	if ok {
		return
	}
	if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
		t.Fatal("needs " + what)
	}
	t.Skip("needs " + what)
}

func program(t *testing.T, name string) {
	t.Helper()
	_, err := exec.LookPath(name)
	require(t, name, err == nil)
}

func newLab(t *testing.T) *lab {
	t.Helper()
	require(t, "root", os.Geteuid() == 0)
	dir, err := os.MkdirTemp("", "sf-dsr")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, name: fmt.Sprintf("sf-d%d-%d-", os.Getpid(), number.Add(1)), dir: dir, content: make([]byte, 1<<20), procs: map[string]*exec.Cmd{}}
	_, _ = rand.Read(l.content)
	hosts := []string{"br", "cl", "rt", "lb1", "lb2", "sv1", "sv2", "sv3"}
	t.Cleanup(func() {
		for name := range l.procs {
			l.kill(name, syscall.SIGKILL)
		}
		for _, h := range hosts {
			_ = exec.Command("ip", "netns", "delete", l.ns(h)).Run()
		}
		_ = exec.Command("umount", l.path("bpf")).Run()
		_ = os.RemoveAll(dir)
	})
	for _, h := range hosts {
		l.sh("", "ip netns add "+l.ns(h))
		l.sh(h, "sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.forwarding=0; ip link set lo up")
	}
	l.sh("br", "ip link add br0 type bridge forward_delay 0 stp_state 0 mcast_snooping 0; ip link set br0 up")
	for i, h := range []string{"rt", "lb1", "lb2", "sv1", "sv2", "sv3"} {
		n := []int{1, 11, 12, 31, 32, 33}[i]
		l.sh("br", fmt.Sprintf("ip link add %[1]s type veth peer name eth0 address 02:00:0a:02:00:%[2]d netns %[3]s && ip link set %[1]s master br0 up", h, n, l.ns(h)))
		l.sh(h, fmt.Sprintf("ip addr add 10.2.0.%[1]d/24 dev eth0; ip addr add fd02::%[1]d/64 dev eth0 nodad; ip link set eth0 up", n))
		if h != "rt" {
			l.sh(h, "ip route add default via 10.2.0.1; ip route add default via fd02::1")
		}
	}
	l.sh("rt", "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1; ip link add c0 type veth peer name eth0 netns "+l.ns("cl")+
		" && ip addr add 10.1.0.1/16 dev c0 && ip addr add fd01::1/64 dev c0 nodad && ip link set c0 up")
	l.sh("cl", "ip link set eth0 up; ip addr add fd01::10/64 dev eth0 nodad; ip addr add 10.1.0.10/16 dev eth0; ip route add default via 10.1.0.1; ip route add default via fd01::1")
	for _, h := range []string{"sv1", "sv2", "sv3"} { // what a backend needs
		l.sh(h, "sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2; ip addr add "+vip4+"/32 dev lo; ip addr add "+vip6+"/128 dev lo nodad")
		if err := os.MkdirAll(l.path(h), 0o755); err != nil {
			t.Fatal(err)
		}
		l.write(h, "boot.bin", l.content)
		l.write(h, "who", []byte(h+"\n"))
	}
	l.sh("", "mkdir -p "+l.path("bpf")+" && mount -t bpf bpf "+l.path("bpf"))
	return l
}

func (l *lab) ns(host string) string   { return l.name + host }
func (l *lab) path(name string) string { return filepath.Join(l.dir, name) }
func (l *lab) has(host string) {
	l.sh(host, "ip addr add "+vip4+"/32 dev eth0; ip addr add "+vip6+"/128 dev eth0 nodad")
}
func (l *lab) pins(host string) string { return l.path("bpf/" + host) }
func (l *lab) write(h, f string, b []byte) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.path(h), f), b, 0o644); err != nil {
		l.t.Fatal(err)
	}
}

// in is a command on a host; "" is this machine.
func (l *lab) in(host string, words ...string) *exec.Cmd {
	if host != "" {
		words = append([]string{"ip", "netns", "exec", l.ns(host)}, words...)
	}
	return exec.Command(words[0], words[1:]...)
}

func (l *lab) sh(host, line string) string {
	l.t.Helper()
	out, err := l.in(host, "sh", "-ec", line).CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s: %s: %v: %s", host, line, err, out)
	}
	return string(out)
}

func (l *lab) start(name string, cmd *exec.Cmd) {
	l.t.Helper()
	log, err := os.OpenFile(l.path(name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		l.t.Fatal(err)
	}
	defer log.Close()
	if cmd.Stdout == nil {
		cmd.Stdout = log
	}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.procs[name] = cmd
}

func (l *lab) kill(name string, sig syscall.Signal) {
	if p := l.procs[name]; p != nil {
		_ = p.Process.Signal(sig)
		_ = p.Wait()
		delete(l.procs, name)
	}
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
	files, _ := filepath.Glob(l.path("*.log"))
	for _, f := range files {
		text, _ := os.ReadFile(f)
		fmt.Fprintf(&b, "--- %s\n%s", filepath.Base(f), text[max(0, len(text)-2500):])
	}
	return b.String()
}

// tftpd starts the real tftpd-hpa on a backend. Its very first answer comes from its own address and not from
// the one asked, so one request is spent on that.
func (l *lab) tftpd(host string) {
	l.t.Helper()
	program(l.t, "in.tftpd")
	l.start(host, l.in(host, "in.tftpd", "-L", "--foreground", "--user", "nobody", "--secure", l.path(host)))
	own := "10.2.0." + map[string]string{"sv1": "31", "sv2": "32", "sv3": "33"}[host]
	l.await("tftpd on "+host, func() bool {
		out, _ := l.in("rt", "curl", "-s", "-m", "1", "tftp://"+own+"/who").CombinedOutput()
		return string(out) == host+"\n"
	})
}

// balancer is a process with a plane.
type balancer struct {
	l    *lab
	host string
	in   io.Writer
	out  *bufio.Scanner
}

func (l *lab) balancer(host string) *balancer {
	l.t.Helper()
	self, err := os.Executable()
	if err != nil {
		l.t.Fatal(err)
	}
	cmd := l.in(host, self)
	cmd.Env = append(os.Environ(), "SUREFOOT_DSR_DIR="+l.pins(host))
	in, err := cmd.StdinPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	l.start(host, cmd)
	b := &balancer{l, host, in, bufio.NewScanner(out)}
	b.out.Buffer(nil, 1<<20)
	return b
}

// ask says a line to the balancer and returns its answer.
func (b *balancer) ask(line string, into any) {
	b.l.t.Helper()
	fmt.Fprintln(b.in, line)
	if !b.out.Scan() {
		b.l.t.Fatalf("balancer %s is gone\n%s", b.host, b.l.logs())
	}
	var a struct {
		Err    string
		Answer json.RawMessage
	}
	if err := json.Unmarshal(b.out.Bytes(), &a); err != nil || a.Err != "" {
		b.l.t.Fatalf("balancer %s: %.60s: %v %s", b.host, line, err, a.Err)
	}
	if into != nil {
		if err := json.Unmarshal(a.Answer, into); err != nil {
			b.l.t.Fatal(err)
		}
	}
}

func (b *balancer) apply(tables ...lb.Table) {
	b.l.t.Helper()
	text, err := json.Marshal(tables)
	if err != nil {
		b.l.t.Fatal(err)
	}
	b.ask("apply "+string(text), nil)
}

func (b *balancer) counters() map[string]lb.Count {
	b.l.t.Helper()
	var list []lb.Count
	b.ask("counters", &list)
	out := map[string]lb.Count{}
	for _, c := range list {
		x := out[c.Backend]
		x.Packets, x.Requests, x.Retries = x.Packets+c.Packets, x.Requests+c.Requests, x.Retries+c.Retries
		out[c.Backend] = x
	}
	return out
}

// table is a service with these backends alive.
func table(vip string, by lb.Scheduler, alive ...int) lb.Table {
	s := lb.Service{Name: "boot" + vip, Listen: netip.AddrPortFrom(netip.MustParseAddr(vip), 0), Mode: lb.DSR, Scheduler: by, Persist: 100 * time.Second}
	net := "10.2.0."
	if s.Listen.Addr().Is6() {
		net = "fd02::"
	}
	for _, n := range []string{"1", "2", "3"} {
		s.Backends = append(s.Backends, lb.Backend{Name: "sv" + n, TFTP: netip.AddrPortFrom(netip.MustParseAddr(net+"3"+n), 69), Weight: 1})
	}
	return lb.Table{Service: s, Alive: alive, Active: true}
}

// get downloads a file as a client does.
func (l *lab) get(client, vip, file, from string) ([]byte, error) {
	host := vip
	if strings.Contains(vip, ":") {
		host = "[" + vip + "]"
	}
	to := filepath.Join(l.dir, fmt.Sprintf("got-%s-%d", client, number.Add(1)))
	defer os.Remove(to)
	var words []string
	switch client {
	case "tftp-hpa":
		words = []string{"tftp", "-m", "binary", vip, "-c", "get", file, to}
	case "curl":
		words = []string{"curl", "-s", "-m", "5", "--interface", from, "-o", to, "tftp://" + host + "/" + file}
	case "atftp":
		words = []string{"atftp", "--option", "blksize 1428", "-g", "-r", file, "-l", to, vip, "69"}
	case "busybox":
		words = []string{"busybox", "tftp", "-g", "-r", file, "-l", to, vip}
	}
	program(l.t, words[0])
	out, err := l.in("cl", words...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", client, err, bytes.TrimSpace(out))
	}
	return os.ReadFile(to)
}
