package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"surefoot/internal/boot"
	"surefoot/internal/lab"
)

// dhcpScenarios are those in which the nodes hand out the addresses (deliver: dhcp).
func dhcpScenarios() []scenario {
	return []scenario{
		{"dhcp-bios", dhcpBIOS},
		{"dhcp-uefi", dhcpUEFI},
		{"dhcp-relay", dhcpRelay},
		{"dhcp-beside", dhcpBeside},
		{"dhcp-clients", dhcpClients},
		{"dhcp-clients-more", dhcpDaemons},
		{"dhcp-policies", dhcpEveryWay},
		{"dhcp-burst", dhcpBurst},
		{"dhcp-kill", dhcpKill},
		{"dhcp-full", dhcpFull},
		{"dhcp-hostile", dhcpHostile},
	}
}

// addressSite makes the site file of a node that hands out addresses.
type addressSite struct {
	roles string // "" is the default: everything but proxydhcp
	root  string
	rules string
	lab   string // the network of the servers; "" is 100 addresses by DHCP
	far   bool   // the network behind the relay gets its addresses from the node
	dhcp  string // more keys of the section dhcp
	file  string // of the leases; "" is one in a folder of the test
}

func (o addressSite) text(t *testing.T) string {
	t.Helper()
	if o.file == "" {
		o.file = filepath.Join(t.TempDir(), "leases.db")
	}
	if o.rules == "" {
		o.rules = fmt.Sprintf("  - {name: plain-pxe, when: {mac: [%q]}, file: surefoot-test, ipxe: file}\n", lab.MACPrefix(lab.BIOS)) +
			"  - {name: any, file: surefoot-test}\n"
	}
	if o.lab == "" {
		o.lab = "deliver: dhcp, dhcp: {range: 10.77.0.100-10.77.0.199}"
	}
	var b strings.Builder
	b.WriteString("site: e2e\n")
	if o.root != "" {
		fmt.Fprintf(&b, "root: %s\n", o.root)
	}
	roles := ""
	if o.roles != "" {
		roles = ", roles: [" + o.roles + "]"
	}
	fmt.Fprintf(&b, "nodes:\n  n1: {address: %s%s}\nboot:\n%s", lab.NodeAddr(0), roles, o.rules)
	fmt.Fprintf(&b, "dhcp: {leases: %q%s}\n", o.file, o.dhcp)
	fmt.Fprintf(&b, "networks:\n  lab: {subnet: %s, %s}\n", lab.Subnet, o.lab)
	if o.far {
		fmt.Fprintf(&b, "  far: {subnet: %s, deliver: dhcp, dhcp: {range: 10.78.0.100-10.78.0.199, router: %s}}\n", lab.RelaySubnet, lab.RelayClient)
	}
	return b.String()
}

// withAndWithout runs a scenario with the DHCP role alone, and with ProxyDHCP on the same node.
func withAndWithout(t *testing.T, f func(t *testing.T, roles string)) {
	for _, c := range []struct{ name, roles string }{{"dhcp", ""}, {"dhcp+proxydhcp", "dhcp, proxydhcp, tftp, http"}} {
		t.Run(c.name, func(t *testing.T) { f(t, c.roles) })
	}
}

// A BIOS machine and iPXE get address, server and file in one offer, and the system that runs afterwards
// keeps the address.
func dhcpBIOS(t *testing.T, b *bench) {
	withAndWithout(t, func(t *testing.T, roles string) {
		s := b.raise(t, lab.Options{Nodes: 1, OwnDHCP: true, Site: addressSite{roles: roles}.text(t)})
		r, vm := s.boot(lab.Machine{Firmware: lab.BIOS})
		from(t, r, "n1", n1)
		s.delivered("n1", vm.MAC, boot.DiscoverSeen, boot.OfferSent, boot.AddressGiven, boot.ReadRequest, boot.TransferEnd)
		s.keepsAddress(vm.MAC, r.Fields["ip"], false)

		r, vm = s.boot(lab.Machine{Firmware: lab.IPXE})
		if r.Fields["node"] != "n1" || r.Fields["sum"] != "ok" {
			t.Errorf("report: %s", r.Line)
		}
		s.delivered("n1", vm.MAC, boot.DiscoverSeen, boot.OfferSent, boot.AddressGiven, boot.ScriptSent, boot.HTTPRequest)
		s.keepsAddress(vm.MAC, r.Fields["ip"], false)
		s.noSecondStep()
	})
}

// UEFI firmware by PXE and by HTTP, and UEFI firmware that loads iPXE first.
func dhcpUEFI(t *testing.T, b *bench) {
	const program = "/usr/lib/ipxe/snponly.efi"
	needs(t, program, "ipxe")
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "snponly.efi"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	withAndWithout(t, func(t *testing.T, roles string) {
		chain := lab.MAC(lab.UEFI, 9)
		s := b.raise(t, lab.Options{Nodes: 1, OwnDHCP: true, Site: addressSite{
			roles: roles, root: root,
			rules: fmt.Sprintf("  - {name: to-ipxe, when: {mac: [%q]}, file: snponly.efi}\n  - {name: any, file: surefoot-test}\n", chain),
		}.text(t)})
		r, vm := s.boot(lab.Machine{Firmware: lab.UEFI})
		from(t, r, "n1", n1)
		s.delivered("n1", vm.MAC, boot.DiscoverSeen, boot.OfferSent, boot.AddressGiven, boot.ReadRequest, boot.TransferEnd)
		s.keepsAddress(vm.MAC, r.Fields["ip"], false)

		r, vm = s.boot(lab.Machine{Firmware: lab.UEFIHTTP})
		if got, url := r.Fields["url"], "http://"+n1+":8067/"+boot.TestBootstrapX64; got != url {
			t.Errorf("url %q, want %s", got, url)
		}
		s.delivered("n1", vm.MAC, boot.DiscoverSeen, boot.OfferSent, boot.AddressGiven, boot.HTTPRequest, boot.TransferEnd)
		s.keepsAddress(vm.MAC, r.Fields["ip"], false)

		r, vm = s.boot(lab.Machine{Firmware: lab.UEFI, MAC: chain})
		if r.Fields["node"] != "n1" || r.Fields["sum"] != "ok" {
			t.Errorf("chain: report: %s", r.Line)
		}
		want(t, "console", vm.Console.Text(), "snponly.efi", "/boot.ipxe?mac="+vm.MAC.String())
		s.delivered("n1", vm.MAC, boot.ReadRequest, boot.ScriptSent, boot.HTTPRequest)
		s.keepsAddress(vm.MAC, r.Fields["ip"], false)
		s.noSecondStep()
	})
}

// The machines are behind a relay, and the node is all the DHCP there is.
func dhcpRelay(t *testing.T, b *bench) {
	s := b.raise(t, lab.Options{Nodes: 1, Relay: true, OwnDHCP: true, Site: addressSite{far: true}.text(t)})
	s.bootFar()
}

// The node hands out the addresses of the network behind the relay, and serves that of a foreign DHCP
// server by ProxyDHCP.
func dhcpBeside(t *testing.T, b *bench) {
	s := b.raise(t, lab.Options{Nodes: 1, Relay: true, OwnFar: true, Site: addressSite{lab: "deliver: proxy", far: true}.text(t)})
	s.bootFar()
	for _, fw := range []lab.Firmware{lab.BIOS, lab.UEFI} {
		r, vm := s.boot(lab.Machine{Firmware: fw, MAC: lab.MAC(fw, 7)})
		from(t, r, "n1", n1)
		st := s.delivered("n1", vm.MAC, boot.DiscoverSeen, boot.OfferSent)
		if st.Network != "lab" || st.has(boot.AddressGiven, "") {
			t.Errorf("%s: network %q, steps %s: the foreign DHCP server gives the addresses of lab", fw, st.Network, st.kinds())
		}
	}
}

func (s *stage) bootFar() {
	for _, fw := range []lab.Firmware{lab.BIOS, lab.IPXE, lab.UEFI, lab.UEFIHTTP} {
		r, vm := s.boot(lab.Machine{Firmware: fw, Behind: true})
		if r.Fields["node"] != "n1" || !strings.HasPrefix(r.Fields["ip"], "10.78.0.") {
			s.t.Errorf("%s: report: %s", fw, r.Line)
		}
		if st := s.delivered("n1", vm.MAC, boot.DiscoverSeen, boot.OfferSent, boot.AddressGiven); st.Network != "far" {
			s.t.Errorf("%s: network %q, want far", fw, st.Network)
		}
		s.keepsAddress(vm.MAC, r.Fields["ip"], true)
	}
}

// noSecondStep fails the test if a machine asked port 4011: the offer with the address says all.
func (s *stage) noSecondStep() {
	s.t.Helper()
	if got := s.datagrams(to4011); len(got) != 0 {
		s.t.Errorf("%d packets to port 4011 although the offer said all", len(got))
	}
}

// keepsAddress fails the test unless a system with the machine's MAC, and an option 61 as systems send it,
// gets the address that the firmware had.
func (s *stage) keepsAddress(mac boot.MAC, had string, behind bool) {
	s.t.Helper()
	if got := s.udhcpc(mac, behind); got != had || had == "" {
		s.t.Errorf("%s had %q while it booted, and has %q as a system", mac, had, got)
	}
}

// card plugs in a network card with a MAC.
func (s *stage) card(mac boot.MAC, behind bool) (dev string) {
	s.t.Helper()
	dev = "c" + strings.ReplaceAll(mac.String(), ":", "")[6:]
	if err := s.Plug(s.ctx, "dhcp", dev, mac, behind); err != nil {
		s.t.Fatal(err)
	}
	return dev
}

// unplug removes a card: two with one MAC on a bridge take each other's packets.
func (s *stage) unplug(dev string) {
	s.t.Helper()
	if out, err := s.in("dhcp", "ip", "link", "del", dev).CombinedOutput(); err != nil {
		s.t.Fatalf("unplug %s: %v: %s", dev, err, out)
	}
}

var obtained = regexp.MustCompile(`lease of ([0-9.]+) obtained`)

// udhcpc returns the address that busybox's client gets with a MAC; it sends option 61 and takes one lease.
func (s *stage) udhcpc(mac boot.MAC, behind bool, extra ...string) string {
	s.t.Helper()
	dev := s.card(mac, behind)
	defer s.unplug(dev)
	args := append([]string{"busybox", "udhcpc", "-i", dev, "-f", "-q", "-n", "-t", "5", "-T", "2", "-s", "/bin/true"}, extra...)
	out, err := s.in("dhcp", args...).CombinedOutput()
	m := obtained.FindSubmatch(out)
	if err != nil || m == nil {
		s.t.Errorf("udhcpc: %v\n%s", err, out)
		return ""
	}
	return string(m[1])
}

// in is a command in the namespace of a part of the lab.
func (s *stage) in(part string, args ...string) *exec.Cmd {
	for _, space := range s.Spaces {
		if strings.HasSuffix(space, "-"+part) {
			return exec.CommandContext(s.ctx, "ip", append([]string{"netns", "exec", space}, args...)...)
		}
	}
	s.t.Fatalf("the lab has no part %q", part)
	return nil
}

// stormed is what `surefoot storm dhcp --json` says, as far as scenarios look at it.
type stormed struct {
	Machines, Begun, Offered, Leases, Refused, Failed, Changed, Sent int

	ByTry     []int    `json:"by_try"`
	Twice     []string `json:"twice"`
	PerSecond float64  `json:"per_second"`
}

// storm has machines ask for addresses from a part of the lab.
func (s *stage) storm(part string, args ...string) stormed {
	s.t.Helper()
	r, err := s.tryStorm(part, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *stage) tryStorm(part string, args ...string) (r stormed, err error) {
	cmd := s.in(part, append([]string{s.binary, "storm", "dhcp", "--interface", "eth0", "--json"}, args...)...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, _ := cmd.Output() // 3 says that not everybody was served: that is for the scenario to judge
	if err = json.Unmarshal(out, &r); err != nil {
		err = fmt.Errorf("surefoot storm dhcp: %w: %s%s", err, out, errs.String())
	}
	return r, err
}
