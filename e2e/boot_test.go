package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"surefoot/internal/boot"
	"surefoot/internal/lab"
)

// bootScenarios are plain boots: each kind of firmware, each way to the bootstrap.
func bootScenarios() []scenario {
	return []scenario{
		{"bios-proxy", biosProxy},
		{"bios-script", biosScript},
		{"uefi-pxe4", uefiPXE4},
		{"uefi-http4", uefiHTTP4},
		{"uefi-ipxe", uefiIPXE},
		{"same-host", sameHost},
		{"relay", relay},
	}
}

const n1 = "10.77.0.11"

func to4011(u lab.UDP) bool { return u.Dst.Port() == 4011 }

// A BIOS machine is told server and file in the offer itself, and downloads by TFTP.
func biosProxy(t *testing.T, b *bench) {
	s := b.raise(t, lab.Options{Nodes: 1})
	r, vm := s.boot(lab.Machine{Firmware: lab.BIOS})
	from(t, r, "n1", n1)
	if got := r.Fields["file"]; got != boot.TestBootstrapBIOS {
		t.Errorf("file %q, want %s", got, boot.TestBootstrapBIOS)
	}
	s.delivered("n1", vm.MAC, boot.DiscoverSeen, boot.OfferSent, boot.ReadRequest, boot.TransferEnd)
	if got := s.datagrams(to4011); len(got) != 0 {
		t.Errorf("the machine asked port 4011 although the offer said all: %d packets", len(got))
	}
	if got := s.datagrams(lab.UDP.IsReadRequest); len(got) == 0 {
		t.Error("no read request was seen")
	}
}

// iPXE is told the URL of a script that the node makes for it, and gets everything by HTTP.
func biosScript(t *testing.T, b *bench) {
	s := b.raise(t, lab.Options{Nodes: 1})
	r, vm := s.boot(lab.Machine{Firmware: lab.IPXE})
	if r.Fields["node"] != "n1" || r.Fields["sum"] != "ok" {
		t.Errorf("report: %s", r.Line)
	}
	want(t, "console", vm.Console.Text(), "/boot.ipxe?mac="+vm.MAC.String())
	st := s.delivered("n1", vm.MAC, boot.DiscoverSeen, boot.OfferSent, boot.ScriptSent, boot.HTTPRequest)
	if st.Firmware != string(boot.FirmwareIPXE) {
		t.Errorf("the story says firmware %q, want ipxe", st.Firmware)
	}
	if got := s.datagrams(lab.UDP.IsReadRequest); len(got) != 0 {
		t.Errorf("%d read requests by TFTP, want none", len(got))
	}
}

// UEFI firmware asks port 4011, probes the size, and downloads by TFTP.
func uefiPXE4(t *testing.T, b *bench) {
	s := b.raise(t, lab.Options{Nodes: 1})
	r, vm := s.boot(lab.Machine{Firmware: lab.UEFI})
	from(t, r, "n1", n1)
	s.checkUEFI("n1", vm)
}

// checkUEFI looks for the traces of a PXE boot of UEFI firmware.
func (s *stage) checkUEFI(node string, vm *lab.VM) {
	s.t.Helper()
	st := s.delivered(node, vm.MAC, boot.DiscoverSeen, boot.OfferSent, boot.BootRequestSeen, boot.BootReplySent, boot.ReadRequest)
	if !st.has(boot.TransferEnd, boot.TsizeProbe) {
		s.t.Errorf("the story does not know the size probe for what it is: %s", st.kinds())
	}
	if got := s.datagrams(to4011); len(got) < 2 {
		s.t.Errorf("%d packets to port 4011, want a request and a reply", len(got))
	}
}

// UEFI firmware boots by HTTP.
func uefiHTTP4(t *testing.T, b *bench) {
	s := b.raise(t, lab.Options{Nodes: 1})
	r, vm := s.boot(lab.Machine{Firmware: lab.UEFIHTTP})
	if r.Fields["node"] != "n1" || r.Fields["sum"] != "ok" {
		t.Errorf("report: %s", r.Line)
	}
	if got, url := r.Fields["url"], "http://"+n1+":8067/"+boot.TestBootstrapX64; got != url {
		t.Errorf("url %q, want %s", got, url)
	}
	s.delivered("n1", vm.MAC, boot.DiscoverSeen, boot.OfferSent, boot.HTTPRequest, boot.TransferEnd)
	if got := s.datagrams(lab.UDP.IsReadRequest); len(got) != 0 {
		t.Errorf("%d read requests by TFTP, want none", len(got))
	}
}

// UEFI firmware loads iPXE from the root by TFTP; that iPXE asks again and gets its script.
func uefiIPXE(t *testing.T, b *bench) {
	program, err := os.ReadFile("/usr/lib/ipxe/snponly.efi") // Debian's package ipxe
	if err != nil {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "snponly.efi"), program, 0o644); err != nil {
		t.Fatal(err)
	}
	s := b.raise(t, lab.Options{Nodes: 1, Site: site{
		root:  root,
		rules: "  - {name: to-ipxe, when: {arch: uefi-x64}, file: snponly.efi}\n  - {name: test, file: surefoot-test}\n",
	}.text(1)})
	r, vm := s.boot(lab.Machine{Firmware: lab.UEFI})
	if r.Fields["node"] != "n1" || r.Fields["sum"] != "ok" {
		t.Errorf("report: %s", r.Line)
	}
	console := vm.Console.Text()
	want(t, "console", console, "snponly.efi", "/boot.ipxe?mac="+vm.MAC.String())
	if strings.Count(console, "iPXE initialising devices") > 1 {
		t.Error("iPXE was started more than once")
	}
	st := s.delivered("n1", vm.MAC, boot.BootReplySent, boot.ReadRequest, boot.ScriptSent, boot.HTTPRequest)
	if st.Rule != "test" {
		t.Errorf("the story ends with rule %q, want test", st.Rule)
	}
}

// The DHCP server and the node share a machine: port 67 is taken, and it works.
func sameHost(t *testing.T, b *bench) {
	s := b.raise(t, lab.Options{Nodes: 1, SameHost: true})
	for _, fw := range []lab.Firmware{lab.BIOS, lab.UEFI} {
		r, vm := s.boot(lab.Machine{Firmware: fw})
		from(t, r, "n1", n1)
		s.delivered("n1", vm.MAC, boot.DiscoverSeen, boot.OfferSent, boot.ReadRequest)
	}
}

// The machines are on another network, behind a relay to the DHCP server and to the node.
func relay(t *testing.T, b *bench) {
	s := b.raise(t, lab.Options{Nodes: 1, Relay: true, Site: site{networks: "  far: {subnet: 10.78.0.0/24}\n"}.text(1)})
	for _, fw := range []lab.Firmware{lab.BIOS, lab.IPXE, lab.UEFI} {
		r, vm := s.boot(lab.Machine{Firmware: fw, Behind: true})
		if r.Fields["node"] != "n1" || !strings.HasPrefix(r.Fields["ip"], "10.78.0.") {
			t.Errorf("%s: report: %s", fw, r.Line)
		}
		st := s.delivered("n1", vm.MAC, boot.DiscoverSeen, boot.OfferSent)
		if st.Network != "far" {
			t.Errorf("%s: network %q, want far", fw, st.Network)
		}
	}
}
