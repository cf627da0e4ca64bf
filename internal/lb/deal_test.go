package lb

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawService is any service that a kernel can schedule, and who of it is alive.
func drawService(t *rapid.T, by ...Scheduler) (*Service, []int) {
	n := rapid.IntRange(1, 12).Draw(t, "backends")
	s := &Service{Name: "boot", Mode: DSR, Scheduler: rapid.SampledFrom(by).Draw(t, "scheduler")}
	var alive []int
	for i := range n {
		s.Backends = append(s.Backends, Backend{Name: fmt.Sprintf("pvs%d", i), Weight: rapid.IntRange(1, 5).Draw(t, "weight")})
		if rapid.IntRange(0, 3).Draw(t, "alive") > 0 {
			alive = append(alive, i)
		}
	}
	return s, alive
}

func deal(t rapid.TB, s *Service, alive []int) Deal {
	d, err := NewDeal(s, alive)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Only who is alive gets slots, each about as many as its weight says.
func TestDealIsFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, alive := drawService(t, Maglev, Rendezvous, RoundRobin, Weighted)
		d := deal(t, s, alive)
		if len(alive) == 0 {
			if d.First(client(1)) != -1 {
				t.Fatal("nobody is alive, and somebody is chosen")
			}
			return
		}
		got, total := map[int]int{}, 0
		for _, b := range d.Slots {
			got[int(b)]++
		}
		for _, i := range alive {
			w := s.Backends[i].Weight
			if s.Scheduler == RoundRobin {
				w = 1
			}
			total += w
		}
		for i, n := range got {
			if !slices.Contains(alive, i) {
				t.Fatalf("%s is dead, and has %d slots", s.Backends[i].Name, n)
			}
		}
		for _, i := range alive {
			w := s.Backends[i].Weight
			off := 0.02
			switch s.Scheduler {
			case RoundRobin:
				w, off = 1, 1e-9
			case Weighted:
				off = 1e-9
			case Maglev:
				off = 0.001
			}
			have, want := float64(got[i])/float64(len(d.Slots)), float64(w)/float64(total)
			if have < want-off || have > want+off {
				t.Fatalf("%s: %s has %.4f of the slots, want %.4f", s.Scheduler, s.Backends[i].Name, have, want)
			}
		}
	})
}

// When one goes, clients of others stay: all of them with rendezvous, nearly all with Maglev.
func TestDealMovesFew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, alive := drawService(t, Maglev, Rendezvous)
		if len(alive) < 2 {
			return
		}
		gone := rapid.SampledFrom(alive).Draw(t, "gone")
		left := slices.DeleteFunc(slices.Clone(alive), func(i int) bool { return i == gone })
		before, after := deal(t, s, alive), deal(t, s, left)
		moved := 0
		for i := range before.Slots {
			if int(before.Slots[i]) != gone && before.Slots[i] != after.Slots[i] {
				moved++
			}
		}
		limit := 0
		if s.Scheduler == Maglev {
			limit = len(before.Slots) / 4 // the paper's figure 12: few percent with many slots for each; small sites have more
		}
		if moved > limit {
			t.Fatalf("%s: %d of %d slots of others moved when one of %d went", s.Scheduler, moved, len(before.Slots), len(alive))
		}
	})
}

// The order in which backends stand in the site file, which may differ between versions of it, decides nothing.
func TestDealKnowsNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, alive := drawService(t, Maglev, Rendezvous)
		if len(alive) == 0 {
			return
		}
		turned := *s
		turned.Backends = slices.Clone(s.Backends)
		slices.Reverse(turned.Backends)
		var mirrored []int
		for _, i := range alive {
			mirrored = append(mirrored, len(s.Backends)-1-i)
		}
		a, b := deal(t, s, alive), deal(t, &turned, mirrored)
		for range 20 {
			c := netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "client")))
			if x, y := s.Backends[a.First(c)].Name, turned.Backends[b.First(c)].Name; x != y {
				t.Fatalf("%s: %s gets %s, or %s by another order", s.Scheduler, c, x, y)
			}
		}
	})
}

// Who is asked to stand in is alive and somebody else, if there is such a one; asked on and on, everybody's turn comes.
func TestDealOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, alive := drawService(t, Maglev, Rendezvous, RoundRobin, Weighted)
		if len(alive) == 0 {
			return
		}
		d := deal(t, s, alive)
		c := netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "client")))
		at := d.First(c)
		seen := map[int]bool{at: true}
		for try := 1; try <= len(alive)+1; try++ {
			next := d.Other(c, at, try)
			if !slices.Contains(alive, next) || next == at && len(alive) > 1 {
				t.Fatalf("after %d comes %d, alive are %v", at, next, alive)
			}
			at = next
			seen[at] = true
		}
		if len(seen) != len(alive) {
			t.Fatalf("of %v only %v had their turn", alive, seen)
		}
	})
}

func TestDealRefuses(t *testing.T) {
	if _, err := NewDeal(service(LeastTransfers, 1, 1), []int{0}); err == nil {
		t.Error("the kernel does not see transfers end")
	}
	if _, err := NewDeal(service(Maglev, make([]int, 65)...), []int{0}); err == nil {
		t.Error("65 backends")
	}
}

// Choose, which explains, says the same as the deal, by which the kernel goes.
func TestChooseSaysTheDeal(t *testing.T) {
	for _, by := range []Scheduler{Maglev, Rendezvous} {
		s := service(by, 1, 2, 3)
		s.Mode = DSR
		d := deal(t, s, []int{0, 2})
		for i := range 500 {
			c := Choose(s, client(i), "", State{Down: are("pvs2")})
			if got, want := c.Backends[0].Name, s.Backends[d.First(client(i))].Name; got != want {
				t.Fatalf("%s: %s is chosen, the deal says %s", by, got, want)
			}
			if got := c.Backends[1].Name; got == c.Backends[0].Name || got == "pvs2" {
				t.Fatalf("%s: next is %s", by, got)
			}
		}
	}
}
