package dnsboot

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"surefoot/internal/boot"
)

var resolver = netip.MustParseAddr("192.0.2.53")

func TestAnswer(t *testing.T) {
	const soa = "SOA boot1.boot.hq.example.net. net\\.ops.example.net. SERIAL 3600 600 86400 10"
	const ns = "NS boot1.boot.hq.example.net., NS boot2.boot.hq.example.net."
	z := testZones(t, func(server, _ string, _ boot.Protocol) bool {
		return server == "pvs2" || server == "boot1" || server == "boot2"
	})
	f := func(name string, qtype uint16, rcode int, why boot.Reason, answer, authority string) {
		t.Helper()
		if !strings.HasSuffix(name, ".") {
			name = strings.Trim(name+"."+apex, ".") + "."
		}
		o := z.Answer(query(name, qtype), resolver, true, start())
		r := o.Reply
		auth := records(r.Ns)
		if len(r.Ns) == 1 && r.Ns[0].Header().Rrtype == dns.TypeSOA {
			s := *r.Ns[0].(*dns.SOA)
			s.Serial = 0
			auth = strings.Replace(records([]dns.RR{&s}), " 0 3600", " SERIAL 3600", 1)
		}
		if r.Rcode != rcode || o.Reason != why || records(r.Answer) != answer || auth != authority {
			t.Errorf("%s %s:\n got %s (%s) %s | %s\nwant %s (%s) %s | %s", name, dns.TypeToString[qtype],
				dns.RcodeToString[r.Rcode], o.Reason, records(r.Answer), auth, dns.RcodeToString[rcode], why, answer, authority)
		}
		if r.RecursionAvailable || r.Authoritative != (rcode != dns.RcodeRefused) {
			t.Errorf("%s: RA %v, AA %v", name, r.RecursionAvailable, r.Authoritative)
		}
		for _, rr := range r.Answer {
			if rr.Header().Name != name {
				t.Errorf("%s: the record's owner is %s", name, rr.Header().Name)
			}
		}
	}
	const ok, nx = dns.RcodeSuccess, dns.RcodeNameError
	f("tftp", dns.TypeA, ok, boot.Answered, "A 10.10.0.21, A 10.10.0.23", "")
	f("TFTP.Boot.HQ.example.NET.", dns.TypeA, ok, boot.Answered, "A 10.10.0.21, A 10.10.0.23", "") // the case comes back, 0x20
	f("tftp", dns.TypeAAAA, ok, boot.NoRecord, "", soa)
	f("tftp", dns.TypeMX, ok, boot.NoRecord, "", soa)
	f("tftp", dns.TypeCNAME, ok, boot.NoRecord, "", soa)
	f("uefi", dns.TypeA, ok, boot.Answered, "A 10.10.0.11, A 10.10.0.12", "") // all dead: all
	f("both", dns.TypeA, ok, boot.Answered, "A 10.10.0.21", "")
	f("both", dns.TypeAAAA, ok, boot.Answered, "AAAA 2001:db8::6", "")
	f("only6", dns.TypeA, ok, boot.NoRecord, "", soa)
	f("nobody", dns.TypeA, ok, boot.NoRecord, "", soa)
	f("nothing", dns.TypeA, nx, boot.NoSuchName, "", soa)
	f("a.tftp", dns.TypeA, nx, boot.NoSuchName, "", soa) // no wildcard
	f("*", dns.TypeA, nx, boot.NoSuchName, "", soa)
	f("deep.er", dns.TypeA, ok, boot.Answered, "A 10.10.0.21", "")
	f("er", dns.TypeA, ok, boot.NoRecord, "", soa) // there is a name below it: RFC 8020
	f("_udp.tftp", dns.TypeSRV, ok, boot.NoRecord, "", soa)
	f("_tftp._udp.tftp", dns.TypeSRV, ok, boot.Answered, "SRV 10 10 69 pvs1.boot.hq.example.net., SRV 20 10 69 pvs3.boot.hq.example.net.", "")
	f("_tftp._udp.turns", dns.TypeSRV, ok, boot.Answered, "SRV 10 10 69 pvs1.boot.hq.example.net., SRV 10 10 69 pvs3.boot.hq.example.net.", "")
	f("_tftp._udp", dns.TypeSRV, ok, boot.Answered, "SRV 10 10 69 pvs1.boot.hq.example.net., SRV 20 10 69 pvs3.boot.hq.example.net.", "")
	f("_http._tcp.uefi", dns.TypeSRV, ok, boot.Answered, "SRV 10 10 8067 boot1.boot.hq.example.net., SRV 20 10 8067 boot2.boot.hq.example.net.", "")
	f("_http._tcp.tftp", dns.TypeSRV, ok, boot.NoRecord, "", soa)
	f("pvs2", dns.TypeA, ok, boot.Answered, "A 10.10.0.22", "") // a host is a host, dead or alive
	f("six", dns.TypeAAAA, ok, boot.Answered, "AAAA 2001:db8::6", "")
	f("six", dns.TypeA, ok, boot.NoRecord, "", soa)
	f("", dns.TypeNS, ok, boot.Answered, ns, "")
	f("", dns.TypeA, ok, boot.NoRecord, "", soa)
	f("tftp", dns.TypeNS, ok, boot.NoRecord, "", soa)
	f("tftp", dns.TypeANY, ok, boot.Answered, `HINFO "RFC8482" ""`, "")
	f("nothing", dns.TypeANY, nx, boot.NoSuchName, "", soa)
	f("hq.example.net.", dns.TypeA, dns.RcodeRefused, boot.OutsideZone, "", "")
	f("xboot.hq.example.net.", dns.TypeA, dns.RcodeRefused, boot.OutsideZone, "", "")
	f(".", dns.TypeNS, dns.RcodeRefused, boot.OutsideZone, "", "")
	f("", dns.TypeAXFR, dns.RcodeRefused, boot.TransferRefused, "", "")
	f("", dns.TypeIXFR, dns.RcodeRefused, boot.TransferRefused, "", "")
	f("imageserver1.hq.example.net.", dns.TypeA, ok, boot.Answered, "A 10.10.0.21", "")
	f("imageserver1.hq.example.net.", dns.TypeNS, ok, boot.Answered, "NS boot1.imageserver1.hq.example.net., NS boot2.imageserver1.hq.example.net.", "")

	why := z.Answer(query("why.tftp."+apex, dns.TypeTXT), resolver, true, start()).Reply
	if text := records(why.Answer); !strings.Contains(text, "pvs2: does not hand out f by TFTP at present") || why.Answer[0].Header().Ttl != 0 {
		t.Errorf("why.tftp says %s", text)
	}
	s := z.Answer(query(apex, dns.TypeSOA), resolver, true, start()).Reply
	if got := records(s.Ns) + " | " + records(s.Extra); got != ns+" | A 10.10.0.11, A 10.10.0.12" {
		t.Errorf("the SOA's answer comes with %s", got)
	}
}

// The serial is another one when the file says something else, and the same on another node.
func TestSerial(t *testing.T) {
	serial := func(change func(*boot.Site, *Settings), node string) uint32 {
		site, set := testSite(), settings()
		change(site, &set)
		z, err := NewZones(site, set, node, nil)
		if err != nil {
			t.Fatal(err)
		}
		return z.list[0].soa.Serial
	}
	same := serial(func(*boot.Site, *Settings) {}, "boot1")
	if other := serial(func(*boot.Site, *Settings) {}, "boot2"); other != same {
		t.Error("two nodes have two serials")
	}
	for what, change := range map[string]func(*boot.Site, *Settings){
		"a name's order":   func(s *boot.Site, _ *Settings) { s.Names[0].Order = boot.OrderRotate },
		"a name's servers": func(s *boot.Site, _ *Settings) { s.Names[0].From = []string{"pvs1"} },
		"a server's port": func(s *boot.Site, _ *Settings) {
			x := s.Servers["pvs1"]
			x.TFTP = netip.AddrPortFrom(x.TFTP.Addr(), 70)
			s.Servers["pvs1"] = x
		},
		"the TTL":          func(_ *boot.Site, set *Settings) { set.TTL = time.Second },
		"the name servers": func(_ *boot.Site, set *Settings) { set.NS = []string{"boot2"} },
		"the zones":        func(_ *boot.Site, set *Settings) { set.Zones = append(set.Zones, "b.example.org.") },
	} {
		if serial(change, "boot1") == same {
			t.Errorf("%s changes, and the serial stays", what)
		}
	}
}

// Answers begin with each server in turn, and a dead one leaves within the time that the living
// are kept.
func TestTurns(t *testing.T) {
	var d dead
	z := testZones(t, d.down)
	ask := func(after time.Duration) string {
		return records(z.Answer(query("turns."+apex, dns.TypeA), resolver, true, start().Add(after)).Reply.Answer)
	}
	for i, want := range []string{
		"A 10.10.0.21, A 10.10.0.22, A 10.10.0.23", "A 10.10.0.22, A 10.10.0.23, A 10.10.0.21",
		"A 10.10.0.23, A 10.10.0.21, A 10.10.0.22", "A 10.10.0.21, A 10.10.0.22, A 10.10.0.23",
	} {
		z.Answer(query("turns."+apex, dns.TypeAAAA), resolver, true, start()) // takes no turn
		if got := ask(0); got != want {
			t.Errorf("answer %d is %s, want %s", i, got, want)
		}
	}
	d.set("pvs1", "pvs2")
	if got := ask(fresh + time.Millisecond); got != "A 10.10.0.23" {
		t.Errorf("with two dead: %s", got)
	}
	d.set()
	if got := ask(2*fresh + 2*time.Millisecond); len(strings.Split(got, ",")) != 3 {
		t.Errorf("all are back: %s", got)
	}
}

func TestRefusals(t *testing.T) {
	z := testZones(t, nil)
	f := func(what string, change func(*dns.Msg), rcode int, why boot.Reason) {
		t.Helper()
		q := query("tftp."+apex, dns.TypeA)
		change(q)
		o := z.Answer(q, resolver, false, start())
		if o.Reason != why || o.Reply.Rcode != rcode {
			t.Errorf("%s: %s (%s), want %s (%s)", what, dns.RcodeToString[o.Reply.Rcode], o.Reason, dns.RcodeToString[rcode], why)
		}
		if b, err := o.Reply.Pack(); err != nil {
			t.Errorf("%s: %v", what, err)
		} else if r := new(dns.Msg); r.Unpack(b) != nil || r.Id != q.Id || r.Opcode != q.Opcode {
			t.Errorf("%s: the answer is %s", what, r)
		}
	}
	f("NOTIFY", func(q *dns.Msg) { q.Opcode = dns.OpcodeNotify }, dns.RcodeNotImplemented, boot.NotImplemented)
	f("UPDATE", func(q *dns.Msg) { q.Opcode = dns.OpcodeUpdate }, dns.RcodeNotImplemented, boot.NotImplemented)
	f("no question", func(q *dns.Msg) { q.Question = nil }, dns.RcodeFormatError, boot.Malformed)
	f("two questions", func(q *dns.Msg) { q.Question = append(q.Question, q.Question[0]) }, dns.RcodeFormatError, boot.Malformed)
	f("class CH", func(q *dns.Msg) { q.Question[0].Qclass = dns.ClassCHAOS }, dns.RcodeRefused, boot.OutsideZone)
	f("EDNS version 1", func(q *dns.Msg) { q.SetEdns0(4096, false); q.IsEdns0().SetVersion(1) }, dns.RcodeBadVers, boot.BadVersion)
	f("two OPT records", func(q *dns.Msg) { q.SetEdns0(4096, false); q.SetEdns0(4096, false) }, dns.RcodeFormatError, boot.Malformed)
	f("a scope in a query", func(q *dns.Msg) { subnet(q, "10.1.2.0", 24).SourceScope = 24 }, dns.RcodeFormatError, boot.Malformed)
	f("bits beyond the length", func(q *dns.Msg) { subnet(q, "10.1.2.1", 24) }, dns.RcodeFormatError, boot.Malformed)

	q := query("tftp."+apex, dns.TypeA)
	q.Response = true
	if o := z.Answer(q, resolver, false, start()); o.Reply != nil || o.Reason != boot.NotRequest {
		t.Errorf("an answer is answered: %s", o.Reason)
	}
}

// subnet adds a client subnet to a query.
func subnet(q *dns.Msg, addr string, bits uint8) *dns.EDNS0_SUBNET {
	q.SetEdns0(4096, false)
	e := &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: bits, Address: net.ParseIP(addr).To4()}
	if strings.Contains(addr, ":") {
		e.Family, e.Address = 2, net.ParseIP(addr)
	}
	q.IsEdns0().Option = append(q.IsEdns0().Option, e)
	return e
}

func TestClientSubnet(t *testing.T) {
	z := testZones(t, nil)
	f := func(name, addr string, bits uint8, want string) string {
		t.Helper()
		q := query(name+"."+apex, dns.TypeA)
		subnet(q, addr, bits)
		r := z.Answer(q, resolver, false, start()).Reply
		got := ""
		for _, o := range r.IsEdns0().Option {
			if s, ok := o.(*dns.EDNS0_SUBNET); ok {
				got = s.String()
			}
		}
		if got != want {
			t.Errorf("%s for %s/%d: the answer says %q, want %q", name, addr, bits, got, want)
		}
		return records(r.Answer)
	}
	f("tftp", "10.10.1.0", 24, "10.10.1.0/24/0") // the same for all
	f("sticky", "10.10.1.0", 24, "10.10.1.0/24/24")
	f("sticky", "10.10.0.0", 16, "10.10.0.0/16/16")
	f("sticky", "0.0.0.0", 0, "0.0.0.0/0/0")
	f("sticky", "2001:db8:1:200::", 64, "[2001:db8:1:200::]/64/56")
	f("nothing", "10.10.1.0", 24, "10.10.1.0/24/0")
	first := map[string]bool{}
	for i := range 24 {
		net := fmt.Sprintf("10.1.%d.0", i+1)
		a := f("sticky", net, 24, net+"/24/24")
		if again := f("sticky", net, 24, net+"/24/24"); again != a {
			t.Errorf("%s: %s, then %s", net, a, again)
		}
		first[strings.Split(a, ",")[0]] = true
	}
	if len(first) != 3 {
		t.Errorf("24 subnets begin with %v", first)
	}
	own := z.Answer(query("sticky."+apex, dns.TypeA), netip.MustParseAddr("10.1.1.77"), false, start()).Reply
	if records(own.Answer) != f("sticky", "10.1.1.0", 24, "10.1.1.0/24/24") {
		t.Error("a client that asks by itself gets something else than by its resolver")
	}
}

func TestEDNS(t *testing.T) {
	z := testZones(t, nil)
	q := query("tftp."+apex, dns.TypeA)
	if r := z.Answer(q, resolver, false, start()).Reply; r.IsEdns0() != nil {
		t.Error("EDNS to a client that has none")
	}
	q.SetEdns0(4096, true)
	q.IsEdns0().Option = append(q.IsEdns0().Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})
	opt := z.Answer(q, resolver, false, start()).Reply.IsEdns0()
	if opt == nil || opt.UDPSize() != 1232 || !opt.Do() || len(opt.Option) != 1 || opt.Option[0].String() != "626f6f7431" { // boot1
		t.Errorf("the answer's OPT is %s", opt)
	}
}

// What is too long for UDP is cut to what fits, and says so; by TCP it is whole.
func TestTruncation(t *testing.T) {
	z := testZones(t, nil)
	f := func(name string, qtype uint16, size uint16, tcp bool, why boot.Reason, atMost, least int) {
		t.Helper()
		q := query(name+"."+apex, qtype)
		if size > 0 {
			q.SetEdns0(size, false)
		}
		o := z.Answer(q, resolver, tcp, start())
		b, err := o.Reply.Pack()
		if err != nil || len(b) > atMost || o.Reason != why || o.Reply.Truncated != (why == boot.Truncated) || len(o.Reply.Answer) < least {
			t.Errorf("%s %d tcp=%v: %d bytes, %d records, TC %v (%s), %v", name, size, tcp, len(b), len(o.Reply.Answer), o.Reply.Truncated, o.Reason, err)
		}
	}
	f("many", dns.TypeA, 0, false, boot.Truncated, 512, 25)
	f("many", dns.TypeA, 100, false, boot.Truncated, 512, 25)
	f("many", dns.TypeA, 4096, false, boot.Truncated, 1232, 70)
	f("many", dns.TypeA, 0, true, boot.Answered, 65535, 200)
	f("_tftp._udp.many", dns.TypeSRV, 4096, false, boot.Truncated, 1232, 10)
	f("tftp", dns.TypeA, 0, false, boot.Answered, 512, 3)
	// Addresses of SRV targets are only help: without them the answer is whole.
	few := testSite()
	few.Names = []boot.Name{{Name: "few", File: "f", From: few.Names[len(few.Names)-1].From[:22], Order: boot.OrderFirst}}
	z, err := NewZones(few, settings(), "boot1", nil)
	if err != nil {
		t.Fatal(err)
	}
	f("_tftp._udp.few", dns.TypeSRV, 4096, false, boot.Answered, 1232, 22)
}
