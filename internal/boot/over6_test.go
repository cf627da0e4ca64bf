package boot

import (
	"net/netip"
	"strings"
	"testing"
)

// A machine that boots over IPv6 is named the servers' IPv6 addresses, and no server that has none, whatever the network
// does for IPv4.
func TestOver6(t *testing.T) {
	ap := netip.MustParseAddrPort
	s := &Site{
		Self:  "n1",
		Rules: []Rule{{Name: "any", File: "a.efi", From: []string{"old", "n2", "n1"}}},
		Servers: map[string]Server{
			"n1":  {Name: "n1", Node: true, TFTP: ap("10.0.0.1:69"), HTTP: ap("10.0.0.1:80"), TFTP6: ap("[fd00::1]:69"), HTTP6: ap("[fd00::1]:80")},
			"n2":  {Name: "n2", Node: true, TFTP: ap("10.0.0.2:69"), TFTP6: ap("[fd00::2]:69")},
			"old": {Name: "old", TFTP: ap("10.0.0.3:69")},
		},
		Networks: []Network{
			{Name: "six", Subnet6: netip.MustParsePrefix("fd01::/64"), Deliver: DeliverNone},
			{Name: "both", Subnet: netip.MustParsePrefix("10.0.0.0/24"), Subnet6: netip.MustParsePrefix("fd00::/64"), Deliver: DeliverProxy},
		},
	}
	for addr, want := range map[string]string{
		"fd00::99": "both n1@[fd00::1]:69 n2@[fd00::2]:69", "fd01::99": "six n1@[fd00::1]:69 n2@[fd00::2]:69",
		"10.0.0.99": "both n1@10.0.0.1:69 old@10.0.0.3:69 n2@10.0.0.2:69",
	} {
		c := Client{Arch: ArchX64, Firmware: FirmwareEDK2, Link: netip.PrefixFrom(netip.MustParseAddr(addr), 64)}
		d := Decide(c, s, nil)
		got := d.Answer.Network
		for _, srv := range d.Answer.Servers {
			got += " " + srv.Name + "@" + srv.TFTP.String()
		}
		if got != want || d.Reason != Answered {
			t.Errorf("%s: %s %q, want %q", addr, d.Reason, got, want)
		}
		if short := NewChooser(s).Choose(c, nil); len(short.Answer.Servers) != len(d.Answer.Servers) || short.Answer.Servers[0] != d.Answer.Servers[0] {
			t.Errorf("%s: chosen without a trace: %+v", addr, short.Answer)
		}
	}
	six := Client{Arch: ArchX64HTTP, Firmware: FirmwareUEFIHTTP, Link: netip.MustParsePrefix("fd01::/64")}
	d := Decide(six, s, func(server, _ string, by Protocol) bool { return server == "n1" })
	if len(d.Answer.Servers) != 1 || !d.Answer.FailOpen {
		t.Errorf("one server has HTTP over IPv6, and it is down: %+v", d.Answer)
	}
	var why []string
	for _, step := range d.Trace {
		if step.Subject == "server n2" {
			why = append(why, step.Why)
		}
	}
	if strings.Join(why, "") != "has no HTTP, which this client needs over IPv6" {
		t.Errorf("the trace says of n2: %q", why)
	}
}
