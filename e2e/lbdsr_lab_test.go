package e2e

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// dsrNet is the one-armed layout: clients behind a router, and on one link two balancers and three backends, each in
// a network namespace of its own.
type dsrNet struct {
	t       *testing.T
	name    string
	dir     string
	content []byte
	binary  string
	procs   map[string]*exec.Cmd
}

const (
	dsrVIP  = "10.2.0.20"
	dsrVIP6 = "fd02::20"
)

// dsrNumber makes names of labs that run at once differ.
var dsrNumber = new(atomic.Int32)

func newDSRNet(t *testing.T, b *bench) *dsrNet {
	t.Helper()
	dir, err := os.MkdirTemp("", "sf-dsr")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	l := &dsrNet{t: t, name: fmt.Sprintf("sf-e%d-%d-", os.Getpid(), dsrNumber.Add(1)), dir: dir, content: make([]byte, 1<<20), procs: map[string]*exec.Cmd{}, binary: b.binary}
	_, _ = rand.Read(l.content)
	hosts := []string{"br", "cl", "rt", "lb1", "lb2", "sv1", "sv2", "sv3"}
	t.Cleanup(func() {
		for name := range l.procs {
			l.kill(name, syscall.SIGKILL)
		}
		l.unpin("lb1", "lb2")
		for _, h := range hosts {
			_ = exec.Command("ip", "netns", "delete", l.ns(h)).Run()
		}
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
		l.sh(h, "sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2; ip addr add "+dsrVIP+"/32 dev lo; ip addr add "+dsrVIP6+"/128 dev lo nodad")
		if err := os.MkdirAll(l.path(h), 0o755); err != nil {
			t.Fatal(err)
		}
		l.write(h, "boot.bin", l.content)
		l.write(h, "who", []byte(h+"\n"))
	}
	return l
}

// unpin removes what the balancers left for their successors, and the file system that holds it if nobody else
// has anything there.
func (l *dsrNet) unpin(hosts ...string) {
	for _, h := range hosts {
		var st syscall.Stat_t
		if syscall.Stat("/run/netns/"+l.ns(h), &st) == nil {
			for _, root := range []string{"/sys/fs/bpf", "/run/surefoot/bpf"} {
				_ = os.RemoveAll(fmt.Sprintf("%s/surefoot/net-%d", root, st.Ino))
				_ = os.Remove(root + "/surefoot")
			}
		}
	}
	if _, err := os.Stat("/run/surefoot/bpf/surefoot"); errors.Is(err, fs.ErrNotExist) {
		_ = syscall.Unmount("/run/surefoot/bpf", 0)
	}
}

func (l *dsrNet) ns(host string) string   { return l.name + host }
func (l *dsrNet) path(name string) string { return filepath.Join(l.dir, name) }

func (l *dsrNet) write(h, f string, b []byte) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.path(h), f), b, 0o644); err != nil {
		l.t.Fatal(err)
	}
}

// in is a command on a host; "" is this machine.
func (l *dsrNet) in(host string, words ...string) *exec.Cmd {
	if host != "" {
		words = append([]string{"nsenter", "--net=/run/netns/" + l.ns(host)}, words...) // not ip netns exec, whose mounts go with the process
	}
	return exec.Command(words[0], words[1:]...)
}

func (l *dsrNet) sh(host, line string) string {
	l.t.Helper()
	out, err := l.in(host, "sh", "-ec", line).CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s: %s: %v: %s", host, line, err, out)
	}
	return string(out)
}

func (l *dsrNet) start(name string, cmd *exec.Cmd) {
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

func (l *dsrNet) kill(name string, sig syscall.Signal) {
	if p := l.procs[name]; p != nil {
		_ = p.Process.Signal(sig)
		_ = p.Wait()
		delete(l.procs, name)
	}
}

// await waits until something is so.
func (l *dsrNet) await(what string, is func() bool) {
	l.t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			l.t.Fatalf("%s: not within 20 s\n%s", what, l.logs())
		}
	}
}

func (l *dsrNet) logs() string {
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
func (l *dsrNet) tftpd(host string) {
	l.t.Helper()
	l.start(host, l.in(host, "in.tftpd", "-L", "--foreground", "--user", "nobody", "--secure", l.path(host)))
	own := "10.2.0." + map[string]string{"sv1": "31", "sv2": "32", "sv3": "33"}[host]
	l.await("tftpd on "+host, func() bool {
		out, _ := l.in("rt", "curl", "-s", "-m", "1", "tftp://"+own+"/who").CombinedOutput()
		return string(out) == host+"\n"
	})
}

// get downloads a file as a client does.
func (l *dsrNet) get(client, vip, file, from string) ([]byte, error) {
	host := vip
	if strings.Contains(vip, ":") {
		host = "[" + vip + "]"
	}
	to := filepath.Join(l.dir, fmt.Sprintf("got-%s-%d", client, dsrNumber.Add(1)))
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
	out, err := l.in("cl", append([]string{"timeout", "30"}, words...)...).CombinedOutput() // some ask for ever
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", client, err, bytes.TrimSpace(out))
	}
	return os.ReadFile(to)
}
