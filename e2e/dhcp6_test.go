package e2e

import (
	"fmt"
	"strings"
	"testing"

	"surefoot/internal/boot"
	"surefoot/internal/lab"
)

// dhcp6Scenarios are boots over IPv6, with the addresses of our DHCPv6 server.
func dhcp6Scenarios() []scenario {
	return []scenario{
		{"dhcp6-pxe", dhcp6PXE},
		{"dhcp6-http", dhcp6HTTP},
		{"dhcp6-two-nodes", dhcp6TwoNodes},
		{"dhcp6-relay", dhcp6Relay},
		{"dhcp6-shared", dhcp6Shared},
	}
}

// site6 is a site whose machines boot over IPv6 alone.
func site6(nodes int, dir string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "site: e2e\nstate: %s\nnodes:\n", dir)
	for i := range nodes {
		fmt.Fprintf(&b, "  n%d: {address: %s, address6: %s}\n", i+1, lab.NodeAddr(i), lab.NodeAddr6(i))
	}
	b.WriteString("boot:\n  - {name: any, file: surefoot-test}\nnetworks:\n")
	split := ""
	if nodes == 2 {
		split = ", split: [{node: n1, range: fd77::1000-fd77::17ff}, {node: n2, range: fd77::1800-fd77::1fff}]"
	}
	fmt.Fprintf(&b, "  lab: {subnet: %s, deliver: none, subnet6: fd77::/64, dhcp6: {range: fd77::1000-fd77::1fff%s}}\n", lab.Subnet, split)
	if nodes == 1 {
		b.WriteString("  far: {subnet: 10.78.0.0/24, deliver: none, subnet6: fd78::/64, dhcp6: {range: fd78::1000-fd78::1fff}}\n")
	}
	return b.String()
}

func (b *bench) raise6(t *testing.T, o lab.Options) *stage {
	t.Helper()
	o.IPv6, o.Site = true, site6(o.Nodes, t.TempDir())
	return b.raise(t, o)
}

// UEFI firmware gets an address and the URL of its file, and downloads by TFTP, all over IPv6.
func dhcp6PXE(t *testing.T, b *bench) {
	s := b.raise6(t, lab.Options{Nodes: 1})
	r, vm := s.boot(lab.Machine{Firmware: lab.UEFI, IPv6: true})
	if r.Fields["node"] != "n1" || r.Fields["sum"] != "ok" {
		t.Errorf("report: %s", r.Line)
	}
	want(t, "console", vm.Console.Text(), "Start PXE over IPv6", "NBP filename is "+boot.TestBootstrapX64)
	st := s.delivered("n1", vm.MAC, boot.DiscoverSeen, boot.OfferSent, boot.RequestSeen, boot.AddressGiven, boot.ReadRequest, boot.TransferEnd)
	if st.Network != "lab" {
		t.Errorf("network %q, want lab", st.Network)
	}
}

// UEFI firmware boots by HTTP over IPv6.
func dhcp6HTTP(t *testing.T, b *bench) {
	s := b.raise6(t, lab.Options{Nodes: 1})
	r, vm := s.boot(lab.Machine{Firmware: lab.UEFIHTTP, IPv6: true})
	if r.Fields["node"] != "n1" || r.Fields["sum"] != "ok" {
		t.Errorf("report: %s", r.Line)
	}
	want(t, "console", vm.Console.Text(), "http://[fd77::11]:8067/"+boot.TestBootstrapX64)
	s.delivered("n1", vm.MAC, boot.DiscoverSeen, boot.OfferSent, boot.AddressGiven, boot.HTTPRequest, boot.TransferEnd)
}

// Both nodes answer, each names itself, and the machine takes one of them.
func dhcp6TwoNodes(t *testing.T, b *bench) {
	o := lab.Options{Nodes: 2, IPv6: true, Site: site6(2, t.TempDir())}
	s := b.build(t, o)
	for i := range o.Nodes {
		n := s.Node(fmt.Sprintf("n%d", i+1))
		if err := n.WriteSite(site6(2, t.TempDir())); err != nil { // each has its own leases
			t.Fatal(err)
		}
		if err := n.Start(s.ctx); err != nil {
			t.Fatal(err)
		}
	}
	r, _ := s.boot(lab.Machine{Firmware: lab.UEFI, IPv6: true})
	if r.Fields["sum"] != "ok" || r.Fields["node"] != "n1" && r.Fields["node"] != "n2" {
		t.Errorf("report: %s", r.Line)
	}
}

// The machine is behind a relay.
func dhcp6Relay(t *testing.T, b *bench) {
	s := b.raise6(t, lab.Options{Nodes: 1, Relay: true})
	r, vm := s.boot(lab.Machine{Firmware: lab.UEFI, IPv6: true, Behind: true})
	if r.Fields["node"] != "n1" || r.Fields["sum"] != "ok" {
		t.Errorf("report: %s", r.Line)
	}
	st := s.delivered("n1", vm.MAC, boot.DiscoverSeen, boot.OfferSent, boot.AddressGiven)
	if st.Network != "far" {
		t.Errorf("network %q, want far", st.Network)
	}
}
