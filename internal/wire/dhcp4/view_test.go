package dhcp4

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

var update = flag.Bool("update", false, "write the golden files anew")

// seen is a packet of testdata/packets.txt.
type seen struct {
	name string
	data []byte
}

// packetsSeen reads packets of real firmware, systems and servers.
func packetsSeen(t testing.TB) []seen {
	t.Helper()
	text, err := os.ReadFile("testdata/packets.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []seen
	for line := range strings.Lines(string(text)) {
		name, digits, ok := strings.Cut(strings.TrimSpace(line), " ")
		if name == "#" || !ok {
			continue
		}
		b, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, seen{name, b})
	}
	return out
}

// agrees compares a View with the reference in everything that both know.
func agrees(t *testing.T, v *View, b []byte) {
	t.Helper()
	if len(b) > maxPacket {
		if v.Parse(b) == nil {
			t.Fatalf("a packet of %d bytes", len(b))
		}
		return
	}
	want, err := referenceDecode(b)
	got := v.Parse(b)
	if errors.Is(err, ErrNotDHCP) && got == nil {
		if v.Cookie() || !v.BOOTP() {
			t.Fatalf("a packet without cookie: cookie %v, bootp %v", v.Cookie(), v.BOOTP())
		}
		v.Each(func(c Code, _ []byte) bool { t.Fatalf("a packet without cookie has %s", c); return false })
		return
	}
	if fmt.Sprint(err) != fmt.Sprint(got) {
		t.Fatalf("Parse: %v, the reference says %v\n% x", got, err, b)
	}
	if err != nil {
		if v.Len() != 0 || v.Has(MessageTypeOption) {
			t.Fatal("a View is not empty after an error")
		}
		return
	}
	if d := cmp.Diff(want, v.Packet(), cmpAddr, cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("differs from the reference:\n%s", d)
	}
	for c := Pad; ; c++ {
		w, wok := want.Get(c)
		g, gok := v.Get(c)
		if !bytes.Equal(w, g) || wok != gok || v.Has(c) != wok || v.Addr(c) != want.Addr(c) || string(v.Text(c)) != want.Text(c) {
			t.Fatalf("%s = % x, %v; want % x, %v", c, g, gok, w, wok)
		}
		if c == End {
			break
		}
	}
	mac, ok := v.MAC()
	wantMAC, wantOK := want.MAC()
	if v.Type() != want.Type() || v.MaxSize() != want.MaxSize() || v.Broadcast() != want.Broadcast() || mac != wantMAC || ok != wantOK {
		t.Fatal("a getter differs from the reference's")
	}
	if !bytes.Equal(v.CHAddr(), want.CHAddr[:want.HLen]) {
		t.Fatalf("CHAddr = % x", v.CHAddr())
	}
}

// TestViewOfPacketsSeen: one View reads what real clients and servers send, one after another, and what it
// reads is what people read.
func TestViewOfPacketsSeen(t *testing.T) {
	var v View
	var text strings.Builder
	for _, p := range packetsSeen(t) {
		agrees(t, &v, p.data)
		if v.BOOTP() || v.Len() == 0 {
			t.Errorf("%s: taken for BOOTP", p.name)
			continue
		}
		fmt.Fprintf(&text, "%s: %s", p.name, v.Packet().Summary(nil))
	}
	const golden = "testdata/packets.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), text.String()); d != "" {
		t.Errorf("not as in %s (-want +got):\n%s", golden, d)
	}
}

// TestViewOfTheOtherCodec: what an independent encoder writes is read as it was meant.
func TestViewOfTheOtherCodec(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	var v View
	for range 300 {
		b, err := random(rnd).Encode(0)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := dhcpv4.FromBytes(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Parse(theirs.ToBytes()); err != nil {
			t.Fatal(err)
		}
		same(t, v.Packet(), theirs)
		agrees(t, &v, b)
	}
}

func TestViewJoins(t *testing.T) {
	b := raw(53, 1, 1, 52, 1, 3, 82, 3, 1, 4, 'e', 60, 3, 'P', 'X', 'E', 82, 1, 't', 255)
	copy(b[fileAt:], []byte{60, 6, 'C', 'l', 'i', 'e', 'n', 't', 255})
	copy(b[snameAt:], []byte{82, 2, 'h', '1', 52, 1, 0, 255})
	var v View
	if err := v.Parse(b); err != nil {
		t.Fatal(err)
	}
	agent, class := v.Agent(), v.Text(VendorClass)
	if circuit, ok := agent.Get(AgentCircuit); !ok || string(circuit) != "eth1" {
		t.Errorf("circuit %q", circuit)
	}
	if string(class) != "PXEClient" {
		t.Errorf("class %q", class)
	}
	if v.Has(Overload) || len(v.File()) != 0 || len(v.SName()) != 0 {
		t.Error("overload is left as an option, or a field with options is a text")
	}
	var order []Code
	v.Each(func(c Code, _ []byte) bool { order = append(order, c); return len(order) < 3 })
	if d := cmp.Diff([]Code{53, 82, 60}, order); d != "" {
		t.Errorf("order: %s", d)
	}
	// What was joined of one packet is not seen in the next.
	if err := v.Parse(raw(53, 1, 3, 82, 1, 'a', 82, 1, 'b')); err != nil {
		t.Fatal(err)
	}
	if got, _ := v.Get(RelayAgentInfo); string(got) != "ab" {
		t.Errorf("%q after a packet that was joined too", got)
	}
	if v.Has(VendorClass) {
		t.Error("an option of the packet before")
	}
}

// TestViewOfBOOTP: BOOTP clients are recognised, with and without options of RFC 1497.
func TestViewOfBOOTP(t *testing.T) {
	vendor := raw(1, 4, 255, 255, 255, 0, 12, 2, 'p', 'c', 255)
	plain := make([]byte, 300)
	copy(plain, vendor[:headerLen])
	for name, c := range map[string]struct {
		in            []byte
		bootp, cookie bool
	}{
		"no cookie":    {plain, true, false},
		"short":        {plain[:headerLen], true, false},
		"half cookie":  {vendor[:headerLen+2], true, false},
		"with options": {vendor, true, true},
		"dhcp":         {raw(53, 1, 1, 255), false, true},
	} {
		var v View
		if err := v.Parse(c.in); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if v.BOOTP() != c.bootp || v.Cookie() != c.cookie {
			t.Errorf("%s: bootp %v, cookie %v", name, v.BOOTP(), v.Cookie())
		}
	}
}

func TestViewNumbers(t *testing.T) {
	var v View
	if err := v.Parse(raw(53, 1, 3, 57, 2, 5, 0xdc, 51, 4, 0, 0, 14, 16, 55, 3, 1, 3, 6, 50, 3, 1, 2, 3, 12, 4, 'p', 'c', 0, 0)); err != nil {
		t.Fatal(err)
	}
	if n, ok := v.Uint16(MaxMessageSize); n != 1500 || !ok || v.MaxSize() != 1500 {
		t.Errorf("max size %d, %v", n, ok)
	}
	if n, ok := v.Uint32(LeaseTime); n != 3600 || !ok {
		t.Errorf("lease time %d, %v", n, ok)
	}
	if _, ok := v.octet(LeaseTime); ok {
		t.Error("four bytes are read as one")
	}
	if v.Addr(RequestedAddress).IsValid() {
		t.Error("three bytes are an address")
	}
	if !v.Asks(Router) || v.Asks(Message) || !bytes.Equal(v.ParameterList(), []byte{1, 3, 6}) {
		t.Errorf("parameter list %v", v.ParameterList())
	}
	if string(v.Text(HostName)) != "pc" {
		t.Errorf("text %q", v.Text(HostName))
	}
}

func TestViewDoesNotAllocate(t *testing.T) {
	packets := packetsSeen(t)
	split := raw(53, 1, 1, 82, 200, 1)
	split = append(append(split, make([]byte, 199)...), 82, 2, 1, 2, 255)
	packets = append(packets, seen{"split", split})
	var v View
	if n := testing.AllocsPerRun(20, func() {
		for _, p := range packets {
			if v.Parse(p.data) != nil {
				t.Fatal(p.name)
			}
			v.Get(RelayAgentInfo)
			v.Text(VendorClass)
			v.ParameterList()
			v.MAC()
			v.CIAddr()
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzView: a View reads what the reference reads, and refuses what that refuses.
func FuzzView(f *testing.F) {
	for _, p := range packetsSeen(f) {
		f.Add(p.data)
	}
	f.Add(raw(53, 1, 1, 12, 1, 'p', 52, 1, 3, 12, 1, 'c'))
	f.Add(raw(52, 0, 52, 1, 1))
	f.Add(make([]byte, 300))
	var v View
	f.Fuzz(func(t *testing.T, b []byte) { agrees(t, &v, b) })
}

func BenchmarkView(b *testing.B) {
	for _, name := range []string{"ovmf-pxe4-proxy1/1", "perfdhcp/1", "bios-ipxe-rom-virtio/4"} {
		for _, p := range packetsSeen(b) {
			if p.name != name {
				continue
			}
			b.Run(strings.ReplaceAll(name, "/", "-"), func(b *testing.B) {
				var v View
				b.ReportAllocs()
				for b.Loop() {
					if v.Parse(p.data) != nil {
						b.Fatal()
					}
				}
			})
		}
	}
}
