package cli

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// lineRE is what a plugin says by monitoring-plugins' guidelines: a text without a bar, a bar, and
// 'label'=value[unit];warn;crit;min;max, separated by blanks (F35).
var lineRE = regexp.MustCompile(`^SUREFOOT (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+ \| ('[a-z_]+'=(U|[0-9.]+)(s|B|%)?(;[0-9.]*){0,4})( '[a-z_]+'=(U|[0-9.]+)(s|B|%)?(;[0-9.]*){0,4})*\n`)

func TestNagios(t *testing.T) {
	url := tftpOnce(t, "some bootstrap")
	for _, c := range []struct {
		name string
		args []string
		code int
		word string
		has  []string
	}{
		{"good", nil, 0, "OK", []string{"14 bytes in 0.", "'availability'=100%;;;0;100", "'size'=14B"}},
		{"limits", []string{"--warning", "10s", "--critical", "20s"}, 0, "OK", []string{"s;10.000;20.000;0"}},
		{"a warning", []string{"--warning", "1ns", "--critical", "20s"}, 1, "WARNING", nil},
		{"critical", []string{"--warning", "1ns", "--critical", "2ns"}, 2, "CRITICAL", nil},
		{"slow", []string{"--slow", "1ns"}, 2, "CRITICAL", []string{"(too-slow)", "'availability'=100%"}},
		{"wrong content", []string{"--contains", "a|b"}, 2, "CRITICAL", []string{"(text-missing)", "'time'=U;;;0", "'availability'=0%"}},
	} {
		out, stderr, code := invoke(t, append([]string{"probe", url, "--nagios"}, c.args...)...)
		if code != c.code || stderr != "" || !lineRE.MatchString(out) || !strings.HasPrefix(out, "SUREFOOT "+c.word+" - ") {
			t.Errorf("%s: exit %d, want %d: %s%s", c.name, code, c.code, out, stderr)
		}
		for _, has := range c.has {
			if !strings.Contains(out, has) {
				t.Errorf("%s: no %q in %s", c.name, has, out)
			}
		}
	}
	// Wrong arguments are UNKNOWN, in the place where the monitor looks.
	for _, args := range [][]string{
		{"probe", "--nagios"},
		{"probe", "ftp://h/x", "--nagios"},
		{"probe", url, "--nagios", "--nonsense"},
		{"probe", url, "--nagios", "--keepalived"},
		{"probe", url, "--nagios", "--count", "3"},
		{"probe", url, "--nagios", "--warning", "3s", "--critical", "2s"},
		{"probe", "dhcp", "--nagios"},
		{"probe", "dhcp", "--nagios", "-i", "no-such-if"},
		{"probe", "dns", "--nagios"},
	} {
		out, stderr, code := invoke(t, args...)
		if code != 3 || stderr != "" || !strings.HasPrefix(out, "SUREFOOT UNKNOWN - ") {
			t.Errorf("%v: exit %d: %s%s", args, code, out, stderr)
		}
	}
}

// keepalived reads 1 as down; with misc_dynamic every other code is up (F34).
func TestKeepalived(t *testing.T) {
	url := tftpOnce(t, "some bootstrap")
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{url}, 0},
		{[]string{url, "--contains", "other"}, 1},
		{[]string{url, "--slow", "1ns"}, 1},
		{[]string{"ftp://x/y"}, 1},
		{[]string{"--nonsense"}, 1},
		{[]string{"dhcp", "-i", "no-such-if"}, 1},
	} {
		out, stderr, code := invoke(t, append([]string{"probe", "--keepalived"}, c.args...)...)
		if strings.HasPrefix(c.args[0], "dhcp") {
			out, stderr, code = invoke(t, append([]string{"probe"}, append(c.args, "--keepalived")...)...)
		}
		if code != c.code || stderr != "" || strings.Count(out, "\n") != 1 {
			t.Errorf("%v: exit %d, want %d: %s%s", c.args, code, c.code, out, stderr)
		}
	}
}

// NetScaler hands over address, port, arguments and its time-out, and takes 0 for up (F33, finding 9).
func TestNetScaler(t *testing.T) {
	addr := strings.TrimSuffix(strings.TrimPrefix(tftpOnce(t, "Provisioning Services bootstrap"), "tftp://"), "/f")
	host, port, _ := strings.Cut(addr, ":")
	for _, c := range []struct {
		args []string
		code int
		has  string
	}{
		{[]string{host, port, "file=ARDBP32.BIN;content=Provisioning Services bootstrap", "5"}, 0, "0,tftp://" + addr + "/ARDBP32.BIN: 31 bytes"},
		{[]string{host, port, "content=bootstrap;file=x#?%.bin;as=plain"}, 0, "/x%23%3F%25.bin: 31 bytes"},
		{[]string{host, port, "file=a;content=other", "5"}, 1, "1,tftp://"},
		{[]string{host, "1", "file=a", "2"}, 1, "refused"},
		{[]string{host, port, "content=a"}, 1, "name no file"},
		{[]string{host, port, "file=a;colour=red"}, 1, `"colour"`},
		{[]string{host, port, "file"}, 1, "NAME=VALUE"},
		{[]string{host, port, "file=a", "soon"}, 1, "time-out"},
		{[]string{"name", port, "file=a"}, 1, "not an address"},
		{[]string{host, "0", "file=a"}, 1, "port"},
		{[]string{host, port, "file=" + strings.Repeat("a", 508)}, 1, "512"},
		{[]string{host}, 1, "arg"},
	} {
		out, stderr, code := invoke(t, append([]string{"probe", "--nsumon"}, c.args...)...)
		if code != c.code || stderr != "" || !strings.HasPrefix(out, fmt.Sprint(c.code, ",")) || !strings.Contains(out, c.has) {
			t.Errorf("%v: exit %d, want %d and %q: %s%s", c.args, code, c.code, c.has, out, stderr)
		}
	}
}

func TestProbeKindsUsage(t *testing.T) {
	f := func(has string, args ...string) {
		t.Helper()
		_, stderr, code := invoke(t, append([]string{"probe"}, args...)...)
		if code != ExitUsage || !strings.Contains(stderr, has) {
			t.Errorf("%v: exit %d, %q, want %q", args, code, stderr, has)
		}
	}
	f("--interface", "dhcp")
	f("one of edk2, pxe, ipxe, bdm", "dhcp", "-i", "eth0", "--as", "uefi")
	f("none of 0, 0x8000 and both", "dhcp", "-i", "eth0", "--flags", "1")
	f("not an address", "dhcp", "-i", "eth0", "--expect", "boot1")
	f("at most a minute", "dhcp", "-i", "eth0", "--wait", "1h")
	f("a group", "dhcp", "-i", "eth0", "--mac", "ff:ff:ff:ff:ff:ff")
	f("asks no PXE service", "pxe", "h", "--as", "bdm")
	f("accepts 1 arg", "dns")
	f("go with --nagios", "dns", "x", "--warning", "1s")
	f("TFTP has no parts", "tftp://h/x", "--range")
	f("--slow", "tftp://h/x", "--slow", "-1s")

	// A missing interface is a fault of this machine, not a finding about others.
	if _, stderr, code := invoke(t, "probe", "dhcp", "-i", "no-such-if"); code != ExitFailed || !strings.Contains(stderr, "no-such-if") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
