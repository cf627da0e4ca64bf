package dhcp6

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/rate"
	wire "surefoot/internal/wire/dhcp6"
)

// invented is a machine that there is not: its address says no MAC.
func invented(i int, source string) client {
	return client{duid: wire.OfUUID([16]byte{9, byte(i >> 8), byte(i)}), source: source, plain: true}
}

// Invented DUIDs of one address do not take the pool, whether they ask by SOLICIT, by rapid commit or by a
// REQUEST out of nothing; who is known is answered all the same, and so is everybody else.
func TestStarvation(t *testing.T) {
	for name, form := range map[string]struct {
		kind wire.MessageType
		add  func(*wire.Writer)
	}{
		"offers":       {wire.Solicit, nil},
		"rapid commit": {wire.Solicit, func(w *wire.Writer) { w.Put(wire.RapidCommit, nil) }},
		"requests":     {wire.Request, nil},
	} {
		x := newDeskOf(t, 256)
		x.d.guard = newGuard(Limits{PerSender: 20}.orDefault())
		old := invented(9999, "fe80::1")
		x.bind(old)
		taken := map[netip.Addr]bool{}
		reasons := map[boot.Reason]int{}
		for i := range 1000 {
			c := invented(i, "fe80::bad")
			c.add = form.add
			if form.kind == wire.Request {
				c.server, c.addrs = ownDUID, []netip.Addr{netip.MustParseAddr(fmt.Sprintf("fd77::10%02x", i%256))}
			}
			o, v := x.tell(c, form.kind)
			reasons[o.Reason]++
			live, _, _ := given(v)
			for _, a := range live {
				taken[a] = true
			}
		}
		if len(taken) > 20 || len(taken) < 10 || reasons[boot.StarvationLimit] < 980 {
			t.Errorf("%s: %d addresses taken, %v", name, len(taken), reasons)
		}
		for who, c := range map[string]client{"known": old, "another": invented(5000, "fe80::2")} {
			if o, _ := x.tell(c, wire.Solicit); o.Reason != boot.Answered {
				t.Errorf("%s: %s: %s", name, who, o.Reason)
			}
		}
		x.now = x.now.Add(3 * time.Minute)
		if o, _ := x.tell(invented(6000, "fe80::bad"), wire.Solicit); o.Reason != boot.Answered {
			t.Errorf("%s: three minutes later: %s", name, o.Reason)
		}
	}
}

// The port of a switch counts where it says which it is, whatever address is behind it; what a router says is no port.
func TestStarvationOfAPort(t *testing.T) {
	x := newDesk(t)
	x.d.guard = newGuard(Limits{Offered: 5, PerSender: 3}.orDefault())
	ask := func(i int, port, link string) boot.Reason {
		var options wire.Writer
		options.BeginMessage(nil, 1, 0)
		options.Put(wire.InterfaceID, []byte(port))
		o, err := options.End()
		if err != nil {
			t.Fatal(err)
		}
		peer := addr(fmt.Sprintf("fe80::%x", i+1))
		b, err := wire.Forward(nil, 0, addr(link), peer, o[4:], invented(i, "").message(t, wire.Solicit))
		if err != nil {
			t.Fatal(err)
		}
		out, _ := x.hear(b, netip.AddrPortFrom(addr("fe80::99"), wire.ServerPort))
		return out.Reason
	}
	count := func(port, link string) (n int) {
		for i := range 20 {
			if ask(i+100*len(port), port, link) == boot.Answered {
				n++
			}
		}
		return n
	}
	if n := count("a", "::"); n != 5 {
		t.Errorf("%d of a port are answered, want 5", n)
	}
	if n := count("bb", "::"); n != 5 {
		t.Errorf("%d of another port are answered, want 5", n)
	}
	if n := count("vlan", "fd77::1"); n != 20 {
		t.Errorf("%d behind a router are answered, want all 20", n)
	}
}

// So many new machines in a second, of one place.
func TestNewMachines(t *testing.T) {
	x := newDesk(t)
	x.d.guard = newGuard(Limits{NewMachines: rate.Rate{PerSecond: 1, Burst: 3}}.orDefault())
	n := 0
	for i := range 10 {
		if o, _ := x.tell(invented(i, fmt.Sprintf("fe80::%x", i+1)), wire.Solicit); o.Reason == boot.Answered {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d of 10 are answered, want 3", n)
	}
}
