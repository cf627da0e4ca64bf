package tftp

import (
	"net/netip"
	"testing"
	"time"

	"surefoot/internal/boot"
)

func TestRegistryLimits(t *testing.T) {
	r := registry{max: 160} // so 20 of one address
	now := time.Unix(1, 0)
	at := func(addr string, port uint16) *transfer {
		return &transfer{ends: ends{client: netip.AddrPortFrom(netip.MustParseAddr(addr), port)}, request: "x"}
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
