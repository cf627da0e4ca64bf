package dnsboot

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"surefoot/internal/boot"
)

// TestDig asks as people do, and compares what dig and kdig make of the answers.
func TestDig(t *testing.T) {
	s := run(t, Config{}, Deps{Down: func(server, _ string, _ boot.Protocol) bool { return server == "pvs2" }})
	at := s.Addr()
	tools := map[string]func(args ...string) []string{
		"dig": func(args ...string) []string {
			return append([]string{"@" + at.Addr().String(), "-p", fmt.Sprint(at.Port()), "+norec", "+nsid", "+tries=1"}, args...)
		},
		"kdig": func(args ...string) []string {
			return append([]string{"@" + at.Addr().String(), "-p", fmt.Sprint(at.Port()), "+norec", "+nsid", "+retry=0"}, args...)
		},
	}
	const nsid = `(?s)NSID: .*"boot1"`
	for _, c := range []struct {
		title string
		args  []string
		want  []string // regular expressions
	}{
		{"an address", []string{"tftp." + apex}, []string{`status: NOERROR`, `(?i)flags: qr aa;`, nsid, `10\s+IN\s+A\s+10\.10\.0\.21`, `10\s+IN\s+A\s+10\.10\.0\.23`, `ANSWER: 2`}},
		{"none of IPv6", []string{"tftp." + apex, "AAAA"}, []string{`status: NOERROR`, `ANSWER: 0`, `AUTHORITY: 1`, `SOA\s+boot1`}},
		{"no such name", []string{"nothing." + apex}, []string{`status: NXDOMAIN`, `AUTHORITY: 1`, nsid}},
		{"somebody else's", []string{"example.org"}, []string{`status: REFUSED`}},
		{"name servers", []string{apex, "NS"}, []string{`NS\s+boot1\.boot`, `boot2\.boot\S+\s+300\s+IN\s+A\s+10\.10\.0\.12`}},
		{"a service", []string{"_tftp._udp.uefi." + apex, "SRV"}, []string{`SRV\s+10 10 69 boot1`, `SRV\s+20 10 69 boot2`}},
		{"truncated, then by TCP", []string{"many." + apex}, []string{`ANSWER: 200`, `TCP`}},
		{"a client's subnet", []string{"sticky." + apex, "+subnet=10.9.8.0/24"}, []string{`CLIENT-SUBNET: 10\.9\.8\.0/24/24`}},
		{"a whole zone", []string{apex, "AXFR"}, []string{`(?i)failed|REFUSED`}},
		{"why", []string{"why.tftp." + apex, "TXT"}, []string{`pvs2: does not hand out f`}},
	} {
		for name, args := range tools {
			out, _ := exec.CommandContext(t.Context(), program(t, name), args(c.args...)...).CombinedOutput()
			for _, want := range c.want {
				if !regexp.MustCompile(want).Match(out) {
					t.Errorf("%s, %s: no %q in\n%s", name, c.title, want, out)
				}
			}
			if strings.Contains(string(out), "malformed") || strings.Contains(strings.ToLower(string(out)), "warning: ") && !strings.Contains(string(out), "truncated") {
				t.Errorf("%s, %s: a warning:\n%s", name, c.title, out)
			}
		}
	}
}
