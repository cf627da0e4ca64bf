package lease

import (
	"testing"
	"time"

	"surefoot/internal/boot"
)

// Each condition of a claim by itself, beside the models that show that they are enough.
func TestClaims(t *testing.T) {
	have := leased(1, a4(1), 5)
	grant := func(id int, change func(*Grant)) Grant {
		g := Grant{Record: leased(id, a4(1), 6), Prev: 5, PrevID: machine(1), PrevEnd: have.Expires}
		if change != nil {
			change(&g)
		}
		return g
	}
	sweep := func(g *Grant) { g.Record.ID, g.Record.State = ID{}, Free }
	for name, c := range map[string]struct {
		have  Record
		g     Grant
		owner string
		want  bool
	}{
		"another machine after it":             {have, grant(2, nil), "", true},
		"the same machine":                     {have, grant(1, nil), "", true},
		"the store has a later serial":         {leased(1, a4(1), 6), grant(2, nil), "", false},
		"and an earlier one":                   {leased(1, a4(1), 4), grant(2, nil), "", false},
		"nothing any more":                     {Record{}, grant(2, nil), "", false},
		"the same serial of another machine":   {leased(3, a4(1), 5), grant(2, nil), "", false},
		"a later end":                          {have, grant(2, func(g *Grant) { g.PrevEnd = have.Expires.Add(-time.Second) }), "", false},
		"an earlier end":                       {have, grant(2, func(g *Grant) { g.PrevEnd = have.Expires.Add(time.Second) }), "", true},
		"its serial was used":                  {have, grant(2, func(g *Grant) { g.Record.Serial = 5 }), "", false},
		"in a block":                           {have, grant(2, nil), "n9", false},
		"in the node's own block":              {have, grant(2, nil), "n1", false},
		"in a block, reserved":                 {have, grant(2, func(g *Grant) { g.Reserved = true }), "n9", true},
		"in a block, the same machine":         {have, grant(1, nil), "n9", true},
		"a sweep of the owner":                 {have, grant(2, sweep), "n1", true},
		"a sweep of somebody else":             {have, grant(2, sweep), "n9", false},
		"a first one, and there is a record":   {have, grant(2, func(g *Grant) { g.Prev, g.PrevID, g.PrevEnd = 0, ID{}, time.Time{} }), "", false},
		"a first one, and there is none":       {Record{}, grant(2, func(g *Grant) { g.Prev, g.PrevID, g.PrevEnd = 0, ID{}, time.Time{} }), "", true},
		"a first one in the node's own block":  {Record{}, grant(2, func(g *Grant) { g.Prev, g.PrevID, g.PrevEnd = 0, ID{}, time.Time{} }), "n1", false},
		"a first one in somebody else's block": {Record{}, grant(2, func(g *Grant) { g.Prev, g.PrevID, g.PrevEnd = 0, ID{}, time.Time{} }), "n9", false},
	} {
		put, ok := c.g.Claims(c.have, "n1", c.owner)
		if ok != c.want || ok && put != c.g.Record || !ok && put != c.have {
			t.Errorf("%s: %t, %+v", name, ok, put)
		}
	}
}

func TestEnd(t *testing.T) {
	have := leased(1, a4(1), 5)
	for name, c := range map[string]struct {
		id     int
		state  State
		serial uint64
		want   bool
	}{
		"a release":                    {1, Released, 6, true},
		"of another":                   {2, Released, 6, false},
		"of an older lease":            {1, Released, 5, false},
		"a decline":                    {0, Declined, 6, true},
		"a decline of an older lease":  {0, Declined, 5, false},
		"of one that is not there yet": {0, Declined, 7, false},
	} {
		r := leased(c.id, a4(1), c.serial)
		if r.State = c.state; c.state == Declined {
			r.ID = ID{}
		}
		if put, ok := End(have, r); ok != c.want || put.Expires.Before(have.Expires) {
			t.Errorf("%s: %t, %+v", name, ok, put)
		}
	}
}

// While clocks are in doubt an address that somebody had goes to nobody else, however long ago that was.
func TestDoubt(t *testing.T) {
	b := member2(t, leased(1, a4(1), 5))
	b.Load(leased(3, a4(4), 5))
	b.Doubt(true)
	later := t0.Add(48 * time.Hour)
	b.Expire(later)
	for i := range 9 {
		if g, why := b.Offer(later, want(10+i, a4(1))); why == boot.Answered && (g.Record.Addr == a4(1) || g.Record.Addr == a4(4)) {
			t.Errorf("offers %s", g.Record.Addr)
		}
	}
	if got := b.Sweep(later, "lan", 9); len(got) > 0 {
		t.Errorf("wipes %+v", got)
	}
	if g, why := b.Offer(later, want(1, a4(1))); why != boot.Answered || g.Record.Addr != a4(1) {
		t.Errorf("the one that had it: %s, %s", g.Record.Addr, why)
	}
	b.Doubt(false)
	if got := b.Sweep(later, "lan", 9); len(got) != 1 {
		t.Errorf("wipes %+v", got)
	}
}

// A node that starts anew knows nothing of its OFFERs. Who comes for one is not told NAK, and gets nothing that
// is another's by now; after a while the Book says what it knows.
func TestOfferForgotten(t *testing.T) {
	for _, shared := range []bool{true, false} {
		b := member(t)
		if !shared {
			b = book(t, lan(nil))
		}
		b.Began(t0)
		first := t0.Add(time.Second)
		request(t, b, first, want(1, a4(4)), Selecting, boot.Answered) // nobody else has it
		b.Committed(leased(1, a4(4), 1), nil)
		if g, why := b.Offer(first, Ask{Scope: "lan", ID: machine(2), MAC: mac(2), Want: a4(5), Only: OwnBlock}); why != boot.Answered || g.Record.Addr != a4(5) {
			t.Fatalf("%s, %s", g.Record.Addr, why)
		}
		request(t, b, first, want(3, a4(5)), Selecting, boot.OfferForgotten) // offered to another by now
		g := request(t, b, first, want(2, a4(5)), Selecting, boot.Answered)
		b.Committed(g.Record, nil)
		request(t, b, first, want(3, a4(5)), Selecting, boot.OfferForgotten) // and given
		if Naks(Selecting, boot.OfferForgotten, true) {
			t.Error("that is a NAK")
		}
		request(t, b, first, want(3, a4(5)), InitReboot, boot.LeaseOfOther)
		request(t, b, t0.Add(31*time.Second), want(3, a4(5)), Selecting, boot.LeaseOfOther)
		if _, why := b.Offer(first, ask(3)); why != boot.Answered {
			t.Errorf("at its next DISCOVER: %s", why)
		}
	}
	b := member(t)
	b.Load(leased(9, a4(4), 1)) // from before
	b.Began(t0.Add(time.Second))
	request(t, b, t0.Add(2*time.Second), want(3, a4(4)), Selecting, boot.LeaseOfOther)
}

// A block is given up when nothing in it is offered or on its way, and from then on is another's.
func TestGiveUp(t *testing.T) {
	b := member(t)
	r := Range{a4(4), a4(5)}
	g, why := b.Offer(t0, Ask{Scope: "lan", ID: machine(1), MAC: mac(1), Want: a4(4), Only: OwnBlock})
	if why != boot.Answered || g.Record.Addr != a4(4) || !g.Record.Own {
		t.Fatalf("%+v %s", g, why)
	}
	if b.GiveUp(t0, "lan", r) {
		t.Error("given up with an offer")
	}
	g = request(t, b, t0, want(1, a4(4)), Selecting, boot.Answered)
	if b.GiveUp(t0, "lan", r) {
		t.Error("given up with a record on its way")
	}
	b.Committed(g.Record, nil)
	if b.GiveUp(t0, "lan", Range{a4(4), a4(4)}) {
		t.Error("given up what is no block")
	}
	if !b.GiveUp(t0, "lan", r) {
		t.Fatal("not given up")
	}
	if _, why := b.Offer(t0, Ask{Scope: "lan", ID: machine(2), MAC: mac(2), Only: OwnBlock}); why == boot.Answered {
		t.Error("offers of it")
	}
	if g := request(t, b, t0.Add(time.Minute), want(1, a4(4)), Rebinding, boot.Answered); !g.Claim || g.Record.Own {
		t.Errorf("prolonged without a claim: %+v", g)
	}
}
