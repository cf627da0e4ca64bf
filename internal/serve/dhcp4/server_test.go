package dhcp4

import (
	"errors"
	"testing"

	"surefoot/internal/boot"
	"surefoot/internal/testkit/dhcpwire"
	wire "surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/frame"
	"surefoot/internal/wire/pxe"
)

// rom is a boot ROM's DISCOVER.
func rom(mac boot.MAC, arch boot.Arch, xid uint32) *wire.Packet {
	fw := boot.FirmwarePXE
	if arch.UEFI() {
		fw = boot.FirmwareEDK2
	}
	p := pxe.DiscoverOf(boot.Client{MAC: mac, Arch: arch, Firmware: fw})
	p.XID = xid
	p.Set(wire.ParameterList, []byte{1, 3, 6, 51, 54, 58, 59, 66, 67, 60, 43})
	return p
}

// requestOf is the REQUEST that takes an offer.
func requestOf(discover, offer *wire.Packet) *wire.Packet {
	p := *discover
	p.Options = append([]wire.Option(nil), discover.Options...)
	p.SetType(wire.Request)
	p.SetAddr(wire.RequestedAddress, offer.YIAddr)
	p.SetAddr(wire.ServerID, offer.Addr(wire.ServerID))
	return &p
}

// TestLease: a machine without an address gets one over a real wire, with and without the broadcast
// flag, and it is on the disk before it is told.
func TestLease(t *testing.T) {
	c := newCable(t)
	r := c.start(t, testConfig())
	conn := c.Conn(t, wire.ClientPort)
	for _, flags := range []uint16{0, wire.FlagBroadcast} {
		d := rom(c.MAC, boot.ArchX64, 0x1000+uint32(flags))
		d.Flags = flags
		c.Broadcast(t, conn, d)
		isOf := func(kind wire.MessageType) func(frame.Datagram, *wire.Packet) bool {
			return func(_ frame.Datagram, p *wire.Packet) bool { return p.Type() == kind && p.XID == d.XID }
		}
		how, offer := dhcpwire.Await(t, conn, isOf(wire.Offer))
		to := c.MAC
		if flags != 0 {
			to = frame.Broadcast
		}
		if how.DstMAC != to || offer.Flags != flags {
			t.Errorf("flags %04x: the offer goes to %s with flags %04x", flags, how.DstMAC, offer.Flags)
		}
		if pxe.BootFile(offer) != "efi/nbp.efi" || offer.SIAddr != addr("10.77.0.2") {
			t.Errorf("the offer says %q from %s", pxe.BootFile(offer), offer.SIAddr)
		}
		c.Broadcast(t, conn, requestOf(d, offer))
		_, ack := dhcpwire.Await(t, conn, isOf(wire.ACK))
		kept := r.keeper.all()
		if len(kept) == 0 || kept[len(kept)-1].Addr != ack.YIAddr || ack.YIAddr != offer.YIAddr {
			t.Errorf("offered %s, told %s, kept %v", offer.YIAddr, ack.YIAddr, kept)
		}
	}
	if ev := dhcpwire.WaitFor(t, r.events, boot.AddressGiven); ev.Reason != boot.Answered || ev.MAC != c.MAC || ev.File != "efi/nbp.efi" {
		t.Errorf("the event says %+v", ev)
	}
}

// TestDiskRefuses: a known lease is confirmed for the time that it has, a new one is not given.
func TestDiskRefuses(t *testing.T) {
	c := newCable(t)
	r := c.start(t, testConfig())
	conn := c.Conn(t, wire.ClientPort)
	d := rom(c.MAC, boot.ArchX64, 1)
	ask := func() *wire.Packet {
		c.Broadcast(t, conn, d)
		_, offer := dhcpwire.Await(t, conn, func(_ frame.Datagram, p *wire.Packet) bool { return p.Type() == wire.Offer })
		c.Broadcast(t, conn, requestOf(d, offer))
		return offer
	}
	r.keeper.refuseWith(errors.New("disk full"))
	ask()
	for {
		ev := dhcpwire.WaitFor(t, r.events, boot.Ignored)
		if ev.Reason == boot.StoreRefused {
			break
		}
	}
	r.keeper.refuseWith(nil)
	ask()
	_, ack := dhcpwire.Await(t, conn, func(_ frame.Datagram, p *wire.Packet) bool { return p.Type() == wire.ACK })
	r.keeper.refuseWith(errors.New("disk full"))
	ask()
	_, again := dhcpwire.Await(t, conn, func(_ frame.Datagram, p *wire.Packet) bool { return p.Type() == wire.ACK })
	if again.YIAddr != ack.YIAddr {
		t.Errorf("%s, then %s", ack.YIAddr, again.YIAddr)
	}
}
