package probe

import (
	"net/netip"
	"strings"
	"testing"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp6"
	"surefoot/internal/wire/pxe"
)

// answers makes what a server says to a client's message.
func advertise(t *testing.T, xid uint32, client, server dhcp6.DUID, address, url string) []byte {
	t.Helper()
	var w dhcp6.Writer
	w.BeginMessage(nil, dhcp6.Advertise, xid)
	w.Put(dhcp6.ClientID, client)
	w.Put(dhcp6.ServerID, server)
	if address != "" {
		w.BeginIA(dhcp6.IA{Code: dhcp6.IANA, IAID: 1})
		w.PutAddress(netip.MustParseAddr(address), 60, 60)
		w.EndIA()
	}
	if url != "" {
		w.PutText(dhcp6.BootFileURL, url)
	}
	b, err := w.End()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Answers count that are to this probe's messages; who is not expected and says what to boot is a fault, and so is who is
// expected and silent.
func TestDHCP6Judges(t *testing.T) {
	mine := dhcp6.LL(boot.MAC{2, 0, 0, 0, 0, 1})
	server, other := dhcp6.LL(boot.MAC{2, 0, 0, 0, 0, 2}), dhcp6.LL(boot.MAC{2, 0, 0, 0, 0, 3})
	from := netip.MustParseAddrPort("[fe80::ff:fe00:2%eth0]:547")
	stranger := netip.MustParseAddrPort("[fe80::bad%eth0]:547")
	good := advertise(t, 7, mine, server, "fd00::1", "tftp://[fd00::11]/x.efi")
	for _, x := range []struct {
		name   string
		opts   DHCP6Options
		heard  func(d *solicitation)
		code   Code
		offers int
	}{
		{"nobody", DHCP6Options{}, func(*solicitation) {}, NoAnswer, 0},
		{"one, twice", DHCP6Options{}, func(d *solicitation) { d.heard(good, from); d.heard(good, from) }, "", 1},
		{"to somebody else's message", DHCP6Options{}, func(d *solicitation) {
			d.heard(advertise(t, 8, mine, server, "fd00::1", ""), from)
			d.heard(advertise(t, 7, other, server, "fd00::1", ""), from)
			d.heard([]byte{2, 0}, from)
		}, NoAnswer, 0},
		{"without an address", DHCP6Options{}, func(d *solicitation) { d.heard(advertise(t, 7, mine, server, "", "tftp://[fd00::11]/x"), from) }, NoAnswer, 1},
		{"the same where none is given", DHCP6Options{NoAddress: true}, func(d *solicitation) { d.heard(advertise(t, 7, mine, server, "", "tftp://[fd00::11]/x"), from) }, "", 1},
		{"expected by its URL", DHCP6Options{Expect: []netip.Addr{netip.MustParseAddr("fd00::11")}}, func(d *solicitation) { d.heard(good, from) }, "", 1},
		{"expected by its own address", DHCP6Options{Expect: []netip.Addr{netip.MustParseAddr("fe80::ff:fe00:2")}}, func(d *solicitation) { d.heard(good, from) }, "", 1},
		{"expected, and silent", DHCP6Options{Expect: []netip.Addr{netip.MustParseAddr("fd00::11"), netip.MustParseAddr("fd00::12")}}, func(d *solicitation) { d.heard(good, from) }, MissingServer, 1},
		{"a stranger", DHCP6Options{Expect: []netip.Addr{netip.MustParseAddr("fd00::11")}}, func(d *solicitation) {
			d.heard(good, from)
			d.heard(advertise(t, 7, mine, other, "fd00::2", "tftp://[fd00::bad]/x"), stranger)
		}, OtherServer, 2},
	} {
		d := &solicitation{opts: x.opts, duid: mine, asked: map[uint32]string{7: "SOLICIT"}}
		x.heard(d)
		f := d.judge()
		code := Code("")
		if f != nil {
			code = f.Code
		}
		if code != x.code || len(d.res.Offers) != x.offers {
			t.Errorf("%s: %q with %d answers: %v", x.name, code, len(d.res.Offers), f)
		}
	}
	d := &solicitation{duid: mine, asked: map[uint32]string{7: "SOLICIT"}}
	d.heard(good, from)
	if o := d.res.Offers[0]; o.MAC != "02:00:00:00:00:02" || o.Address != "fd00::1" || o.Host6() != netip.MustParseAddr("fd00::11") || !o.Boots() || o.Class != pxe.OfferDHCPOnly || !strings.Contains(o.Options[len(o.Options)-1].Text, "fd00::11") {
		t.Errorf("%+v", o)
	}
}

// A monitor's DUID is known as one, by who is asked.
func TestDHCP6Monitors(t *testing.T) {
	duid := dhcp6.OfUUID([16]byte(monitorUUID(boot.MAC{2, 'S', 'F', 1, 2, 3})[1:]))
	b, err := pxe.Message6Of(boot.Client{Arch: boot.ArchX64, Firmware: boot.FirmwareEDK2}, dhcp6.Solicit, duid, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	var v dhcp6.View
	if err := v.Parse(b); err != nil {
		t.Fatal(err)
	}
	if c, _ := new(pxe.Names).ClientOf6(v.Options()); !Monitors(c.UUID) {
		t.Errorf("%s is taken for a machine", c.UUID)
	}
}
