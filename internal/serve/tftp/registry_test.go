package tftp

import (
	"net/netip"
	"testing"
	"time"

	"surefoot/internal/boot"
)

func TestRegistryLimits(t *testing.T) {
	r := registry{max: 160} // so 20 of one address
	now := time.Unix(1000, 0)
	at := func(addr string, port uint16) *transfer {
		return &transfer{ends: ends{client: netip.AddrPortFrom(netip.MustParseAddr(addr), port)}, request: "x", began: now}
	}
	admit := func(x *transfer, want boot.Reason) {
		t.Helper()
		if got := r.admit(x, now); got != want {
			t.Errorf("%s: %s, want %s", x.ends.client, got, want)
		}
	}
	first := at("10.0.0.1", 1)
	admit(first, boot.Answered)
	for port := uint16(2); port <= 20; port++ {
		admit(at("10.0.0.1", port), boot.Answered)
	}
	admit(at("10.0.0.1", 21), boot.TooManyTransfers)
	admit(at("10.0.0.2", 1), boot.Answered) // the others go on
	r.remove(first)
	r.remove(first) // twice is once
	admit(at("10.0.0.1", 22), boot.Answered)
	admit(at("10.0.0.1", 23), boot.TooManyTransfers)
	for i := r.count(); i < 160; i++ {
		admit(at(netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}).String(), 1), boot.Answered)
	}
	admit(at("10.0.0.3", 1), boot.TooManyTransfers)
	for _, x := range r.all {
		r.remove(x)
	}
	if r.count() != 0 || len(r.byAddr) != 0 {
		t.Errorf("%d transfers and %d addresses are left", r.count(), len(r.byAddr))
	}
}

// Where there is no place left, the oldest transfer whose client never spoke makes room.
func TestRegistryMakesRoom(t *testing.T) {
	r := registry{max: 3}
	now := time.Unix(1000, 0)
	at := func(host byte, age time.Duration) *transfer {
		client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, host}), 1)
		return &transfer{ends: ends{client: client}, request: "x", began: now.Add(-age)}
	}
	speaking, old, young := at(1, time.Minute), at(2, silentFor), at(3, silentFor/2)
	for _, x := range []*transfer{speaking, old, young} {
		if got := r.admit(x, now); got != boot.Answered {
			t.Fatalf("%s: %s", x.ends.client, got)
		}
	}
	r.heard(speaking)
	if got := r.admit(at(4, 0), now); got != boot.Answered {
		t.Errorf("a new client: %s, want a place", got)
	}
	if got := interruption(old.stopped.Load()); got != displaced {
		t.Errorf("the old silent transfer: interruption %d, want %d", got, displaced)
	}
	if got := r.admit(at(5, 0), now); got != boot.TooManyTransfers {
		t.Errorf("one more: %s, want %s: the silent ones are young, the other one speaks", got, boot.TooManyTransfers)
	}
	r.remove(old) // its goroutine ends, and takes nobody else's place away
	if r.count() != 3 || r.silent.Len() != 2 {
		t.Errorf("%d transfers, %d silent; want 3 and 2", r.count(), r.silent.Len())
	}
}
