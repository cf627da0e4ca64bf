package boot

import (
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
)

// anyClient is a client of which every fact that a rule looks at is drawn by lot.
func anyClient(r *rand.Rand) Client {
	pick := func(list ...string) netip.Addr {
		a, _ := netip.ParseAddr(list[r.IntN(len(list))])
		return a
	}
	c := Client{
		MAC:      []MAC{macA, macR, {2, 1, 2, 3, 4, 5}, {}}[r.IntN(4)],
		Arch:     []Arch{ArchBIOS, ArchX64, ArchX64HTTP, ArchARM64, ArchUnknown}[r.IntN(5)],
		Firmware: append(Firmwares(), FirmwareUnknown)[r.IntN(len(Firmwares())+1)],
		Addr:     pick("", "10.10.0.9", "10.20.0.9", "10.99.0.9", "0.0.0.0"),
		Relay:    pick("", "10.10.0.9", "10.30.0.9", "10.99.0.9"),
		IPXE:     IPXEFeatures{Known: r.IntN(2) == 0, HTTP: r.IntN(2) == 0},
	}
	if a := pick("", "10.10.0.11", "10.20.0.5"); a.IsValid() {
		c.Link = netip.PrefixFrom(a, 22)
	}
	return c
}

// TestChooserIsDecide: without the words, nothing else is decided.
func TestChooserIsDecide(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, self := range []string{"boot1", "boot2"} {
		s := site(self)
		ch := NewChooser(s)
		reasons := map[Reason]int{}
		for range 20_000 {
			c, dead := anyClient(r), r.Uint32()
			down := func(server, _ string, by Protocol) bool {
				return dead&(1<<((server[len(server)-1]+server[0]+by[0])%32)) != 0
			}
			want := Decide(c, s, down)
			if want.Trace = nil; want.Reason != Answered {
				want.Answer.Servers = nil
			}
			got := *ch.Choose(c, down)
			if len(got.Answer.Servers) == 0 {
				got.Answer.Servers = nil
			}
			if reasons[got.Reason]++; !reflect.DeepEqual(got, want) {
				t.Fatalf("%+v:\nchosen  %+v\ndecided %+v", c, got, want)
			}
		}
		if len(reasons) < 5 || reasons[Answered] < 1000 {
			t.Errorf("the clients make too little happen: %v", reasons)
		}
	}
}

func TestChooserAllocatesNothing(t *testing.T) {
	ch := NewChooser(site("boot1"))
	clients := []Client{
		on("10.10.0.11/22", Client{Arch: ArchBIOS, Firmware: FirmwarePXE}),
		on("10.10.0.11/22", Client{Arch: ArchX64, Firmware: FirmwareEDK2}),
		on("10.20.0.5/24", Client{Arch: ArchARM64}),
	}
	ch.Choose(clients[0], nil)
	ch.Choose(clients[1], nil)
	if n := testing.AllocsPerRun(100, func() {
		for _, c := range clients {
			ch.Choose(c, nil)
		}
	}); n > 0 {
		t.Errorf("%v allocations for %d decisions", n, len(clients))
	}
}

func BenchmarkDecide(b *testing.B) {
	s := site("boot1")
	c := on("10.10.0.11/22", Client{Arch: ArchX64, Firmware: FirmwareEDK2})
	ch := NewChooser(s)
	b.Run("traced", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Decide(c, s, nil)
		}
	})
	b.Run("chosen", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ch.Choose(c, nil)
		}
	})
}
