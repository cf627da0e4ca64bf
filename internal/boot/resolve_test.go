package boot

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// dnsSite is site with names for its rules.
func dnsSite() *Site {
	s := site("boot1")
	s.Servers["web1"] = Server{Name: "web1", HTTP: netip.MustParseAddrPort("10.10.0.31:80")}
	s.Servers["pvs3"] = Server{Name: "pvs3", TFTP: netip.MustParseAddrPort("10.10.0.23:69")}
	return s
}

func namesOf(list []Server) string {
	var out []string
	for _, s := range list {
		out = append(out, s.Name)
	}
	return strings.Join(out, " ")
}

func downs(names ...string) Down {
	return func(server, _ string, _ Protocol) bool { return slices.Contains(names, server) }
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func TestResolve(t *testing.T) {
	pvs := []string{"pvs1", "pvs2", "pvs3"}
	name := func(o Order, answers int, from ...string) Name {
		return Name{Name: "tftp", File: "ARDBP32.BIN", From: from, Order: o, Answers: answers}
	}
	f := func(title string, n Name, client string, turn uint64, down Down, want string, scope int, open bool) {
		t.Helper()
		r := Resolve(n, prefix(client), turn, dnsSite(), down)
		if got := namesOf(r.Servers); got != want || r.Scope != scope || r.FailOpen != open || r.Reason != Answered {
			t.Errorf("%s: %s scope %d fail open %v (%s), want %s scope %d fail open %v", title, got, r.Scope, r.FailOpen, r.Reason, want, scope, open)
		}
	}
	one := "192.0.2.7/32"
	f("as listed", name(OrderFirst, 0, pvs...), one, 5, nil, "pvs1 pvs2 pvs3", 0, false)
	f("first turn", name(OrderRotate, 0, pvs...), one, 0, nil, "pvs1 pvs2 pvs3", 0, false)
	f("second turn", name(OrderRotate, 0, pvs...), one, 1, nil, "pvs2 pvs3 pvs1", 0, false)
	f("the turns go round", name(OrderRotate, 0, pvs...), one, 5, nil, "pvs3 pvs1 pvs2", 0, false)
	f("one answer", name(OrderRotate, 1, pvs...), one, 1, nil, "pvs2", 0, false)
	f("more answers than servers", name(OrderFirst, 9, pvs...), one, 0, nil, "pvs1 pvs2 pvs3", 0, false)
	f("a dead one is out", name(OrderRotate, 0, pvs...), one, 1, downs("pvs2"), "pvs3 pvs1", 0, false)
	f("all dead: all", name(OrderFirst, 0, pvs...), one, 0, downs(pvs...), "pvs1 pvs2 pvs3", 0, true)
	f("all dead, one answer", name(OrderRotate, 1, pvs...), one, 2, downs(pvs...), "pvs3", 0, true)
	f("TFTP before HTTP", name(OrderFirst, 0, "web1", "pvs1"), one, 0, nil, "pvs1", 0, false)
	f("HTTP alone", name(OrderFirst, 0, "web1"), one, 0, nil, "web1", 0, false)
	f("unknown servers are out", name(OrderFirst, 0, "nobody", "pvs1"), one, 0, nil, "pvs1", 0, false)
	f("only nodes have the test bootstrap", Name{File: TestBootstrap, From: []string{"pvs1", "boot2"}, Order: OrderFirst}, one, 0, nil, "boot2", 0, false)

	r := Resolve(name(OrderFirst, 0, "nobody"), prefix(one), 0, dnsSite(), nil)
	if r.Reason != NoServer || len(r.Servers) != 0 {
		t.Errorf("a name without servers: %s %v", r.Reason, r.Servers)
	}
}

// A name and a rule that have the same file and servers name the same ones, whoever is down.
func TestResolveAgreesWithDecide(t *testing.T) {
	s := site("elsewhere")
	s.Rules = []Rule{{Name: "x", File: "f", From: []string{"boot1", "boot2", "pvs1", "pvs2"}}}
	n := Name{Name: "x", File: "f", From: s.Rules[0].From, Order: OrderFirst}
	c := Client{MAC: macA, Firmware: FirmwarePXE, Addr: netip.MustParseAddr("10.10.0.99")}
	for mask := range 16 {
		var dead []string
		for i, name := range n.From {
			if mask>>i&1 == 1 {
				dead = append(dead, name)
			}
		}
		d, r := Decide(c, s, downs(dead...)), Resolve(n, prefix("10.10.0.99/32"), 0, s, downs(dead...))
		if namesOf(d.Answer.Servers) != namesOf(r.Servers) || d.Answer.FailOpen != r.FailOpen {
			t.Errorf("dead %v: Decide %s (%v), Resolve %s (%v)", dead, namesOf(d.Answer.Servers), d.Answer.FailOpen, namesOf(r.Servers), r.FailOpen)
		}
	}
}

// The same subnet keeps its first server; when that dies nobody else moves, and when it comes back
// its clients do.
func TestSticky(t *testing.T) {
	s := dnsSite()
	n := Name{Name: "tftp", File: "f", From: []string{"pvs1", "pvs2", "pvs3"}, Order: OrderSticky}
	first := map[string]int{}
	for i := range 3000 {
		client := prefix(fmt.Sprintf("172.%d.%d.0/24", 16+i/256, i%256))
		before := Resolve(n, client, uint64(i), s, nil)
		host := netip.PrefixFrom(client.Addr().Next().Next(), 32)
		if again := Resolve(n, host, 99, s, nil); namesOf(again.Servers) != namesOf(before.Servers) || again.Scope != 24 {
			t.Fatalf("%s: %s scope %d, its subnet %s", host, namesOf(again.Servers), again.Scope, namesOf(before.Servers))
		}
		first[before.Servers[0].Name]++
		after := Resolve(n, client, 0, s, downs("pvs2"))
		want := slices.DeleteFunc(slices.Clone(before.Servers), func(x Server) bool { return x.Name == "pvs2" })
		if namesOf(after.Servers) != namesOf(want) {
			t.Fatalf("%s: %s, and without pvs2 %s", client, namesOf(before.Servers), namesOf(after.Servers))
		}
	}
	for name, count := range first {
		if count < 850 || count > 1150 {
			t.Errorf("%s is the first for %d of 3000 subnets, want about 1000", name, count)
		}
	}
}

func TestStickySubnet(t *testing.T) {
	s := dnsSite()
	s.Networks = append([]Network{{Name: "small", Subnet: prefix("10.40.0.64/26")}}, s.Networks...)
	f := func(client, want string) {
		t.Helper()
		if got := StickySubnet(prefix(client), s); got.String() != want {
			t.Errorf("%s sticks by %s, want %s", client, got, want)
		}
	}
	f("192.0.2.77/32", "192.0.2.0/24")
	f("10.10.1.5/32", "10.10.1.0/24") // within a /22 of the site file
	f("10.40.0.70/32", "10.40.0.64/26")
	f("10.0.0.0/16", "10.0.0.0/16") // a resolver tells no more
	f("0.0.0.0/0", "0.0.0.0/0")
	f("2001:db8:1:234::5/128", "2001:db8:1:200::/56")
	if got := StickySubnet(netip.Prefix{}, s); got.IsValid() {
		t.Errorf("nobody sticks by %s", got)
	}
}

// Arrange makes no garbage in a buffer with room, and never changes what it was given.
func TestArrangeAllocatesNothing(t *testing.T) {
	s := dnsSite()
	for _, o := range Orders() {
		n := Name{Name: "x", File: "f", From: []string{"pvs1", "pvs2", "pvs3"}, Order: o}
		l := Live(n, s, nil, nil)
		buf := make([]Server, 0, 8)
		client := prefix("192.0.2.1/32")
		if got := testing.AllocsPerRun(100, func() { _, _ = l.Arrange(n, client, rand.Uint64(), s, buf) }); got > 0 {
			t.Errorf("%s: %.0f allocations", o, got)
		}
		if namesOf(l.Servers) != "pvs1 pvs2 pvs3" {
			t.Errorf("%s changed the living: %s", o, namesOf(l.Servers))
		}
	}
}

func TestNameOf(t *testing.T) {
	s := dnsSite()
	s.Names = []Name{
		{Name: "other", File: "ARDBP32.BIN", From: []string{"pvs1", "pvs2"}},
		{Name: "uefi", Rule: "uefi", File: "snponly.efi", From: []string{"boot2"}},
	}
	for rule, want := range map[string]string{"uefi": "uefi", "pvs-bios": "other", "menu": "", "nothing": ""} {
		if n, ok := s.NameOf(rule); n.Name != want || ok != (want != "") {
			t.Errorf("rule %s has the name %q", rule, n.Name)
		}
	}
}

func TestAnswersText(t *testing.T) {
	for _, s := range []string{"all", "one", "7"} {
		if n, err := ParseAnswers(s); err != nil || AnswersText(n) != s {
			t.Errorf("%s is read as %d (%v), written %s", s, n, err, AnswersText(n))
		}
	}
	for _, s := range []string{"", "0", "-1", "1001", "two"} {
		if _, err := ParseAnswers(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}
