package httpboot

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"surefoot/internal/boot"
)

var update = flag.Bool("update", false, "write the golden files")

func TestScriptGolden(t *testing.T) {
	mac := boot.MAC{0x52, 0x54, 0, 0x12, 0x34, 0x56}
	server := func(name, tftp, http string) boot.Server {
		s := boot.Server{Name: name}
		if tftp != "" {
			s.TFTP = netip.MustParseAddrPort(tftp)
		}
		if http != "" {
			s.HTTP = netip.MustParseAddrPort(http)
		}
		return s
	}
	answer := func(file string, servers ...boot.Server) boot.Decision {
		return boot.Decision{Reason: boot.Answered, Answer: boot.Answer{Network: "vdi", Rule: "r1", File: file, Servers: servers}}
	}
	tests := map[string]boot.Decision{
		"two-servers": answer("efi/shimx64.efi", server("boot1", "10.10.0.11:69", "10.10.0.11:8067"), server("pvs1", "10.10.0.21:69", "")),
		"odd-names":   answer("boot\\x64\\${evil} && exit|100% ü.efi", server("s", "10.0.0.1:1069", "10.0.0.1:80"), server("v6", "[fd00::1]:69", "")),
		"url":         answer("http://example.test/x y.ipxe?a=${net0/mac}", server("boot1", "10.10.0.11:69", "")),
		"no-rule":     {Reason: boot.NoRule},
	}
	for name, d := range tests {
		t.Run(name, func(t *testing.T) {
			got := Script(boot.Client{MAC: mac, Arch: boot.ArchX64}, d, "boot1")
			golden := filepath.Join("testdata", name+".ipxe")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestImageName(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := imageName(in); got != want {
			t.Errorf("imageName(%q) = %q, want %q", in, got, want)
		}
	}
	f("efi/shimx64.efi", "shimx64.efi")
	f(`boot\x64\wdsnbp.com`, "wdsnbp.com")
	f("http://x/menu.php?mac=1", "menu.php")
	f("-n", "bootstrap")
	f("http://x/", "x")
	f("", "bootstrap")
	f("ü", "bootstrap")
}

// Whatever a rule or a node is called, a script keeps its lines: nothing becomes a command.
func FuzzScript(f *testing.F) {
	f.Add("file.efi", "rule", "node")
	f.Add("a\nexit", "${x}\r\nshell", "n || shell")
	lines := func(file string) int {
		d := boot.Decision{Reason: boot.Answered, Answer: boot.Answer{File: file, Rule: "r", Servers: []boot.Server{{Name: "s", HTTP: netip.MustParseAddrPort("10.0.0.1:80")}}}}
		return strings.Count(string(Script(boot.Client{}, d, "n")), "\n")
	}
	plain, escaped := lines("f"), lines("f f") // one that has to be escaped is not named in DHCP packets
	f.Fuzz(func(t *testing.T, file, rule, node string) {
		d := boot.Decision{Reason: boot.Answered, Answer: boot.Answer{
			File: file, Rule: rule, Network: rule,
			Servers: []boot.Server{{Name: node, HTTP: netip.MustParseAddrPort("10.0.0.1:80")}},
		}}
		script := string(Script(boot.Client{}, d, node))
		if n := strings.Count(script, "\n"); n != plain && n != escaped {
			t.Errorf("%d lines, want %d or %d:\n%s", n, plain, escaped, script)
		}
		for l := range strings.Lines(script) {
			if strings.HasPrefix(l, "echo") && (strings.Contains(l, "||") || strings.Contains(l, "&&")) {
				t.Errorf("echo with a command behind it: %s", l)
			}
			if i := strings.Index(l, "${"); i >= 0 && !strings.Contains(l, "${surefoot-") && !strings.Contains(l, "/next-server}") && !strings.Contains(file, "://") {
				t.Errorf("a setting is expanded: %s", l)
			}
		}
	})
}
