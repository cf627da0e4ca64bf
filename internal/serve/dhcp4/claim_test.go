package dhcp4

import (
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp4"
)

// judge is a shared store whose answers a test gives.
type judge struct {
	mu    sync.Mutex // guards all below
	says  func(n int, r lease.Record) error
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

func (j *judge) Hear(_ time.Time, network string, relay netip.Addr) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.heard == nil {
		j.heard = map[string]int{}
	}
	j.heard[network+" "+relay.String()]++
}

// converse sends a packet to a server with a shared store and returns what leaves and what is told.
func converse(t *testing.T, book *lease.Book, keeper Keeper, j *judge, packets ...*wire.Packet) ([]*wire.Packet, []boot.Event) {
	t.Helper()
	return converseWith(t, book, keeper, j, nil, packets...)
}

// converseWith is the same with a disk that may refuse.
func converseWith(t *testing.T, book *lease.Book, keeper Keeper, j *judge, refuses func() error, packets ...*wire.Packet) ([]*wire.Packet, []boot.Event) {
	t.Helper()
	var mu sync.Mutex
	var events []boot.Event
	s, p, n := wired(t, testConfig(), book, keeper, func(ev boot.Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, ev)
	})
	s.d.Shared, s.d.Refuses = j, refuses
	for _, d := range packets {
		b := framed(t, d)
		p.queue.put(1, func(int) []byte { return b })
	}
	p.queue.close()
	var wg sync.WaitGroup
	wg.Go(s.newWorker(p).answer)
	s.newWorker(p).run()
	p.settle()
	wg.Wait()
	return n.replies, events
}

// sharedBook is a Book whose node has one block of its own.
func sharedBook(t *testing.T) *lease.Book {
	b := testBook(t, nil)
	b.SetOwn("lab", []lease.Range{{From: addr("10.77.0.140"), To: addr("10.77.0.149")}}, true)
	b.Contact(true, now)
	return b
}

func TestClaims(t *testing.T) {
	own := lease.Range{From: addr("10.77.0.140"), To: addr("10.77.0.149")}
	for _, c := range []struct {
		name   string
		says   func(b *lease.Book) func(n int, r lease.Record) error
		claims int
		own    bool
	}{
		{"it is won", func(*lease.Book) func(int, lease.Record) error {
			return func(int, lease.Record) error { return nil }
		}, 1, false},
		{"another machine was first", func(b *lease.Book) func(int, lease.Record) error {
			return func(n int, r lease.Record) error {
				if n > 1 {
					return nil
				}
				r.ID, r.MAC = lease.Hardware(1, []byte{2, 2, 2, 2, 2, 2}), boot.MAC{2, 2, 2, 2, 2, 2}
				b.Load(r)
				return lease.ErrLost
			}
		}, 2, false},
		{"another node was first, with the same machine", func(b *lease.Book) func(int, lease.Record) error {
			return func(_ int, r lease.Record) error {
				r.Node = "boot2"
				b.Load(r)
				return lease.ErrLost
			}
		}, 1, false},
		{"it is always lost", func(b *lease.Book) func(int, lease.Record) error {
			return func(n int, r lease.Record) error {
				r.ID = lease.Hardware(1, []byte{2, 2, 2, 2, 2, byte(n)})
				b.Load(r)
				return lease.ErrLost
			}
		}, maxTries, true},
		{"no answer", func(*lease.Book) func(int, lease.Record) error {
			return func(int, lease.Record) error { return lease.ErrNoContact }
		}, 1, true},
	} {
		book := sharedBook(t)
		j := &judge{says: c.says(book)}
		replies, events := converse(t, book, &memory{}, j, plain(clientMAC))
		if len(replies) != 1 || replies[0].Type() != wire.Offer {
			t.Errorf("%s: %d replies; %+v", c.name, len(replies), events)
			continue
		}
		got := replies[0].YIAddr
		if len(j.asked) != c.claims || own.Contains(got) != c.own {
			t.Errorf("%s: %d claims, offered %s, want %d and own %v", c.name, len(j.asked), got, c.claims, c.own)
		}
		if j.heard["lab invalid IP"] != 1 {
			t.Errorf("%s: heard %v", c.name, j.heard)
		}
	}
}

// TestClaimOfALease: a REQUEST whose claim gets no answer is confirmed for what is kept, if anything is.
func TestClaimOfALease(t *testing.T) {
	book := sharedBook(t)
	known := lease.Record{
		Scope: "lab", Addr: addr("10.77.0.110"), ID: lease.Hardware(1, clientMAC[:]), MAC: clientMAC, State: lease.Active,
		Start: now.Add(-50 * time.Minute), Expires: now.Add(10 * time.Minute), Node: "boot2", Serial: 3,
	}
	book.Load(known)
	renew := ask(plain(clientMAC), func(p *wire.Packet) { p.CIAddr = known.Addr })
	silent := &judge{says: func(int, lease.Record) error { return lease.ErrNoContact }}
	replies, _ := converse(t, book, &memory{}, silent, renew)
	if len(replies) != 1 || replies[0].Type() != wire.ACK || replies[0].YIAddr != known.Addr {
		t.Fatalf("%d replies", len(replies))
	}
	if v, _ := replies[0].Get(wire.LeaseTime); len(v) != 4 || int(v[2])<<8|int(v[3]) != 300 {
		t.Errorf("a lease of % x seconds, want 300", v)
	}

	// Of another node's offer that only the store could turn into a lease, nothing is kept: silence, and
	// it is told why.
	other := sharedBook(t)
	g, why := other.Offer(now, lease.Ask{Scope: "lab", ID: lease.Hardware(1, clientMAC[:]), MAC: clientMAC})
	if why != boot.Answered || !g.Claim {
		t.Fatal(why)
	}
	other.Committed(g.Record, lease.ErrNoContact)
	takes := ask(plain(clientMAC), func(p *wire.Packet) {
		p.SetAddr(wire.ServerID, addr("10.77.0.2"))
		p.SetAddr(wire.RequestedAddress, g.Record.Addr)
	})
	replies, events := converse(t, other, &memory{}, silent, takes)
	last := events[len(events)-1]
	if len(replies) != 0 || last.Reason != boot.StoreRefused || !strings.Contains(last.Detail, lease.ErrNoContact.Error()) {
		t.Errorf("%d replies, %+v", len(replies), last)
	}
}
