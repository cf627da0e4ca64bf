package lease

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"surefoot/internal/boot"
)

var errNo = errors.New("no")

func book(t *testing.T, pools ...Pool) *Book {
	t.Helper()
	b, err := NewBook("n1", pools)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func a4(last uint32) netip.Addr { return addrAt(0x0a000000 + last) }

func want(i int, a netip.Addr) Ask { q := ask(i); q.Want = a; return q }

func request(t *testing.T, b *Book, now time.Time, a Ask, how How, why boot.Reason) Grant {
	t.Helper()
	g, got := b.Request(now, a, how)
	if got != why {
		t.Fatalf("%s asks for %s: %s, want %s", a.ID, a.Want, got, why)
	}
	return g
}

// The table of RFC 2131 4.3.2: who asks for what, how, and what becomes of it.
func TestRequest(t *testing.T) {
	for _, c := range []struct {
		name  string
		who   int // 1 has 10.0.0.1; 2 had 10.0.0.2, which ended; 3 is offered 10.0.0.3; 4 is new; 5 is reserved .12
		want  netip.Addr
		how   How
		why   boot.Reason
		nak   bool // not authoritative
		nakIf bool // authoritative
	}{
		{"takes its offer", 3, a4(3), Selecting, boot.Answered, false, false},
		{"takes an offer that was lost with a restart", 4, a4(4), Selecting, boot.Answered, false, false},
		{"takes another's offer", 4, a4(3), Selecting, boot.LeaseOfOther, true, true},
		{"takes another's lease", 4, a4(1), Selecting, boot.LeaseOfOther, true, true},
		{"takes what is not given", 4, a4(14), Selecting, boot.NotOurLease, true, true},
		{"takes what is reserved for another", 4, a4(12), Selecting, boot.LeaseOfOther, true, true},
		{"takes of another network", 4, addrAt(0x0b000001), Selecting, boot.WrongNetwork, true, true},
		{"reboots", 1, a4(1), InitReboot, boot.Answered, false, false},
		{"reboots after its lease ended", 2, a4(2), InitReboot, boot.Answered, false, false},
		{"reboots, unknown", 4, a4(4), InitReboot, boot.UnknownLease, false, true},
		{"reboots with what it was never given", 4, a4(14), InitReboot, boot.NotOurLease, false, false},
		{"reboots with another's", 4, a4(1), InitReboot, boot.LeaseOfOther, true, true},
		{"reboots with a wrong notion", 1, a4(4), InitReboot, boot.LeaseMoved, true, true},
		{"reboots on another network", 1, addrAt(0x0b000001), InitReboot, boot.WrongNetwork, true, true},
		{"renews", 1, a4(1), Renewing, boot.Answered, false, false},
		{"renews, unknown", 4, a4(4), Renewing, boot.UnknownLease, false, false},
		{"renews what is offered to another", 4, a4(3), Renewing, boot.UnknownLease, false, false},
		{"renews another's", 4, a4(1), Renewing, boot.LeaseOfOther, true, true},
		{"rebinds", 1, a4(1), Rebinding, boot.Answered, false, false},
		{"rebinds, unknown", 4, a4(4), Rebinding, boot.UnknownLease, false, true},
		{"rebinds what was declined", 1, a4(5), Rebinding, boot.AddressDeclined, true, true},
		{"BOOTP with a reservation", 5, netip.Addr{}, BootP, boot.Answered, false, false},
		{"BOOTP without", 4, netip.Addr{}, BootP, boot.UnknownLease, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := book(t, lan(func(p *Pool) {
				p.Subnet = netip.MustParsePrefix("10.0.0.0/28")
				p.Ranges = []Range{{a4(1), a4(6)}}
				p.Reserved = map[ID]netip.Addr{machine(5): a4(12)}
			}))
			dora(t, b, t0.Add(-time.Hour), want(2, a4(2)))
			b.Expire(t0)
			if r := dora(t, b, t0, want(1, a4(1))); r.Addr != a4(1) {
				t.Fatal(r)
			}
			if g, _ := b.Offer(t0, want(3, a4(3))); g.Record.Addr != a4(3) {
				t.Fatal(g)
			}
			b.Busy(t0, "lan", a4(5))
			request(t, b, t0.Add(time.Second), want(c.who, c.want), c.how, c.why)
			if got := Naks(c.how, c.why, false); got != c.nak {
				t.Errorf("NAK %v", got)
			}
			if got := Naks(c.how, c.why, true); got != c.nakIf {
				t.Errorf("authoritative: NAK %v", got)
			}
		})
	}
	if _, why := book(t).Request(t0, ask(1), Selecting); why != boot.ScopeUnknown {
		t.Error(why)
	}
}

func TestReservationThatChanges(t *testing.T) {
	b := book(t, lan(nil))
	first := dora(t, b, t0, want(1, a4(1)))
	second := dora(t, b, t0, want(2, a4(2)))
	swap := lan(func(p *Pool) { p.Reserved = map[ID]netip.Addr{machine(1): second.Addr, machine(3): first.Addr} })
	if err := b.Configure([]Pool{swap}); err != nil {
		t.Fatal(err)
	}
	if r, ok := b.ByAddr(first.Addr); !ok || r.ID != machine(1) {
		t.Fatal("a reload takes a lease away")
	}
	// 1 is to have what 2 holds: it keeps its own address no longer than until it renews, and gets
	// another one, since what is reserved for it is still in use.
	request(t, b, t0.Add(time.Minute), want(1, first.Addr), Renewing, boot.LeaseMoved)
	g, _ := b.Offer(t0.Add(time.Minute), ask(1))
	if a := g.Record.Addr; a == first.Addr || a == second.Addr {
		t.Errorf("offered %s", a)
	}
	request(t, b, t0.Add(time.Minute), want(2, second.Addr), Rebinding, boot.LeaseMoved)
	dora(t, b, t0.Add(time.Minute), ask(2)) // elsewhere, so that its former address is free at once
	b.Expire(t0.Add(time.Minute + 2*time.Second))
	if r := dora(t, b, t0.Add(time.Minute+2*time.Second), ask(1)); r.Addr != second.Addr {
		t.Errorf("got %s, reserved is %s", r.Addr, second.Addr)
	}
}

func TestOldestIsReusedFirstAndHoldersComeBack(t *testing.T) {
	b := book(t, lan(func(p *Pool) { p.Rest = 10 * time.Second }))
	var held []netip.Addr
	for i := range 5 {
		held = append(held, dora(t, b, t0.Add(time.Duration(i)*10*time.Second), ask(i)).Addr)
	}
	if _, why := b.Offer(t0.Add(time.Minute), ask(9)); why != boot.NoFreeAddress {
		t.Fatal(why)
	}
	end := t0.Add(2 * time.Minute) // of the first lease
	if _, why := b.Offer(end.Add(10*time.Second), ask(9)); why != boot.NoFreeAddress {
		t.Errorf("given before it has rested: %s", why)
	}
	late := end.Add(5 * time.Minute)
	b.Expire(late)
	if r := dora(t, b, late, ask(0)); r.Addr != held[0] {
		t.Errorf("0 comes back to %s, had %s", r.Addr, held[0])
	}
	for i := range 3 {
		if r := dora(t, b, late, ask(20+i)); r.Addr != held[1+i] {
			t.Errorf("new machine %d gets %s, want %s", i, r.Addr, held[1+i])
		}
	}
	if r := dora(t, b, late, ask(1)); r.Addr != held[4] {
		t.Errorf("1, whose address is gone, gets %s", r.Addr)
	}
}

func TestFailedCommitLeavesTheFormer(t *testing.T) {
	b := book(t, lan(nil))
	r := dora(t, b, t0, ask(1))
	g := request(t, b, t0.Add(time.Minute), want(1, r.Addr), Renewing, boot.Answered)
	next := request(t, b, t0.Add(61*time.Second), want(1, r.Addr), Renewing, boot.Answered)
	if !(r.Serial < g.Record.Serial && g.Record.Serial < next.Record.Serial) || next.Prev != g.Record.Serial {
		t.Errorf("serials %d, %d, %d (after %d)", r.Serial, g.Record.Serial, next.Record.Serial, next.Prev)
	}
	b.Committed(g.Record, errNo)
	b.Committed(next.Record, errNo)
	if now, _ := b.ByID("lan", machine(1)); now != r {
		t.Errorf("%+v, want %+v", now, r)
	}
	if c, why := b.Confirm(t0.Add(time.Minute), want(1, r.Addr)); why != boot.Answered || c.For != time.Minute || c.Keep {
		t.Errorf("%+v %s", c, why)
	}
	if _, why := b.Confirm(t0.Add(2*time.Minute), want(1, r.Addr)); why != boot.StoreRefused {
		t.Error(why)
	}
}

func TestWrongPools(t *testing.T) {
	id := machine(1)
	for want, mutate := range map[string]func(*Pool){
		"a pool without the name of its scope": func(p *Pool) { p.Scope = "" },
		"scope lan: no subnet":                 func(p *Pool) { p.Subnet = netip.Prefix{} },
		"scope lan: range 10.0.0.4-10.0.0.3: not from a lower to a higher address":                             func(p *Pool) { p.Ranges[0] = Range{a4(4), a4(3)} },
		"scope lan: range 10.0.0.4-10.0.0.9: outside 10.0.0.0/29":                                              func(p *Pool) { p.Ranges[0] = Range{a4(4), a4(9)} },
		"scope lan: range 10.0.0.5-10.0.0.6: overlaps 10.0.0.0-10.0.0.5":                                       func(p *Pool) { p.Ranges = append(p.Ranges, Range{a4(5), a4(6)}) },
		"scope lan: reservation of 10.0.0.7 for 52:00:00:00:00:01: not an address of a machine in 10.0.0.0/29": func(p *Pool) { p.Reserved = map[ID]netip.Addr{id: a4(7)} },
	} {
		if _, err := NewBook("n1", []Pool{lan(mutate)}); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	b := book(t, lan(nil))
	r := dora(t, b, t0, ask(1))
	if err := b.Configure([]Pool{lan(nil), lan(nil)}); err == nil {
		t.Error("a scope twice")
	}
	if err := b.Configure(nil); err != nil {
		t.Fatal(err)
	}
	if now, ok := b.ByAddr(r.Addr); !ok || now != r {
		t.Error("the lease of a scope that is gone is gone")
	}
	if _, why := b.Offer(t0, ask(1)); why != boot.ScopeUnknown {
		t.Error(why)
	}
}

func TestIPv6(t *testing.T) {
	six := Pool{Scope: "six", Subnet: netip.MustParsePrefix("2001:db8::/64"), Ranges: []Range{{netip.MustParseAddr("2001:db8::"), netip.MustParseAddr("2001:db8::1:1")}}}
	b := book(t, six)
	for i := range uint32(100) {
		a := Ask{Scope: "six", ID: DUID([]byte{0, 3, 0, 1, 2, 3}, i)}
		r := dora(t, b, t0, a)
		if got, _ := b.ByID("six", a.ID); !six.Ranges[0].Contains(r.Addr) || r.Addr == six.Ranges[0].From || got != r {
			t.Fatalf("%+v", r)
		}
	}
	if u := b.Usage("six"); u.Active != 100 || u.Size != 0x10001 {
		t.Errorf("%+v", u)
	}
}

func TestUsageAndEach(t *testing.T) {
	b := book(t, lan(func(p *Pool) { p.Reserved = map[ID]netip.Addr{machine(9): a4(6)} }))
	dora(t, b, t0.Add(-time.Hour), want(1, a4(1)))
	b.Expire(t0)
	dora(t, b, t0, want(2, a4(2)))
	b.Busy(t0, "lan", a4(3))
	if _, why := b.Offer(t0, want(4, a4(4))); why != boot.Answered {
		t.Fatal(why)
	}
	if got, want := b.Usage("lan"), (Usage{Size: 6, Active: 1, Offered: 1, Declined: 1, Resting: 1, Reserved: 1, Free: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	var seen []netip.Addr
	b.Each("", func(r Record) bool { seen = append(seen, r.Addr); return len(seen) < 2 })
	if len(seen) != 2 || seen[0] != a4(1) || seen[1] != a4(2) {
		t.Error(seen)
	}
}

// Two nodes that share no store split a range: neither gives, nor refuses, what is the other's.
func TestSplitRange(t *testing.T) {
	b := book(t, lan(nil))
	b.SetOthers("lan", []Range{{a4(1), a4(3)}})
	for i := range 2 {
		if r := dora(t, b, t0, want(i, a4(1))); !a4(3).Less(r.Addr) {
			t.Errorf("gives %s", r.Addr)
		}
	}
	if _, why := b.Offer(t0, ask(3)); why != boot.NoFreeAddress {
		t.Error(why)
	}
	request(t, b, t0, want(3, a4(1)), Rebinding, boot.NotOurLease)
	if u := b.Usage("lan"); u.Size != 2 {
		t.Errorf("%+v", u)
	}
}

func TestSeveralNodesInOrder(t *testing.T) {
	b := book(t, lan(func(p *Pool) { p.Reserved = map[ID]netip.Addr{machine(7): a4(6)} }))
	b.SetOwn("lan", []Range{{a4(4), a4(5)}}, true)
	if _, why := b.Offer(t0, want(1, a4(1))); why != boot.Answered {
		t.Error("without contact it gives from its own block: ", why)
	}
	if g, why := b.Offer(t0, ask(7)); why != boot.Answered || g.Claim || g.Record.Addr != a4(6) {
		t.Errorf("a reservation without contact: %+v %s", g, why)
	}
	b.Contact(true, t0)
	g, why := b.Offer(t0, want(2, a4(1)))
	if why != boot.Answered || !g.Claim || !g.Keep || g.Prev != 0 || g.Record.State != Offered {
		t.Fatalf("%+v %s", g, why)
	}
	b.Committed(g.Record, nil)
	g = request(t, b, t0, want(2, a4(1)), Selecting, boot.Answered)
	if !g.Claim || g.Prev != 1 || g.Record.Serial != 2 || g.For != 2*time.Minute {
		t.Errorf("%+v", g)
	}
	b.Committed(g.Record, nil)
	b.Contact(false, t0)
	g = request(t, b, t0.Add(100*time.Second), want(2, a4(1)), Rebinding, boot.Answered)
	if g.Keep || g.For != 20*time.Second {
		t.Errorf("without contact: %+v", g)
	}
	// Another node prolonged it, and an older record comes late.
	late := g.Record
	g.Record.Serial, g.Record.Expires = 5, t0.Add(time.Hour)
	b.Load(g.Record)
	b.Load(late)
	g = request(t, b, t0.Add(200*time.Second), want(2, a4(1)), Rebinding, boot.Answered)
	if g.Keep || g.For != 2*time.Minute {
		t.Errorf("what another node kept: %+v", g)
	}
}

// Two nodes count on from the same Serial: the second claim of a node that lost its first must not
// pass for one that follows it.
func TestClaimsOfTwoNodesWithOneSerial(t *testing.T) {
	b := book(t, lan(nil))
	b.SetOwn("lan", nil, true)
	b.Contact(true, t0)
	first, _ := b.Offer(t0, want(1, a4(1)))
	second, _ := b.Offer(t0, want(1, a4(1)))
	if second.Prev != first.Record.Serial || !second.Fits(first.Record) || !first.Fits(Record{}) {
		t.Errorf("%+v, then %+v", first, second)
	}
	theirs := first.Record
	theirs.ID, theirs.Node = machine(2), "n2"
	if first.Fits(theirs) || second.Fits(theirs) {
		t.Error("a claim takes an address from somebody whom the node does not know of")
	}
	longer := first.Record
	longer.Expires = longer.Expires.Add(time.Hour)
	if second.Fits(longer) {
		t.Error("a claim lowers the end of a lease")
	}
	b.Load(theirs)
	b.Committed(first.Record, errNo)
	b.Committed(second.Record, errNo)
	if g, why := b.Offer(t0, want(1, a4(1))); why != boot.Answered || g.Record.Addr == a4(1) {
		t.Errorf("%+v %s", g, why)
	}
}
