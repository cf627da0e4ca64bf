// Package leasetest is the one suite of tests that every keeper of leases has to pass: what was
// acknowledged is there after a restart, and each record is answered once. It is for tests only.
package leasetest

import (
	"context"
	"encoding/binary"
	"net/netip"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
)

// Store keeps leases.
type Store interface {
	Keep(r lease.Record, done func(error))
	Load(ctx context.Context, f func(lease.Record)) error
}

// Open opens a store on the same data each time it is called, and runs it until stop.
type Open func(t *testing.T) (s Store, stop func())

// Run runs the suite. Fresh makes an empty place for data.
func Run(t *testing.T, fresh func(t *testing.T) Open) {
	t.Run("every field", func(t *testing.T) { fields(t, fresh(t)) })
	t.Run("the newest counts", func(t *testing.T) { newest(t, fresh(t)) })
	t.Run("an older one does not", func(t *testing.T) { older(t, fresh(t)) })
	t.Run("answers in order", func(t *testing.T) { order(t, fresh(t)) })
	t.Run("from many at once", func(t *testing.T) { many(t, fresh(t)) })
	t.Run("after the end", func(t *testing.T) { ended(t, fresh(t)) })
}

// Addr is address number n of a large network.
func Addr(n int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], 10<<24+uint32(n))
	return netip.AddrFrom4(b)
}

// Record is a lease of an address as it was changed for the serial-th time.
func Record(n int, serial uint64) lease.Record {
	mac := boot.MAC{0x52, 0x54, 0, byte(n >> 16), byte(n >> 8), byte(n)}
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC).Add(time.Duration(serial) * time.Second)
	return lease.Record{
		Scope: "vdi", Addr: Addr(n), ID: lease.Hardware(1, mac[:]), MAC: mac, State: lease.Active, Start: at, Expires: at.Add(8 * time.Hour),
		Node: "boot1", Host: "pc-0420", Arch: 7, Class: "PXEClient:Arch:00007:UNDI:003016", Serial: serial,
	}
}

// Keep keeps a record and waits for the answer.
func Keep(t *testing.T, s Store, r lease.Record) error {
	t.Helper()
	done := make(chan error, 1)
	s.Keep(r, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-time.After(30 * time.Second):
		t.Fatal("no answer")
		return nil
	}
}

// All is what a store has.
func All(t *testing.T, s Store) map[netip.Addr]lease.Record {
	t.Helper()
	out := map[netip.Addr]lease.Record{}
	if err := s.Load(t.Context(), func(r lease.Record) {
		if _, twice := out[r.Addr]; twice {
			t.Errorf("%v comes twice", r.Addr)
		}
		out[r.Addr] = r
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func fields(t *testing.T, open Open) {
	plain := Record(1, 1)
	full := Record(2, 1<<20)
	full.State, full.Own, full.Relay, full.Circuit = lease.Declined, true, netip.MustParseAddr("10.1.0.1"), "Gi0/1 \xff"
	bare := lease.Record{Addr: Addr(3)}
	six := Record(4, 7)
	six.Addr, six.ID, six.Relay = netip.MustParseAddr("2001:db8::4"), lease.DUID([]byte("a long DUID, which is kept as its hash"), 5), netip.MustParseAddr("fe80::1")
	want := map[netip.Addr]lease.Record{}
	s, stop := open(t)
	for _, r := range []lease.Record{plain, full, bare, six} {
		want[r.Addr] = r
		if err := Keep(t, s, r); err != nil {
			t.Fatal(err)
		}
	}
	if got := All(t, s); !reflect.DeepEqual(got, want) {
		t.Errorf("beside the writer: got\n%+v\nwant\n%+v", got, want)
	}
	stop()
	s, stop = open(t)
	defer stop()
	if got := All(t, s); !reflect.DeepEqual(got, want) {
		t.Errorf("after a restart: got\n%+v\nwant\n%+v", got, want)
	}
}

func newest(t *testing.T, open Open) {
	s, stop := open(t)
	defer stop()
	for i := range 10 {
		r := Record(1, uint64(i/2+1)) // the same serial may come again, after a refusal
		r.Host = string(rune('a' + i))
		if err := Keep(t, s, r); err != nil {
			t.Fatal(err)
		}
	}
	if got := All(t, s); len(got) != 1 || got[Addr(1)].Serial != 5 || got[Addr(1)].Host != "j" {
		t.Errorf("%+v", got)
	}
}

// An older record is refused or not, but never takes the place of a newer one.
func older(t *testing.T, open Open) {
	s, stop := open(t)
	if err := Keep(t, s, Record(1, 5)); err != nil {
		t.Fatal(err)
	}
	_ = Keep(t, s, Record(1, 4))
	if got := All(t, s)[Addr(1)]; got.Serial != 5 {
		t.Errorf("it has %+v", got)
	}
	stop()
	s, stop = open(t)
	defer stop()
	_ = Keep(t, s, Record(1, 3))
	if got := All(t, s)[Addr(1)]; got.Serial != 5 {
		t.Errorf("after a restart it has %+v", got)
	}
}

func order(t *testing.T, open Open) {
	s, stop := open(t)
	defer stop()
	const n = 3000
	var all sync.WaitGroup
	all.Add(n)
	var got []int
	for i := range n { // answers come from one goroutine at a time, the race detector sees to it
		s.Keep(Record(i%100, uint64(i)), func(err error) {
			if err != nil {
				t.Error(err)
			}
			got = append(got, i)
			all.Done()
		})
	}
	all.Wait()
	for i, v := range got {
		if i != v {
			t.Fatalf("answer %d is for record %d", i, v)
		}
	}
}

func many(t *testing.T, open Open) {
	s, stop := open(t)
	const people, each, changes = 16, 50, 30
	var acked [people * each]atomic.Uint64
	var answers atomic.Int64
	var all sync.WaitGroup
	for p := range people {
		all.Go(func() {
			for c := range changes {
				var round sync.WaitGroup // a queue has an end
				for k := range each {
					n := p*each + k
					round.Add(1)
					s.Keep(Record(n, uint64(c+1)), func(err error) {
						if err == nil {
							acked[n].Store(uint64(c + 1))
						}
						answers.Add(1)
						round.Done()
					})
				}
				round.Wait()
			}
		})
	}
	all.Wait()
	if n := answers.Load(); n != people*each*changes {
		t.Errorf("%d answers instead of %d", n, people*each*changes)
	}
	stop()
	s, stop = open(t)
	defer stop()
	got := All(t, s)
	for n := range acked {
		if have, said := got[Addr(n)].Serial, acked[n].Load(); have < said || said == 0 {
			t.Errorf("%v: %d was acknowledged, %d is there", Addr(n), said, have)
		}
	}
}

func ended(t *testing.T, open Open) {
	s, stop := open(t)
	var all sync.WaitGroup
	for i := range 500 {
		all.Add(1)
		s.Keep(Record(i, 1), func(error) { all.Done() })
	}
	stop()
	all.Wait() // kept or not, each is answered
	if Keep(t, s, Record(1, 2)) == nil {
		t.Error("a store that has ended acknowledges")
	}
}
