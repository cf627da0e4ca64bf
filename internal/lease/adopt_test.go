package lease

import (
	"net/netip"
	"testing"
	"time"

	"surefoot/internal/boot"
)

// A lease of another server is taken with its end, and only where nobody has or may have its address.
func TestAdopt(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	addr := netip.MustParseAddr
	id := func(n byte) ID { return Hardware(1, []byte{2, 0, 0, 0, 0, n}) }
	b, err := NewBook("n1", []Pool{{
		Scope: "a", Subnet: netip.MustParsePrefix("10.0.0.0/24"), Ranges: []Range{{addr("10.0.0.10"), addr("10.0.0.19")}},
		Exclude: []netip.Addr{addr("10.0.0.12")}, Reserved: map[ID]netip.Addr{id(9): addr("10.0.0.13")}, Rest: time.Minute,
	}})
	if err != nil {
		t.Fatal(err)
	}
	adopt := func(ip string, n byte, left time.Duration) (Grant, boot.Reason) {
		return b.Adopt(now, Record{Scope: "a", Addr: addr(ip), ID: id(n), Start: now.Add(-time.Hour), Expires: now.Add(left), Node: "old"})
	}
	g, why := adopt("10.0.0.10", 1, 5*time.Hour) // longer than the pool's own lease
	r := g.Record
	if why != boot.Answered || !r.Expires.Equal(now.Add(5*time.Hour)) || r.State != Active || r.Node != "n1" || r.Serial == 0 || !g.Keep || g.Claim {
		t.Fatalf("%+v, %s", r, why)
	}
	if _, why := adopt("10.0.0.10", 2, time.Hour); why != boot.LeaseOfOther {
		t.Errorf("while it is on its way: %s", why)
	}
	if _, why := adopt("10.0.0.11", 1, time.Hour); why != boot.LeaseMoved {
		t.Errorf("another of the same machine meanwhile: %s", why)
	}
	b.Committed(r, nil)
	if got, ok := b.ByAddr(addr("10.0.0.10")); !ok || !got.Live(now) || got.ID != id(1) {
		t.Errorf("%+v", got)
	}
	for _, tc := range []struct {
		ip   string
		n    byte
		left time.Duration
		want boot.Reason
	}{
		{"10.0.0.10", 2, time.Hour, boot.LeaseOfOther},
		{"10.0.0.10", 1, time.Hour, boot.NotOurLease},
		{"10.0.0.10", 1, 6 * time.Hour, boot.Answered},
		{"10.0.0.11", 1, time.Hour, boot.LeaseMoved},
		{"10.0.0.12", 3, time.Hour, boot.WrongNetwork},
		{"10.0.0.50", 3, time.Hour, boot.WrongNetwork},
		{"10.0.0.13", 3, time.Hour, boot.LeaseOfOther},
		{"10.0.0.14", 9, time.Hour, boot.LeaseMoved},
		{"10.0.0.13", 9, time.Hour, boot.Answered},
	} {
		if _, why := adopt(tc.ip, tc.n, tc.left); why != tc.want {
			t.Errorf("%s for %d: %s, want %s", tc.ip, tc.n, why, tc.want)
		}
	}
	if g, why := b.Offer(now, Ask{Scope: "a", ID: id(4), Want: addr("10.0.0.10")}); why != boot.Answered || g.Record.Addr == addr("10.0.0.10") {
		t.Errorf("offered %v, %s", g.Record.Addr, why)
	}
	if _, why := b.Adopt(now, Record{Scope: "b", Addr: addr("10.0.0.10"), ID: id(1)}); why != boot.ScopeUnknown {
		t.Error(why)
	}
	b.SetOwn("a", nil, true)
	if _, why := adopt("10.0.0.15", 5, time.Hour); why != boot.StoreRefused {
		t.Errorf("past the shared store: %s", why)
	}
	b.Contact(true, now)
	if g, why := adopt("10.0.0.16", 5, time.Hour); why != boot.Answered || !g.Claim || g.Record.Own {
		t.Errorf("by a claim: %+v, %s", g, why)
	}
}
