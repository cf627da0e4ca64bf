package transfers

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
)

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// 200,000 random addresses ask for names of the greatest length, for three hours: memory is
// bounded, and the clients that really download are still the busiest, with exact figures.
func TestRandomClients(t *testing.T) {
	p := play(t)
	before := heap()
	rng := rand.New(rand.NewPCG(1, 2))
	real := netip.MustParseAddr("10.10.0.90")
	reasons := boot.Reasons()
	var most uint64
	n := 0
	for i := range 200_000 {
		p.now = p.now.Add(54 * time.Millisecond)
		if i%1000 == 0 {
			p.Tick(p.now)
		}
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], rng.Uint64())
		long := strings.Repeat("x", 240) + fmt.Sprint(i)
		l := p.asks(netip.AddrFrom4([4]byte(b[:4])), long, strings.Clone(long))
		switch i % 3 {
		case 0: // its end is never told
		case 1:
			l.end(boot.FileMissing, func(ev *boot.Event) { ev.Detail = strings.Clone(long) })
		default:
			l.end(reasons[i%len(reasons)], func(ev *boot.Event) { ev.Detail = strings.Clone(long) })
		}
		if i%500 == 0 {
			n++
			p.asks(real, "snponly.efi", "").granted("snponly.efi", 1042432, "blksize=1468").end(boot.Done, is(711, 712, 1))
		}
		if i%50_000 == 49_999 {
			most = max(most, heap())
		}
	}
	r := p.report(Query{Top: 3, Limit: 10})
	for i := range 20_000 { // and more at once than there is room for
		long := strings.Repeat("x", 240) + fmt.Sprint(i)
		p.asks(real, long, strings.Clone(long))
	}
	most = max(most, heap())
	t.Logf("%.1f MB at the most", float64(most-before)/1e6)
	if most > before+48<<20 {
		t.Errorf("the heap grew by %.1f MB", float64(most-before)/1e6)
	}
	ever := r.Talkers[2]
	if c := ever.Clients[0]; c.IP != real || c.Transfers != int64(n) || c.Bytes != int64(n)*1042432 || c.Retransmits != int64(n) {
		t.Errorf("%d downloads of %s, shown %+v", n, real, c)
	}
	if f := ever.Files[0]; f.File != "snponly.efi" || f.Transfers != int64(n) {
		t.Errorf("%d downloads, shown %+v", n, f)
	}
	for _, w := range r.Talkers {
		if len(w.Clients) != 3 || w.Clients[0].IP != real || w.Clients[1].Load > 20 {
			t.Errorf("%s: %+v", w.Name, w.Clients)
		}
	}
	if running, _, _ := p.Counts(); running > DefaultLimits().Live {
		t.Errorf("%d live records", running)
	}
}

// As many transfers as are let in have a record; more are counted when they end.
func TestTooManyAtOnce(t *testing.T) {
	p := &script{Board: New(start, Limits{Live: 10, Done: 5, Other: 5, Keys: 8}), t: t, now: start}
	var all []*load
	for range 30 {
		all = append(all, p.asks(pc, "a", ""))
	}
	if n, _, _ := p.Counts(); n != 10 {
		t.Errorf("%d records", n)
	}
	for _, l := range all {
		l.end(boot.Done, is(1, 1, 0))
	}
	if r := p.report(Query{}); r.Totals.Done != 30 || r.Running != 0 || r.Totals.Begun != 30 || len(r.Last) != 5 {
		t.Errorf("%+v", r.Totals)
	}
}

// The sketch beside a plain map that forgets nothing: what is shown is never too much, and lacks no
// more than is said; whoever has more than its share of all load is there. So it is after merging.
func TestSketchKeepsItsPromise(t *testing.T) {
	const keys, most = 3000, 64
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		zipf := rand.NewZipf(rng, 1.1, 3, keys-1)
		exact, total := map[uint64]int64{}, int64(0)
		ever := newSketch[uint64](most)
		var parts []*sketch[uint64]
		for range 5 {
			part := newSketch[uint64](most)
			for range 4000 {
				k, load := zipf.Uint64(), 1+rng.Int64N(20)
				exact[k] += load
				total += load
				part.add(k, &Figures{Load: load})
			}
			if len(part.heap) > most || len(part.at) != len(part.heap) {
				t.Fatalf("%d keys, %d in the map", len(part.heap), len(part.at))
			}
			for i, c := range part.heap {
				if c.place != i || i > 0 && part.heap[(i-1)/2].rank > c.rank || part.at[c.key] != c {
					t.Fatalf("the heap is out of order at %d", i)
				}
			}
			parts = append(parts, part)
			ever.absorb(part)
		}
		check := func(name string, list []ranked[uint64], floor int64) {
			shown := map[uint64]bool{}
			for i, r := range list {
				shown[r.key] = true
				if r.Load > exact[r.key] || r.Load+r.missing < exact[r.key] {
					t.Fatalf("%s: key %d is shown with %d, missing %d; really %d", name, r.key, r.Load, r.missing, exact[r.key])
				}
				if i > 0 && r.Load > list[i-1].Load {
					t.Fatalf("%s: out of order at %d", name, i)
				}
			}
			for k, load := range exact {
				if !shown[k] && load > floor {
					t.Fatalf("%s: key %d with %d of %d is not there, floor %d", name, k, load, total, floor)
				}
			}
		}
		list, floor := merge(parts...)
		check("merged", list, floor)
		if floor > total/most {
			t.Errorf("floor %d of %d", floor, total)
		}
		list, floor = merge(ever)
		check("absorbed", list, floor)
		if len(ever.heap) > most {
			t.Errorf("%d keys", len(ever.heap))
		}
	}
}

// Clients of five minutes ago leave the recent ones, those of an hour ago the hour; the start has all.
func TestWindows(t *testing.T) {
	p := play(t)
	early := netip.MustParseAddr("10.0.0.1")
	p.asks(early, "a", "").end(boot.Done, is(1, 1, 0))
	has := func() (out string) {
		for _, w := range p.report(Query{Top: 10}).Talkers {
			for _, c := range w.Clients {
				if c.IP == early {
					out += w.Name + " "
				}
			}
			if got := p.now.Sub(w.Since); w.Name == "recent" && got > 2*bucketTime || w.Name == "hour" && got > time.Hour {
				t.Errorf("%s goes back %s", w.Name, got)
			}
		}
		return out
	}
	for _, c := range []struct {
		wait time.Duration
		want string
	}{
		{0, "recent hour start "},
		{6 * time.Minute, "recent hour start "},
		{5 * time.Minute, "hour start "},
		{30 * time.Minute, "hour start "},
		{30 * time.Minute, "start "},
		{24 * time.Hour, "start "},
	} {
		for left := c.wait; left > 0; left -= time.Minute {
			p.wait(time.Minute)
		}
		if got := has(); got != c.want {
			t.Errorf("after %s: in %q, want %q", p.now.Sub(start), got, c.want)
		}
	}
}

func BenchmarkBoard(b *testing.B) {
	p := &script{Board: New(start, DefaultLimits()), now: start}
	b.ReportAllocs()
	for i := range b.N {
		p.now = p.now.Add(200 * time.Microsecond)
		a := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8 & 1), byte(i)})
		p.asks(a, "snponly.efi", "blksize=1468").granted("snponly.efi", 1042432, "blksize=1468").end(boot.Done, is(711, 712, 1))
	}
}
