package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"surefoot/internal/alert"
	"surefoot/internal/boot"
)

const twoNodes = `
site: hq
root: /srv/boot
nodes:
  boot1: {address: 10.10.0.11, interfaces: [eth1]}
  boot2: {address: 10.10.0.12, interfaces: [eth1], roles: [tftp]}
  quiet: {address: 10.10.0.13, interfaces: [eth1], roles: [proxydhcp]}
servers:
  pvs1: {tftp: 10.10.0.21, http: 10.10.0.21:8080}
boot:
  - {name: bios, when: {arch: bios, mac: ["52-54-00"]}, file: ARDBP32.BIN, from: [pvs1, boot2]}
  - {name: uefi, file: snponly.efi}
networks:
  rest: {deliver: none}
  wide: {subnet: 10.10.0.0/22}
  narrow: {subnet: 10.20.0.0/24, bios: discover, reservations: [{mac: "52:54:00:12:34:56", boot: uefi}]}
tftp: {listen: "0.0.0.0:6969"}
`

// The whole of a file, as it reaches the roles.
func TestParse(t *testing.T) {
	got, err := Parse("site.yaml", []byte(twoNodes), Options{Node: "boot1", Interfaces: []string{"lan0"}})
	if err != nil {
		t.Fatal(err)
	}
	ap := netip.MustParseAddrPort
	boot1 := Node{Name: "boot1", Addr: netip.MustParseAddr("10.10.0.11"), Interfaces: []string{"lan0"}, Roles: []string{"proxydhcp", "tftp", "http"}}
	want := &Config{
		Path: "site.yaml", Root: "/srv/boot", Fold: true, Node: boot1,
		Nodes: []Node{
			boot1,
			{Name: "boot2", Addr: netip.MustParseAddr("10.10.0.12"), Interfaces: []string{"eth1"}, Roles: []string{"tftp"}},
			{Name: "quiet", Addr: netip.MustParseAddr("10.10.0.13"), Interfaces: []string{"eth1"}, Roles: []string{"proxydhcp"}},
		},
		TFTP: ap("0.0.0.0:6969"), HTTP: ap("0.0.0.0:8067"), Status: ap("127.0.0.1:8068"),
		Socket: "/run/surefoot/surefoot.sock", MaxTransfers: 4096, Serving: Serving{PerClient: 512, PerNetwork: 4096, Queue: 4096, QueueTime: 8 * time.Second},
		DrainTimeout: 30 * time.Second, Offer: defaultOffer(), State: "/var/lib/surefoot",
		Watch: Watch{
			Enabled: true, Every: 10 * time.Second, Timeout: 2 * time.Second, DownAfter: 3, UpAfter: 2,
			SlowStart: 30 * time.Second, Normal: 10, Abnormal: 1, Discover: Discover{Every: 2 * time.Minute, Wait: 5 * time.Second},
		},
		History: History{Keep: DefaultKeep, Five: 14 * 24 * time.Hour, Raw: 48 * time.Hour, MaxSize: DefaultMaxSize}, Alerts: Alerts{Rules: alert.Rules{}.WithDefaults()},
		Site: boot.Site{
			Name: "hq", Self: "boot1",
			Servers: map[string]boot.Server{
				"boot1": {Name: "boot1", TFTP: ap("10.10.0.11:6969"), HTTP: ap("10.10.0.11:8067"), PXE: netip.MustParseAddr("10.10.0.11"), Node: true},
				"boot2": {Name: "boot2", TFTP: ap("10.10.0.12:6969"), Node: true},
				"quiet": {Name: "quiet", PXE: netip.MustParseAddr("10.10.0.13"), Node: true},
				"pvs1":  {Name: "pvs1", TFTP: ap("10.10.0.21:69"), HTTP: ap("10.10.0.21:8080")},
			},
			Rules: []boot.Rule{
				{
					Name: "bios", When: boot.Match{Arch: []boot.Arch{boot.ArchBIOS}, MAC: []string{"52:54:00"}},
					File: "ARDBP32.BIN", From: []string{"pvs1", "boot2"}, IPXE: boot.IPXEScript,
				},
				{Name: "uefi", File: "snponly.efi", From: []string{"boot1", "boot2"}, IPXE: boot.IPXEScript},
			},
			Networks: []boot.Network{
				{
					Name: "narrow", Subnet: netip.MustParsePrefix("10.20.0.0/24"), Deliver: boot.DeliverProxy, BIOS: boot.BIOSDiscover,
					Reservations: map[boot.MAC]boot.Reservation{{0x52, 0x54, 0, 0x12, 0x34, 0x56}: {Name: "52:54:00:12:34:56", Rule: "uefi"}},
				},
				{Name: "wide", Subnet: netip.MustParsePrefix("10.10.0.0/22"), Deliver: boot.DeliverProxy, BIOS: boot.BIOSDiscover},
				{Name: "rest", Deliver: boot.DeliverNone, BIOS: boot.BIOSDiscover},
			},
		},
	}
	if d := cmp.Diff(want, got, sameValues); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	d := boot.Decide(boot.Client{Arch: boot.ArchX64, Addr: netip.MustParseAddr("10.20.0.9")}, &got.Site, nil)
	if d.Reason != boot.Answered || d.Answer.Rule != "uefi" || d.Answer.Network != "narrow" {
		t.Errorf("Decide: %+v", d)
	}
}

func TestSelectNode(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	one := "nodes: {boot1: {address: 10.10.0.11, interfaces: [eth1]}}\nboot: [{name: test, file: surefoot-test}]\n"
	several := strings.Replace(one, "}}", "}, boot2: {address: 10.10.0.12, interfaces: [eth1]}}", 1)
	here := strings.Replace(several, "boot2", host, 1)
	for _, tc := range []struct {
		name, file, node string
		want, message    string
	}{
		{"the only one", one, "", "boot1", ""},
		{"asked for", several, "boot2", "boot2", ""},
		{"by host name", here, "", host, ""},
		{"asked for and not there", one, "boot3", "", `there is no node "boot3"`},
		{"none asked for and none like the host", several, "", "", "--node NAME says which one this is: boot1, boot2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := Parse("f", []byte(tc.file), Options{Node: tc.node})
			switch {
			case tc.message != "" && (err == nil || !strings.Contains(err.Error(), tc.message)):
				t.Errorf("error %v, want %q", err, tc.message)
			case tc.message == "" && err != nil:
				t.Error(err)
			case tc.message == "" && (c.Node.Name != tc.want || c.Site.Self != tc.want):
				t.Errorf("node %q, self %q, want %q", c.Node.Name, c.Site.Self, tc.want)
			}
		})
	}
}

// Interfaces of the command line stand in for those that the file does not name, on this node only.
func TestInterfacesFromOutside(t *testing.T) {
	file := []byte("nodes: {boot1: {address: 10.10.0.11}, boot2: {address: 10.10.0.12}}\nboot: [{name: test, file: surefoot-test}]\n")
	if _, err := Parse("f", file, Options{Node: "boot1"}); err == nil || !strings.Contains(err.Error(), "interfaces: [eth1]") {
		t.Errorf("without an interface: %v", err)
	}
	c, err := Parse("f", file, Options{Node: "boot1", Interfaces: []string{"eth7"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Node.Interfaces) != 1 || c.Node.Interfaces[0] != "eth7" || c.Nodes[1].Interfaces != nil {
		t.Errorf("got %+v", c.Nodes)
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	_, err := Load(filepath.Join(dir, "none.yaml"), Options{})
	var re *ReadError
	if !errors.As(err, &re) || !errors.Is(err, os.ErrNotExist) || len(re.Hint()) != 2 {
		t.Errorf("missing file: %v", err)
	}
	if want := "read site file " + filepath.Join(dir, "none.yaml") + ": no such file or directory"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if _, err := Load(dir, Options{}); !errors.As(err, &re) || !strings.HasSuffix(err.Error(), ": it is a directory") {
		t.Errorf("directory: %v", err)
	}
	path := filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(path, []byte("sote: hq\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Load(path, Options{})
	var e *Errors
	if !errors.As(err, &e) || len(e.Problems) != 3 || !strings.HasPrefix(err.Error(), "3 problems in "+path+"\n") {
		t.Errorf("bad file: %v", err)
	}
	if h := e.Hint(); len(h) == 0 || !strings.HasPrefix(h[0], "surefoot config explain ") {
		t.Errorf("hints %q", h)
	}
}

// However wrong or large a file is, it is refused with bounded work and a report of bounded length.
func TestBounds(t *testing.T) {
	head := "nodes: {boot1: {address: 10.10.0.11, interfaces: [eth1]}}\nroot: /srv/boot\n"
	rule := "boot: [{name: test, file: surefoot-test}]\n"
	for _, tc := range []struct{ name, text, want string }{
		{"too large", strings.Repeat("# \n", maxSize/3+1), "larger than 4 MiB"},
		{"flow depth", strings.Repeat("[", 1<<20), "nest more than"},
		{"block depth", strings.Repeat("- ", 1<<20), "nest more than"},
		{"tags", strings.Repeat("!a ", 1<<19), "and perhaps more"},
		{"anchors", strings.Repeat("&a ", 1<<19), "and perhaps more"},
		{"aliases", strings.Repeat("*a ", 1<<18), "not YAML"},
		{"block texts", strings.Repeat("a: |\n x\n", 1<<17), "and perhaps more"},
		{"unknown keys", uniqueLines("key%: 1\n", 5000), "and perhaps more"},
		{"duplicate keys", strings.Repeat("site: hq\n", 5000), "and perhaps more"},
		{"keys", uniqueLines("key%: 1\n", 100000), "too many keys"},
		{"keys in many maps", strings.Repeat("a:\n"+uniqueLines("  k%: 1\n", 4000), 50), "too many keys"},
		{"rules", head + "boot:\n" + uniqueLines("  - {name: r%, file: x}\n", maxRules+1), "more than 1000"},
		{"nodes", "nodes:\n" + uniqueLines("  n%: {address: 10.0.0.1}\n", maxServers+1) + rule, "more than 1000"},
		{"networks", head + rule + "networks:\n" + uniqueLines("  n%: {}\n", maxNetworks+1), "more than 4000"},
		{"dns names", head + rule + "dns:\n  zone: a.example\n  names:\n" + uniqueLines("    n%: {file: x}\n", maxNames+1), "more than 1000"},
		{"unknown servers", head + "servers:\n" + uniqueLines("  s%: {tftp: 10.0.0.1}\n", 900) +
			"boot:\n  - {name: a, file: b, from: [" + uniqueLines("x%, ", 50000) + "]}\n", "and perhaps more"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := bounded(t, []byte(tc.text))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error lacks %q: %.300v", tc.want, err)
			}
			if n := len(err.Error()); n > 200_000 {
				t.Errorf("the report has %d bytes", n)
			}
		})
	}
}

// A site as large as is meant to be possible loads.
func TestLarge(t *testing.T) {
	text := "root: /srv/boot\nnodes: {boot1: {address: 10.10.0.11, interfaces: [eth1]}}\nboot:\n" +
		uniqueLines("  - {name: r%, when: {user_class: c%}, file: x}\n", maxRules) +
		"networks:\n  lan:\n    reservations:\n"
	var b strings.Builder
	b.WriteString(text)
	for i := range 30000 {
		m := boot.MAC{0x52, 0x54, 0, byte(i >> 16), byte(i >> 8), byte(i)}
		b.WriteString(`      - {mac: "` + m.String() + `", name: pc, boot: r7}` + "\n")
	}
	c, err := Parse("f", []byte(b.String()), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.Site.Networks[0].Reservations); n != 30000 {
		t.Errorf("%d reservations", n)
	}
}

// uniqueLines repeats a text with a number for each %.
func uniqueLines(line string, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(line, "%", strconv.Itoa(i)))
	}
	return b.String()
}

func TestNearest(t *testing.T) {
	names := []string{"address", "interfaces", "roles", "pxe", "pxelinux"}
	for in, want := range map[string]string{
		"adress": "address", "interface": "interfaces", "Roles": "roles", "rolse": "roles", "pxelinx": "pxelinux",
		"colour": "", "x": "", "": "", strings.Repeat("a", 100): "",
	} {
		got := ""
		if near := nearest(in, names); len(near) > 0 {
			got = near[0]
		}
		if got != want {
			t.Errorf("nearest(%q) = %q, want %q", in, got, want)
		}
	}
}
