package pxe

import (
	"net/netip"
	"testing"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp6"
)

// The client that a message was made of is read from it again.
func TestMessage6(t *testing.T) {
	for _, c := range []boot.Client{
		{Arch: boot.ArchX64, Firmware: boot.FirmwareEDK2},
		{Arch: boot.Arch(16), Firmware: boot.FirmwareUEFIHTTP},
		{Arch: boot.ArchX64, Firmware: boot.FirmwareIPXE},
		{Arch: boot.ArchUnknown},
	} {
		for _, kind := range []dhcp6.MessageType{dhcp6.Solicit, dhcp6.InformationRequest} {
			b, err := Message6Of(c, kind, dhcp6.LL(boot.MAC{2, 0, 0, 0, 0, 1}), 7, 9)
			if err != nil {
				t.Fatal(err)
			}
			var v dhcp6.View
			if err := v.Parse(b); err != nil {
				t.Fatal(err)
			}
			got, boots := new(Names).ClientOf6(v.Options())
			if boots != (c.Arch != boot.ArchUnknown) || got.Arch != c.Arch || boots && got.Firmware != c.Firmware || v.Options().Has(dhcp6.IANA) != (kind == dhcp6.Solicit) {
				t.Errorf("%v %s: %+v", c, kind, got)
			}
		}
	}
}

// An answer is read as it was written, and what is no text is not shown as it is.
func TestAnswer6(t *testing.T) {
	var w dhcp6.Writer
	w.BeginMessage(nil, dhcp6.Advertise, 9)
	w.Put(dhcp6.ServerID, dhcp6.LL(boot.MAC{2, 0, 0, 0, 0, 2}))
	w.Put(dhcp6.PreferenceOpt, []byte{9})
	w.BeginIA(dhcp6.IA{Code: dhcp6.IANA, IAID: 1, T1: 5, T2: 8})
	w.PutAddress(netip.MustParseAddr("fd00::1"), 10, 10)
	w.PutAddress(netip.MustParseAddr("fd00::2"), 0, 0)
	w.EndIA()
	w.PutText(dhcp6.BootFileURL, "tftp://[fd00::9]/\x1bx")
	w.PutTexts(dhcp6.BootFileParam, "a", "b c")
	w.PutClass(dhcp6.EnterprisePXE, HTTPClient)
	b, err := w.End()
	if err != nil {
		t.Fatal(err)
	}
	var v dhcp6.View
	if err := v.Parse(b); err != nil {
		t.Fatal(err)
	}
	a := ReadAnswer6(&v)
	if a.Preference != 9 || len(a.Addrs) != 1 || a.URL != "tftp://[fd00::9]/?x" || len(a.Params) != 2 || !a.HTTP || a.T1 != 5 {
		t.Errorf("%+v", a)
	}
}
