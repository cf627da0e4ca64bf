package conform

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run the downloads of TestWeather with this `SEED` only")
	seedsFlag = flag.Uint64("seeds", 50, "how many seeds TestWeather runs")
)

// profiles are the ways in which boot clients download.
var profiles = []struct {
	name  string
	mode  string
	file  string
	words []string
}{
	{"shim", "octet", "f20480", nil},
	{"pxelinux", "octet", "f30000", []string{"tsize", "0", "blksize", "1408"}},
	{"ipxe", "octet", "f30000", []string{"blksize", "1432", "tsize", "0"}},
	{"u-boot", "octet", "f30000", []string{"timeout", "1", "tsize", "0", "blksize", "1468"}},
	{"edk2", "octet", "f100001", []string{"blksize", "1468", "windowsize", "4"}},
	{"window-16", "octet", "f300001", []string{"blksize", "1456", "windowsize", "16"}},
	{"window-64", "octet", "f300001", []string{"blksize", "1456", "windowsize", "64"}},
	{"netascii", "netascii", "menu.txt", []string{"blksize", "1024"}},
	{"netascii-window", "netascii", "menu.txt", []string{"windowsize", "7"}},
}

// expected is what a profile's download brings.
func expected(file, mode string) []byte {
	if mode == "netascii" {
		return netascii(texts[file])
	}
	var n int
	_, _ = fmt.Sscanf(file, "f%d", &n)
	return content(n)
}

// TestWeather downloads over a network that loses, repeats and reorders packets both ways, with
// many seeds. A failure names its seed; -seed N -check PROFILE -v brings the same losses again, and
// shows every packet.
func TestWeather(t *testing.T) {
	t.Parallel()
	to := surefoot(t, directory(t))
	first, last, chosen := uint64(1), *seedsFlag, chosen(t)
	if *seedFlag != 0 {
		first, last = *seedFlag, *seedFlag
	}
	want := map[string][32]byte{}
	for _, p := range profiles {
		want[p.file+p.mode] = sha256.Sum256(expected(p.file, p.mode))
	}
	var mu sync.Mutex // guards all below
	took := map[string][]time.Duration{}
	var packets, lost int
	var slowest time.Duration
	var worst string
	slots := make(chan struct{}, 48)
	var wg sync.WaitGroup
	for seed := first; seed <= last; seed++ {
		for i, p := range profiles {
			if !chosen(check{name: p.name}) {
				continue
			}
			wg.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				w := weather{lose: 0.03, repeat: 0.03, late: 0.03}
				between := newProxy(t, to.addr, seed, w)
				if *seedFlag != 0 {
					between.tell = teller(t, p.name)
				}
				target := to
				target.addr = between.addr()
				v := target.do(int(seed)*len(profiles)+i, check{name: p.name, run: func(a *attempt) {
					// Half of the clients acknowledge what comes twice, as many do.
					h := habits{ackDups: seed%2 == 0, timer: 700 * time.Millisecond, limit: 25 * time.Second}
					r, err := a.client().get(rrq(p.file, p.mode, p.words...), h)
					if err != nil {
						a.failf("%v", err)
					}
					if sha256.Sum256(r.content) != want[p.file+p.mode] {
						a.failf("wrong hash of %d bytes", len(r.content))
					}
					mu.Lock()
					took[p.name] = append(took[p.name], r.took)
					if r.took > slowest {
						slowest, worst = r.took, fmt.Sprintf("seed %d, %s: %s", seed, p.name, r.took.Round(time.Millisecond))
					}
					mu.Unlock()
				}})
				if v.outcome != passed {
					t.Errorf("seed %d, %s: %s", seed, p.name, v.seen)
				}
				between.mu.Lock()
				defer between.mu.Unlock()
				mu.Lock()
				defer mu.Unlock()
				packets, lost = packets+between.counted.all, lost+between.counted.lost
			})
		}
	}
	wg.Wait()
	t.Logf("%d of %d packets lost; the slowest: %s", lost, packets, worst)
	if lost == 0 && *seedFlag == 0 {
		t.Error("nothing was lost: the weather was too good")
	}
	for _, p := range profiles {
		if d := took[p.name]; len(d) > 0 {
			slices.Sort(d)
			t.Logf("%-16s %3d downloads, half within %s, the last %s", p.name, len(d), d[len(d)/2].Round(time.Millisecond), d[len(d)-1].Round(time.Millisecond))
		}
	}
}

// teller logs what happens to each packet.
func teller(t *testing.T, name string) func(string, []byte, bool, bool, bool) {
	begun := time.Now()
	return func(direction string, b []byte, lost, late, twice bool) {
		what := fmt.Sprintf("%.20x", b)
		if p, err := parse(b); err == nil {
			what = p.String()
		}
		for fate, is := range map[string]bool{"lost": lost, "late": late, "twice": twice} {
			if is {
				what += ", " + fate
			}
		}
		t.Logf("%s %8s %s %s", name, time.Since(begun).Round(100*time.Microsecond), direction, what)
	}
}

// TestWeatherRepeats shows that a seed decides the fate of packets, whenever they come.
func TestWeatherRepeats(t *testing.T) {
	fates := func(seed uint64) string {
		p := &proxy{seed: seed, weather: weather{lose: 0.5}, seen: map[string]uint64{}}
		var out []byte
		for n := range uint16(64) {
			passed := byte('-')
			p.pass(">", ackOf(n/2), func([]byte) { passed = '+' })
			out = append(out, passed)
		}
		return string(out)
	}
	if a, b := fates(1), fates(1); a != b {
		t.Errorf("seed 1: %s, then %s", a, b)
	}
	if a, b := fates(1), fates(2); a == b {
		t.Errorf("seeds 1 and 2 are the same: %s", a)
	}
}
