package probe

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/wire/pxe"
)

// segment is a client with a bridge, on which two machines with dnsmasq are: a hands out addresses
// and answers DNS, b is a ProxyDHCP.
type segment struct {
	t        *testing.T
	pc, a, b string
}

func newSegment(t *testing.T) *segment {
	t.Helper()
	masq, err := exec.LookPath("dnsmasq")
	require(t, err == nil && os.Geteuid() == 0, "needs dnsmasq and root")
	_, err = exec.LookPath("nft")
	require(t, err == nil, "needs nft (Debian: nftables)")
	name := fmt.Sprintf("sf-k%d-", os.Getpid())
	s := &segment{t: t, pc: name + "pc", a: name + "a", b: name + "b"}
	for _, ns := range []string{s.pc, s.a, s.b} {
		command(t, "ip", "netns", "add", ns)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", ns).Run() })
		command(t, "ip", "-n", ns, "link", "set", "lo", "up")
	}
	command(t, "ip", "-n", s.pc, "link", "add", "br0", "type", "bridge", "forward_delay", "0", "stp_state", "0")
	command(t, "ip", "-n", s.pc, "link", "set", "br0", "up")
	command(t, "ip", "-n", s.pc, "addr", "add", "10.9.0.2/24", "dev", "br0")
	command(t, "ip", "-n", s.pc, "link", "add", "lone0", "type", "veth", "peer", "name", "lone1")
	for _, l := range []string{"lone0", "lone1"} {
		command(t, "ip", "-n", s.pc, "link", "set", l, "up")
	}
	for ns, addr := range map[string]string{s.a: "10.9.0.1/24", s.b: "10.9.0.3/24"} {
		port := "p" + ns[len(ns)-1:]
		command(t, "ip", "-n", s.pc, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", ns)
		command(t, "ip", "-n", s.pc, "link", "set", port, "master", "br0", "up")
		command(t, "ip", "-n", ns, "addr", "add", addr, "dev", "eth0")
		command(t, "ip", "-n", ns, "link", "set", "eth0", "up")
	}
	s.dnsmasq(s.a, masq, "--port=53", "--no-resolv", "--no-hosts", "--dhcp-range=10.9.0.100,10.9.0.199,1h", "--no-ping",
		"--address=/boot.lab/10.9.0.1", "--srv-host=_tftp._udp.lab,boot.lab,69", "--local=/lab/")
	s.dnsmasq(s.b, masq, "--port=0", "--dhcp-range=10.9.0.0,proxy", "--pxe-service=X86-64_EFI,Boot,snponly.efi", "--pxe-service=x86PC,Boot,undionly")
	return s
}

func (s *segment) dnsmasq(ns, masq string, args ...string) {
	s.t.Helper()
	log := filepath.Join(s.t.TempDir(), "log")
	cmd := exec.Command("ip", append([]string{
		"netns", "exec", ns, masq, "--no-daemon", "--conf-file=/dev/null", "--interface=eth0", "--bind-interfaces",
		"--leasefile-ro", "--user=root", "--pid-file=", "--log-facility=" + log,
	}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		out, _ := exec.Command("ip", "netns", "exec", ns, "ss", "-lnuH", "sport", "=", ":67").Output()
		if len(out) > 0 {
			return
		}
		if time.Now().After(end) {
			b, _ := os.ReadFile(log)
			s.t.Fatalf("%v\n%s", errNotUp, b)
		}
	}
}

func (s *segment) dhcp(o DHCPOptions) (res Result) {
	if o.Interface == "" {
		o.Interface = "br0"
	}
	o.Wait = time.Second
	within(s.t, s.pc, func() { res = DHCP(s.t.Context(), o) })
	return res
}

func wantFault(t *testing.T, what string, res Result, code Code, has ...string) {
	t.Helper()
	got, said := Code(""), ""
	if res.Fault != nil {
		got, said = res.Fault.Code, res.Fault.Text
	}
	if got != code {
		t.Errorf("%s: named %q, want %q: %s\n%v", what, got, code, said, res.Trace)
		return
	}
	if code == "" && (!res.Available || res.Response <= 0) {
		t.Errorf("%s: %+v", what, res)
	}
	for _, h := range has {
		if !strings.Contains(said, h) {
			t.Errorf("%s: %q does not say %q", what, said, h)
		}
	}
}

func (s *segment) nft(ns, text string) {
	s.t.Helper()
	cmd := exec.Command("ip", "netns", "exec", ns, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader("flush ruleset\n" + text)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("nft: %v\n%s", err, out)
	}
}

// Every kind but downloads, against dnsmasq.
func TestKinds(t *testing.T) {
	s := newSegment(t)
	a, b := netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("10.9.0.3")

	t.Run("dhcp", func(t *testing.T) {
		res := s.dhcp(DHCPOptions{As: ClientEDK2, Expect: []netip.Addr{a, b}})
		wantFault(t, "both expected", res, "")
		found := map[string]Offer{}
		for _, o := range res.Offers {
			found[o.Server] = o
		}
		if o := found["10.9.0.1"]; o.Class != pxe.OfferDHCPOnly || !strings.HasPrefix(o.Address, "10.9.0.1") || o.Takes != "address" || o.MAC == "" {
			t.Errorf("the DHCP server's offer: %+v", o)
		}
		if o := found["10.9.0.3"]; o.Class != pxe.OfferProxyBINL || o.Address != "" || o.Takes != "boot" || o.Next != "10.9.0.3" {
			t.Errorf("the proxy's offer: %+v", o)
		}
		if res.Choice == "" || len(res.Offers) != 2 {
			t.Errorf("%d offers, choice %q", len(res.Offers), res.Choice)
		}

		wantFault(t, "a stranger", s.dhcp(DHCPOptions{As: ClientPXE, Expect: []netip.Addr{a}}), OtherServer, "10.9.0.3", "MAC")
		wantFault(t, "one too few", s.dhcp(DHCPOptions{Expect: []netip.Addr{a, b, netip.MustParseAddr("10.9.0.4")}}), MissingServer, "10.9.0.4")

		// A boot device manager asks without PXE options, so the proxy is silent; its MAC here is no
		// interface's, and the offer comes by unicast to it (flags 0).
		res = s.dhcp(DHCPOptions{As: ClientBDM, MAC: boot.MAC{2, 1, 2, 3, 4, 5}, Expect: []netip.Addr{a}})
		wantFault(t, "as bdm", res, "")
		if len(res.Trace) == 0 || !strings.Contains(res.Trace[0].What, "flags 0,") {
			t.Errorf("trace %v", res.Trace)
		}
		res = s.dhcp(DHCPOptions{As: ClientIPXE, Broadcast: []bool{false, true}})
		wantFault(t, "both flags", res, "")
		if len(res.Offers) != 4 {
			t.Errorf("%d offers of two servers to two questions", len(res.Offers))
		}
		s.nft(s.a, "table ip t { chain c { type filter hook output priority 0; udp dport 68 ip daddr != 255.255.255.255 drop\n}\n}\n")
		wantFault(t, "the flag matters", s.dhcp(DHCPOptions{As: ClientBDM, Broadcast: []bool{false, true}}), FlagMatters, "10.9.0.1 answers a DISCOVER with flags 0x8000 and none with flags 0")
		s.nft(s.a, "")

		wantFault(t, "nobody there", s.dhcp(DHCPOptions{Interface: "lone0"}), NoAnswer, "no offer on lone0")
		wantFault(t, "no such interface", s.dhcp(DHCPOptions{Interface: "none0"}), LocalError, "none0")
		wantFault(t, "no Ethernet", s.dhcp(DHCPOptions{Interface: "lo"}), LocalError, "not an Ethernet")
	})

	t.Run("pxe", func(t *testing.T) {
		ask := func(o PXEOptions) (res Result) {
			within(t, s.pc, func() { res = PXE(t.Context(), o) })
			return res
		}
		res := ask(PXEOptions{Server: "10.9.0.3"})
		wantFault(t, "as edk2", res, "")
		if len(res.Offers) != 1 || res.Offers[0].File != "snponly.efi" || res.DataFrom != "10.9.0.3:4011" || len(res.Notes) > 0 {
			t.Errorf("%+v", res)
		}
		wantFault(t, "as a ROM", ask(PXEOptions{Server: "10.9.0.3", As: ClientPXE, Item: 0x8001, File: "undionly.0"}), "")
		wantFault(t, "another file", ask(PXEOptions{Server: "10.9.0.3", File: "other.efi"}), BadAnswer, "snponly.efi", "other.efi")
		wantFault(t, "nobody listens", ask(PXEOptions{Server: "10.9.0.1"}), Refused)
		wantFault(t, "dead host", ask(PXEOptions{Server: "10.9.0.77"}), HostDown, "does not answer ARP")
	})

	t.Run("dns", func(t *testing.T) {
		ask := func(o DNSOptions) (res Result) {
			if o.Server == "" {
				o.Server = "10.9.0.1"
			}
			o.Timeout = 2 * time.Second
			within(t, s.pc, func() { res = DNS(t.Context(), o) })
			return res
		}
		res := ask(DNSOptions{Name: "boot.lab", Expect: []string{"10.9.0.1"}})
		wantFault(t, "an address", res, "")
		if len(res.Records) != 1 || res.Records[0] != (Record{Name: "boot.lab.", Type: "A", Value: "10.9.0.1"}) || res.Server != "10.9.0.1:53" || len(res.Notes) > 0 {
			t.Errorf("%+v", res)
		}
		byTCP := false
		for _, p := range res.Trace {
			byTCP = byTCP || p.Sent && strings.HasSuffix(p.What, "by TCP")
		}
		if !byTCP {
			t.Errorf("not asked by TCP: %v", res.Trace)
		}
		wantFault(t, "another address", ask(DNSOptions{Name: "boot.lab", Expect: []string{"10.9.0.2"}}), WrongRecords, "missing: 10.9.0.2", "not expected: 10.9.0.1")
		wantFault(t, "srv", ask(DNSOptions{Name: "_tftp._udp.lab", Types: []string{"SRV"}, Expect: []string{"0 0 69 boot.lab."}}), "")
		wantFault(t, "no such name", ask(DNSOptions{Name: "none.lab"}), NotResolved, "no name none.lab")
		wantFault(t, "no such type", ask(DNSOptions{Name: "boot.lab", Types: []string{"TXT"}}), NotResolved, "boot.lab")
		wantFault(t, "another's zone", ask(DNSOptions{Name: "example.com"}), ServerError, "REFUSED")
		wantFault(t, "nobody listens", ask(DNSOptions{Name: "boot.lab", Server: "10.9.0.3"}), Refused)
		s.nft(s.a, "table ip t { chain c { type filter hook input priority 0; tcp dport 53 reject\n}\n}\n")
		res = ask(DNSOptions{Name: "boot.lab"})
		wantFault(t, "no TCP", res, "")
		if len(res.Notes) != 1 || !strings.Contains(res.Notes[0], "TCP") {
			t.Errorf("notes %q", res.Notes)
		}
	})
}
