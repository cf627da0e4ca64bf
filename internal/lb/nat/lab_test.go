package nat

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netns"

	"surefoot/internal/lb"
)

// lab is the one-armed layout: clients behind a router; the balancer and three backends on one link, each
// in a network namespace. Sockets keep the namespace that they were made in, so all runs in this process.
type lab struct {
	t    *testing.T
	name string
}

const (
	vip4, vip6 = "10.2.0.20", "fd02::20"
	lbMAC      = "02:00:0a:02:00:0b"
)

var labs atomic.Int32 // makes names of labs differ

func newLab(t *testing.T) *lab {
	t.Helper()
	_, err := exec.LookPath("nft")
	if os.Geteuid() != 0 || err != nil {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal("needs root and nft")
		}
		t.Skip("needs root and nft")
	}
	l := &lab{t: t, name: fmt.Sprintf("sf-n%d-%d-", os.Getpid()%100000, labs.Add(1))}
	hosts := []string{"br", "cl", "rt", "lb", "sv1", "sv2", "sv3"}
	t.Cleanup(func() {
		for _, h := range hosts {
			_ = exec.Command("ip", "netns", "delete", l.name+h).Run()
		}
	})
	for _, h := range hosts {
		l.sh("", "ip netns add "+l.name+h)
		l.sh(h, "sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0; ip link set lo up")
	}
	l.sh("br", "ip link add br0 type bridge forward_delay 0 stp_state 0 mcast_snooping 0; ip link set br0 up")
	for i, h := range []string{"rt", "lb", "sv1", "sv2", "sv3"} {
		n := []int{1, 11, 31, 32, 33}[i]
		l.sh("br", fmt.Sprintf("ip link add %[1]s type veth peer name eth0 address 02:00:0a:02:00:%02[2]x netns %[3]s && ip link set %[1]s master br0 up", h, n, l.name+h))
		l.sh(h, fmt.Sprintf("ip addr add 10.2.0.%[1]d/24 dev eth0; ip addr add fd02::%[1]d/64 dev eth0 nodad; ip link set eth0 up", n))
	}
	l.sh("rt", "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1; ip link add c0 type veth peer name eth0 netns "+l.name+"cl"+
		" && ip addr add 10.1.0.1/16 dev c0 && ip addr add fd01::1/64 dev c0 nodad && ip link set c0 up")
	// Every address of the clients' network is the client's own.
	l.sh("cl", "sysctl -qw net.ipv6.ip_nonlocal_bind=1; ip link set eth0 up; ip addr add 10.1.0.10/16 dev eth0; ip addr add fd01::10/64 dev eth0 nodad; ip route add default via 10.1.0.1; ip route add default via fd01::1; "+
		"ip route add local 10.1.128.0/17 dev lo; ip route add local fd01::1:0/112 dev lo")
	l.sh("rt", "ip route add 10.1.128.0/17 via 10.1.0.10; ip route add fd01::1:0/112 via fd01::10")
	l.sh("lb", "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0; "+
		"ip addr add "+vip4+"/32 dev eth0; ip addr add "+vip6+"/128 dev eth0 nodad; ip route add default via 10.2.0.1; ip route add default via fd02::1")
	return l
}

// gateway is where the backends' answers go: through the balancer (nat), or not (snat).
func (l *lab) gateway(n int) {
	for _, h := range []string{"sv1", "sv2", "sv3"} {
		l.sh(h, fmt.Sprintf("ip route replace default via 10.2.0.%[1]d; ip route replace default via fd02::%[1]d", n))
	}
}

func (l *lab) sh(host, line string) string {
	l.t.Helper()
	words := []string{"sh", "-ec", line}
	if host != "" {
		words = append([]string{"ip", "netns", "exec", l.name + host}, words...)
	}
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s: %s: %v: %s", host, line, err, out)
	}
	return string(out)
}

// in runs something in a host's namespace, with all programs that it starts.
func (l *lab) in(host string, do func()) {
	l.t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		ns, err := netns.GetFromName(l.name + host)
		if err == nil {
			defer ns.Close()
			err = netns.Set(ns)
		}
		if err == nil {
			do()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) socket(host string, at netip.AddrPort) *net.UDPConn {
	l.t.Helper()
	var c *net.UDPConn
	var err error
	l.in(host, func() { c, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at)) })
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = c.Close() })
	return c
}

// backend serves a file of one block that names it, from another port, as TFTP servers do. Only while
// the returned function says so does it answer.
func (l *lab) backend(host string, at netip.AddrPort) (answers *atomic.Bool, asked *atomic.Int32) {
	answers, asked = &atomic.Bool{}, &atomic.Int32{}
	answers.Store(true)
	c := l.socket(host, at)
	go func() {
		buf := make([]byte, 600)
		for {
			n, from, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if asked.Add(1); n < 4 || buf[1] != 1 || !answers.Load() {
				continue
			}
			var d *net.UDPConn
			l.in(host, func() { d, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at.Addr(), 0))) })
			if err == nil {
				_, _ = d.WriteToUDPAddrPort(append([]byte{0, 3, 0, 1}, host+" sees "+from.Addr().Unmap().String()...), from)
				_ = d.Close()
			}
		}
	}()
	return answers, asked
}

// ask is a client of the strict kind: it takes answers of the address that it asked only.
func ask(c *net.UDPConn, to netip.AddrPort, within time.Duration) string {
	if _, err := c.WriteToUDPAddrPort([]byte("\x00\x01boot.bin\x00octet\x00"), to); err != nil {
		return err.Error()
	}
	late := time.Now().Add(within)
	buf := make([]byte, 600)
	for {
		_ = c.SetReadDeadline(late)
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			return "silence"
		}
		if from.Addr().Unmap() == to.Addr() && bytes.HasPrefix(buf[:n], []byte{0, 3, 0, 1}) {
			return string(buf[4:n])
		}
	}
}

const soon = 3 * time.Second

// get asks once from a client's address and any port.
func (l *lab) get(client, vip string) string {
	l.t.Helper()
	c := l.socket("cl", netip.AddrPortFrom(netip.MustParseAddr(client), 0))
	defer c.Close()
	return ask(c, netip.AddrPortFrom(netip.MustParseAddr(vip), 69), soon)
}

func who(answer string) string { name, _, _ := strings.Cut(answer, " "); return name }

// service is one with the backends sv1 to sv3.
func service(mode lb.Mode, by lb.Scheduler, six bool, weights ...int) lb.Service {
	s := lb.Service{Name: "boot", Mode: mode, Scheduler: by, Interface: "eth0", Listen: netip.AddrPortFrom(netip.MustParseAddr(vip4), 69)}
	if six {
		s.Listen = netip.AddrPortFrom(netip.MustParseAddr(vip6), 69)
	}
	if mode != lb.DSR {
		s.Ports = []lb.Port{{Protocol: "udp", Number: 69}}
	}
	for i, w := range weights {
		a := netip.MustParseAddr(fmt.Sprintf("10.2.0.%d", 31+i))
		if six {
			a = netip.MustParseAddr(fmt.Sprintf("fd02::%d", 31+i))
		}
		s.Backends = append(s.Backends, lb.Backend{Name: fmt.Sprint("sv", i+1), Weight: w, TFTP: netip.AddrPortFrom(a, 69)})
	}
	return s
}

func table(s lb.Service, alive ...int) lb.Table {
	return lb.Table{Service: s, Alive: alive, Active: true}
}

// apply lets a plane on the balancer follow.
func (l *lab) apply(p lb.Plane, tables ...lb.Table) {
	l.t.Helper()
	var err error
	l.in("lb", func() { err = p.Apply(context.Background(), tables) })
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) backends(s lb.Service) (answers []*atomic.Bool, asked []*atomic.Int32) {
	for _, b := range s.Backends {
		at := b.TFTP
		if s.Mode == lb.DSR {
			at = netip.AddrPortFrom(s.Listen.Addr(), 69)
		}
		a, n := l.backend(b.Name, at)
		answers, asked = append(answers, a), append(asked, n)
	}
	return answers, asked
}

func (l *lab) counters(p lb.Plane) (out []lb.Count) {
	l.t.Helper()
	var err error
	l.in("lb", func() { out, err = p.Counters(context.Background()) })
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}
