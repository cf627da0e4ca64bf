package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeSite6 writes a site file with IPv6 reservations, and a file for more.
func writeSite6(t *testing.T) (site, table string) {
	t.Helper()
	dir := t.TempDir()
	site, table = filepath.Join(dir, "site.yaml"), filepath.Join(dir, "vdi.csv")
	text := `site: hq
root: ` + dir + `
state: ` + dir + `
nodes: {boot1: {address: 10.10.0.11, address6: "fd00:10:10::11", interfaces: [eth1]}}
boot: [{name: uefi, when: {arch: uefi-x64}, file: snponly.efi}]
networks:
  vdi:
    subnet6: "fd00:10:10::/64"
    dhcp6: {range: "fd00:10:10::1000-fd00:10:10::1fff"}
    reservations: [{mac: "52:54:00:12:34:99", ip6: "fd00:10:10::99", name: inline}]
    reservations_file: ` + table + `
`
	for name, text := range map[string]string{site: text, table: "", filepath.Join(dir, "snponly.efi"): "x"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return site, table
}

// IPv6 addresses are reserved by MAC address and by DUID, shown, and taken away again.
func TestReservations6(t *testing.T) {
	site, table := writeSite6(t)
	if err := os.Remove(table); err != nil {
		t.Fatal(err)
	}
	run := func(want int, says string, args ...string) {
		t.Helper()
		code, out, errs := call(t, filepath.Join(t.TempDir(), "none"), "", append(append([]string{"reservation"}, args...), "--config", site)...)
		if code != want || !strings.Contains(out+errs, says) {
			t.Errorf("%v: code %d, want %d and %q:\n%s%s", args, code, want, says, out, errs)
		}
	}
	run(ExitOK, "52:54:00:12:34:01, fd00:10:10::91", "add", "52:54:00:12:34:01", "--ip6", "fd00:10:10::91", "--name", "pc-1")
	run(ExitFailed, "no column duid", "add", "0004aabbccddeeff00112233445566778899", "--ip", "fd00:10:10::92")
	if err := os.WriteFile(table, []byte("mac,duid,ip6,name\n52:54:00:12:34:01,,fd00:10:10::91,pc-1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run(ExitOK, "in network vdi", "add", "00:04:aabbccddeeff00112233445566778899", "--ip", "fd00:10:10::92", "--name", "pc-2")
	run(ExitOK, "fd00:10:10::92", "list", "aabbcc")
	run(ExitFailed, "reserved already", "add", "52:54:00:12:34:03", "--ip6", "fd00:10:10::92")
	run(ExitFailed, "is not within the subnet", "add", "52:54:00:12:34:03", "--ip6", "fd00:10:11::92", "--network", "vdi")
	run(ExitUsage, "is not a", "add", "0004aabb", "--ip6", "fd00:10:10::94")
	run(ExitUsage, "is an IPv4 address", "add", "52:54:00:12:34:03", "--ip6", "10.0.0.1")
	run(ExitOK, "removed from", "remove", "0004aabbccddeeff00112233445566778899")
	run(ExitOK, "removed from", "remove", "fd00:10:10::91")
	if got, _ := os.ReadFile(table); string(got) != "mac,duid,ip6,name\n" {
		t.Errorf("the file is %q", got)
	}
}

// What a node would answer by DHCPv6 is told with the reasons.
func TestExplainDHCP6(t *testing.T) {
	site, table := writeSite6(t)
	if err := os.WriteFile(table, []byte("duid,ip6\n0004aabbccddeeff00112233445566778899,fd00:10:10::92\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"--mac", "52:54:00:12:34:99", "--arch", "uefi-x64"}, ExitOK, []string{"fd00:10:10::99, which is reserved for it", "tftp://[fd00:10:10::11]/snponly.efi", "of which its link-local address"}},
		{[]string{"--mac", "52:54:00:12:34:98", "--arch", "16", "--inform"}, ExitOK, []string{"INFORMATION-REQUEST", "http://[fd00:10:10::11]:8067/snponly.efi", "HTTPClient"}},
		{[]string{"--duid", "0004aabbccddeeff00112233445566778899"}, ExitOK, []string{"its DUID, for which an address is reserved", "fd00:10:10::92"}},
		{[]string{"--duid", "0004aabbccddeeff0011223344556677889a"}, ExitOK, []string{"DUID and IAID: neither", "to which its identity leads"}},
		{[]string{"--mac", "52:54:00:12:34:98", "--relay", "fd00:10:11::1"}, ExitProblems, []string{"scope-unknown"}},
		{[]string{"--mac", "52:54:00:12:34:98", "--arch", "bios"}, ExitProblems, []string{"no rule matches"}},
		{nil, ExitUsage, []string{"--mac or --duid"}},
		{[]string{"--duid", "zz"}, ExitUsage, []string{"is not a DUID"}},
		{[]string{"--mac", "52:54:00:12:34:98", "--from", "fd00::1"}, ExitUsage, []string{"not a link-local"}},
	} {
		out, errs, code := invoke(t, append([]string{"explain", "dhcp6", "-c", site, "--node", "boot1"}, x.args...)...)
		if code != x.code {
			t.Errorf("%v: exit %d, want %d: %s", x.args, code, x.code, errs)
		}
		plain := strings.Join(strings.Fields(out+errs), " ")
		for _, w := range x.want {
			if !strings.Contains(plain, w) {
				t.Errorf("%v: %q is not in\n%s%s", x.args, w, out, errs)
			}
		}
	}
}
