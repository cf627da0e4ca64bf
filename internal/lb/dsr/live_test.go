package dsr

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"surefoot/internal/lb"
)

// serve starts servers, and one balancer for all of them.
func (l *lab) serve(by lb.Scheduler, alive ...int) (*balancer, lb.Table) {
	l.t.Helper()
	for _, h := range []string{"sv1", "sv2", "sv3"} {
		l.tftpd(h)
	}
	b := l.balancer("lb1")
	l.has("lb1")
	t := table(vip4, by, alive...)
	b.apply(t)
	return b, t
}

// backendOf is whom a machine has, by the deal.
func backendOf(t *testing.T, tb lb.Table, from netip.Addr) string {
	t.Helper()
	d, err := lb.NewDeal(&tb.Service, tb.Alive)
	if err != nil {
		t.Fatal(err)
	}
	return tb.Service.Backends[d.First(from)].Name
}

// Only who downloads from a server that dies loses the download; who asks it afterwards, before anybody has noticed, is
// sent to another one with its first repetition.
func TestBackendDies(t *testing.T) {
	l := newLab(t)
	b, tb := l.serve(lb.Maglev, 0, 1, 2)
	running := l.storm(t, 60, vip4, "boot.bin", l.content, 0, 3*time.Millisecond)
	running.under(60)
	l.kill("sv2", syscall.SIGKILL)
	l.children("sv2")
	late := l.stormFrom(t, 100, 60, vip4, "boot.bin", l.content, 0, 0)
	lost := 0
	for _, m := range running.wait() {
		lost++
		if who := backendOf(t, tb, m.from); who != "sv2" {
			t.Errorf("%s downloads from %s, which lives, and failed: %v", m.from, who, m.err)
		}
	}
	escaped := 0
	late.wait()
	for _, m := range late.all {
		dead := backendOf(t, tb, m.from) == "sv2"
		switch {
		case m.err != nil:
			t.Errorf("%s (%v) asked after the death, and failed after %d requests: %v", m.from, dead, m.asked, m.err)
		case dead && m.asked != 2:
			t.Errorf("%s has the dead server, and needed %d requests", m.from, m.asked)
		case dead:
			escaped++
		}
	}
	if lost == 0 || escaped == 0 {
		t.Errorf("%d lost their download, %d escaped: this shows nothing", lost, escaped)
	}
	var retries uint64
	for _, c := range b.counters() {
		retries += c.Retries
	}
	t.Logf("%d of 60 lost with their server, %d of 60 escaped it, %d repetitions counted", lost, escaped, retries)
}

// children kills what tftpd-hpa has forked on a host: one process for each transfer.
func (l *lab) children(host string) {
	pids, _ := os.ReadDir("/proc")
	for _, p := range pids {
		cmd, err := os.ReadFile(filepath.Join("/proc", p.Name(), "cmdline"))
		if err == nil && strings.Contains(string(cmd), "in.tftpd") && strings.Contains(string(cmd), l.path(host)) {
			var pid int
			if _, err := fmt.Sscan(p.Name(), &pid); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
}

// A balancer that is killed, and one that comes after it, with the same program or another version of it, lose no packet:
// downloads go on, clients keep their backends, counters go on counting.
func TestRestart(t *testing.T) {
	l := newLab(t)
	b, tb := l.serve(lb.RoundRobin, 0, 1, 2)
	s := l.storm(t, 60, vip4, "boot.bin", l.content, 0, 3*time.Millisecond)
	s.under(60)
	was := b.counters()
	l.kill("lb1", syscall.SIGKILL)
	between := s.blocks()
	l.await("downloads go on without a process", func() bool { return s.blocks() > between+500 })
	b = l.balancer("lb1")
	b.apply(tb)
	if now := b.counters(); now["sv1"].Packets <= was["sv1"].Packets {
		t.Errorf("counters began anew: %+v after %+v", now, was)
	}
	b.ask("other version", nil)
	between = s.blocks()
	l.kill("lb1", syscall.SIGKILL)
	b = l.balancer("lb1")
	b.apply(tb)
	l.await("downloads go on with another program", func() bool { return s.blocks() > between+500 })
	b.ask("leave", nil)
	for _, m := range s.wait() {
		t.Errorf("%s: %v", m.from, m.err)
	}
	for _, m := range s.all {
		if m.asked != 1 {
			t.Errorf("%s asked %d times", m.from, m.asked)
		}
	}
	if log := l.logs(); strings.Count(log, "as the former process left them") != 2 {
		t.Errorf("nobody was adopted:\n%s", log)
	}

	// And in the end nothing is left.
	b = l.balancer("lb1")
	b.ask("remove", nil)
	if _, err := os.Stat(l.pins("lb1")); err == nil {
		t.Error("pins are left behind")
	}
	if out, err := l.get("curl", vip4, "who", "10.1.0.10"); err == nil {
		t.Errorf("the address still answers: %s", out)
	}
}

func (s *storm) blocks() (n int64) {
	for _, m := range s.all {
		n += m.blocks.Load()
	}
	return n
}

// A backend with another network card is found again; one that is off the link gets no clients, and all of them when
// nobody else is there.
func TestBackendsOnTheLink(t *testing.T) {
	l := newLab(t)
	b, tb := l.serve(lb.Maglev, 0)
	who := func() string {
		out, _ := l.in("cl", "curl", "-s", "-m", "3", "tftp://"+vip4+"/who").CombinedOutput()
		return strings.TrimSpace(string(out))
	}
	l.await("sv1 answers", func() bool { return who() == "sv1" })
	l.sh("sv1", "ip link set eth0 down; ip link set eth0 address 02:00:0a:02:01:31; ip link set eth0 up; ip route replace default via 10.2.0.1; busybox ping -c 1 -W 3 10.2.0.11 >/dev/null")
	l.await("sv1 answers with its new MAC", func() bool { return who() == "sv1" })
	l.await("it is told", func() bool { return strings.Contains(l.logs(), "another MAC") })

	tb.Alive = []int{0, 1}
	b.apply(tb)
	l.sh("sv1", "ip link set eth0 down")
	l.sh("lb1", "ip neigh flush dev eth0")
	l.await("it is told that sv1 is gone", func() bool { return strings.Contains(l.logs(), "does not answer ARP") })
	for range 5 {
		if got := who(); got != "sv2" {
			t.Errorf("got %q", got)
		}
	}
}

// A standby hands on nothing, even where the switch floods frames for another node; told that it is active, it does
// at once.
func TestStandby(t *testing.T) {
	l := newLab(t)
	_, tb := l.serve(lb.Maglev, 0, 1, 2)
	second := l.balancer("lb2")
	second.apply(standby(tb))
	l.get("curl", vip4, "who", "10.1.0.10") // the router knows who has the address
	l.sh("br", "ip link set lb1 down")      // and the switch forgets by which port
	if out, err := l.get("curl", vip4, "who", "10.1.0.10"); err == nil {
		t.Errorf("somebody answered: %s", out)
	}
	for host, c := range second.counters() {
		if c.Packets != 0 {
			t.Errorf("the standby sent %d packets to %s", c.Packets, host)
		}
	}
	var why map[string]uint64
	second.ask("reasons", &why)
	if why["other-mac"] == 0 {
		t.Errorf("no flooded frame was seen: %v", why)
	}
	l.has("lb2")
	second.apply(tb)
	l.sh("rt", "ip neigh flush dev eth0")
	if out, err := l.get("curl", vip4, "who", "10.1.0.10"); err != nil {
		t.Errorf("nobody answers: %s, %v", out, err)
	}
}

func standby(t lb.Table) lb.Table {
	t.Active = false
	return t
}
