package dsr

import (
	"log/slog"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"surefoot/internal/lb"
	"surefoot/internal/wire/lbpeer"
)

// By turn no balancer can know whom another one gave to a client, unless it was told. Told, it goes on with every
// download when the other one dies.
func TestPeersLearnClients(t *testing.T) {
	l := newLab(t)
	first, tb := l.serve(lb.RoundRobin, 0, 1, 2)
	second := l.balancer("lb2")
	second.apply(standby(tb))
	first.ask("peers 10.2.0.11:8069 10.2.0.12:8069", nil)
	second.ask("peers 10.2.0.12:8069 10.2.0.11:8069", nil)
	view := func() (v PeerView) {
		var list []PeerView
		second.ask("views", &list)
		return list[0]
	}
	l.await("they know each other", func() bool { v := view(); return !v.At.IsZero() && !v.Stale && len(v.Differs) == 0 })
	s := l.storm(t, 60, vip4, "boot.bin", l.content, 0, 15*time.Millisecond)
	s.under(60)
	l.await("the second knows all clients", func() bool { return view().Learnt >= 60 })

	l.sh("br", "ip link set lb1 down")
	l.kill("lb1", syscall.SIGKILL)
	l.has("lb2")
	second.apply(tb)
	l.sh("rt", "ip neigh flush dev eth0")
	for _, m := range s.wait() {
		t.Errorf("%s: %v", m.from, m.err)
	}
	for _, m := range s.all {
		if m.asked != 1 {
			t.Errorf("%s asked %d times", m.from, m.asked)
		}
	}
	l.await("the first one's view is stale", func() bool { return view().Stale })
	tb.Alive = []int{0}
	second.apply(tb)
	if v := view(); !strings.Contains(strings.Join(v.Differs, "\n"), "sv2 is alive here: false, there: true") {
		t.Errorf("differs: %q", v.Differs)
	}
}

// What somebody recorded and repeats is not taken, neither within a session nor after either side began anew.
func TestPeersTakeNothingOld(t *testing.T) {
	now := time.Unix(1000, 0)
	at := netip.MustParseAddrPort("10.2.0.11:8069")
	key := []byte("as long as a key has to be")
	make := func() *Peers {
		p, err := NewPeers(PeersConfig{Node: "b", Peers: []netip.AddrPort{at}, Key: key}, New(Config{}, Deps{}), Deps{Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := make()
	said := func(p *Peers, from, seq uint64) []byte {
		return lbpeer.Encode(&lbpeer.Message{From: from, To: p.self, Seq: seq, Node: "a"}, key)
	}
	fresh := func(p *Peers) bool { return !p.Views()[0].Stale }
	old := said(p, 7, 1)
	for _, c := range []struct {
		name string
		b    []byte
		want bool
	}{
		{"to nobody's session", lbpeer.Encode(&lbpeer.Message{From: 7, Seq: 9}, key), false},
		{"a message", old, true},
		{"the same again", old, false},
		{"the next", said(p, 7, 2), true},
		{"one before", old, false},
		{"of a sender that began anew", said(p, 8, 1), true},
		{"of its former session", said(p, 7, 3), false},
		{"with another key", lbpeer.Encode(&lbpeer.Message{From: 8, To: p.self, Seq: 5}, []byte("another key that is long")), false},
		{"the next of its new one", said(p, 8, 2), true},
	} {
		now = now.Add(time.Minute)
		p.take(at, c.b)
		if fresh(p) != c.want {
			t.Errorf("%s: taken %v, want %v", c.name, fresh(p), c.want)
		}
	}
	p.take(netip.MustParseAddrPort("10.2.0.99:8069"), said(p, 8, 3)) // a stranger's address
	q := make()
	q.take(at, said(p, 8, 4))
	if fresh(q) {
		t.Error("a new process took a message to the old one")
	}
	if _, err := NewPeers(PeersConfig{Key: []byte("short")}, nil, Deps{}); err == nil {
		t.Error("a short key")
	}
}
