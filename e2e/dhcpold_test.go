package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"surefoot/internal/lab"
)

// Machines that have an address from elsewhere and ask for everything else (INFORM, RFC 2131 section 4.3.5):
// dhcping asks one server, dhcpcd everybody.
func inform(t *testing.T, b *bench) {
	s := b.raise(t, lab.Options{Nodes: 1, OwnDHCP: true, Site: addressSite{
		lab: "deliver: dhcp, dhcp: {range: 10.77.0.100-10.77.0.199, router: 10.77.0.1, dns: [10.77.0.53]}",
	}.text(t)})
	mac := machine(7)
	dev := s.card(mac, false)
	s.ip("dhcp", "addr", "add", "10.77.0.61/24", "dev", dev)
	out, err := s.in("dhcp", "dhcping", "-v", "-i", "-c", "10.77.0.61", "-s", n1, "-h", mac.String()).CombinedOutput()
	if err != nil {
		t.Errorf("dhcping: %v\n%s", err, out)
	}
	want(t, "dhcping", string(out), "Got answer from: "+n1)
	s.awaitMessages(mac, 0, "inform unicast", "ack unicast")

	dir := t.TempDir()
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n[ \"$reason\" = INFORM ] && echo \"$new_routers, $new_domain_name_servers\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	n := len(s.messages(mac))
	g, _ := s.said("dhcp", "sh", "-c", `mount --bind "$1" /var/lib && mount --bind "$1" /run && shift && exec "$@"`, "sh", dir,
		"dhcpcd", "-4", "-B", "-d", "--noarp", "-f", "/dev/null", "-o", "routers,domain_name_servers", "-c", script, "--inform=10.77.0.61/24", dev)
	g.await(`received approval for 10\.77\.0\.61`)
	g.await(`10\.77\.0\.1, 10\.77\.0\.53`)
	s.awaitMessages(mac, n, "inform broadcast", "ack unicast")
	for _, u := range s.datagrams(func(u lab.UDP) bool { kind, _, _, ok := u.DHCPType(); return ok && kind == 5 }) {
		if _, _, addr, _ := u.DHCPType(); !addr.IsUnspecified() {
			t.Errorf("an answer to INFORM gives the address %s", addr)
		}
	}
}

// A machine that knows no DHCP (RFC 951): it gets the address that is reserved for it, and its file; without a
// reservation it gets nothing, since it would never give an address back.
func bootp(t *testing.T, b *bench) {
	mac := machine(8)
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "boot.bin"), make([]byte, 1000), 0o644); err != nil {
		t.Fatal(err)
	}
	s := b.raise(t, lab.Options{Nodes: 1, OwnDHCP: true, Site: addressSite{
		root: root, rules: "  - {name: any, file: boot.bin}\n",
		lab: "deliver: dhcp, dhcp: {range: 10.77.0.100-10.77.0.199, router: 10.77.0.1, dns: [10.77.0.53]}, reservations: [{mac: \"" + mac.String() + "\", ip: 10.77.0.90}]",
	}.text(t)})
	ask := func(dev string) (string, error) {
		s.ip("dhcp", "route", "add", "255.255.255.255", "dev", dev)
		out, err := s.in("dhcp", "bootpc", "--dev", dev, "--timeoutwait", "3", "--returniffail", "--serverbcast", "--server", "255.255.255.255").CombinedOutput()
		s.unplug(dev)
		return string(out), err
	}
	out, err := ask(s.card(mac, false))
	if err != nil {
		t.Errorf("bootpc: %v", err)
	}
	want(t, "bootpc", out, "IPADDR='10.77.0.90'", "SERVER='"+n1+"'", "BOOTFILE='boot.bin'", "NETMASK='255.255.255.0'", "GATEWAYS='10.77.0.1'", "DNSSRVS='10.77.0.53'")

	begun := time.Now()
	if out, err := ask(s.card(machine(9), false)); err == nil {
		t.Errorf("without a reservation, after %s:\n%s", time.Since(begun), out)
	}
}

// Two networks on one wire: the machine that finds the first one full gets an address of the second, and goes
// on having it.
func sharedWire(t *testing.T, b *bench) {
	s := b.raise(t, lab.Options{Nodes: 1, OwnDHCP: true, Site: addressSite{
		lab: "deliver: dhcp, dhcp: {range: 10.77.0.100, wire: one}}\n  more: {subnet: 10.79.0.0/24, deliver: dhcp, dhcp: {range: 10.79.0.10-10.79.0.20, wire: one}",
	}.text(t)})
	if got := s.udhcpc(machine(10), false); got != "10.77.0.100" {
		t.Errorf("the first machine has %s", got)
	}
	for range 2 {
		if got := s.udhcpc(machine(11), false); !strings.HasPrefix(got, "10.79.0.") {
			t.Errorf("the second machine has %s", got)
		}
	}
}

// ip runs an iproute2 command in a part.
func (s *stage) ip(part string, args ...string) {
	s.t.Helper()
	if out, err := s.in(part, append([]string{"ip"}, args...)...).CombinedOutput(); err != nil {
		s.t.Fatalf("ip %q: %v: %s", args, err, out)
	}
}
