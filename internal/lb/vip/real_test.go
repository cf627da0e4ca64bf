package vip

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Surefoot and keepalived in all four pairs, in each way of talking: one has the address, the other
// takes it when that dies, the first gets it back, and a stop makes no gap. What a client sees of it is
// measured and printed.
func TestWithKeepalived(t *testing.T) {
	four, six := "10.97.0.20/24", "fd97::20/64"
	out := &table{}
	t.Cleanup(func() {
		out.print(t, "| how | master | next | the master dies | the master is stopped |\n|---|---|---|---|---|")
	})
	for _, how := range []struct {
		name  string
		g     group
		mixed bool // these pairs alone
	}{
		{"version 3, 1 s", group{version: 3, advert: "1s", address: four}, false},
		{"version 3, 100 ms", group{version: 3, advert: "100ms", address: four}, false},
		{"version 3, 100 ms, unicast", group{version: 3, advert: "100ms", address: four, unicast: true}, true},
		{"version 2, 1 s", group{version: 2, advert: "1s", address: four}, true},
		{"version 3, 100 ms, IPv6", group{version: 3, advert: "100ms", address: six}, true},
	} {
		for _, pair := range [][2]string{{"surefoot", "surefoot"}, {"surefoot", "keepalived"}, {"keepalived", "surefoot"}, {"keepalived", "keepalived"}} {
			if how.mixed && pair[0] == pair[1] {
				continue
			}
			t.Run(how.name+"/"+pair[0]+"-"+pair[1], func(t *testing.T) {
				t.Parallel()
				l := newLab(t)
				died, stopped := l.failover(how.g, pair)
				out.add("| %s | %s | %s | %d ms | %d ms |", how.name, pair[0], pair[1], died.Milliseconds(), stopped.Milliseconds())
			})
		}
	}
}

func (l *lab) run(program, host string, g group) *process {
	l.t.Helper()
	if program == "surefoot" {
		return l.surefoot(host, g)
	}
	return l.keepalived(host, g)
}

func (l *lab) failover(g group, pair [2]string) (died, stopped time.Duration) {
	t := l.t
	interval, _ := time.ParseDuration(g.advert)
	first := l.run(pair[0], "n1", g)
	l.run(pair[1], "n2", g)
	settled := func(master, other string) func() bool {
		return func() bool { return l.has(master, g.addr()) && !l.has(other, g.addr()) }
	}
	l.await("n1 has the address, and n2 not", settled("n1", "n2"))
	p := l.ping(g.addr())
	l.await("the client is answered", func() bool { return p.answeredAfter(time.Time{}) })

	at := l.crash("n1", first)
	l.await("n2 has the address", func() bool { return l.has("n2", g.addr()) && p.answeredAfter(at.Add(interval)) })
	died = p.gap(at, time.Now())
	if limit := 4*interval + 500*time.Millisecond; died > limit || died < 2*interval {
		t.Errorf("the client waited %s for another master, and may wait from %s to %s\n%s", died, 2*interval, limit, l.logs())
	}

	// The killed one left the address where it was; a new process does not begin with it.
	if !l.has("n1", g.addr()) {
		t.Error("the dead node has no address: this test shows nothing")
	}
	first = l.run(pair[0], "n1", g)
	if pair[0] == "surefoot" {
		l.await("what the killed process left is removed", func() bool { return !l.has("n1", g.addr()) })
		l.await("somebody is told of it", func() bool {
			return strings.Contains(l.logs(), "removed a service address that an earlier process left behind")
		})
	}
	l.link("n1", "up")
	back := time.Now()
	l.await("n1 has it again", func() bool { return settled("n1", "n2")() && p.answeredAfter(back) })

	settle := time.Now().Add(interval) // so that the gap measured is that of the stop
	l.await("all is quiet", func() bool { return p.answeredAfter(settle) })
	at = time.Now()
	first.kill(syscall.SIGTERM)
	l.await("n2 took over", settled("n2", "n1"))
	end := time.Now().Add(200 * time.Millisecond)
	l.await("the client is answered again", func() bool { return p.answeredAfter(end) })
	stopped = p.gap(at, end)
	if pair[0] == "surefoot" && stopped > 200*time.Millisecond {
		t.Errorf("a stop took the address from the client for %s\n%s", stopped, l.logs())
	}
	return died, stopped
}

// A node that is moved away from gives the address up without a gap, and gets it back; one that is
// restarted under a hold keeps it; machines are served at the address, from the address.
func TestOperate(t *testing.T) {
	l := newLab(t)
	g := group{version: 3, advert: "300ms", address: "10.97.0.20/24"}
	first := l.surefoot("n1", g)
	l.surefoot("n2", g)
	l.await("n1 has the address", func() bool { return l.has("n1", g.addr()) && !l.has("n2", g.addr()) })
	p := l.ping(g.addr())
	l.await("the client is answered", func() bool { return p.answeredAfter(time.Time{}) })

	// TFTP: an answer from another address than the one asked is none to a client.
	if b, err := exec.Command("ip", "netns", "exec", l.ns("c"), l.binary, "probe", "tftp://"+g.addr()+"/surefoot-test.0").CombinedOutput(); err != nil {
		t.Errorf("download from the service address: %v\n%s\n%s", err, b, l.logs())
	}
	cli := func(host string, args ...string) (string, error) {
		b, err := exec.Command(l.binary, append(append([]string{"vip"}, args...), "--socket", fmt.Sprintf("%s/%s.sock", l.dir, host))...).CombinedOutput()
		return string(b), err
	}
	from := time.Now()
	if text, err := cli("n2", "move", "boot"); err == nil || !strings.Contains(text, "10.97.0.1") {
		t.Errorf("move on the backup: %v, %s", err, text)
	}
	if text, err := cli("n1", "move", "boot", "--to", "n3"); err == nil || !strings.Contains(text, "n2") {
		t.Errorf("move to nobody: %v, %s", err, text)
	}
	if text, err := cli("n1", "move", "boot", "--to", "n2", "--for", "1m"); err != nil {
		t.Fatalf("move: %v, %s", err, text)
	}
	l.await("n2 has it", func() bool { return l.has("n2", g.addr()) && !l.has("n1", g.addr()) })
	text, err := cli("n1", "show", "boot")
	if err != nil || !strings.Contains(text, "moved away") || !strings.Contains(text, "10.97.0.2, priority 100") {
		t.Errorf("show: %v\n%s", err, text)
	}
	if text, err := cli("n1", "move", "boot", "--back"); err != nil {
		t.Fatalf("move back: %v, %s", err, text)
	}
	l.await("n1 has it again", func() bool { return l.has("n1", g.addr()) && !l.has("n2", g.addr()) })
	now := time.Now()
	l.await("the client is answered", func() bool { return p.answeredAfter(now) })
	if gap := p.gap(from, now); gap > 200*time.Millisecond {
		t.Errorf("moving there and back made a gap of %s", gap)
	}

	// A reload with another interval keeps the address.
	from = time.Now()
	file := l.dir + "/n1.yaml"
	b, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, []byte(strings.ReplaceAll(string(b), "300ms", "250ms")), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if b, err := exec.Command(l.binary, "reload", "--socket", l.dir+"/n1.sock").CombinedOutput(); err != nil {
		t.Fatalf("reload: %v, %s", err, b)
	}
	text, err = cli("n1", "show", "boot")
	if err != nil || !strings.Contains(text, "every 250ms") || !strings.Contains(text, ", master for") {
		t.Errorf("after a reload: %v\n%s", err, text)
	}
	now = time.Now()
	l.await("the client is answered", func() bool { return p.answeredAfter(now) })
	if gap := p.gap(from, now); gap > 200*time.Millisecond || !l.has("n1", g.addr()) || l.has("n2", g.addr()) {
		t.Errorf("a reload made a gap of %s\n%s", gap, l.logs())
	}

	from = time.Now()
	if text, err := cli("n1", "hold"); err != nil {
		t.Fatalf("hold: %v, %s", err, text)
	}
	first.kill(syscall.SIGTERM)
	if !l.has("n1", g.addr()) {
		t.Errorf("the address did not stay\n%s", l.logs())
	}
	g.advert = "250ms"
	l.surefoot("n1", g)
	l.await("n1 is the master", func() bool { text, _ := cli("n1", "list"); return strings.Contains(text, "master") })
	now = time.Now()
	l.await("the client is answered", func() bool { return p.answeredAfter(now) })
	if gap := p.gap(from, now); gap > 200*time.Millisecond || l.has("n2", g.addr()) {
		t.Errorf("a restart made a gap of %s; the other node has the address: %v\n%s", gap, l.has("n2", g.addr()), l.logs())
	}
	text, err = cli("n2", "list")
	if err != nil || !strings.Contains(text, "backup") {
		t.Errorf("list: %v\n%s", err, text)
	}
	t.Logf("\n%s", text)
}

// Two that do not hear each other, and another group of the same number, are told of.
func TestConflicts(t *testing.T) {
	l := newLab(t)
	g := group{version: 3, advert: "100ms", address: "10.97.0.20/24"}
	l.surefoot("n1", g)
	l.await("n1 has the address", func() bool { return l.has("n1", g.addr()) })
	other := g
	other.version, other.advert = 2, "1s"
	k := l.keepalived("n2", other)
	list := func(want string) func() bool {
		return func() bool {
			b, err := exec.Command(l.binary, "vip", "list", "--socket", l.dir+"/n1.sock").CombinedOutput()
			return err != nil && strings.Contains(string(b), want)
		}
	}
	l.await("another version", list("speaks version 2"))
	k.kill(syscall.SIGTERM)
	other = g
	other.address = "10.97.0.30/24"
	l.keepalived("n2", other)
	l.await("another group", list("two groups have the number 51"))
	if !l.has("n1", g.addr()) {
		t.Error("a stranger's advertisements took the address")
	}
}
