package dhcp6

import (
	"bytes"
	"testing"
)

// FuzzParse: no panic, everything that the View yields is in the packet, and the answer to whatever was accepted is
// a packet that goes back the same way.
func FuzzParse(f *testing.F) {
	b := solicit(f)
	relayed, _ := Forward(nil, 0, addr("fd78::1"), addr("fe80::2"), []byte{0, 18, 0, 2, 'i', 'f', 0, 43, 0, 2, 0, 18}, b)
	twice, _ := Forward(nil, 1, addr("fd79::1"), addr("fe80::3"), []byte{0, 135, 0, 2, 1, 2}, relayed)
	for _, b := range [][]byte{b, relayed, twice, {}, {12}, {1, 0, 0, 0, 0, 25, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		was := bytes.Clone(b)
		var v View
		if v.Parse(b) != nil {
			return
		}
		for range v.Options().All() {
		}
		for ia := range v.Options().IAs() {
			for range ia.Addresses() {
			}
		}
		v.Options().User()
		v.Options().Vendor(EnterprisePXE)
		v.Options().Name()
		v.ClientID().MAC()
		v.Link()
		var w Writer
		w.Begin(nil, &v, Reply)
		w.Put(ClientID, v.ClientID())
		out, err := w.End()
		if err != nil {
			return // longer than a datagram
		}
		var back View
		if err := back.Parse(out); err != nil {
			t.Fatalf("the answer is refused: %v\n% x", err, out)
		}
		if len(back.Relays()) != len(v.Relays()) || back.XID() != v.XID() || !bytes.Equal(back.ClientID(), v.ClientID()) {
			t.Fatalf("the answer goes another way:\n% x\n% x", b, out)
		}
		for i := range back.Relays() {
			x, y := back.Relays()[i], v.Relays()[i]
			if x.Hops != y.Hops || x.Link != y.Link || x.Peer != y.Peer {
				t.Fatalf("relay %d differs", i)
			}
		}
		if !bytes.Equal(b, was) {
			t.Fatal("reading changes the packet")
		}
	})
}
