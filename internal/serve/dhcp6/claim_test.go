package dhcp6

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp6"
)

// judge is a shared store whose answers a test gives.
type judge struct {
	says func(n int, r lease.Record) error

	mu    sync.Mutex // guards what follows
	asked []lease.Record
	heard map[string]int
}

func (j *judge) Claim(g lease.Grant, done func(error)) {
	r := g.Record
	j.mu.Lock()
	j.asked = append(j.asked, r)
	err := j.says(len(j.asked), r)
	j.mu.Unlock()
	done(err)
}

func (j *judge) Hear(_ time.Time, scope string, relay netip.Addr) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.heard == nil {
		j.heard = map[string]int{}
	}
	j.heard[scope+" "+relay.String()]++
}

var ownBlock = lease.Range{From: addr("fd77::1800"), To: addr("fd77::18ff")}

// sharedBook is a Book whose node has one block of its own.
func sharedBook(t *testing.T) *lease.Book {
	b := testBook(t, 4096)
	b.SetOwn("lab/6", []lease.Range{ownBlock}, true)
	b.Contact(true, time.Now())
	return b
}

// An address is told to a machine when the shared store has it, another one if it was lost, and one of the node's
// own where the store says nothing.
func TestClaims(t *testing.T) {
	won := func(*lease.Book) func(int, lease.Record) error {
		return func(int, lease.Record) error { return nil }
	}
	for _, x := range []struct {
		name   string
		says   func(b *lease.Book) func(n int, r lease.Record) error
		rapid  bool
		claims int
		own    bool
	}{
		{"it is won", won, false, 1, false},
		{"with rapid commit", won, true, 1, false},
		{"another machine was first", func(b *lease.Book) func(int, lease.Record) error {
			return func(n int, r lease.Record) error {
				if n > 1 {
					return nil
				}
				r.ID, r.MAC = lease.DUID(osDUID, 77), boot.MAC{}
				b.Load(r)
				return lease.ErrLost
			}
		}, true, 2, false},
		{"another node was first, with the same machine", func(b *lease.Book) func(int, lease.Record) error {
			return func(_ int, r lease.Record) error {
				r.Node = "boot2"
				b.Load(r)
				return lease.ErrLost
			}
		}, false, 1, false},
		{"no answer", func(*lease.Book) func(int, lease.Record) error {
			return func(int, lease.Record) error { return lease.ErrNoContact }
		}, false, 1, true},
		{"no answer, with rapid commit", func(*lease.Book) func(int, lease.Record) error {
			return func(int, lease.Record) error { return lease.ErrNoContact }
		}, true, 1, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := newCable(t)
			book := sharedBook(t)
			j := &judge{says: x.says(book)}
			r := c.startOn(t, testConfig(), book, j)
			m, want := client{duid: romDUID, iaid: 7}, wire.Advertise
			if x.rapid {
				m.add, want = func(w *wire.Writer) { w.Put(wire.RapidCommit, nil) }, wire.Reply
			}
			conn := c.conn(t)
			c.send(t, conn, m.message(t, wire.Solicit))
			t.Cleanup(func() {
				for t.Failed() && len(r.events) > 0 {
					t.Logf("%+v", <-r.events)
				}
			})
			v := await(t, conn)
			live, _, _ := given(v)
			if v.Type() != want || len(live) != 1 {
				t.Fatalf("%s with %v, want %s", v.Type(), live, want)
			}
			j.mu.Lock()
			defer j.mu.Unlock()
			if len(j.asked) != x.claims || ownBlock.Contains(live[0]) != x.own {
				t.Errorf("%d claims, %s; want %d, and own %v", len(j.asked), live[0], x.claims, x.own)
			}
			if j.heard["lab/6 invalid IP"] != 1 {
				t.Errorf("heard %v", j.heard)
			}
			if kept := r.keeper.all(); x.own && x.rapid && (len(kept) != 1 || kept[0].Addr != live[0] || !kept[0].Own) {
				t.Errorf("kept %+v", kept)
			}
		})
	}
}

// A lease that another node gave is renewed here by REBIND, and confirmed for a while if the store says nothing.
func TestRebindOfAnotherNode(t *testing.T) {
	for _, silent := range []bool{false, true} {
		c := newCable(t)
		book, at := sharedBook(t), time.Now()
		known := lease.Record{
			Scope: "lab/6", Addr: addr("fd77::1234"), ID: lease.Hardware(1, c.mac[:]), MAC: c.mac, State: lease.Active,
			Start: at.Add(-50 * time.Minute), Expires: at.Add(10 * time.Minute), Node: "boot2", Serial: 3, Circuit: holderOf(romDUID, ofROM),
		}
		book.Load(known)
		j := &judge{says: func(int, lease.Record) error { return nil }}
		if silent {
			j.says = func(int, lease.Record) error { return lease.ErrNoContact }
		}
		c.startOn(t, testConfig(), book, j)
		conn := c.conn(t)
		c.send(t, conn, client{duid: romDUID, iaid: 7, addrs: []netip.Addr{known.Addr}}.message(t, wire.Rebind))
		v := await(t, conn)
		valid := uint32(0)
		for ia := range v.Options().IAs() {
			for a := range ia.Addresses() {
				if valid = a.Valid; a.Addr != known.Addr {
					t.Errorf("%s", a.Addr)
				}
			}
		}
		if want := uint32(3600); !silent && valid != want || silent && (valid == 0 || valid > 300) {
			t.Errorf("silent %v: valid for %d s", silent, valid)
		}
	}
}
