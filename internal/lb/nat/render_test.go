package nat

import (
	"context"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"surefoot/internal/kernel/nft"
	"surefoot/internal/lb"
)

var update = flag.Bool("update", false, "write the expected output instead of comparing with it")

// golden is what a golden file holds, and whether nft takes it in an empty kernel.
type golden struct {
	name string
	text string
	err  error
	dry  bool // it changes what must stand there already, so that the check is left out
}

func scripts() []golden {
	var out []golden
	add := func(name, text string, err error, dry bool) { out = append(out, golden{name, text, err, dry}) }

	kept := service(lb.NAT, lb.RoundRobin, false, 1, 1, 1)
	kept.Persist = 100 * time.Second
	kept.Ports = append(kept.Ports, lb.Port{Protocol: "udp", Number: 6910}, lb.Port{Protocol: "tcp", Number: 80})
	kept.Backends[1].TFTP = netip.AddrPortFrom(kept.Backends[1].TFTP.Addr(), 6969)
	drained := table(kept, 0, 1)
	drained.Drained = []int{2}
	hidden := service(lb.SNAT, lb.Weighted, true, 1, 2)
	hidden.Name = "hidden"
	source := map[netip.Addr]netip.Addr{netip.MustParseAddr("fd02::31"): netip.MustParseAddr("fd02::11")}
	text, err := translation([]lb.Table{drained, table(hidden, 0, 1)}, source, nft.Listing{})
	add("new", text, err, false)

	// The same table again, when one died, a service went, and the persistence is another one.
	have := nft.Listing{
		Chains: []string{"b/boot/sv1", "b/boot/sv2", "b/boot/sv3", "b/hidden/sv1", "b/hidden/sv2", "s/boot", "s/hidden"},
		Hooks:  []string{"helper", "prerouting", "postrouting", "traffic"}, Helpers: []string{"tftp4", "tftp6"},
		Sets: []string{"k/boot/sv1/100", "k/boot/sv2/100", "k/boot/sv3/100"},
		Counters: map[string]nft.Counter{
			"c/boot/sv1": {}, "r/boot/sv1": {}, "d/boot/sv1": {}, "c/hidden/sv1": {}, "r/hidden/sv1": {}, "d/hidden/sv1": {},
		},
	}
	text, err = translation([]lb.Table{table(kept, 1, 2)}, nil, have)
	add("change", text, err, true)
	standby := table(kept, 0, 1, 2)
	standby.Active = false
	standby.Service.Persist = 50 * time.Second
	text, err = translation([]lb.Table{standby}, nil, have)
	add("standby", text, err, true)

	direct := service(lb.DSR, lb.Weighted, false, 1, 2)
	direct.Persist = 100 * time.Second
	eth := link{name: "eth0", mac: [6]byte{2, 0, 10, 2, 0, 11}}
	six := service(lb.DSR, lb.RoundRobin, true, 1, 1)
	six.Name, six.Ports = "six", []lb.Port{{Protocol: "tcp", Number: 80}}
	text, err = redirection([]hop{
		{Table: table(direct, 0, 1), link: eth, macs: map[int][6]byte{0: {2, 0, 10, 2, 0, 31}, 1: {2, 0, 10, 2, 0, 32}}},
		{Table: table(six, 0, 1), link: eth, macs: map[int][6]byte{1: {2, 0, 10, 2, 0, 32}}},
	}, nft.Listing{})
	add("direct", text, err, false)
	return out
}

func TestRules(t *testing.T) {
	for _, c := range scripts() {
		if c.err != nil {
			t.Errorf("%s: %v", c.name, c.err)
			continue
		}
		path := filepath.Join("testdata", c.name+".nft")
		if *update {
			if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("%v (go test -update writes it)", err)
		}
		if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(c.text, "\n")); d != "" {
			t.Errorf("%s (-want +got):\n%s", path, d)
		}
	}
}

// nft itself takes what is written for an empty kernel, and refuses it with one word changed: it reads it.
func TestRulesAreTaken(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, c := range scripts() {
		if c.dry {
			continue
		}
		var good, bad error
		l.in("lb", func() {
			good = nft.Check(context.Background(), c.text)
			bad = nft.Check(context.Background(), strings.Replace(c.text, "goto", "gotoo", 1))
		})
		if good != nil {
			t.Errorf("%s: %v", c.name, good)
		}
		if bad == nil {
			t.Errorf("%s: a wrong word is taken", c.name)
		}
	}
}

// The hash is that of nothing, of one word, of three and more: those of addresses are held to the kernel's by TestPicks.
func TestPlacesAreSpread(t *testing.T) {
	seen := map[int]int{}
	for i := range 20000 {
		seen[place("boot", netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}))]++
	}
	if len(seen) != places {
		t.Errorf("%d of %d places are hit", len(seen), places)
	}
	for p, n := range seen {
		if p < 0 || p >= places || n > 60 {
			t.Errorf("place %d is hit %d times", p, n)
		}
	}
	if hashSeed("boot") == hashSeed("other") || hashSeed("boot")&1 == 0 {
		t.Error("seeds")
	}
}

// When one goes, places of others stay.
func TestPlacesStay(t *testing.T) {
	for _, by := range []lb.Scheduler{lb.Rendezvous, lb.Maglev} {
		s := service(lb.NAT, by, false, 1, 1, 1)
		all, left := table(s, 0, 1, 2), table(s, 0, 2)
		a, _, err := dealt(&all)
		if err != nil {
			t.Fatal(err)
		}
		b, _, _ := dealt(&left)
		moved := 0
		for i := range a {
			if a[i] != 1 && a[i] != b[i] {
				moved++
			}
		}
		if moved > places/20 || by == lb.Rendezvous && moved > 0 {
			t.Errorf("%s: %d places of others moved", by, moved)
		}
	}
}
