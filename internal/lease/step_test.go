package lease

import (
	"testing"
	"time"

	"surefoot/internal/boot"
)

// A node without a battery for its clock gives leases in 1970, and hears then what time it is. Its leases are
// not over by that, here and after a restart; those that it had on its disk are as they were.
func TestClockStepsForward(t *testing.T) {
	early := time.Unix(100, 0).UTC()
	b := book(t, lan(nil))
	b.Load(Record{Scope: "lan", Addr: a4(1), ID: machine(1), State: Active, Start: t0.Add(-time.Hour), Expires: t0.Add(-30 * time.Minute), Serial: 4})
	given := dora(t, b, early, want(2, a4(2)))
	ended := dora(t, b, early.Add(-90*time.Second), want(3, a4(3)))
	b.Expire(early.Add(time.Minute))
	if g, why := b.Offer(early.Add(time.Minute), want(4, a4(4))); why != boot.Answered || g.Record.Addr != a4(4) {
		t.Fatal(why)
	}
	now := t0
	keep := b.Stepped(now, now.Sub(early.Add(time.Minute)), early.Add(-5*time.Minute))
	if len(keep) != 1 || keep[0].Addr != given.Addr || !keep[0].Expires.Equal(now.Add(time.Minute)) || keep[0].Serial <= given.Serial {
		t.Errorf("to be kept: %+v", keep)
	}
	b.Expire(now.Add(time.Second))
	if _, why := b.Request(now.Add(time.Second), want(9, given.Addr), Selecting); why != boot.LeaseOfOther {
		t.Errorf("a lease that has a minute left: %s", why)
	}
	if _, why := b.Request(now.Add(20*time.Second), want(9, a4(4)), Selecting); why != boot.LeaseOfOther {
		t.Errorf("an offer that has half a minute left: %s", why)
	}
	if r, _ := b.ByAddr(a4(1)); !r.Expires.Equal(t0.Add(-30 * time.Minute)) {
		t.Errorf("a lease of the disk ends at %s", r.Expires)
	}
	if r, _ := b.ByAddr(ended.Addr); !r.Expires.Equal(ended.Expires) {
		t.Errorf("a lease that was over ends at %s", r.Expires)
	}
	consistent(t, b)
}

// A clock that was ahead gave leases that would last for years: they last as long as they would have.
func TestClockStepsBack(t *testing.T) {
	b := book(t, lan(nil))
	ahead := t0.Add(10 * 365 * 24 * time.Hour)
	fine := dora(t, b, t0.Add(-time.Minute), want(1, a4(1)))
	wrong := dora(t, b, ahead, want(2, a4(2)))
	if _, why := b.Offer(ahead, want(3, a4(3))); why != boot.Answered {
		t.Fatal(why)
	}
	keep := b.Stepped(t0, -ahead.Sub(t0), t0.Add(-time.Hour))
	if len(keep) != 1 || keep[0].Addr != wrong.Addr || !keep[0].Start.Equal(t0) || !keep[0].Expires.Equal(t0.Add(4*time.Minute)) {
		t.Errorf("to be kept: %+v", keep) // 4 minutes are the longest lease of the pool
	}
	if r, _ := b.ByAddr(fine.Addr); r != fine {
		t.Errorf("%+v, was %+v", r, fine)
	}
	if again := b.Stepped(t0, 0, t0); len(again) != 0 {
		t.Errorf("changed twice: %+v", again)
	}
	if _, why := b.Request(t0.Add(time.Minute), want(9, a4(3)), Selecting); why != boot.LeaseOfOther {
		t.Errorf("an offer: %s", why)
	}
	late := t0.Add(6 * time.Minute)
	b.Expire(late)
	for i, a := range []uint32{2, 3} {
		if _, why := b.Request(late, want(9+i, a4(a)), Selecting); why != boot.Answered {
			t.Errorf("%s after six minutes: %s", a4(a), why)
		}
	}
	consistent(t, b)
}

// Several nodes have one time, and none of them changes what the others go by.
func TestClockOfSeveralNodes(t *testing.T) {
	b := book(t, lan(nil))
	b.Load(Record{Scope: "lan", Addr: a4(1), ID: machine(1), State: Active, Start: t0.Add(time.Hour), Expires: t0.Add(2 * time.Hour), Serial: 4})
	b.SetOwn("lan", nil, true)
	if keep := b.Stepped(t0, 0, t0); len(keep) != 0 {
		t.Errorf("%+v", keep)
	}
}
