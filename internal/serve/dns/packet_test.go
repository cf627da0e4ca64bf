package dnsboot

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"surefoot/internal/boot"
)

// bench is a server without sockets.
func bench(t testing.TB, d Deps) *Server {
	t.Helper()
	if d.Now == nil {
		d.Now = start
	}
	s, err := New(Config{Node: "boot1", Listen: netip.MustParseAddrPort("127.0.0.1:53"), Site: testSite(), Zone: settings()}, d)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func packed(t testing.TB, q *dns.Msg) []byte {
	t.Helper()
	b, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What quick answers is what Answer answers, for every name, type and kind of EDNS; and it does
// answer the questions that it is there for.
func TestQuickIsTheSame(t *testing.T) {
	var d dead
	rnd := rand.New(rand.NewPCG(1, 2))
	quickly, compared := map[string]int{}, 0
	for round := range 3 {
		a, b := testZones(t, d.down), testZones(t, d.down)
		d.set([][]string{nil, {"pvs2"}, {"pvs1", "pvs2", "pvs3"}}[round]...)
		for _, name := range []string{"tftp", "turns", "one", "sticky", "uefi", "both", "only6", "nobody", "many", "pvs1", "nothing", "deep.er", "er", "_tftp._udp"} {
			for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeSRV, dns.TypeANY} {
				for kind := range 8 {
					q := query(upperAtRandom(rnd, name+"."+apex), qtype)
					q.RecursionDesired, q.CheckingDisabled = kind&1 == 1, rnd.IntN(2) == 0
					switch kind / 2 {
					case 1:
						q.SetEdns0(uint16(rnd.IntN(5000)), rnd.IntN(2) == 0)
					case 2:
						q.SetEdns0(1232, false)
						q.IsEdns0().Option = append(q.IsEdns0().Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"})
					case 3:
						q.SetEdns0(1232, false)
						q.IsEdns0().Option = append(q.IsEdns0().Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})
					}
					in := packed(t, q)
					got, o, ok := a.quick(in, resolver, start(), &worker{})
					if !ok {
						continue
					}
					quickly[name]++
					compared++
					want := b.Answer(q, resolver, false, start())
					r := new(dns.Msg)
					if err := r.Unpack(got); err != nil {
						t.Fatalf("%s: %v", q, err)
					}
					wanted := new(dns.Msg)
					_ = wanted.Unpack(packed(t, want.Reply))
					// Names in the authority section have the case of the question, or their own.
					if !strings.EqualFold(r.String(), wanted.String()) || r.Question[0] != q.Question[0] || !bytes.Equal(got[:12], packed(t, want.Reply)[:12]) {
						t.Fatalf("quick:\n%s\nanswer:\n%s", r, wanted)
					}
					if o.Reason != want.Reason || o.Server != want.Server || o.FailOpen != want.FailOpen || o.Zone != want.Zone ||
						o.Client != want.Client || o.Turn != want.Turn || (o.Name == nil) != (want.Name == nil) {
						t.Fatalf("%s: quick tells %+v, Answer %+v", q.Question[0].String(), o, want)
					}
				}
			}
		}
	}
	for _, name := range []string{"tftp", "turns", "one", "sticky", "uefi"} {
		if quickly[name] < 18 { // A and AAAA, of 8 kinds 6, 3 times: 36, less those that do not fit
			t.Errorf("%s was answered quickly %d times of %d", name, quickly[name], compared)
		}
	}
	for _, name := range []string{"both", "only6", "nobody", "nothing", "pvs1", "_tftp._udp"} {
		if quickly[name] != 0 {
			t.Errorf("%s was answered quickly", name)
		}
	}
}

// upperAtRandom is what resolvers do against forgers (0x20).
func upperAtRandom(rnd *rand.Rand, s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' && rnd.IntN(2) == 0 {
			return r - 32
		}
		return r
	}, s)
}

func TestPackets(t *testing.T) {
	var ev events
	s := bench(t, Deps{Emit: ev.emit})
	w := &worker{}
	good := packed(t, query("tftp."+apex, dns.TypeA))
	f := func(what string, in []byte, tcp bool, wantLen int, why boot.Reason) []byte {
		t.Helper()
		before := ev.of(why)
		out := s.answer(w, in, resolver, tcp)
		if (wantLen < 0 && len(out) == 0) || wantLen >= 0 && len(out) != wantLen || ev.of(why) != before+1 {
			t.Errorf("%s: %x, last event %s; want %d bytes and %s", what, out, ev.last.Reason, wantLen, why)
		}
		return out
	}
	f("a query", good, false, -1, boot.Answered)
	f("nothing", nil, false, 0, boot.Malformed)
	f("half a header", good[:11], false, 0, boot.Malformed)
	answered := slices.Clone(good)
	answered[2] |= 0x80
	f("an answer", answered, false, 0, boot.NotRequest)
	f("an answer by TCP", answered, true, 0, boot.NotRequest)
	if out := f("half a name", good[:20], false, 12, boot.Malformed); out[3]&15 != dns.RcodeFormatError || out[2]&0x80 == 0 || !bytes.Equal(out[:2], good[:2]) {
		t.Errorf("the answer to half a name is %x", out)
	}
	loop := append(slices.Clone(good[:12]), 0xc0, 12, 0, 1, 0, 1)
	f("a name that points to itself", loop, false, 12, boot.Malformed)
	out := s.answer(w, append(slices.Clone(good), "behind it"...), resolver, false)
	if r := new(dns.Msg); r.Unpack(out) != nil {
		t.Errorf("junk behind a query: %x", out)
	}
	if ev.last.IP != resolver {
		t.Errorf("the event is %+v", ev.last)
	}
}

// The event of an answer tells what was asked and who was named.
func TestEvent(t *testing.T) {
	var ev events
	s := bench(t, Deps{Emit: ev.emit, Down: func(server, _ string, _ boot.Protocol) bool { return server == "pvs1" }})
	from := netip.MustParseAddr("10.10.1.5")
	for _, q := range []*dns.Msg{query("Turns."+apex, dns.TypeA), func() *dns.Msg {
		q := query("turns."+apex, dns.TypeA)
		q.SetEdns0(1232, false)
		q.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_NSID{Code: dns.EDNS0NSID}}
		return q
	}()} {
		s.answer(&worker{}, packed(t, q), from, false)
		e := ev.last
		if e.Role != Role || e.Kind != boot.NameAsked || e.Node != "boot1" || e.IP != from || e.Network != "vdi" || e.Detail != "turns."+apex || e.Options != "A" ||
			e.Rule != "turns" || e.File != "f" || (e.Server != "pvs2" && e.Server != "pvs3") || e.Reason != boot.Answered || !e.Time.Equal(start()) {
			t.Errorf("%+v", e)
		}
	}
	s.answer(&worker{}, packed(t, query("x.example.org", dns.TypeNAPTR)), from, false)
	if e := ev.last; e.Options != "other" || e.Reason != boot.OutsideZone || e.Server != "" {
		t.Errorf("%+v", e)
	}
}

// A fault while answering costs one packet.
func TestPanic(t *testing.T) {
	var ev events
	s := bench(t, Deps{Emit: ev.emit, Down: func(string, string, boot.Protocol) bool { panic("a fault") }})
	if out := s.answer(&worker{}, packed(t, query("tftp."+apex, dns.TypeA)), resolver, false); out != nil || ev.of(boot.Panicked) != 1 {
		t.Errorf("%x, events %v", out, ev.by)
	}
}

func TestLimit(t *testing.T) {
	now := start()
	var ev events
	s := bench(t, Deps{Emit: ev.emit, Now: func() time.Time { return now }})
	set := settings()
	set.RateLimit = 10
	if err := s.Apply(testSite(), set); err != nil {
		t.Fatal(err)
	}
	w := &worker{}
	q := query("tftp."+apex, dns.TypeA)
	q.SetEdns0(1232, false)
	in := packed(t, q)
	ask := func(from string, tcp bool) string {
		out := s.answer(w, in, netip.MustParseAddr(from), tcp)
		r := new(dns.Msg)
		switch {
		case out == nil:
			return "dropped"
		case r.Unpack(out) != nil:
			return "broken"
		case r.Truncated && len(r.Answer) == 0 && len(out) <= len(in) && r.Id == q.Id && len(r.Question) == 1:
			return "slipped"
		case len(r.Answer) == 3:
			return "answered"
		}
		return r.String()
	}
	got := map[string]int{}
	for range 60 {
		got[ask("192.0.2.1", false)]++
	}
	if got["answered"] != 20 || got["slipped"] != 20 || got["dropped"] != 20 {
		t.Errorf("60 at once with a limit of 10, 20 after a pause: %v", got)
	}
	if ev.of(boot.RateLimited) != 20 || ev.of(boot.RateSlipped) != 20 {
		t.Errorf("events: %v", ev.by)
	}
	if a := ask("192.0.2.200", false); a == "answered" {
		t.Error("another address of the same /24 has a limit of its own")
	}
	if a, b := ask("192.0.3.1", false), ask("192.0.2.1", true); a != "answered" || b != "answered" {
		t.Errorf("another network: %s, by TCP: %s", a, b)
	}
	now = now.Add(time.Second)
	if a := ask("192.0.2.1", false); a != "answered" {
		t.Errorf("a second later: %s", a)
	}
	if network(netip.MustParseAddr("2001:db8:0:1::1")) != network(netip.MustParseAddr("2001:db8:0:ff::1")) ||
		network(netip.MustParseAddr("2001:db8:0:1::1")) == network(netip.MustParseAddr("2001:db8:0:100::1")) ||
		network(netip.MustParseAddr("::ffff:192.0.2.1")) != network(netip.MustParseAddr("192.0.2.99")) {
		t.Error("the networks of IPv6 are not its /56")
	}
}

func TestTypeLabels(t *testing.T) {
	labels := map[string]bool{}
	for n := range 1 << 16 {
		labels[typeLabel(uint16(n))] = true
	}
	if len(labels) > 12 {
		t.Errorf("%d values of a label that strangers choose", len(labels))
	}
}

// An answer to an address of a steered name makes next to no garbage.
func TestAllocations(t *testing.T) {
	s := bench(t, Deps{Emit: func(boot.Event) {}})
	in, w := packed(t, query("turns."+apex, dns.TypeA)), &worker{}
	if n := testing.AllocsPerRun(1000, func() { s.answer(w, in, resolver, false) }); n > 0 {
		t.Errorf("%.1f allocations", n)
	}
}

func FuzzPacket(f *testing.F) {
	for _, q := range []*dns.Msg{query("tftp."+apex, dns.TypeA), query(apex, dns.TypeSOA), query("x.", dns.TypeANY), query("why.sticky."+apex, dns.TypeTXT)} {
		f.Add(packed(f, q), false)
		q.SetEdns0(4096, true)
		f.Add(packed(f, q), false)
		q.IsEdns0().Option = append(q.IsEdns0().Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID}, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"})
		f.Add(packed(f, q), true)
		subnet(q, "10.1.2.0", 24)
		f.Add(packed(f, q), true)
	}
	var ev events
	s := bench(f, Deps{Emit: ev.emit})
	w := &worker{}
	f.Fuzz(func(t *testing.T, in []byte, tcp bool) {
		out := s.answer(w, in, resolver, tcp)
		if ev.of(boot.Panicked) > 0 {
			t.Fatalf("a fault in %x", in)
		}
		if out == nil {
			return
		}
		if len(in) < 12 || in[2]&0x80 != 0 || !bytes.Equal(out[:2], in[:2]) || out[2]&0x80 == 0 || out[2]&0x78 != in[2]&0x78 {
			t.Fatalf("%x is answered with %x", in, out)
		}
		r := new(dns.Msg)
		if err := r.Unpack(out); err != nil {
			t.Fatalf("%x is answered with %x: %v", in, out, err)
		}
		if !tcp && len(out) > maxUDP {
			t.Fatalf("%d bytes by UDP", len(out))
		}
		if binary.BigEndian.Uint16(out[4:]) == 1 && r.Rcode == dns.RcodeSuccess && !r.Truncated && len(r.Answer)+len(r.Ns) == 0 {
			t.Fatalf("an empty answer without SOA: %s", r)
		}
	})
}

func BenchmarkQuick(b *testing.B) {
	s := bench(b, Deps{Emit: func(boot.Event) {}, Now: time.Now})
	in, w := packed(b, query("turns."+apex, dns.TypeA)), &worker{}
	b.ReportAllocs()
	for b.Loop() {
		s.answer(w, in, resolver, false)
	}
}

func BenchmarkSlow(b *testing.B) {
	s := bench(b, Deps{Emit: func(boot.Event) {}, Now: time.Now})
	q := query("turns."+apex, dns.TypeA)
	q.SetEdns0(1232, false)
	q.IsEdns0().Option = append(q.IsEdns0().Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})
	in, w := packed(b, q), &worker{}
	b.ReportAllocs()
	for b.Loop() {
		s.answer(w, in, resolver, false)
	}
}
