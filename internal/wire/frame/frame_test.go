package frame

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"surefoot/internal/boot"
)

func sample(payload string) Datagram {
	return Datagram{
		SrcMAC: boot.MAC{2, 0, 0, 0, 0, 1}, DstMAC: Broadcast,
		Src:     netip.MustParseAddrPort("10.77.0.2:67"),
		Dst:     netip.MustParseAddrPort("255.255.255.255:68"),
		Payload: []byte(payload),
	}
}

func equal(a, b Datagram) bool {
	return a.SrcMAC == b.SrcMAC && a.DstMAC == b.DstMAC && a.Src == b.Src && a.Dst == b.Dst && bytes.Equal(a.Payload, b.Payload)
}

// TestOracle lets an independent decoder read the frame and verify both checksums by writing
// the same layers itself.
func TestOracle(t *testing.T) {
	for _, payload := range []string{"", "x", "surefoot", "odd"} {
		d := sample(payload)
		d.Src, d.Dst = netip.MustParseAddrPort("10.77.0.2:5000"), netip.MustParseAddrPort("10.77.0.3:5001")
		b := d.Frame()
		p := gopacket.NewPacket(b, layers.LayerTypeEthernet, gopacket.Default)
		if e := p.ErrorLayer(); e != nil {
			t.Fatalf("%q: %v", payload, e.Error())
		}
		eth := p.Layer(layers.LayerTypeEthernet).(*layers.Ethernet)
		ip := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
		udp := p.Layer(layers.LayerTypeUDP).(*layers.UDP)
		if err := udp.SetNetworkLayerForChecksum(ip); err != nil {
			t.Fatal(err)
		}
		buf := gopacket.NewSerializeBuffer()
		err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{ComputeChecksums: true, FixLengths: true},
			eth, ip, udp, gopacket.Payload(payload))
		if err != nil {
			t.Fatal(err)
		}
		if got := buf.Bytes()[:len(b)]; !bytes.Equal(got, b) {
			t.Errorf("%q:\n got % x\nwant % x", payload, b, got)
		}
	}
}

func TestParse(t *testing.T) {
	want := sample("payload")
	b := append(want.Frame(), make([]byte, 30)...) // a short frame arrives padded to 60 bytes
	got, err := Parse(b)
	if err != nil || !equal(got, want) {
		t.Errorf("Parse = %+v, %v; want %+v", got, err, want)
	}
	b[etherLen+ipLen+6] ^= 0xff // the UDP checksum
	if _, err := Parse(b); err != nil {
		t.Errorf("an unfinished UDP checksum: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func([]byte) []byte
		other  bool
	}{
		"short":         {func(b []byte) []byte { return b[:13] }, false},
		"arp":           {func(b []byte) []byte { b[13] = 6; return b }, true},
		"ip cut":        {func(b []byte) []byte { return b[:30] }, false},
		"version":       {func(b []byte) []byte { b[14] = 0x65; return b }, false},
		"header length": {func(b []byte) []byte { b[14] = 0x44; return b }, false},
		"total length":  {func(b []byte) []byte { b[16] = 0xff; return b }, false},
		"checksum":      {func(b []byte) []byte { b[24]++; return b }, false},
		"udp length":    {func(b []byte) []byte { b[38] = 0xff; return b }, false},
	} {
		if _, err := Parse(c.change(sample("payload").Frame())); err == nil || errors.Is(err, ErrOther) != c.other {
			t.Errorf("%s: error %v, other=%v", name, err, c.other)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample("payload").Frame())
	f.Add(sample("").Frame()[:41])
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Parse(b)
		if err != nil {
			return
		}
		again, err := Parse(d.Frame())
		if err != nil || !equal(again, d) {
			t.Fatalf("parse(build(x)) = %+v, %v; x = %+v", again, err, d)
		}
	})
}
