package pxe

import (
	"testing"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp4"
)

// TestViewIsPacket: a client is read the same from a View as from a Packet, without allocating.
func TestViewIsPacket(t *testing.T) {
	var names Names
	for _, c := range []boot.Client{
		{MAC: boot.MAC{2, 0, 0, 0, 0, 1}, Arch: boot.ArchBIOS, Firmware: boot.FirmwarePXE},
		{MAC: boot.MAC{2, 0, 0, 0, 0, 1}, Arch: boot.ArchX64, Firmware: boot.FirmwareEDK2, UUID: boot.UUID{1, 2}},
		{MAC: boot.MAC{2, 0, 0, 0, 0, 1}, Arch: boot.ArchX64, Firmware: boot.FirmwareIPXE, IPXE: boot.IPXEFeatures{Known: true, HTTP: true}},
		{MAC: boot.MAC{2, 0, 0, 0, 0, 1}, Arch: boot.ArchX64HTTP, Firmware: boot.FirmwareUEFIHTTP},
		{MAC: boot.MAC{2, 0, 0, 0, 0, 1}, VendorClass: "MSFT 5.0"},
		{},
	} {
		p := DiscoverOf(c)
		b, err := p.Encode(0)
		if err != nil {
			t.Fatal(err)
		}
		var v dhcp4.View
		if err := v.Parse(b); err != nil {
			t.Fatal(err)
		}
		want, why := ClientOf(p)
		if got, reason := names.ClientOf(&v); got != want || reason != why {
			t.Errorf("%+v, %s from the view; %+v, %s from the packet", got, reason, want, why)
		}
		if n := testing.AllocsPerRun(100, func() { names.ClientOf(&v) }); n > 0 {
			t.Errorf("%s: %v allocations", want.Firmware, n)
		}
	}
}
