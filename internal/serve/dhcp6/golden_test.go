package dhcp6

import (
	"encoding/hex"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	wire "surefoot/internal/wire/dhcp6"
)

var update = flag.Bool("update", false, "write the expected output instead of comparing with it")

// What OVMF sent to dnsmasq in a PXE boot over IPv6, answered by us in dnsmasq's name: its network stack takes an address,
// then its PXE another one with the boot file's URL, then the stack gives its own back.
func TestFirmware(t *testing.T) {
	f, err := os.Open("testdata/ovmf-pxe6.pcap")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	cfg := testConfig()
	cfg.DUID, _ = hex.DecodeString("000100013294df1b6a4332efe2b4") // dnsmasq's in the capture
	x := newDesk(t)
	if x.d, err = NewDecider(cfg, x.book, nil); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for {
		data, _, err := r.ReadPacketData()
		if err != nil {
			break
		}
		p := gopacket.NewPacket(data, r.LinkType(), gopacket.Default)
		ip, _ := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6)
		udp, _ := p.Layer(layers.LayerTypeUDP).(*layers.UDP)
		if ip == nil || udp == nil || udp.DstPort != wire.ServerPort {
			continue
		}
		from, _ := netip.AddrFromSlice(ip.SrcIP)
		var v wire.View
		if err := v.Parse(udp.Payload); err != nil {
			t.Fatal(err)
		}
		h := Heard{View: &v, From: netip.AddrPortFrom(from, uint16(udp.SrcPort)), To: group, Link: testLink()}
		o := x.d.Decide(x.now, h)
		for i := range o.Bindings {
			if g := o.Bindings[i].Grant; g.Keep {
				x.book.Committed(g.Record, nil)
			}
		}
		for _, r := range o.Ended {
			x.book.Committed(r, nil)
		}
		fmt.Fprintf(&b, "%s of %s (%s, %s, boots %v): %s\n", v.Type(), o.Client.MAC, o.Client.Arch, o.Client.UUID, o.Boots, o.Reason)
		if o.Reply == 0 {
			continue
		}
		out, err := x.d.Append(nil, h, &o)
		if err != nil {
			t.Fatal(err)
		}
		var answer wire.View
		if err := answer.Parse(out); err != nil {
			t.Fatal(err)
		}
		live, gone, status := given(&answer)
		url, _ := answer.Options().Get(wire.BootFileURL)
		fmt.Fprintf(&b, "  %s: gives %v, takes %v, %s, url %q\n  %x\n", answer.Type(), live, gone, status, url, out)
	}
	const path = "testdata/ovmf-pxe6.golden"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != b.String() {
		t.Errorf("%v (go test -update writes it)\n%s", err, b.String())
	}
}
