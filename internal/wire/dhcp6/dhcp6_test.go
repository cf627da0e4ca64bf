package dhcp6

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"surefoot/internal/boot"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// solicit is a message as EDK2 sends it (captures: ovmf-pxe6).
func solicit(t testing.TB) []byte {
	t.Helper()
	var w Writer
	w.BeginMessage(nil, Solicit, 0x14a9cd)
	w.Put(ClientID, OfUUID([16]byte{0x44, 0x33, 0x22, 0x11}))
	w.Put(ElapsedTime, []byte{0, 0})
	w.BeginIA(IA{Code: IANA, IAID: 7, T1: Infinity, T2: Infinity})
	w.PutAddress(addr("fd77::172"), 1, 2)
	w.EndIA()
	w.PutCodes(OptionRequest, BootFileURL, BootFileParam, DNSServers)
	w.Put(ClientArch, []byte{0, 7})
	w.PutClass(EnterprisePXE, "PXEClient:Arch:00007:UNDI:003000")
	b, err := w.End()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestView(t *testing.T) {
	var v View
	if err := v.Parse(solicit(t)); err != nil {
		t.Fatal(err)
	}
	o := v.Options()
	class, _ := o.Vendor(EnterprisePXE)
	if v.Type() != Solicit || v.XID() != 0x14a9cd || string(class) != "PXEClient:Arch:00007:UNDI:003000" {
		t.Errorf("read %s %x %q", v.Type(), v.XID(), class)
	}
	if !o.Asks(BootFileURL) || o.Asks(NTPServer) || !slices.Equal(slices.Collect(o.Archs()), []uint16{7}) {
		t.Error("options are read wrongly")
	}
	for ia := range o.IAs() {
		if ia.IAID != 7 || ia.Addr() != addr("fd77::172") {
			t.Errorf("IA %+v", ia)
		}
	}
	if v.First() != nil || v.Link().IsValid() {
		t.Error("a relay, and there is none")
	}
}

// Relays within relays: the answer goes back the same way, each with what it wants back.
func TestRelays(t *testing.T) {
	inner := solicit(t)
	ll := []byte{0, byte(ClientLinkLayer), 0, 8, 0, 1, 0x52, 0x54, 0, 0, 0, 1}
	first := append([]byte{0, byte(InterfaceID), 0, 3, 'e', 't', 'h'}, ll...)
	one, err := Forward(nil, 0, addr("::"), addr("fe80::2"), first, inner)
	if err != nil {
		t.Fatal(err)
	}
	second := []byte{0, 43, 0, 2, 0, 37, 0, 37, 0, 4, 0, 0, 0, 9, 0, 135, 0, 2, 0x12, 0x34}
	two, err := Forward(nil, 1, addr("fd78::1"), addr("fe80::3"), second, one)
	if err != nil {
		t.Fatal(err)
	}
	var v View
	if err := v.Parse(two); err != nil {
		t.Fatal(err)
	}
	if len(v.Relays()) != 2 || v.Link() != addr("fd78::1") || v.First().Peer != addr("fe80::2") {
		t.Fatalf("relays %+v, link %s", v.Relays(), v.Link())
	}
	if htype, mac := v.First().LinkLayer(); htype != 1 || !bytes.Equal(mac, ll[6:]) {
		t.Errorf("link-layer address % x of type %d", mac, htype)
	}
	var w Writer
	w.Begin([]byte("before"), &v, Advertise)
	w.PutUint32(InfoRefreshTime, 60)
	b, err := w.End()
	if err != nil || !bytes.HasPrefix(b, []byte("before")) {
		t.Fatal(err)
	}
	var back View
	if err := back.Parse(b[6:]); err != nil {
		t.Fatal(err)
	}
	if back.Type() != Advertise || back.XID() != v.XID() || b[6] != byte(RelayReply) {
		t.Errorf("answer %s %x", back.Type(), back.XID())
	}
	for i, r := range back.Relays() {
		if was := v.Relays()[i]; r.Hops != was.Hops || r.Link != was.Link || r.Peer != was.Peer {
			t.Errorf("relay %d: %+v, want %+v", i, r, was)
		}
	}
	if id, _ := back.First().Options.Get(InterfaceID); string(id) != "eth" || back.First().Options.Has(ClientLinkLayer) {
		t.Errorf("the first relay gets back % x", back.First().Options)
	}
	if out := back.Relays()[0].Options; !out.Has(RemoteID) || !out.Has(RelayPort) || out.Has(EchoRequest) {
		t.Errorf("the second relay gets back % x", out)
	}
}

// A packet through more relays than may be is refused, one through as many as may be is not.
func TestRelaysBounded(t *testing.T) {
	b := solicit(t)
	var v View
	for i := range maxRelays + 1 {
		var err error
		if b, err = Forward(nil, uint8(i), addr("fd78::1"), addr("fe80::2"), nil, b); err != nil {
			t.Fatal(err)
		}
		if err, want := v.Parse(b), i < maxRelays; (err == nil) != want {
			t.Errorf("%d relays: %v", i+1, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := solicit(t)
	for name, b := range map[string][]byte{
		"empty": {}, "short header": good[:3], "cut in an option": good[:len(good)-1], "cut in an option's head": good[:len(good)-len("PXEClient:Arch:00007:UNDI:003000")-8],
		"short IA":             {1, 0, 0, 0, 0, 3, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"short address":        {1, 0, 0, 0, 0, 3, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 1, 9},
		"relay without header": {12, 0, 1},
		"relay without":        append([]byte{12}, make([]byte, 33)...),
		"reply in forward":     append(append([]byte{12}, make([]byte, 33)...), append([]byte{0, 9, 0, 34, 13}, make([]byte, 33)...)...),
	} {
		var v View
		if err := v.Parse(b); err == nil || v.Len() != 0 {
			t.Errorf("%s: accepted", name)
		} else if !strings.HasPrefix(err.Error(), "decode dhcpv6 packet: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDUID(t *testing.T) {
	mac := boot.MAC{0x52, 0x54, 0, 0, 0, 1}
	llt := DUID{0, 1, 0, 1, 1, 2, 3, 4, 0x52, 0x54, 0, 0, 0, 1}
	for _, c := range []struct {
		d    DUID
		want boot.MAC
	}{
		{LL(mac), mac},
		{llt, mac},
		{llt[:13], boot.MAC{}},
		{append(DUID{0, 3, 0, 6}, mac[:]...), boot.MAC{}},      // another hardware type
		{DUID{0, 3, 0, 1, 0xff, 0, 0, 0, 0, 1}, boot.MAC{}},    // a group
		{DUID{0, 2, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6}, boot.MAC{}}, // an enterprise's
		{OfUUID([16]byte{1, 2}), boot.MAC{}},
		{nil, boot.MAC{}}, // none
	} {
		if got, ok := c.d.MAC(); got != c.want || ok != !c.want.IsZero() {
			t.Errorf("%s: %s %v", c.d, got, ok)
		}
	}
	if d, err := ParseDUID(llt.String()); err != nil || !bytes.Equal(d, llt) {
		t.Errorf("%s, %v", d, err)
	}
	for _, s := range []string{"", "00", "0001", "zz", strings.Repeat("00", 131)} {
		if _, err := ParseDUID(s); err == nil {
			t.Errorf("%q is a DUID", s)
		}
	}
}

func TestEUI64(t *testing.T) {
	if b, ok := EUI64(addr("fe80::5054:ff:fe00:2")); !ok || b != [6]byte{0x52, 0x54, 0, 0, 0, 2} {
		t.Errorf("%x %v", b, ok)
	}
	if _, ok := EUI64(addr("fe80::1")); ok {
		t.Error("fe80::1 is made from a hardware address")
	}
}

func TestDomains(t *testing.T) {
	b, err := AppendDomains(nil, "a.bc", "d.")
	if want := []byte("\x01a\x02bc\x00\x01d\x00"); err != nil || !bytes.Equal(b, want) {
		t.Errorf("% x, %v", b, err)
	}
	for _, s := range []string{"a..b", "", strings.Repeat("a", 64), strings.Repeat("abc.", 64) + "d"} {
		if _, err := AppendDomains(nil, s); err == nil {
			t.Errorf("%q is a domain name", s)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	b := solicit(t)
	var v View
	var w Writer
	room := make([]byte, 0, 2048)
	n := testing.AllocsPerRun(100, func() {
		if v.Parse(b) != nil {
			t.Fatal("refused")
		}
		w.Begin(room, &v, Advertise)
		w.Put(ClientID, v.ClientID())
		for ia := range v.Options().IAs() {
			w.BeginIA(ia)
			w.PutAddress(ia.Addr(), 1, 2)
			w.EndIA()
		}
		if _, err := w.End(); err != nil {
			t.Fatal(err)
		}
	})
	if n > 0 {
		t.Errorf("%v allocations for a packet", n)
	}
}
