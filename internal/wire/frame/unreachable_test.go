package frame

import (
	"net/netip"
	"testing"

	"surefoot/internal/boot"
)

func TestParseUnreachable(t *testing.T) {
	asked := Datagram{
		Src: netip.MustParseAddrPort("10.0.0.1:2070"), Dst: netip.MustParseAddrPort("10.0.0.20:69"), Payload: []byte("x"),
	}
	head := Datagram{Src: netip.MustParseAddrPort("10.0.0.31:1"), Dst: netip.MustParseAddrPort("10.0.0.1:1"), SrcMAC: boot.MAC{2, 0, 0, 0, 0, 9}}.Frame()[:etherLen+ipLen]
	head[etherLen+9] = protoICMP
	whole := append(append(head, unreachable, 3, 0, 0, 0, 0, 0, 0), asked.IP()...)
	u, err := ParseUnreachable(whole)
	want := Unreachable{Code: 3, From: netip.MustParseAddr("10.0.0.31"), FromMAC: boot.MAC{2, 0, 0, 0, 0, 9}, Src: asked.Src, Dst: asked.Dst}
	if err != nil || u != want {
		t.Errorf("%+v, %v", u, err)
	}
	for n := range whole {
		if u, err := ParseUnreachable(whole[:n]); err == nil && n < len(whole)-5 {
			t.Errorf("%d bytes: %+v", n, u)
		}
	}
	if _, err := ParseUnreachable(asked.Frame()); err == nil {
		t.Error("a datagram was taken for a message")
	}
}

func FuzzParseUnreachable(f *testing.F) {
	f.Add([]byte("............\x08\x00E..................................."))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = ParseUnreachable(b) })
}
