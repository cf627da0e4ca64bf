package dhcp4

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp4"
)

// TestRefusingDisk: while nothing can be kept, machines with a lease and those with a reservation go on. Nobody
// else is offered anything: a client that chose us would wait in vain, and another server may have answered.
func TestRefusingDisk(t *testing.T) {
	known, reserved, stranger := machine(1), machine(2), machine(3)
	cfg := testConfig()
	book := testBook(t, func(p []lease.Pool) {
		p[0].Reserved = map[lease.ID]netip.Addr{lease.Hardware(1, reserved[:]): addr("10.77.0.20")}
	})
	keeper := &memory{}
	reasons := map[boot.Reason]int{}
	s, p, n := wired(t, cfg, book, keeper, func(ev boot.Event) { reasons[ev.Reason]++ })
	s.d.Refuses = func() error { keeper.mu.Lock(); defer keeper.mu.Unlock(); return keeper.refuse }
	w, answers := s.newWorker(p), s.newWorker(p)
	w.renew()
	answers.renew()
	hear := func(q *wire.Packet) *wire.Packet {
		had := len(n.replies)
		w.frame(framed(t, q))
		w.flush()
		ready, _ := p.commits.take(nil)
		for _, c := range ready {
			answers.kept(c)
		}
		answers.flush()
		if len(n.replies) == had {
			return nil
		}
		return n.replies[had]
	}
	whole := func(mac boot.MAC) *wire.Packet {
		d := plain(mac)
		if offer := hear(d); offer != nil {
			return hear(requestOf(d, offer))
		}
		return nil
	}
	lasts := func(p *wire.Packet) time.Duration {
		b, _ := p.Get(wire.LeaseTime)
		return time.Duration(b[2])<<8*time.Second + time.Duration(b[3])*time.Second
	}
	if ack := whole(known); ack == nil || ack.Type() != wire.ACK {
		t.Fatal("no lease")
	}
	keeper.refuseWith(errors.New("no space left on device"))
	if ack := whole(known); ack == nil || ack.Type() != wire.ACK || lasts(ack) != time.Hour {
		t.Errorf("a known machine: %v", ack)
	}
	if ack := whole(reserved); ack == nil || ack.Type() != wire.ACK || ack.YIAddr != addr("10.77.0.20") || lasts(ack) != 5*time.Minute {
		t.Errorf("a reserved machine: %v", ack)
	}
	before := reasons[boot.StoreRefused]
	if offer := hear(plain(stranger)); offer != nil || reasons[boot.StoreRefused] != before+1 {
		t.Errorf("a new machine is offered %s", offer.YIAddr)
	}
	reboot := ask(plain(stranger), func(p *wire.Packet) { p.SetAddr(wire.RequestedAddress, addr("10.77.0.140")) })
	if nak := hear(reboot); nak != nil {
		t.Errorf("%s to a machine whose lease may stand in a file that was not read", nak.Type())
	}
	keeper.refuseWith(nil)
	if ack := whole(stranger); ack == nil || ack.Type() != wire.ACK {
		t.Error("nothing for a new machine after the disk came back")
	}
	if nak := hear(ask(plain(machine(9)), func(p *wire.Packet) { p.SetAddr(wire.RequestedAddress, addr("10.77.0.140")) })); nak == nil || nak.Type() != wire.NAK {
		t.Error("no NAK of an authoritative server that knows its leases")
	}
}
