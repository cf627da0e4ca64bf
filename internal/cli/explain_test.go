package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// invoke runs a command and returns what it printed and its exit code.
func invoke(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	env := Env{In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: func(string) string { return "" }}
	code = Main(t.Context(), args, env)
	return out.String(), errs.String(), code
}

const explainSite = `site: hq
root: /nowhere/boot
nodes:
  boot1: {address: 10.10.0.11, interfaces: [eth1]}
  boot2: {address: 10.10.0.12, interfaces: [eth1]}
servers:
  pvs1: {tftp: 10.10.0.21}
boot:
  - {name: menu, when: {firmware: ipxe}, file: menu.ipxe, from: [boot1, boot2]}
  - {name: pvs-bios, when: {arch: bios, network: [vdi]}, file: ARDBP32.BIN, from: [pvs1]}
  - {name: old, when: {arch: bios, network: [old]}, file: old.0, from: [boot1]}
  - {name: uefi, when: {arch: uefi-x64}, file: snponly.efi, from: [boot1, boot2]}
networks:
  vdi: {subnet: 10.10.0.0/22, deliver: proxy, bios: direct}
  far: {subnet: 10.20.0.0/24, deliver: proxy}
  old: {subnet: 10.40.0.0/24, deliver: proxy, bios: discover}
  printers: {subnet: 10.30.0.0/24, deliver: none}
`

func TestExplain(t *testing.T) {
	site := siteFile(t, explainSite)
	tests := []struct {
		name string
		args string
		code int
		has  []string
		not  []string
	}{
		{
			name: "BIOS", args: "--arch bios", has: []string{
				"bios(0)  pxe", "rule      pvs-bios: arch is bios(0), network is vdi", "file      ARDBP32.BIN", "servers   1  pvs1         tftp 10.10.0.21:69\n",
				"ProxyDHCP offer", "siaddr 10.10.0.21", "control(6)=08", "tftp://10.10.0.21/ARDBP32.BIN",
				"rule menu                firmware is pxe, the rule wants ipxe",
			},
			not: []string{"iPXE script"},
		},
		{
			name: "UEFI is answered in BINL style", args: "--arch uefi-x64", has: []string{
				"uefi-x64(7)  edk2", "servers   1  boot1", "http 10.10.0.11:8067  (this node)\n", "          2  boot2", "67 boot-file-name",
			},
			not: []string{"vendor-specific"},
		},
		{name: "the node that decides comes first", args: "--arch uefi-x64 --node boot2", has: []string{"node      boot2", "servers   1  boot2"}},
		{name: "HTTP boot by number", args: "--arch 16", has: []string{"uefi-http", `"http://10.10.0.11:8067/snponly.efi`}, not: []string{"tftp://"}},
		{name: "HTTP boot by name", args: "--arch uefi-x64 --as uefi-http", has: []string{"uefi-x64-http(16)  uefi-http"}},
		{name: "iPXE", args: "--arch bios --as ipxe --uuid 11223344-5566-7788-99aa-bbccddeeff00", has: []string{
			"iPXE script, http://10.10.0.11:8067/boot.ipxe?mac=52:54:00:12:34:56&arch=0&uuid=11223344-5566-7788-99aa-bbccddeeff00",
			"imgfetch --timeout 5000 --name menu.ipxe http://10.10.0.12:8067/menu.ipxe",
			"The file, in the order of the servers\n  http://10.10.0.11:8067/menu.ipxe\n  http://10.10.0.12:8067/menu.ipxe\n\n",
		}, not: []string{"tftp://"}},
		{name: "without the root", args: "--arch uefi-x64", has: []string{"files     were not looked at: open the root /nowhere/boot: no such file or directory\n"}},
		{name: "a list of nodes, and the choice given back", args: "--arch bios --network old", has: []string{
			"servers(8)", "Answer on port 4011, to clients that ask there", "43 vendor-specific", "item(71)=",
		}},

		{name: "a relay", args: "--arch uefi-x64 --relay 10.20.0.1", has: []string{"network   far: relay 10.20.0.1 is in 10.20.0.0/24"}},
		{name: "an address", args: "--arch uefi-x64 --addr 10.20.0.77", has: []string{"network   far: client 10.20.0.77"}},
		{name: "a network", args: "--arch uefi-x64 --network far", has: []string{"network   far:"}},
		{name: "GRUB", args: "--arch uefi-x64 --as grub", has: []string{"grub asks no ProxyDHCP server"}, not: []string{"BOOTREPLY"}},
		{name: "no rule", args: "--arch bios --network far", code: ExitProblems, has: []string{"answer    none: no rule matches this client (no-rule)", "rule pvs-bios            network is far, the rule wants vdi"}},
		{name: "silence", args: "--arch bios --network printers", code: ExitProblems, has: []string{"network-silent"}},
		{name: "no network", args: "--arch bios --addr 192.0.2.1", code: ExitProblems, has: []string{"no-network"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := strings.Fields("explain --mac 52:54:00:12:34:56 --config " + site + " " + tt.args)
			if !strings.Contains(tt.args, "--node") {
				args = append(args, "--node", "boot1")
			}
			out, stderr, code := invoke(t, args...)
			if code != tt.code {
				t.Fatalf("exit %d, want %d: %s%s", code, tt.code, out, stderr)
			}
			for _, s := range tt.has {
				if !strings.Contains(out, s) {
					t.Errorf("no %q in\n%s", s, out)
				}
			}
			for _, s := range tt.not {
				if strings.Contains(out, s) {
					t.Errorf("%q in\n%s", s, out)
				}
			}
			before, _, _ := strings.Cut(out, "iPXE script")
			for l := range strings.Lines(before) {
				if len(l) > 100 && !strings.Contains(l, "://") || // an address stays whole
					strings.ContainsFunc(l, func(r rune) bool { return r > '~' }) || strings.HasSuffix(l, " \n") {
					t.Errorf("a line too long, not ASCII, or with spaces at its end: %q", l)
				}
			}
		})
	}
}

func TestExplainUsage(t *testing.T) {
	site := siteFile(t, explainSite)
	f := func(args, has string) {
		t.Helper()
		out, stderr, code := invoke(t, strings.Fields("explain --config "+site+" --node boot1 "+args)...)
		if code != ExitUsage || !strings.Contains(stderr, has) || out != "" {
			t.Errorf("%s: exit %d, %q, want %q", args, code, stderr, has)
		}
	}
	f("", "--mac and --arch are needed")
	f("--mac junk --arch bios", "is not a MAC address")
	f("--mac 52:54:00:12:34:56 --arch x86", "one of bios, uefi-x64, uefi-ia32, uefi-arm64, uefi-arm32")
	f("--mac 52:54:00:12:34:56 --arch bios --as grub2", "is not a firmware family (one of pxe, edk2,")
	f("--mac 52:54:00:12:34:56 --arch bios --as uefi-http", "no architecture of UEFI HTTP boot")
	f("--mac 52:54:00:12:34:56 --arch bios --network nowhere", "it has far, old, printers, vdi")
	f("--mac 52:54:00:12:34:56 --arch bios --relay x", "--relay")
	f("--mac 52:54:00:12:34:56 --arch bios --relay 10.0.0.1 --addr 10.0.0.2", "exclude each other")
}

func TestExplainJSON(t *testing.T) {
	out, _, code := invoke(t, "explain", "--mac", "52:54:00:12:34:56", "--arch", "uefi-x64", "--config", siteFile(t, explainSite), "--node", "boot1", "--json")
	var got struct {
		Client   struct{ MAC, Arch, Firmware string }
		Decision struct {
			Reason string
			Answer struct {
				File    string
				Servers []struct{ Name string }
			}
		}
		Offer []string
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != ExitOK {
		t.Fatalf("exit %d, %v: %s", code, err, out)
	}
	if got.Client.Firmware != "edk2" || got.Decision.Reason != "answered" || got.Decision.Answer.File != "snponly.efi" || len(got.Decision.Answer.Servers) != 2 || len(got.Offer) == 0 {
		t.Errorf("%+v", got)
	}
}

// Without a site file it explains what `surefoot serve --root DIR` would do.
func TestExplainDefaults(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ARDBP32.BIN"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, stderr, code := invoke(t, "explain", "--mac", "52:54:00:12:34:56", "--arch", "bios", "--root", dir)
	if code != ExitOK || !strings.Contains(out, "ARDBP32.BIN") || !strings.Contains(out, "127.0.0.1") {
		t.Errorf("exit %d: %s%s", code, out, stderr)
	}
}

// It knows what the node knows of itself: a file that is not in its root comes from another.
func TestExplainLooksAtFiles(t *testing.T) {
	dir := t.TempDir()
	site := siteFile(t, strings.Replace(explainSite, "/nowhere/boot", dir, 1))
	args := []string{"explain", "--mac", "52:54:00:12:34:56", "--arch", "uefi-x64", "--config", site, "--node", "boot1"}
	f := func(code int, has ...string) {
		t.Helper()
		out, stderr, got := invoke(t, args...)
		if got != code {
			t.Errorf("exit %d: %s%s", got, out, stderr)
		}
		contains(t, out, append(has, "files     looked at in "+dir)...)
	}
	f(ExitOK, "servers   1  boot2", "server boot1             does not hand out snponly.efi by TFTP at present")
	if err := os.WriteFile(filepath.Join(dir, "SNPONLY.EFI"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	f(ExitOK, "servers   1  boot1", "2  boot2")

	args[4] = "bios"
	args = append(args, "--network", "old")
	f(ExitOK, "servers   1  boot1", "none of them is known to have the file")
	var doc struct {
		LookedIn string `json:"files_looked_at_in"`
	}
	out, _, _ := invoke(t, append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), &doc); err != nil || doc.LookedIn != dir {
		t.Errorf("%v: %s", err, out)
	}
}

// With an interface of this machine, option 54 is that interface's address, as on the wire.
func TestExplainInterface(t *testing.T) {
	site := siteFile(t, explainSite)
	args := []string{"explain", "--mac", "52:54:00:12:34:56", "--arch", "uefi-x64", "--config", site, "--node", "boot1", "--network", "far"}
	out, _, code := invoke(t, args...)
	if code != ExitOK {
		t.Fatalf("exit %d: %s", code, out)
	}
	contains(t, out, "54 server-id          10.10.0.11")
	out, stderr, code := invoke(t, append(args, "--interface", "lo")...)
	if code != ExitOK {
		t.Fatalf("exit %d: %s%s", code, out, stderr)
	}
	contains(t, out, "node      boot1, at interface lo of this machine\n", "54 server-id          127.0.0.1")
}
