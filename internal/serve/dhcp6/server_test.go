package dhcp6

import (
	"errors"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"surefoot/internal/boot"
	"surefoot/internal/testkit/netns"
	wire "surefoot/internal/wire/dhcp6"
)

// A machine gets its address over a real wire, and it is on the disk before it is told.
func TestLease(t *testing.T) {
	c := newCable(t)
	r := c.start(t, testConfig())
	conn := c.conn(t)
	m := client{duid: romDUID, iaid: 7}
	c.send(t, conn, m.message(t, wire.Solicit))
	offered, _, _ := given(await(t, conn))
	if len(offered) != 1 || len(r.keeper.all()) != 0 {
		t.Fatalf("offered %v, kept %v", offered, r.keeper.all())
	}
	m.server, m.addrs = ownDUID, offered
	c.send(t, conn, m.message(t, wire.Request))
	live, _, _ := given(await(t, conn))
	kept := r.keeper.all()
	if len(kept) != 1 || len(live) != 1 || live[0] != offered[0] || kept[0].Addr != live[0] || kept[0].MAC != c.mac || kept[0].Circuit != holderOf(romDUID, ofROM) {
		t.Errorf("offered %v, given %v, kept %+v", offered, live, kept)
	}
	if ev := waitFor(t, r.events, boot.OfferSent); ev.File != "efi/nbp.efi" || ev.MAC != c.mac || ev.Network != "lab" || ev.Server != "boot1" {
		t.Errorf("the event of the offer says %+v", ev)
	}
	if ev := waitFor(t, r.events, boot.AddressGiven); ev.IP != live[0] || ev.Reason != boot.Answered {
		t.Errorf("the event of the lease says %+v", ev)
	}
}

// A known lease is confirmed for the time that it has while the disk refuses records, and a new one is not given.
func TestDiskRefuses(t *testing.T) {
	c := newCable(t)
	r := c.start(t, testConfig())
	conn := c.conn(t)
	rapid := func(w *wire.Writer) { w.Put(wire.RapidCommit, nil) }
	m := client{duid: osDUID, add: rapid}
	r.keeper.refuseWith(errors.New("disk full"))
	c.send(t, conn, m.message(t, wire.Solicit))
	for ev := waitFor(t, r.events, boot.Ignored); ev.Reason != boot.StoreRefused; ev = waitFor(t, r.events, boot.Ignored) {
	}
	r.keeper.refuseWith(nil)
	c.send(t, conn, m.message(t, wire.Solicit))
	live, _, _ := given(await(t, conn))
	r.keeper.refuseWith(errors.New("disk full"))
	m = client{duid: romDUID, iaid: 5, add: rapid} // another program of the machine: worth a new record
	c.send(t, conn, m.message(t, wire.Solicit))
	if again, _, _ := given(await(t, conn)); len(live) != 1 || len(again) != 1 || again[0] != live[0] {
		t.Errorf("%v, then %v", live, again)
	}
}

// An interface that was removed and made anew is served again.
func TestInterfaceComesBack(t *testing.T) {
	c := newCable(t)
	c.start(t, testConfig())
	c.server.do(t, func() error {
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		return netlink.LinkDel(l)
	})
	join(t, c.server, "eth0", c.client, "eth0")
	c.server.do(t, func() error { return netns.AddAddr("eth0", "fd77::2/64") })
	conn := c.conn(t)
	b := make([]byte, 2048)
	for range 100 { // the server looks once a second
		c.send(t, conn, client{duid: osDUID}.message(t, wire.Solicit))
		_ = conn.SetReadDeadline(time.Now().Add(250 * time.Millisecond))
		if _, err := conn.Read(b); err == nil {
			return
		}
	}
	t.Error("no answer on the new interface")
}

// Malformed packets are told of, and answered with nothing.
func TestMalformed(t *testing.T) {
	c := newCable(t)
	r := c.start(t, testConfig())
	conn := c.conn(t)
	c.send(t, conn, []byte{1, 2})
	if ev := waitFor(t, r.events, boot.Ignored); ev.Reason != boot.Malformed {
		t.Errorf("%+v", ev)
	}
	c.send(t, conn, client{duid: osDUID}.message(t, wire.Solicit))
	if v := await(t, conn); v.Type() != wire.Advertise {
		t.Error(v.Type())
	}
}
