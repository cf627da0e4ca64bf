package lb

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func service(by Scheduler, weights ...int) *Service {
	s := &Service{Name: "boot", Mode: Relay, Scheduler: by}
	for i, w := range weights {
		s.Backends = append(s.Backends, Backend{
			Name: fmt.Sprintf("pvs%d", i+1), Weight: w,
			TFTP: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 10, 0, byte(21 + i)}), 69),
		})
	}
	return s
}

func client(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

func names(c Choice) string {
	var out []string
	for _, b := range c.Backends {
		out = append(out, b.Name)
	}
	return strings.Join(out, " ")
}

func are(list ...string) func(string, string) bool {
	return func(s, _ string) bool { return slices.Contains(list, s) }
}

func TestChoose(t *testing.T) {
	load := func(s string) int { return map[string]int{"pvs1": 4, "pvs2": 1, "pvs3": 1}[s] }
	kept := func(s *Service) *Service { s.Persist = time.Minute; return s }
	for _, c := range []struct {
		name string
		s    *Service
		st   State
		want string
		says string
	}{
		{"the first turn", service(RoundRobin, 1, 1, 1), State{}, "pvs1 pvs2 pvs3", "turn of pvs1"},
		{"the next turn", service(RoundRobin, 1, 1, 1), State{Turn: 4}, "pvs2 pvs3 pvs1", "turn of pvs2"},
		{"down", service(RoundRobin, 1, 1, 1), State{Down: are("pvs1")}, "pvs2 pvs3", "pvs1 false does not hand out"},
		{"all down", service(RoundRobin, 1, 1), State{Down: are("pvs1", "pvs2")}, "pvs1 pvs2", "every backend looks dead"},
		{"one backend", service(Rendezvous, 1), State{}, "pvs1", "is chosen"},
		{"no backend", service(RoundRobin), State{}, "", ""},
		{"suspect comes last", service(RoundRobin, 1, 1, 1), State{Suspect: func(s string) bool { return s == "pvs1" }}, "pvs2 pvs3 pvs1", "just failed"},
		{"least", service(LeastTransfers, 1, 1, 1), State{Load: load}, "pvs2 pvs3 pvs1", "fewest for its weight, 1"},
		{"least: equals take turns", service(LeastTransfers, 1, 1, 1), State{Load: load, Turn: 2}, "pvs3 pvs2 pvs1", ""},
		{"least by weight", service(LeastTransfers, 8, 1, 1), State{Load: load}, "pvs1 pvs2 pvs3", ""},
		{"kept", kept(service(RoundRobin, 1, 1, 1)), State{Kept: "pvs3"}, "pvs3 pvs1 pvs2", "has had pvs3"},
		{"kept, but out", kept(service(RoundRobin, 1, 1, 1)), State{Kept: "pvs3", Down: are("pvs3")}, "pvs1 pvs2", "had pvs3, which is out"},
		{"kept, but suspect", kept(service(RoundRobin, 1, 1)), State{Kept: "pvs2", Suspect: func(s string) bool { return s == "pvs2" }}, "pvs1 pvs2", ""},
		{"no persistence", service(RoundRobin, 1, 1, 1), State{Kept: "pvs3"}, "pvs1 pvs2 pvs3", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := slices.Clone(c.s.Backends)
			got := Choose(c.s, client(1), "f", c.st)
			if names(got) != c.want {
				t.Errorf("got %q, want %q", names(got), c.want)
			}
			trace := ""
			for _, s := range got.Trace {
				trace += fmt.Sprintln(s.Subject, s.OK, s.Why)
			}
			if !strings.Contains(trace, c.says) {
				t.Errorf("the trace does not say %q:\n%s", c.says, trace)
			}
			if !slices.Equal(before, c.s.Backends) {
				t.Error("Choose changed the service")
			}
		})
	}
}

// When a backend goes, only its own clients move, and each of those to the one that was its next.
func TestRendezvousMovesOnlyItsOwn(t *testing.T) {
	s := service(Rendezvous, 1, 3, 1, 2, 1)
	for _, gone := range s.Backends {
		moved := 0
		for i := range 5000 {
			all := Choose(s, client(i), "f", State{})
			left := Choose(s, client(i), "f", State{Down: are(gone.Name)})
			want := slices.DeleteFunc(slices.Clone(all.Backends), func(b Backend) bool { return b.Name == gone.Name })
			if !slices.Equal(left.Backends, want) {
				t.Fatalf("client %d: %s without %s became %s", i, names(all), gone.Name, names(left))
			}
			if all.Backends[0].Name == gone.Name {
				moved++
			}
		}
		if moved == 0 {
			t.Errorf("%s had nobody", gone.Name)
		}
	}
}

// Shares are as the weights: by hash within the noise of chance, by turn better than that.
func TestSharesFollowWeights(t *testing.T) {
	weights := []int{1, 2, 3, 10}
	for _, c := range []struct {
		by  Scheduler
		off float64 // of the share
	}{{Rendezvous, 0.03}, {Weighted, 0.005}} {
		s := service(c.by, weights...)
		got := map[string]int{}
		const n = 16000
		for i := range n {
			b, _ := Choose(s, client(i), "f", State{Turn: uint64(i)}).First()
			got[b.Name]++
		}
		for i, w := range weights {
			want := float64(w) / 16
			if have := float64(got[s.Backends[i].Name]) / n; math.Abs(have-want) > c.off {
				t.Errorf("%s: weight %d has %.3f of the clients, want %.3f", c.by, w, have, want)
			}
		}
	}
}

// In no short time does a backend of weight get all turns: they are spread.
func TestWeightedSpreads(t *testing.T) {
	s := service(Weighted, 1, 1)
	last, run := "", 0
	for i := range 1000 {
		b, _ := Choose(s, client(1), "f", State{Turn: uint64(i)}).First()
		if b.Name != last {
			last, run = b.Name, 0
		}
		if run++; run > 2 {
			t.Fatalf("turn %d: %s for the third time in a row", i, b.Name)
		}
	}
}

func TestKeeper(t *testing.T) {
	var k Keeper
	at := time.Unix(1000, 0)
	k.Set(client(1), "pvs1", at.Add(time.Minute))
	if got := k.Get(client(1), at.Add(time.Second)); got != "pvs1" {
		t.Errorf("got %q", got)
	}
	if got := k.Get(client(1), at.Add(time.Minute)); got != "" {
		t.Errorf("after its time: %q", got)
	}
	for i := range 3 * maxKept {
		k.Set(client(i), "pvs2", at.Add(time.Minute))
	}
	if n := len(k.now) + len(k.old); n > 2*maxKept {
		t.Errorf("%d clients are remembered", n)
	}
	if got := k.Get(client(3*maxKept-1), at); got != "pvs2" {
		t.Errorf("the last one: %q", got)
	}
}
