package pxe

import (
	"testing"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp6"
)

// The UUID of a machine is the same whether EDK2 or iPXE names it (BOOTLAB section 3).
func TestClientOf6(t *testing.T) {
	options := func(duid []byte, user string) dhcp6.Options {
		var w dhcp6.Writer
		w.BeginMessage(nil, dhcp6.Solicit, 1)
		w.Put(dhcp6.ClientID, dhcp6.OfUUID([16]byte(duid)))
		w.Put(dhcp6.ClientArch, []byte{0, 7, 0, 9})
		if user != "" {
			w.PutTexts(dhcp6.UserClass, user)
		}
		b, err := w.End()
		if err != nil {
			t.Fatal(err)
		}
		return b[4:]
	}
	var n Names
	raw := []byte{0x44, 0x33, 0x22, 0x11, 0x66, 0x55, 0x88, 0x77, 9, 10, 11, 12, 13, 14, 15, 16}
	printed := []byte{0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 9, 10, 11, 12, 13, 14, 15, 16}
	edk2, ok := n.ClientOf6(options(raw, ""))
	ipxe, ok2 := n.ClientOf6(options(printed, "iPXE"))
	if !ok || !ok2 || edk2.Firmware != boot.FirmwareEDK2 || ipxe.Firmware != boot.FirmwareIPXE || edk2.Arch != boot.ArchX64 {
		t.Errorf("%+v\n%+v", edk2, ipxe)
	}
	if want := "11223344-5566-7788-090a-0b0c0d0e0f10"; edk2.UUID.String() != want || ipxe.UUID != edk2.UUID {
		t.Errorf("UUIDs %s and %s, want %s", edk2.UUID, ipxe.UUID, want)
	}
	if c, ok := n.ClientOf6(nil); ok || c.Arch != boot.ArchUnknown {
		t.Errorf("a message without options boots: %+v", c)
	}
}
