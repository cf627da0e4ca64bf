package journal

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

// check asserts that all accounts of the story machine agree.
func (s *stories) check(t *testing.T) {
	t.Helper()
	steps, machines := 0, 0
	for _, l := range []interface{ Len() int }{s.newcomers, s.real} {
		machines += l.Len()
	}
	seen := map[*machine]bool{}
	for _, m := range s.byMAC {
		seen[m] = true
	}
	for ip, m := range s.byIP {
		seen[m] = true
		found := false
		for _, a := range m.ips {
			found = found || a == ip
		}
		if !found || len(m.ips) > maxIPs {
			t.Errorf("%s leads to a machine with %v", ip, m.ips)
		}
	}
	live := 0
	for m := range seen {
		if len(m.stories) > s.limits.stories {
			t.Errorf("%d stories of one machine", len(m.stories))
		}
		for _, r := range m.stories {
			steps += len(r.Steps)
			if s.live[r] {
				live++
			}
			if len(r.Steps) > s.limits.steps {
				t.Errorf("%d steps in one story", len(r.Steps))
			}
		}
	}
	if machines != len(seen) || machines > s.machines || s.real.Len() > s.limits.proven {
		t.Errorf("%d machines in the lists, %d in the maps, %d proven", machines, len(seen), s.real.Len())
	}
	if steps != s.kept || steps > s.total {
		t.Errorf("%d steps kept, %d in the account", steps, s.kept)
	}
	if live != len(s.live) {
		t.Errorf("%d live stories kept, %d in the account", live, len(s.live))
	}
}

// 200,000 random MACs, as an attacker on the segment sends them: the machines that really boot
// stay known, and memory does not grow.
func TestRandomMACs(t *testing.T) {
	p := play(t)
	real := make([]boot.MAC, 100)
	for i := range real {
		real[i] = boot.MAC{0x52, 0x54, 0, 1, 0, byte(i)}
		a := netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
		p.dhcp(boot.DiscoverSeen, pxe, "", ofMAC(real[i])).dhcp(boot.RequestSeen, pxe, boot.OtherMessage, ofMAC(real[i]), from(a))
		p.load(boot.ReadRequest, uint64(i), "a.0", from(a)).load(boot.TransferEnd, uint64(i), "a.0", from(a), ended(boot.Done, ""), moved(1, 9, 9))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	flood := func(n int) {
		for i := range n {
			var m boot.MAC
			var b [8]byte
			binary.LittleEndian.PutUint64(b[:], rng.Uint64())
			copy(m[:], b[:])
			m[0] |= 2
			p.now = p.now.Add(time.Millisecond)
			p.dhcp(boot.DiscoverSeen, pxe, "", ofMAC(m), xid(uint32(i)))
			p.dhcp(boot.OfferSent, pxe, boot.Answered, ofMAC(m), told("r", strings.Repeat("long", 100), "boot1"))
			a := netip.AddrFrom4([4]byte(b[2:6]))
			switch i % 4 {
			case 0:
				p.dhcp(boot.RequestSeen, pxe, boot.OtherMessage, ofMAC(m), from(a))
			case 1: // a forged download: nothing is ever acknowledged
				p.load(boot.ReadRequest, uint64(i), "x", from(a))
			case 2:
				p.dhcp(boot.BootRequestSeen, edk2, "", ofMAC(m), from(a))
			}
			if i%1000 == 0 {
				p.wait(time.Second)
			}
		}
	}
	flood(20_000)
	before := heap()
	flood(180_000)
	after := heap()
	p.s.check(t)
	t.Logf("%d machines, %d steps; heap %.1f MB after 20,000, %.1f MB after 200,000; %d evicted",
		p.s.count(), p.s.kept, float64(before)/1e6, float64(after)/1e6, p.s.evicted)
	for _, m := range real {
		if got := p.of(m); len(got) != 1 || got[0].State != Done {
			t.Fatalf("%s, which really booted, is forgotten", m)
		}
	}
	if after > before+4<<20 || after > 48<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	runtime.KeepAlive(p)
}

// The worst that real machines can do: each with many stories of many steps.
func TestStepBudget(t *testing.T) {
	p := play(t)
	p.s.limits = limits{machines: 40, proven: 30, stories: 3, steps: 16, total: 300}
	for i := range 2000 {
		m := boot.MAC{2, 0, 0, 0, 0, byte(i % 60)}
		a := netip.AddrFrom4([4]byte{10, 0, 0, byte(i % 60)})
		p.dhcp(boot.DiscoverSeen, pxe, "", ofMAC(m), xid(uint32(i))).dhcp(boot.RequestSeen, pxe, "", ofMAC(m), from(a))
		for j := range 12 {
			p.load(boot.ReadRequest, uint64(i*100+j), "a", from(a))
			p.load(boot.TransferEnd, uint64(i*100+j), "a", from(a), ended(boot.Done, ""), moved(1, 9, 9))
		}
		p.wait(7 * time.Second)
		if i%100 == 0 {
			p.s.check(t)
		}
	}
	p.s.check(t)
	if p.s.kept < 200 {
		t.Errorf("only %d steps kept of 300: too much is forgotten", p.s.kept)
	}
	latest := boot.MAC{2, 0, 0, 0, 0, byte(1999 % 60)}
	r := p.of(latest)[len(p.of(latest))-1]
	if r.Omitted == 0 || len(r.Steps) != 16 || r.Steps[0].Kind != boot.DiscoverSeen {
		t.Errorf("a long story keeps its beginning and says what is omitted: %d omitted, %s", r.Omitted, kinds(r))
	}
}

// The worst that texts of strangers can do: every step of a full journal with texts as long as
// they may be, all different.
func TestLongTexts(t *testing.T) {
	before := heap()
	p := play(t)
	for i := range 140_000 {
		a := netip.AddrFrom4([4]byte{10, 1, byte(i / 100 >> 8), byte(i / 100)})
		long := func(what string) string { return fmt.Sprintf("%s%d", strings.Repeat(what, 300), i)[30:] }
		p.feed(boot.Event{
			Role: "tftp", Kind: boot.ReadRequest, IP: a, Transfer: uint64(i), File: long("f"), Detail: long("d"), Options: long("o"),
		})
		if i%50 == 0 {
			p.wait(3 * time.Minute)
		}
	}
	p.s.check(t)
	used := heap() - before
	t.Logf("%d machines, %d steps: %.0f MB", p.s.count(), p.s.kept, float64(used)/1e6)
	if p.s.kept < defaultLimits().total-64 || used > 100<<20 {
		t.Errorf("%d steps take %d bytes", p.s.kept, used)
	}
	runtime.KeepAlive(p)
}

func TestProgressIsOneStep(t *testing.T) {
	p := play(t).load(boot.ReadRequest, 1, "a").load(boot.ReadRequest, 2, "b")
	for i := range 100 {
		p.load(boot.Progress, uint64(1+i%2), "a", moved(int64(i), int64(i), 1000))
	}
	r := p.s.byIP[ip].current()
	if got, want := kinds(r), "rrq rrq progress progress"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if r.Steps[3].Blocks != 99 || r.Transfer.Blocks != 99 {
		t.Errorf("block %d, %d, want 99", r.Steps[3].Blocks, r.Transfer.Blocks)
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		`boot\x64.efi`:              `boot\x64.efi`,
		"grün.efi":                  "grün.efi",
		"a\x1b[2Jb":                 `a\x1b[2Jb`,
		"a\nb\tc\x00":               `a\nb\tc\x00`,
		"\xff\xfe":                  `\xff\xfe`,
		"txt\u202efe.exe":           `txt\u202efe.exe`,
		"<script>":                  "<script>",
		`"`:                         `"`,
		strings.Repeat("x", 256):    strings.Repeat("x", 256),
		strings.Repeat("x", 257):    strings.Repeat("x", 253) + "...",
		strings.Repeat("ü", 500):    strings.Repeat("ü", 126) + "...",
		strings.Repeat("\x01", 100): strings.Repeat(`\x01`, 63) + "...",
	} {
		if got := printable(in); got != want || len(got) > maxText {
			t.Errorf("printable(%q)\n got %q\nwant %q", in, got, want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\x1b]0;title\x07")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range printable(s) {
			if r < ' ' || r == 0x7f || r == 0xfffd && !strings.ContainsRune(s, r) {
				t.Fatalf("%q has %q", printable(s), r)
			}
		}
		if len(printable(s)) > maxText {
			t.Fatalf("%d bytes", len(printable(s)))
		}
	})
}

// FuzzStories feeds arbitrary events: no panic, and the accounts agree.
func FuzzStories(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"))
	f.Add([]byte(strings.Repeat("\x09\x11\x20\x05", 200)))
	all := []boot.Kind{
		boot.DiscoverSeen, boot.OfferSent, boot.RequestSeen, boot.BootRequestSeen, boot.BootReplySent, boot.Ignored, boot.ReadRequest,
		boot.OptionsSent, boot.Progress, boot.Stalled, boot.TransferEnd, boot.HTTPRequest, boot.ScriptSent, "unheard-of",
	}
	reasons := []boot.Reason{
		"", boot.Answered, boot.Done, boot.TsizeProbe, boot.FileMissing, boot.Timeout, boot.NoRule, boot.NoArch,
		boot.Draining, boot.SendFailed, boot.ClientError, "unheard-of",
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p := play(t)
		p.s.limits = limits{machines: 6, proven: 3, stories: 2, steps: 6, total: 40}
		for ; len(b) >= 4; b = b[4:] {
			ev := boot.Event{
				Role: []string{"proxydhcp", "tftp", "http"}[b[0]%3], Kind: all[int(b[1])%len(all)], Reason: reasons[int(b[2])%len(reasons)],
				XID: uint32(b[3] & 3), Transfer: uint64(b[3] & 7), File: []string{"a.0", "ipxe.efi"}[b[2]>>7], Blocks: int64(b[2]), Size: int64(b[3]),
				Firmware: boot.Firmwares()[int(b[0]>>3)%len(boot.Firmwares())],
			}
			if b[0]&64 != 0 {
				ev.MAC = boot.MAC{2, 0, 0, 0, 0, b[3]>>4 + 1}
			}
			if b[0]&128 != 0 {
				ev.IP = netip.AddrFrom4([4]byte{10, 0, 0, b[3] >> 4})
			}
			p.wait(time.Duration(b[1]) * 300 * time.Millisecond).feed(ev)
			for _, m := range p.s.byMAC {
				for _, r := range m.stories {
					if r.where() == "" || r.State == "" {
						t.Fatalf("a story without words: %+v", r.Story)
					}
				}
			}
		}
		p.s.check(t)
	})
}

func BenchmarkFeed(b *testing.B) {
	p := &script{s: newStories("boot1", defaultLimits()), now: start}
	for i := range b.N {
		m := boot.MAC{2, 0, byte(i >> 16), byte(i >> 8), byte(i), 1}
		p.dhcp(boot.DiscoverSeen, pxe, "", ofMAC(m)).dhcp(boot.OfferSent, pxe, boot.Answered, ofMAC(m), told("r", "a.0", "boot1"))
	}
	_ = fmt.Sprint(p.s.count())
}
