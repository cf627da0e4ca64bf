package cli

import (
	"encoding/json"
	"strings"
	"testing"

	dnsrole "surefoot/internal/serve/dns"
)

// dnsSite is a site of which one network is told names.
func dnsSite() string {
	s := strings.Replace(explainSite, "vdi: {subnet: 10.10.0.0/22, deliver: proxy, bios: direct}", "vdi: {subnet: 10.10.0.0/22, deliver: dns}", 1)
	s = strings.Replace(s, "from: [pvs1]}", "from: [pvs1, pvs2]}", 1)
	s = strings.Replace(s, "pvs1: {tftp: 10.10.0.21}", "pvs1: {tftp: 10.10.0.21}\n  pvs2: {tftp: 10.10.0.22}", 1)
	return s + `dns:
  zone: boot.hq.example.net
  names:
    pvs: {file: ARDBP32.BIN, order: sticky}
    "imageserver1.hq.example.net.": {file: ARDBP32.BIN, answers: one, order: first}
`
}

func TestDNSQuery(t *testing.T) {
	site := siteFile(t, dnsSite())
	f := func(args string, code int, has ...string) string {
		t.Helper()
		out, errs, got := invoke(t, append(strings.Fields(args), "--config", site, "--node", "boot1")...)
		if got != code {
			t.Errorf("%s: exit %d, want %d: %s", args, got, code, errs)
		}
		for _, want := range has {
			if !strings.Contains(out+errs, want) {
				t.Errorf("%s: no %q in\n%s%s", args, want, out, errs)
			}
		}
		words, _, _ := strings.Cut(out, "The answer as dig prints it")
		for line := range strings.Lines(words) {
			if len(line) > 101 && line[0] != '{' {
				t.Errorf("%s: a line of %d characters: %s", args, len(line), line)
			}
		}
		return out
	}
	f("dns", ExitOK, "pvs.boot.hq.example.net       ARDBP32.BIN  sticky  all      pvs1 pvs2", "imageserver1.hq.example.net   ARDBP32.BIN  first   one")
	f("dns query pvs --from 10.10.1.77", ExitOK, "asked     pvs.boot.hq.example.net. A", "in network vdi", "order     sticky, answers: all, to be kept for 10 s",
		"by the weight of pvs", "for the clients of 10.10.1.0/24", "flags: qr aa;", "10 IN A 10.10.0.21", "NSID")
	f("dns query pvs --from 10.10.1.0/24", ExitOK, "SUBNET: 10.10.1.0/24/24")
	f("dns query imageserver1.hq.example.net", ExitOK, "zone      imageserver1.hq.example.net.", "1 more that live are not named: answers: one")
	f("dns query _tftp._udp.uefi --type srv", ExitOK, "SRV 10 10 69 boot1.boot.hq.example.net.")
	f("dns query nothing", ExitProblems, "NXDOMAIN", "no-such-name")
	f("dns query www.example.org", ExitProblems, "REFUSED", "outside-zone")
	f("dns query pvs --type AAAA", ExitProblems, "no-record")
	f("dns query pvs --from here", ExitUsage, "neither an address nor a subnet")
	f("dns query pvs --type WORD", ExitUsage, "not a type of record")

	var e dnsrole.Explanation
	out := f("dns query uefi --json", ExitOK)
	if err := json.Unmarshal([]byte(out), &e); err != nil || len(e.Records) != 2 || e.Choice == nil || len(e.Choice.Servers) != 2 {
		t.Errorf("%v: %s", err, out)
	}
	site = siteFile(t, explainSite)
	f("dns query uefi", ExitFailed, "the site file has no section dns")
}

// The running node is asked, and it is said how to do without.
func TestDNSQueryAsksTheNode(t *testing.T) {
	_, errs, code := invoke(t, "dns", "query", "uefi", "--socket", t.TempDir()+"/none")
	if code != ExitNoDaemon || !strings.Contains(errs, "--config FILE") {
		t.Errorf("exit %d: %s", code, errs)
	}
	d := startDaemon(t)
	if _, errs, code := invoke(t, "dns", "--socket", d.socket); code != ExitFailed || !strings.Contains(errs, "no DNS server") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// Where the DHCP server tells the name, explain says what it has to tell, and no offer.
func TestExplainDeliverDNS(t *testing.T) {
	site := siteFile(t, dnsSite())
	f := func(args string, has ...string) {
		t.Helper()
		out, errs, code := invoke(t, append(strings.Fields("explain --mac 52:54:00:12:34:56 --network vdi "+args), "--config", site, "--node", "boot1")...)
		if code != ExitOK || strings.Contains(out, "ProxyDHCP offer") {
			t.Errorf("%s: exit %d: %s%s", args, code, out, errs)
		}
		for _, want := range has {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", args, want, out)
			}
		}
	}
	f("--arch bios", "(deliver: dns)", "option 66, server name      pvs-bios.boot.hq.example.net\n", "option 67, boot file        ARDBP32.BIN\n", "next-server (siaddr)")
	f("--arch uefi-x64 --as uefi-http", "http://uefi.boot.hq.example.net:8067/snponly.efi")
}
