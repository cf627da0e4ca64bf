package dhcp4

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// TestOracle compares this codec with an independent one in both directions.
func TestOracle(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		want := random(rnd)
		b, err := want.Encode(0)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := dhcpv4.FromBytes(b)
		if err != nil {
			t.Fatalf("the other codec refuses what this one writes: %v\n% x", err, b)
		}
		same(t, want, theirs)
		got, err := Decode(theirs.ToBytes())
		if err != nil {
			t.Fatalf("this codec refuses what the other writes: %v", err)
		}
		same(t, got, theirs)
	}
}

func same(t *testing.T, p *Packet, q *dhcpv4.DHCPv4) {
	t.Helper()
	xid := [4]byte(q.TransactionID)
	if uint32(xid[0])<<24|uint32(xid[1])<<16|uint32(xid[2])<<8|uint32(xid[3]) != p.XID ||
		p.Op != uint8(q.OpCode) || p.Hops != q.HopCount || p.Secs != q.NumSeconds || p.Flags != q.Flags {
		t.Fatalf("header differs:\n%s\n%s", p.Summary(nil), q.Summary())
	}
	if p.SName != q.ServerHostName || p.File != q.BootFileName || !bytes.Equal(p.CHAddr[:p.HLen], q.ClientHWAddr) {
		t.Fatalf("names or hardware address differ:\n%s\n%s", p.Summary(nil), q.Summary())
	}
	for _, c := range [][2][4]byte{
		{addrBytes(p.CIAddr), [4]byte(q.ClientIPAddr.To4())},
		{addrBytes(p.YIAddr), [4]byte(q.YourIPAddr.To4())},
		{addrBytes(p.SIAddr), [4]byte(q.ServerIPAddr.To4())},
		{addrBytes(p.GIAddr), [4]byte(q.GatewayIPAddr.To4())},
	} {
		if c[0] != c[1] {
			t.Fatalf("an address differs: %v, %v", c[0], c[1])
		}
	}
	if len(p.Options) != len(q.Options) {
		t.Fatalf("%d options, the other codec has %d", len(p.Options), len(q.Options))
	}
	for _, o := range p.Options {
		if !bytes.Equal(o.Data, q.Options[uint8(o.Code)]) {
			t.Fatalf("%s differs: % x, % x", o.Code, o.Data, q.Options[uint8(o.Code)])
		}
	}
}

func random(rnd *rand.Rand) *Packet {
	text := func(n int) string {
		b := make([]byte, rnd.IntN(n))
		for i := range b {
			b[i] = byte('a' + rnd.IntN(26))
		}
		return string(b)
	}
	addr := func() netip.Addr { return addrOf([]byte{10, byte(rnd.IntN(256)), 0, byte(rnd.IntN(256))}) }
	p := &Packet{
		Op: uint8(1 + rnd.IntN(2)), HType: 1, HLen: 6, Hops: uint8(rnd.IntN(16)),
		XID: rnd.Uint32(), Secs: uint16(rnd.IntN(1 << 16)), Flags: uint16(rnd.IntN(2) << 15),
		CIAddr: addr(), YIAddr: addr(), SIAddr: addr(), GIAddr: addr(),
		SName: text(MaxSName), File: text(MaxFile),
	}
	for i := range 6 {
		p.CHAddr[i] = byte(rnd.IntN(256))
	}
	p.SetType(MessageType(1 + rnd.IntN(8)))
	for range rnd.IntN(12) {
		c := Code(1 + rnd.IntN(254))
		if c == Overload || c == MessageTypeOption {
			continue
		}
		data := make([]byte, rnd.IntN(300))
		for i := range data {
			data[i] = byte(rnd.IntN(256))
		}
		p.Set(c, data)
	}
	return p
}
