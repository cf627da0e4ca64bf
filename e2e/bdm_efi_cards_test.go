package e2e

import (
	"io"
	"slices"
	"testing"
)

// The first card reaches nobody.
func bdmTwoCards(t *testing.T, b *bench) {
	s := b.raise(t, quiet(2))
	m := s.insert(asking("tftp://"+n2+"/"), plainOVMF(), false,
		"-netdev", "hubport,id=n9,hubid=9", "-device", "virtio-net-pci,netdev=n9,romfile=,mac=52:54:00:77:09:99,addr=3.0")
	m.says(`no DHCP server answers on 52:54:00:77:09:99`)
	m.report("n2", n2)
}

// Nobody answers DHCP: how it asks, and that a person can give the machine back.
func bdmNoDHCP(t *testing.T, b *bench) {
	o := quiet(1)
	o.OwnDHCP = true
	s := b.build(t, o)
	m := s.insert(asking("tftp://"+n1+"/").with("wait 3600"), plainOVMF(), true)
	m.says(`E-DHCP no DHCP server answers on `+mediumMAC, `round 1 is over, the next begins in 3600 s`)
	var flags, secs []uint16
	xids := map[uint32]bool{}
	for _, p := range s.fromMedium(t) {
		flags, secs, xids[p.XID] = append(flags, p.Flags), append(secs, p.Secs), true
	}
	if want := []uint16{0x8000, 0, 0x8000, 0, 0x8000}; !slices.Equal(flags, want) {
		t.Errorf("flags %#x, want %#x", flags, want)
	}
	if want := []uint16{0, 1, 3, 5, 9}; !slices.Equal(secs, want) {
		t.Errorf("secs %d, want %d", secs, want)
	}
	if len(xids) != 1 {
		t.Errorf("%d transactions, want 1: an answer that comes late is still one", len(xids))
	}
	if _, err := io.WriteString(m.keys, "\x1b"); err != nil {
		t.Fatal(err)
	}
	m.says(`BdsDxe: `)
	t.Logf("%s", m.lines())
}

// A cable that is plugged in later.
func bdmNoLink(t *testing.T, b *bench) {
	s := b.raise(t, quiet(2))
	m := s.insert(asking("tftp://"+n2+"/").with("wait 1"), plainOVMF(), false, "-S")
	m.monitorSays("set_link n0 off", "cont")
	m.says(`E-LINK no cable, or no link, at `+mediumMAC, `round 1 is over`)
	m.monitorSays("set_link n0 on")
	m.report("n2", n2)
}

// A card whose driver is not the firmware's own, but comes from the card's ROM.
func bdmOtherDriver(t *testing.T, b *bench) {
	s := b.raise(t, quiet(2))
	for _, card := range []string{"e1000", "rtl8139"} {
		m := s.insertCard(card, asking("tftp://"+nobody+"/", "tftp://"+n2+"/"), plainOVMF(), false)
		m.report("n2", n2)
		m.end()
	}
}
