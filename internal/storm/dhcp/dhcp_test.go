package dhcp

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/frame"
)

var (
	own    = boot.MAC{2, 0, 0, 0, 0, 1}
	server = boot.MAC{2, 0, 0, 0, 0, 2}
)

func crowdOf(t *testing.T, cfg Config) *crowd {
	t.Helper()
	cfg.Interface = "eth0"
	if err := cfg.Check(); err != nil {
		t.Fatal(err)
	}
	return newCrowd(&cfg, own, server)
}

func read(t *testing.T, b []byte) (frame.Datagram, *wire.View) {
	t.Helper()
	d, err := frame.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	v := new(wire.View)
	if err := v.Parse(d.Payload); err != nil {
		t.Fatal(err)
	}
	return d, v
}

// reply is what a server says to a packet.
func reply(t *testing.T, asked *wire.View, kind wire.MessageType, addr string) *wire.View {
	t.Helper()
	p := &wire.Packet{Op: wire.OpReply, XID: asked.XID()}
	if addr != "" {
		p.YIAddr = netip.MustParseAddr(addr)
	}
	mac, _ := asked.MAC()
	p.SetMAC(mac)
	p.SetType(kind)
	p.SetAddr(wire.ServerID, netip.MustParseAddr("10.0.0.2"))
	b, err := p.Encode(0)
	if err != nil {
		t.Fatal(err)
	}
	v := new(wire.View)
	if err := v.Parse(b); err != nil {
		t.Fatal(err)
	}
	return v
}

// What differs from machine to machine stands where a reader of packets finds it.
func TestMessages(t *testing.T) {
	for _, relay := range []bool{false, true} {
		for _, id := range []bool{false, true} {
			cfg := Config{Machines: 300, ClientID: id, PXE: true, Broadcast: true, Secs: SecsPXE4, First: boot.MAC{2, 0x5f, 0, 0, 0, 0xfe}}
			if relay {
				cfg.Relay, cfg.Server = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
			}
			c := crowdOf(t, cfg)
			d, v := read(t, c.begin(nil, 0, 259))
			mac := boot.MAC{2, 0x5f, 0, 0, 2, 1}
			if got, _ := v.MAC(); got != mac || v.Type() != wire.Discover || !v.Broadcast() || v.Secs() != 4 {
				t.Errorf("machine 259 is %s, says %s, secs %d", got, v.Type(), v.Secs())
			}
			if relay != (d.DstMAC == server) || relay != v.GIAddr().IsValid() || !relay && d.SrcMAC != mac {
				t.Errorf("relay %t: from %s to %s, giaddr %s", relay, d.SrcMAC, d.DstMAC, v.GIAddr())
			}
			got, has := v.Get(wire.ClientID)
			if has != id || id && !slices.Equal(got, append([]byte{1}, mac[:]...)) {
				t.Errorf("option 61 is %x, wanted %t", got, id)
			}
			i := c.hear(time.Millisecond, reply(t, v, wire.Offer, "10.0.0.77"))
			if i != 259 {
				t.Fatalf("the offer is machine %d's", i)
			}
			_, v = read(t, c.send(nil, time.Millisecond, i))
			if v.Type() != wire.Request || v.Addr(wire.RequestedAddress) != netip.MustParseAddr("10.0.0.77") || v.Addr(wire.ServerID) != netip.MustParseAddr("10.0.0.2") {
				t.Errorf("the request is %s for %s of %s", v.Type(), v.Addr(wire.RequestedAddress), v.Addr(wire.ServerID))
			}
			c.hear(2*time.Millisecond, reply(t, v, wire.ACK, "10.0.0.77"))
			if c.res.Leases != 1 || c.open != 0 {
				t.Errorf("%d leases, %d wait", c.res.Leases, c.open)
			}
		}
	}
}

func TestSecs(t *testing.T) {
	for _, c := range []struct {
		secs Secs
		want uint16
	}{{SecsZero, 0}, {SecsReal, 12}, {SecsPXE4, 16}, {SecsSwap, 12 << 8}} {
		if got := c.secs.of(12*time.Second + 300*time.Millisecond); got != c.want {
			t.Errorf("%s: %d, want %d", c.secs, got, c.want)
		}
	}
}

// A machine asks again at its times, and gives up; one that was answered does not.
func TestAskAgain(t *testing.T) {
	c := crowdOf(t, Config{Machines: 2, Retries: []time.Duration{time.Second, 3 * time.Second}, Patience: time.Second})
	_, v := read(t, c.begin(nil, 0, 0))
	c.begin(nil, 0, 1)
	var sent []time.Duration
	for now := time.Duration(0); now < 10*time.Second; now += 100 * time.Millisecond {
		c.again(now, 64, func(i int) {
			if i == 1 {
				sent = append(sent, now)
			}
			c.send(nil, now, i)
		})
		if now == 500*time.Millisecond {
			c.hear(now, reply(t, v, wire.Offer, "10.0.0.9"))
			c.send(nil, now, 0)
			c.hear(now, reply(t, v, wire.ACK, "10.0.0.9"))
		}
	}
	if want := []time.Duration{time.Second, 3 * time.Second}; !slices.Equal(sent, want) {
		t.Errorf("asked again at %v, want %v", sent, want)
	}
	if r := c.res; r.Failed != 1 || r.Leases != 1 || r.Sent != 5 || c.open != 0 {
		t.Errorf("%+v, %d wait", r, c.open)
	}
}

// What must not happen is seen: an address given twice, another one than before, and a NAK.
func TestFaults(t *testing.T) {
	c := crowdOf(t, Config{Machines: 2})
	for i := range 2 {
		_, v := read(t, c.begin(nil, 0, i))
		c.hear(0, reply(t, v, wire.Offer, "10.0.0.9"))
		c.send(nil, 0, i)
		c.hear(0, reply(t, v, wire.ACK, "10.0.0.9"))
	}
	if len(c.res.Twice) != 1 || c.res.OK() {
		t.Errorf("given twice: %q", c.res.Twice)
	}
	// Who hears NAK begins anew.
	c = crowdOf(t, Config{Machines: 1, Retries: []time.Duration{time.Second}})
	_, v := read(t, c.begin(nil, 0, 0))
	c.hear(0, reply(t, v, wire.Offer, "10.0.0.9"))
	_, v = read(t, c.send(nil, 0, 0))
	c.hear(0, reply(t, v, wire.NAK, ""))
	c.again(time.Second, 64, func(i int) { _, v = read(t, c.send(nil, time.Second, i)) })
	if v.Type() != wire.Discover || c.res.Refused != 1 || c.open != 1 {
		t.Errorf("after NAK it says %s: %+v", v.Type(), c.res)
	}
	had := []Had{{boot.MAC{2, 0, 0, 0, 0, 7}, netip.MustParseAddr("10.0.0.7")}, {boot.MAC{2, 0, 0, 0, 0, 8}, netip.MustParseAddr("10.0.0.8")}}
	c = crowdOf(t, Config{What: Again, Had: had})
	_, v = read(t, c.begin(nil, 0, 0))
	if v.Type() != wire.Request || v.Addr(wire.RequestedAddress) != had[0].Addr || v.Has(wire.ServerID) {
		t.Errorf("asks with %s for %s (RFC 2131 section 4.3.2, INIT-REBOOT)", v.Type(), v.Addr(wire.RequestedAddress))
	}
	c.hear(0, reply(t, v, wire.ACK, "10.0.0.70"))
	_, v = read(t, c.begin(nil, 0, 1))
	c.hear(0, reply(t, v, wire.NAK, ""))
	if r := c.res; r.Changed != 1 || r.Refused != 1 || r.OK() {
		t.Errorf("%+v", r)
	}
}
