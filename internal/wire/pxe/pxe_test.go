package pxe

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp4"
)

// TestVendorBytes compares with the option 43 that dnsmasq 2.90 sends (BOOTLAB section 5; the
// capture bios-ipxe-proxy1).
func TestVendorBytes(t *testing.T) {
	v := Vendor{
		Control(NoBroadcast | NoMulticast), Prompt(0, "PXE"),
		Servers(0x8000, []netip.Addr{netip.MustParseAddr("10.77.0.2")}), Menu(0x8000, "Boot"),
	}
	want := []byte{
		6, 1, 3, 10, 4, 0, 80, 88, 69, 8, 7, 128, 0, 1, 10, 77, 0, 2,
		9, 7, 128, 0, 4, 66, 111, 111, 116, 255,
	}
	if got := v.Bytes(); !bytes.Equal(got, want) {
		t.Errorf("Bytes\n got % x\nwant % x", got, want)
	}
	const text = `control(6)=03[no-broadcast no-multicast] prompt(10)=0s:"PXE" servers(8)=[8000:10.77.0.2] menu(9)=[8000:"Boot"]`
	got, ok := Describe(dhcp4.VendorSpecific, want)
	if !ok || got != text {
		t.Errorf("Describe\n got %s\nwant %s", got, text)
	}
}

func TestVendorLimits(t *testing.T) {
	var many []netip.Addr
	for range 100 {
		many = append(many, netip.MustParseAddr("10.0.0.1"))
	}
	v := Vendor{Servers(ItemSurefoot, many), Menu(ItemSurefoot, strings.Repeat("m", 300)), Prompt(0, strings.Repeat("p", 300))}
	got, err := ParseVendor(v.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(v, got); d != "" {
		t.Errorf("changed on the way:\n%s", d)
	}
	list, err := ParseServers(got[0].Data)
	if err != nil || len(list) != 1 || len(list[0].Addrs) != 63 {
		t.Errorf("servers %v, %v: want 63 of the 100", list, err)
	}
}

func TestParseVendorRefuses(t *testing.T) {
	for name, b := range map[string][]byte{"no length": {6}, "cut": {6, 1}, "cut later": {6, 1, 8, 9, 4, 0}} {
		if v, err := ParseVendor(b); err == nil {
			t.Errorf("%s: %v accepted", name, v)
		}
	}
	if _, err := ParseServers([]byte{0x80, 0, 2, 10, 0, 0, 1}); err == nil {
		t.Error("a server list cut short is accepted")
	}
	if _, err := ParseMenu([]byte{0x80, 0, 9, 'x'}); err == nil {
		t.Error("a menu cut short is accepted")
	}
}

func TestParseClass(t *testing.T) {
	for in, want := range map[string]Class{
		"PXEClient:Arch:00007:UNDI:003016":  {PXEClient, boot.ArchX64, "003016"},
		"HTTPClient:Arch:00016:UNDI:003000": {HTTPClient, boot.ArchX64HTTP, "003000"},
		"PXEClient":                         {PXEClient, boot.ArchUnknown, ""},
		"PXEClient:Arch:":                   {PXEClient, boot.ArchUnknown, ""},
		"PXEClient:Arch:99999:UNDI:1":       {PXEClient, boot.ArchUnknown, "1"},
		"udhcp 1.35.0":                      {"", boot.ArchUnknown, ""},
		"":                                  {"", boot.ArchUnknown, ""},
	} {
		if got := ParseClass(in); got != want {
			t.Errorf("ParseClass(%q) = %+v, want %+v", in, got, want)
		}
	}
}

func TestUserClass(t *testing.T) {
	for in, want := range map[string]string{
		"iPXE":                "iPXE", // bare, as iPXE sends it
		"\x04iPXE":            "iPXE", // RFC 3004
		"\x04iPXE\x03lab":     "iPXE", // RFC 3004, two classes: the first
		"\x04iPXE\x09lab":     "\x04iPXE\x09lab",
		"\x00":                "",
		"":                    "",
		"MSFT 5.0\x00":        "MSFT 5.0",
		"\x06iPXE":            "\x06iPXE",
		"\x01\x02\x03PXE\x00": "\x01\x02\x03PXE",
	} {
		if got := string(userClass([]byte(in))); got != want {
			t.Errorf("userClass(%q) = %q, want %q", in, got, want)
		}
	}
}

func client(change func(*dhcp4.Packet)) *dhcp4.Packet {
	p := DiscoverOf(boot.Client{MAC: boot.MAC{0x52, 0x54, 0, 0, 0, 1}, Arch: boot.ArchX64, Firmware: boot.FirmwareEDK2})
	change(p)
	return p
}

func TestClientOfReasons(t *testing.T) {
	for name, c := range map[string]struct {
		p    *dhcp4.Packet
		want boot.Reason
	}{
		"good":              {client(func(*dhcp4.Packet) {}), boot.Answered},
		"a reply":           {client(func(p *dhcp4.Packet) { p.Op = dhcp4.OpReply }), boot.NotRequest},
		"infiniband":        {client(func(p *dhcp4.Packet) { p.HType = 32 }), boot.NotEthernet},
		"group address":     {client(func(p *dhcp4.Packet) { p.CHAddr[0] = 0xff }), boot.NotEthernet},
		"bootp":             {client(func(p *dhcp4.Packet) { p.Del(dhcp4.MessageTypeOption) }), boot.NotDHCP},
		"no vendor class":   {client(func(p *dhcp4.Packet) { p.Del(dhcp4.VendorClass) }), boot.NotPXE},
		"other vendor":      {client(func(p *dhcp4.Packet) { p.SetText(dhcp4.VendorClass, "MSFT 5.0") }), boot.NotPXE},
		"arch in the class": {client(func(p *dhcp4.Packet) { p.Del(dhcp4.ClientArch) }), boot.Answered},
		"no arch": {client(func(p *dhcp4.Packet) {
			p.Del(dhcp4.ClientArch)
			p.SetText(dhcp4.VendorClass, "PXEClient")
		}), boot.NoArch},
		"uuid of 5 bytes": {client(func(p *dhcp4.Packet) { p.Set(dhcp4.ClientUUID, []byte{0, 1, 2, 3, 4}) }), boot.Answered},
	} {
		t.Run(name, func(t *testing.T) {
			if _, got := ClientOf(c.p); got != c.want {
				t.Errorf("reason %s, want %s", got, c.want)
			}
		})
	}
}

// TestDiscoverOf: what a made DISCOVER says is read back as the same client, so that explain
// decides about the client that it was asked about.
func TestDiscoverOf(t *testing.T) {
	uuid, err := boot.ParseUUID("11223344-5566-7788-99aa-bbccddeeff00")
	if err != nil {
		t.Fatal(err)
	}
	pc, pi := boot.MAC{0x52, 0x54, 0, 0, 0, 1}, boot.MAC{0xdc, 0xa6, 0x32, 0, 0, 1}
	for _, want := range []boot.Client{
		{MAC: pc, UUID: uuid, Arch: boot.ArchBIOS, Firmware: boot.FirmwarePXE},
		{MAC: pc, UUID: uuid, Arch: boot.ArchX64, Firmware: boot.FirmwareEDK2},
		{MAC: pc, Arch: boot.ArchEBC, Firmware: boot.FirmwareEDK2},
		{MAC: pc, Arch: 27, Firmware: boot.FirmwareEDK2},
		{MAC: pc, Arch: 12, Firmware: boot.FirmwareUnknown},
		{MAC: pc, Arch: boot.ArchX64HTTP, Firmware: boot.FirmwareUEFIHTTP},
		{MAC: pc, Arch: boot.ArchX64, Firmware: boot.FirmwareIPXE, UserClass: "iPXE", IPXE: boot.IPXEFeatures{Known: true, HTTP: true, EFI: true}},
		{MAC: pc, Arch: boot.ArchBIOS, Firmware: boot.FirmwareIPXE, UserClass: "iPXE"},
		{MAC: pi, Arch: boot.ArchBIOS, Firmware: boot.FirmwareRPi},
		{MAC: pi, Arch: boot.ArchARM64, Firmware: boot.FirmwareEDK2},
		{MAC: pc, Arch: boot.ArchX64, Firmware: boot.FirmwareEDK2, Relay: netip.MustParseAddr("10.9.0.1")},
	} {
		got, reason := ClientOf(DiscoverOf(want))
		want.VendorClass = VendorClass(want)
		if reason != boot.Answered {
			t.Errorf("%s %s: %s", want.Firmware, want.Arch, reason)
		}
		if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
			t.Errorf("%s %s: changed on the way:\n%s", want.Firmware, want.Arch, d)
		}
	}
}

func FuzzVendor(f *testing.F) {
	f.Add(RaspberryMenu().Bytes())
	f.Add([]byte{71, 4, 128, 0, 0, 0, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = Describe(dhcp4.VendorSpecific, b)
		_, _ = Describe(dhcp4.IPXE, b)
		_ = userClass(b)
		_ = ParseClass(string(b))
		v, err := ParseVendor(b)
		if err != nil {
			return
		}
		again, err := ParseVendor(v.Bytes())
		if err != nil || cmp.Diff(v, again) != "" {
			t.Fatalf("parse(write(x)) = %v, %v; x = %v", again, err, v)
		}
	})
}
