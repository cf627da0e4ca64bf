package dhcp4

import (
	"errors"
	"testing"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp4"
)

// TestRestartBetweenOfferAndRequest: a node that forgot its OFFER says no NAK to who takes it, with or without
// a boot ROM's name; an address that nobody else got is given, and the next DISCOVER is answered.
func TestRestartBetweenOfferAndRequest(t *testing.T) {
	for name, make := range map[string]func(boot.MAC) *wire.Packet{
		"a system": plain,
		"a boot ROM": func(mac boot.MAC) *wire.Packet {
			p := plain(mac)
			p.Set(wire.VendorClass, []byte("PXEClient:Arch:00007:UNDI:003016"))
			return p
		},
	} {
		silent := &judge{says: func(int, lease.Record) error { return lease.ErrNoContact }}
		before := sharedBook(t)
		before.Contact(false, now) // so that it offers what is its own
		d := make(machine(1))
		offers, _ := converse(t, before, &memory{}, silent, d)
		if len(offers) != 1 || offers[0].Type() != wire.Offer {
			t.Fatalf("%s: %d offers", name, len(offers))
		}
		takes := requestOf(d, offers[0])

		after := sharedBook(t)
		after.Contact(false, now)
		after.Began(now)
		if got, _ := converse(t, after, &memory{}, silent, takes); len(got) != 1 || got[0].Type() != wire.ACK || got[0].YIAddr != offers[0].YIAddr {
			t.Errorf("%s asks for what nobody else has: %v", name, got)
		}

		after = sharedBook(t)
		after.Contact(false, now)
		after.Began(now)
		g, why := after.Offer(now, lease.Ask{Scope: "lab", ID: lease.Hardware(1, []byte{2, 9, 9, 9, 9, 9}), Want: offers[0].YIAddr})
		if why != boot.Answered || g.Record.Addr != offers[0].YIAddr {
			t.Fatal(g.Record.Addr, why)
		}
		got, events := converse(t, after, &memory{}, silent, takes)
		if len(got) != 0 || events[len(events)-1].Reason != boot.OfferForgotten {
			t.Errorf("%s asks for what was offered to another since: %v, %+v", name, got, events[len(events)-1])
		}
		if got, _ = converse(t, after, &memory{}, silent, d); len(got) != 1 || got[0].Type() != wire.Offer || got[0].YIAddr == offers[0].YIAddr {
			t.Errorf("%s, at its next DISCOVER: %v", name, got)
		}
	}
}

// TestFullDiskBesideTheStore: what the shared store has is given, whatever the node's own disk says; what this
// node would give by itself is not.
func TestFullDiskBesideTheStore(t *testing.T) {
	full := errors.New("no space left on device")
	for _, contact := range []bool{true, false} {
		book := sharedBook(t)
		book.Contact(contact, now)
		j := &judge{says: func(int, lease.Record) error { return nil }}
		keeper := &memory{}
		keeper.refuseWith(full)
		replies, events := converseWith(t, book, keeper, j, func() error { return full }, plain(machine(1)))
		if answered := len(replies) == 1; answered != contact {
			t.Errorf("contact %t: %d replies, %+v", contact, len(replies), events)
		}
	}
}
