package nat

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"surefoot/internal/kernel/neigh"
	"surefoot/internal/lb"
)

// backed makes the servers backends of direct return: they have the address, and keep quiet about it.
func (l *lab) backed() {
	for _, h := range []string{"sv1", "sv2", "sv3"} {
		l.sh(h, "sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2; ip addr add "+vip4+"/32 dev lo; ip addr add "+vip6+"/128 dev lo nodad")
	}
	l.gateway(1)
}

// Packets go on by MAC: backends see the client, and answer it past the balancer. A client stays with its backend.
func TestDirect(t *testing.T) {
	t.Parallel()
	for _, six := range []bool{false, true} {
		l := newLab(t)
		l.backed()
		s := service(lb.DSR, lb.RoundRobin, six, 1, 1, 1)
		s.Persist = time.Minute
		answers, _ := l.backends(s)
		p := NewDirect(Deps{})
		l.apply(p, table(s, 0, 1, 2))
		client := func(i int) string {
			if six {
				return fmt.Sprintf("fd01::1:%x", i)
			}
			return fmt.Sprintf("10.1.128.%d", i)
		}
		count := map[string]int{}
		for i := range 6 {
			got := l.get(client(i+1), s.Listen.Addr().String())
			if want := who(got) + " sees " + client(i+1); got != want {
				t.Errorf("IPv6 %v: %q, want %q", six, got, want)
			}
			count[who(got)]++
			if again := l.get(client(i+1), s.Listen.Addr().String()); again != got {
				t.Errorf("IPv6 %v: %s, and then %s", six, got, again)
			}
		}
		if text := fmt.Sprint(count); text != "map[sv1:2 sv2:2 sv3:2]" {
			t.Errorf("IPv6 %v: %s", six, text)
		}
		for _, c := range l.counters(p) {
			if c.Requests != 4 || c.Packets != 4 || c.Bytes == 0 {
				t.Errorf("IPv6 %v: %+v", six, c)
			}
		}
		answers[0].Store(false)
		l.apply(p, table(s, 1, 2))
		for i := range 6 {
			if got := l.get(client(i+1), s.Listen.Addr().String()); got == "silence" || who(got) == "sv1" {
				t.Errorf("IPv6 %v: sv1 is dead, and client %d got %s", six, i+1, got)
			}
		}
		var err error
		l.in("lb", func() { err = p.Remove() })
		if got := l.sh("lb", "nft list tables"); err != nil || got != "" {
			t.Errorf("left behind: %v %s", err, got)
		}
	}
}

// A backend whose MAC nobody knows gets nothing; when it answers again it does by the next look.
func TestDirectWithoutMAC(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.backed()
	s := service(lb.DSR, lb.RoundRobin, false, 1, 1)
	l.backends(s)
	l.sh("br", "ip link set sv1 down")
	l.sh("lb", "ip neigh flush all")
	p := NewDirect(Deps{})
	l.apply(p, table(s, 0, 1))
	for range 4 {
		if got := who(l.get("10.1.0.10", vip4)); got != "sv2" {
			t.Fatalf("got %s", got)
		}
	}
	l.sh("br", "ip link set sv1 up")
	l.until("the MAC of sv1 is known", func() bool {
		var err error
		l.in("lb", func() { err = p.Check(context.Background()) })
		return err != nil
	})
	l.apply(p, table(s, 0, 1))
	if got := who(l.get("10.1.0.10", vip4)) + who(l.get("10.1.0.10", vip4)); !strings.Contains(got, "sv1") {
		t.Errorf("it is back, and clients got %s", got)
	}
	l.sh("lb", "ip link set eth0 down; ip link set eth0 address 02:00:0a:02:00:77 up; ip route replace default via 10.2.0.1")
	var err error
	l.in("lb", func() { err = p.Check(context.Background()) })
	if err == nil {
		t.Error("another MAC of the interface is not noticed")
	}
}

// A switch floods frames for a MAC that it forgot. Who is not meant hands nothing on, standby or not.
func TestDirectIgnoresFramesForOthers(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.backed()
	s := service(lb.DSR, lb.RoundRobin, false, 1)
	_, asked := l.backends(s)
	p := NewDirect(Deps{})
	l.apply(p, table(s, 0))
	l.sh("rt", "ip neigh replace "+vip4+" lladdr 02:00:0a:02:00:99 dev eth0 nud permanent") // which nobody has
	if got := l.get("10.1.0.10", vip4); got != "silence" || asked[0].Load() > 0 {
		t.Errorf("a frame for another was handed on: %s", got)
	}
	if n := l.counters(p)[0].Packets; n != 0 {
		t.Errorf("%d packets", n)
	}
	l.sh("rt", "ip neigh replace "+vip4+" lladdr "+lbMAC+" dev eth0 nud permanent")
	if got := who(l.get("10.1.0.10", vip4)); got != "sv1" {
		t.Errorf("got %s", got)
	}
}

// until waits for something that the kernel does by itself.
func (l *lab) until(what string, is func() bool) {
	l.t.Helper()
	late := time.After(20 * time.Second)
	var t *neigh.Table
	var err error
	l.in("lb", func() { t, err = neigh.Open() })
	if err != nil {
		l.t.Fatal(err)
	}
	defer t.Close()
	for !is() {
		select {
		case <-t.Changes:
		case <-late:
			l.t.Fatalf("%s: never", what)
		}
	}
}
