package proxydhcp

import (
	"encoding/hex"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/pcapgo"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/frame"
	"surefoot/internal/wire/pxe"
)

var update = flag.Bool("update", false, "write the golden files anew")

// site is two nodes and an ordinary TFTP server, and a rule for each kind of machine.
func site(change func(*boot.Site)) *boot.Site {
	s := &boot.Site{
		Name: "lab", Self: "boot1",
		Rules: []boot.Rule{
			{Name: "chain", When: boot.Match{UserClass: []string{"gPXE"}}, File: "snponly.efi", From: []string{"boot1"}},
			{Name: "bios", When: boot.Match{Arch: boot.ClassBIOS.Archs()}, File: "nbp.0", From: []string{"boot1", "boot2", "pvs1"}},
			{Name: "uefi", When: boot.Match{Arch: boot.ClassUEFIx64.Archs()}, File: "efi/nbp.efi", From: []string{"boot2", "boot1"}},
		},
		Servers: map[string]boot.Server{
			"boot1": {Name: "boot1", Node: true, PXE: netip.MustParseAddr("10.77.0.2"), TFTP: netip.MustParseAddrPort("10.77.0.2:69"), HTTP: netip.MustParseAddrPort("10.77.0.2:8067")},
			"boot2": {Name: "boot2", Node: true, PXE: netip.MustParseAddr("10.77.0.3"), TFTP: netip.MustParseAddrPort("10.77.0.3:69"), HTTP: netip.MustParseAddrPort("10.77.0.3:8067")},
			"pvs1":  {Name: "pvs1", TFTP: netip.MustParseAddrPort("10.77.0.21:69")},
		},
		Networks: []boot.Network{{Name: "lab", Subnet: netip.MustParsePrefix("10.77.0.0/24"), Deliver: boot.DeliverProxy, BIOS: boot.BIOSDirect}},
	}
	if change != nil {
		change(s)
	}
	return s
}

// otherStyle is the same site with the other answer wherever there is a choice.
func otherStyle(s *boot.Site) {
	s.Networks[0].BIOS = boot.BIOSDiscover
	for i := range s.Rules {
		s.Rules[i].IPXE = boot.IPXEFile
	}
}

func testLink() Link {
	return Link{Name: "eth0", MAC: boot.MAC{2, 0, 0, 0, 0, 2}, Addrs: []netip.Prefix{netip.MustParsePrefix("10.77.0.2/24")}}
}

// TestCaptures lets the role answer every client packet of real boots.
func TestCaptures(t *testing.T) {
	files, err := filepath.Glob("testdata/captures/*.pcap")
	if err != nil || len(files) < 11 {
		t.Fatalf("captures: %v, %v", files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".pcap")
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			for i, h := range clientPackets(t, file) {
				fmt.Fprintf(&b, "== packet %d: %s -> %s\n%s", i+1, h.From, h.To, pxe.Summary(h.Packet))
				first := describe(t, h, Decide(h, site(nil), nil))
				b.WriteString("-- direct, iPXE gets a script: " + first)
				if second := describe(t, h, Decide(h, site(otherStyle), nil)); second != first {
					b.WriteString("-- discover, iPXE gets the file: " + second)
				}
				b.WriteString("\n")
			}
			golden(t, name, b.String())
		})
	}
}

// TestFamilies writes down what each family of firmware is sent, for those as well of which
// there is no capture.
func TestFamilies(t *testing.T) {
	uuid, err := boot.ParseUUID("11223344-5566-7788-99aa-bbccddeeff00")
	if err != nil {
		t.Fatal(err)
	}
	mac := boot.MAC{0x52, 0x54, 0, 0, 0, 1}
	var b strings.Builder
	for _, f := range []struct {
		name string
		c    boot.Client
	}{
		{"BIOS PXE ROM", boot.Client{MAC: mac, UUID: uuid, Arch: boot.ArchBIOS, Firmware: boot.FirmwarePXE}},
		{"UEFI PXE", boot.Client{MAC: mac, UUID: uuid, Arch: boot.ArchX64, Firmware: boot.FirmwareEDK2}},
		{"UEFI PXE without option 97, relayed", boot.Client{MAC: mac, Arch: boot.ArchX64, Firmware: boot.FirmwareEDK2, Relay: netip.MustParseAddr("10.77.0.1")}},
		{"UEFI HTTP boot", boot.Client{MAC: mac, UUID: uuid, Arch: boot.ArchX64HTTP, Firmware: boot.FirmwareUEFIHTTP}},
		{"iPXE, BIOS", boot.Client{MAC: mac, UUID: uuid, Arch: boot.ArchBIOS, Firmware: boot.FirmwareIPXE}},
		{"iPXE, UEFI", boot.Client{MAC: mac, UUID: uuid, Arch: boot.ArchX64, Firmware: boot.FirmwareIPXE}},
		{"iPXE, UEFI, without HTTP", boot.Client{MAC: mac, Arch: boot.ArchX64, Firmware: boot.FirmwareIPXE, IPXE: boot.IPXEFeatures{Known: true, TFTP: true, EFI: true}}},
		{"Raspberry Pi", boot.Client{MAC: boot.MAC{0xdc, 0xa6, 0x32, 0, 0, 1}, Arch: boot.ArchBIOS, Firmware: boot.FirmwareRPi}},
		{"PowerPC (no rule)", boot.Client{MAC: mac, Arch: 12}},
	} {
		for _, style := range []struct {
			name   string
			change func(*boot.Site)
		}{{"direct, script", nil}, {"discover, file", otherStyle}} {
			h := Heard{Packet: pxe.DiscoverOf(f.c), From: netip.MustParseAddrPort("0.0.0.0:68"), To: netip.MustParseAddrPort("255.255.255.255:67"), Link: testLink()}
			fmt.Fprintf(&b, "== %s, %s\noffer: %s", f.name, style.name, describe(t, h, Decide(h, site(style.change), nil)))
			h.Packet.SetType(dhcp4.Request)
			h.Packet.CIAddr, h.Packet.GIAddr = netip.MustParseAddr("10.77.0.100"), netip.Addr{}
			h.From, h.To = netip.MustParseAddrPort("10.77.0.100:4011"), netip.MustParseAddrPort("10.77.0.2:4011")
			if style.change != nil {
				h.Packet.Set(dhcp4.VendorSpecific, pxe.Vendor{{Code: pxe.SubItem, Data: []byte{0x80, 0, 0, 0}}}.Bytes())
			}
			fmt.Fprintf(&b, "4011: %s\n", describe(t, h, Decide(h, site(style.change), nil)))
		}
	}
	golden(t, "families", b.String())
}

// describe writes an outcome down, and the bytes of the reply as they go on the wire.
func describe(t *testing.T, h Heard, o Outcome) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s", o.Reason)
	if o.Client.Firmware != "" {
		fmt.Fprintf(&b, " (firmware %s, arch %s", o.Client.Firmware, o.Client.Arch)
		if o.Seen != "" {
			fmt.Fprintf(&b, ", seen as %s", o.Seen)
		}
		b.WriteString(")")
	}
	if o.Reply == nil {
		b.WriteString("\n")
		return b.String()
	}
	raw, err := o.Reply.Encode(h.Packet.MaxSize() - frame.Overhead)
	if err != nil {
		t.Fatal(err)
	}
	again, err := dhcp4.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, ", %s\n%s", o.Route, pxe.Summary(again))
	for options := raw[240:]; len(options) > 0; options = options[min(len(options), 32):] {
		fmt.Fprintf(&b, "    %s\n", hex.EncodeToString(options[:min(len(options), 32)]))
	}
	return b.String()
}

// clientPackets reads what clients sent to ports 67 and 4011 from a capture.
func clientPackets(t testing.TB, file string) []Heard {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []Heard
	for {
		b, _, err := r.ReadPacketData()
		if err != nil {
			break
		}
		d, err := frame.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if p := d.Dst.Port(); p != dhcp4.ServerPort && p != dhcp4.PXEPort || d.Src.Port() == dhcp4.ServerPort {
			continue
		}
		msg, err := dhcp4.Decode(d.Payload)
		if err != nil {
			t.Fatal(err)
		}
		if msg.Op == dhcp4.OpRequest {
			out = append(out, Heard{Packet: msg, From: d.Src, To: d.Dst, Link: testLink()})
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s: no client packets", file)
	}
	return out
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs (go test -update writes it anew); got:\n%s", file, got)
	}
}
