package dhcp4

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp4"
)

// relayed is a boot ROM's packet by a relay, with option 82.
func relayed(p *wire.Packet) *wire.Packet {
	p.GIAddr, p.Hops = addr("10.88.0.1"), 1
	p.Set(wire.RelayAgentInfo, []byte{1, 4, 'g', 'e', '-', '1'})
	return p
}

func encoded(t testing.TB, p *wire.Packet) []byte {
	t.Helper()
	b, err := p.Encode(0)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// BenchmarkOffer is a DISCOVER from its bytes to the bytes of the OFFER, without sockets.
func BenchmarkOffer(b *testing.B) {
	for _, c := range []struct {
		name string
		p    *wire.Packet
	}{
		{"bios", rom(clientMAC, boot.ArchBIOS, 1)},
		{"uefi", rom(clientMAC, boot.ArchX64, 1)},
		{"relayed", relayed(rom(clientMAC, boot.ArchX64, 1))},
	} {
		b.Run(c.name, func(b *testing.B) { benchmark(b, c.p, 1) })
		b.Run(c.name+"/4096", func(b *testing.B) { benchmark(b, c.p, 4096) })
	}
}

// BenchmarkACK is a REQUEST from its bytes to the bytes of the ACK, with the record said to be kept.
func BenchmarkACK(b *testing.B) {
	p := rom(clientMAC, boot.ArchX64, 1)
	d := benchDecider(b)
	h, _ := heardOf(b, p)
	offer := d.Decide(now, h)
	p.SetType(wire.Request)
	p.SetAddr(wire.RequestedAddress, offer.Reply.YIAddr)
	p.SetAddr(wire.ServerID, offer.Reply.ServerID)
	h, _ = heardOf(b, p)
	work(b, d, h, [][]byte{encoded(b, p)})
}

func benchDecider(b testing.TB) *Decider {
	pools := testPools()
	pools[0].Subnet, pools[0].Ranges = netip.MustParsePrefix("10.77.0.0/16"), []lease.Range{{From: addr("10.77.1.0"), To: addr("10.77.250.0")}}
	pools[1].Subnet, pools[1].Ranges = netip.MustParsePrefix("10.88.0.0/16"), []lease.Range{{From: addr("10.88.1.0"), To: addr("10.88.250.0")}}
	book, err := lease.NewBook("boot1", pools)
	if err != nil {
		b.Fatal(err)
	}
	cfg := testConfig()
	cfg.Scopes[0].Subnet, cfg.Scopes[1].Subnet = pools[0].Subnet, pools[1].Subnet
	p, err := newPlan(cfg)
	if err != nil {
		b.Fatal(err)
	}
	return newDecider(p, book, nil, newGuard(Limits{Offered: 1 << 20}.orDefault()))
}

func benchmark(b *testing.B, p *wire.Packet, machines int) {
	d := benchDecider(b)
	var packets [][]byte
	for i := range machines {
		q := *p
		binary.BigEndian.PutUint32(q.CHAddr[2:], uint32(i))
		packets = append(packets, encoded(b, &q))
	}
	h, _ := heardOf(b, p)
	work(b, d, h, packets)
}

func work(b *testing.B, d *Decider, h Heard, packets [][]byte) {
	room := make([]byte, 0, 1500)
	step := func(raw []byte) {
		if err := h.View.Parse(raw); err != nil {
			b.Fatal(err)
		}
		o := d.Decide(now, h)
		if o.Reason != boot.Answered {
			b.Fatal(o.Reason)
		}
		if o.Grant.Keep {
			d.book.Committed(o.Grant.Record, nil)
		}
		var err error
		if room, err = d.Append(room[:0], h, &o); err != nil {
			b.Fatal(err)
		}
	}
	for _, raw := range packets {
		step(raw)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		step(packets[i])
		if i++; i == len(packets) {
			i = 0
		}
	}
}

func heardOf(t testing.TB, p *wire.Packet) (Heard, *wire.View) {
	t.Helper()
	v := new(wire.View)
	if err := v.Parse(encoded(t, p)); err != nil {
		t.Fatal(err)
	}
	return Heard{
		View: v, Link: testLink(),
		From: netip.MustParseAddrPort("0.0.0.0:68"), To: netip.MustParseAddrPort("255.255.255.255:67"),
	}, v
}
