package watch

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/health"
	"surefoot/internal/kernel/link"
	"surefoot/internal/probe"
)

// A segment is asked by DHCPv6 where the nodes answer that, and judged by who answers with what.
func TestAsk6(t *testing.T) {
	a, ap := netip.MustParseAddr, netip.MustParseAddrPort
	site := &boot.Site{
		Name: "lab", Self: "boot1",
		Rules: []boot.Rule{{Name: "far", File: "http://boot.example/x.efi"}},
		Servers: map[string]boot.Server{
			"boot1": {Name: "boot1", Node: true, TFTP6: ap("[fd77::11]:69"), HTTP6: ap("[fd77::11]:8067")},
			"boot2": {Name: "boot2", Node: true, TFTP6: ap("[fd77::12]:69")},
		},
		Networks: []boot.Network{
			{Name: "vdi", Subnet6: netip.MustParsePrefix("fd77::/64")},
			{Name: "info", Subnet6: netip.MustParsePrefix("fd78::/64")},
			{Name: "none", Subnet6: netip.MustParsePrefix("fd79::/64")},
		},
	}
	ours := probe.Offer{Server: "fe80::2", From: "fe80::2", MAC: "02:00:00:00:00:02", Address: "fd77::1000", File: "tftp://[fd77::12]/x.efi", After: int64(time.Millisecond)}
	for _, x := range []struct {
		name    string
		addr    string
		offers  []probe.Offer
		state   health.Status
		known   string
		inform  bool
		missing int
	}{
		{"a node", "fd77::11/64", []probe.Offer{ours}, Answered, "node boot2", false, 1},
		{"this node", "fd77::11/64", []probe.Offer{{Server: "fe80::1", From: "fe80::1", Address: "fd77::1", File: "tftp://[fd00::9]/x"}}, Answered, "this node", false, 1},
		{"a stranger", "fd77::11/64", []probe.Offer{{Server: "fe80::bad", From: "fe80::bad", Address: "fd77::1", File: "tftp://[fd77::bad]/x.efi"}}, Answered, "", false, 1},
		{"a stranger that names one of ours as well", "fd77::11/64", []probe.Offer{ours, {Server: "fe80::2", From: "fe80::2", File: "tftp://[fd77::bad]/x.efi"}}, Answered, "", false, 1},
		{"expected", "fd77::11/64", []probe.Offer{{Server: "fe80::e", From: "fe80::e", Address: "fd77::1", File: "tftp://other/x"}}, Answered, "expected", false, 0},
		{"a URL of the site file", "fd77::11/64", []probe.Offer{{Server: "fe80::3", From: "fe80::3", Address: "fd77::1", File: "http://boot.example/x.efi"}}, Answered, "rule far", false, 1},
		{"an answer without an address", "fd77::11/64", []probe.Offer{{Server: "fe80::2", From: "fe80::2", File: "tftp://[fd77::12]/x.efi"}}, Silent, "node boot2", false, 1},
		{"the same where addresses come from elsewhere", "fd78::11/64", []probe.Offer{{Server: "fe80::2", From: "fe80::2", File: "tftp://[fd77::12]/x.efi"}}, Answered, "node boot2", true, 1},
		{"nobody", "fd77::11/64", nil, Silent, "-", false, 1},
		{"a network that is not served", "fd79::11/64", []probe.Offer{ours}, LeftOut, "-", false, 0},
		{"no network", "fd99::11/64", []probe.Offer{ours}, LeftOut, "-", false, 0},
	} {
		c := Discovery{Site: site, NoAddress: map[string]bool{"vdi": false, "info": true}, Expect: []netip.Addr{a("fe80::e"), a("10.0.0.1")}, Wait: time.Second}
		l := &Look{Name: "dhcp6/eth0", Interface: "eth0"}
		state, text := c.ask6(t.Context(), DiscoverDeps{
			Link: func(string) (link.Link, error) {
				return link.Link{Name: "eth0", MAC: boot.MAC{2, 0, 0, 0, 0, 1}}, nil
			},
			Addrs6: func(string) ([]netip.Prefix, error) {
				return []netip.Prefix{netip.MustParsePrefix("fe80::1/64"), netip.MustParsePrefix(x.addr)}, nil
			},
			Ask6: func(_ context.Context, o probe.DHCP6Options) probe.Result {
				if o.NoAddress != x.inform || !o.Monitor || o.Interface != "eth0" {
					t.Errorf("%s: asked with %+v", x.name, o)
				}
				return probe.Result{Offers: x.offers}
			},
		}, l)
		if state != x.state || text == "" || len(l.Missing) != x.missing {
			t.Errorf("%s: %s, %q, missing %v", x.name, state, text, l.Missing)
		}
		if x.known == "-" {
			continue
		}
		if len(l.Services) == 0 || l.Services[0].Known != x.known || l.Services[0].Stranger() != (x.known == "") {
			t.Errorf("%s: %+v", x.name, l.Services)
		}
		if !strings.HasSuffix(l.Network, suffix6) {
			t.Errorf("%s: network %q", x.name, l.Network)
		}
	}
}

// A segment of each protocol is kept for an interface, and only where DHCPv6 is answered at all.
func TestSegments6(t *testing.T) {
	cfg := Discovery{Site: &boot.Site{Self: "boot1"}, Interfaces: []string{"eth0"}, Every: time.Minute}
	d, err := NewDiscoverer(cfg, DiscoverDeps{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(d.Segments(Query{})); n != 1 {
		t.Errorf("%d segments", n)
	}
	cfg.NoAddress = map[string]bool{"vdi": false}
	d.Apply(cfg)
	if s := d.Segments(Query{}); len(s) != 2 || s[1].Name != "dhcp6/eth0" {
		t.Errorf("%+v", s)
	}
}
