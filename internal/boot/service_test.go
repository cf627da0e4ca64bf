package boot

import (
	"net/netip"
	"strings"
	"testing"
)

func serviceSite() *Site {
	tftp := func(a string) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(a), 69) }
	web := func(a string) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(a), 8067) }
	return &Site{
		Self: "boot1",
		Servers: map[string]Server{
			"boot1": {Name: "boot1", Node: true, TFTP: tftp("10.0.0.11"), HTTP: web("10.0.0.11")},
			"boot2": {Name: "boot2", Node: true, TFTP: tftp("10.0.0.12"), HTTP: web("10.0.0.12")},
			"pvs1":  {Name: "pvs1", TFTP: tftp("10.0.0.21")},
		},
		Rules: []Rule{
			{Name: "pvs", File: "p", From: []string{"pvs1"}, When: Match{Arch: []Arch{0}}},
			{Name: "test", File: TestBootstrap, From: []string{"boot1", "boot2"}, When: Match{MAC: []string{"52:54:00:00:00:01"}}},
			{Name: "nodes", File: "n", From: []string{"boot2", "boot1"}},
		},
		Networks: []Network{
			{Name: "vdi", Subnet: netip.MustParsePrefix("10.0.0.0/24"), Deliver: DeliverProxy, VIP: "boot"},
			{Name: "plain", Subnet: netip.MustParsePrefix("10.0.1.0/24"), Deliver: DeliverProxy},
			{Name: "balanced", Subnet: netip.MustParsePrefix("10.0.2.0/24"), Deliver: DeliverProxy, VIP: "lb"},
		},
		VIPs: map[string]ServiceAddress{
			"boot": {Server: Server{Name: "vip:boot", Node: true, TFTP: tftp("10.0.0.20"), HTTP: web("10.0.0.20")}, Behind: []string{"boot1", "boot2"}},
			"lb":   {Server: Server{Name: "vip:lb", TFTP: tftp("10.0.0.30")}, Behind: []string{"pvs1", "boot1"}},
		},
	}
}

// A network that names a service address sends its machines there and nowhere else, whoever of the servers behind
// it lives; a rule whose servers do not stand behind it names these.
func TestServiceAddress(t *testing.T) {
	s := serviceSite()
	dead := func(names ...string) Down {
		return func(server, _ string, _ Protocol) bool {
			for _, n := range names {
				if n == server {
					return true
				}
			}
			return false
		}
	}
	for _, c := range []struct {
		name     string
		addr     string
		arch     Arch
		firmware Firmware
		mac      string
		down     Down
		servers  string
		vip      string
		open     bool
		says     string
	}{
		{"all live", "10.0.0.77", 7, FirmwarePXE, "", nil, "vip:boot", "boot", false, "2 of the rule's servers stand behind it, 2 of them deliver"},
		{"one is dead", "10.0.0.77", 7, FirmwarePXE, "", dead("boot1"), "vip:boot", "boot", false, "1 of them deliver"},
		{"all are dead", "10.0.0.77", 7, FirmwarePXE, "", dead("boot1", "boot2"), "vip:boot", "boot", true, "a monitor's mistake"},
		{"by HTTP", "10.0.0.77", 16, FirmwareUEFIHTTP, "", nil, "vip:boot", "boot", false, ""},
		{"the test bootstrap", "10.0.0.77", 7, FirmwarePXE, "52:54:00:00:00:01", nil, "vip:boot", "boot", false, ""},
		{"a rule of others", "10.0.0.77", 0, FirmwarePXE, "", nil, "pvs1", "", false, "none of the rule's servers stands behind it"},
		{"another network", "10.0.1.77", 7, FirmwarePXE, "", nil, "boot1 boot2", "", false, ""},
		{"balanced", "10.0.2.77", 0, FirmwarePXE, "", nil, "vip:lb", "lb", false, "1 of the rule's servers stand behind it"},
		{"balanced, by HTTP", "10.0.2.77", 16, FirmwareUEFIHTTP, "", nil, "boot1 boot2", "", false, "has no HTTP"},
		{"balanced, the test bootstrap", "10.0.2.77", 7, FirmwarePXE, "52:54:00:00:00:01", nil, "boot1 boot2", "", false, "no test bootstrap"},
	} {
		mac, _ := ParseMAC(c.mac)
		client := Client{Addr: netip.MustParseAddr(c.addr), Arch: c.arch, Firmware: c.firmware, MAC: mac}
		d := Decide(client, s, c.down)
		var names, trace []string
		for _, x := range d.Answer.Servers {
			names = append(names, x.Name)
		}
		for _, x := range d.Trace {
			trace = append(trace, x.Subject+": "+x.Why)
		}
		text := strings.Join(trace, "\n")
		if d.Reason != Answered || strings.Join(names, " ") != c.servers || d.Answer.VIP != c.vip || d.Answer.FailOpen != c.open || !strings.Contains(text, c.says) {
			t.Errorf("%s: %s %q %q fail open %v\n%s", c.name, d.Reason, names, d.Answer.VIP, d.Answer.FailOpen, text)
		}
		ch := NewChooser(s)
		fast := ch.Choose(client, c.down)
		if fast.Reason != d.Reason || len(fast.Answer.Servers) != len(d.Answer.Servers) || fast.Answer.Servers[0] != d.Answer.Servers[0] || fast.Answer.VIP != d.Answer.VIP {
			t.Errorf("%s: the Chooser says %+v", c.name, fast)
		}
	}
}

// Choosing a service address costs no memory.
func TestServiceAddressAllocatesNothing(t *testing.T) {
	ch := NewChooser(serviceSite())
	c := Client{Addr: netip.MustParseAddr("10.0.0.77"), Arch: 7, Firmware: FirmwarePXE}
	ch.Choose(c, nil)
	if n := testing.AllocsPerRun(100, func() { ch.Choose(c, nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
