package lease

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"surefoot/internal/boot"
)

// t0 is when tests begin.
var t0 = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func mac(i int) (m boot.MAC) {
	binary.BigEndian.PutUint32(m[2:], uint32(i))
	m[0] = 0x52
	return m
}

func machine(i int) ID { m := mac(i); return Hardware(1, m[:]) }

func ask(i int) Ask {
	return Ask{Scope: "lan", ID: machine(i), MAC: mac(i), Host: "pc", Class: "PXEClient:Arch:00007:UNDI:003016", Arch: 7}
}

// filled is a Book of a pool of 2^bits addresses with so many leases.
func filled(tb testing.TB, bits, leases int) *Book {
	b, err := NewBook("n1", []Pool{{
		Scope: "lan", Subnet: netip.PrefixFrom(netip.MustParseAddr("10.0.0.0"), 8), Lease: time.Hour,
		Ranges: []Range{{netip.MustParseAddr("10.64.0.0"), addrAt(0x0a400000 + 1<<bits - 1)}},
	}})
	if err != nil {
		tb.Fatal(err)
	}
	for i := range leases {
		dora(tb, b, t0, ask(i))
	}
	return b
}

func addrAt(v uint32) netip.Addr {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], v)
	return netip.AddrFrom4(a)
}

// cpu reports the processor time of each round: the machine may have other work.
func cpu(b *testing.B) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}

func dora(tb testing.TB, b *Book, now time.Time, a Ask) Record {
	g, why := b.Offer(now, a)
	if why != boot.Answered {
		tb.Fatalf("%s: offer: %s", a.ID, why)
	}
	a.Want = g.Record.Addr
	if g, why = b.Request(now, a, Selecting); why != boot.Answered {
		tb.Fatalf("%s: request of %s: %s", a.ID, a.Want, why)
	}
	if g.Keep {
		b.Committed(g.Record, nil)
	}
	return g.Record
}

func BenchmarkDORA(b *testing.B) {
	for _, c := range []struct {
		name         string
		bits, leases int
	}{
		{"pool=1024,leases=512", 10, 512},
		{"pool=16384,leases=8192", 14, 8192},
		{"pool=262144,leases=200000", 18, 200_000},
		{"pool=262144,leases=262000", 18, 262_000},
	} {
		b.Run("known/"+c.name, func(b *testing.B) {
			book := filled(b, c.bits, c.leases)
			b.ReportAllocs()
			defer cpu(b)()
			now := t0
			for i := 0; b.Loop(); i++ {
				if i%c.leases == 0 {
					now = now.Add(30 * time.Minute) // so that it is a renewal that has to be kept
				}
				dora(b, book, now, ask(i*7919%c.leases))
			}
		})
		b.Run("again/"+c.name, func(b *testing.B) {
			book := filled(b, c.bits, c.leases)
			b.ReportAllocs()
			defer cpu(b)()
			for i := 0; b.Loop(); i++ {
				dora(b, book, t0, ask(i*7919%c.leases))
			}
		})
		b.Run("new/"+c.name, func(b *testing.B) {
			book := filled(b, c.bits, c.leases)
			now, next := t0, c.leases
			room := 1<<c.bits - c.leases - 1
			if room < 1000 { // the way of a full pool: the oldest of those that ended
				for ; room > 0; room-- {
					dora(b, book, now, ask(next))
					next++
				}
				now = now.Add(2 * time.Hour)
				book.Expire(now)
				room = 1<<c.bits - 1
			}
			b.ReportAllocs()
			b.ResetTimer()
			defer cpu(b)()
			for i := 0; b.Loop(); i++ {
				if i%room == room-1 { // all are gone: let them end, so that their addresses are taken
					now = now.Add(2 * time.Hour)
				}
				dora(b, book, now, ask(next))
				next++
			}
		})
	}
}

func BenchmarkOffer(b *testing.B) {
	book := filled(b, 18, 200_000)
	b.ReportAllocs()
	defer cpu(b)()
	for i := 0; b.Loop(); i++ {
		if _, why := book.Offer(t0, ask(200_000+i%60_000)); why != boot.Answered {
			b.Fatal(why)
		}
	}
}

func BenchmarkExpire(b *testing.B) {
	book := filled(b, 18, 200_000)
	now := t0
	b.ReportAllocs()
	defer cpu(b)()
	for b.Loop() {
		now = now.Add(time.Millisecond)
		book.Expire(now)
	}
}

func BenchmarkMemory(b *testing.B) {
	for _, host := range []bool{false, true} {
		b.Run("host="+strconv.FormatBool(host), func(b *testing.B) {
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				book := filled(b, 18, 0)
				for i := range 200_000 {
					a := ask(i)
					if a.Host = "pc-" + strconv.Itoa(i); !host {
						a.Host, a.Class = "", ""
					}
					dora(b, book, t0, a)
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/200_000, "B/lease")
				runtime.KeepAlive(book)
			}
		})
	}
}
