package boot

import (
	"net/netip"
	"strings"
	"testing"
)

// TestDecideByProtocol: a protocol that is dead takes a server out of the answers that use it, and out
// of no others. A script makes do with the TFTP of a server whose HTTP is dead.
func TestDecideByProtocol(t *testing.T) {
	bios := Client{Arch: ArchX64, Firmware: FirmwareEDK2}
	http := Client{Arch: ArchX64HTTP, Firmware: FirmwareUEFIHTTP}
	ipxe := Client{Arch: ArchX64, Firmware: FirmwareIPXE, IPXE: IPXEFeatures{Known: true, HTTP: true}}
	for _, c := range []struct {
		name   string
		client Client
		dead   string // protocols of boot1
		want   string // servers, with what an answer may use of them
	}{
		{"TFTP, all well", bios, "", "boot1 TFTP+HTTP, boot2 TFTP+HTTP"},
		{"TFTP, and its HTTP is dead", bios, "http", "boot1 TFTP+HTTP, boot2 TFTP+HTTP"},
		{"TFTP is dead", bios, "tftp", "boot2 TFTP+HTTP"},
		{"HTTP boot, and its TFTP is dead", http, "tftp", "boot1 TFTP+HTTP, boot2 TFTP+HTTP"},
		{"HTTP boot, and its HTTP is dead", http, "http", "boot2 TFTP+HTTP"},
		{"a script, and its TFTP is dead", ipxe, "tftp", "boot1 TFTP+HTTP, boot2 TFTP+HTTP"},
		{"a script, and its HTTP is dead", ipxe, "http", "boot1 TFTP, boot2 TFTP+HTTP"},
		{"a script, and both are dead", ipxe, "tftp http", "boot2 TFTP+HTTP"},
	} {
		s := site("boot1")
		s.Rules = []Rule{{Name: "all", File: "menu", From: []string{"boot1", "boot2"}}}
		d := Decide(on("10.10.0.11/22", c.client), s, func(server, file string, by Protocol) bool {
			return server == "boot1" && file == "menu" && strings.Contains(c.dead, string(by))
		})
		var got []string
		for _, srv := range d.Answer.Servers {
			var by []string
			for _, p := range Protocols() {
				if srv.Speaks(p) {
					by = append(by, p.String())
				}
			}
			got = append(got, srv.Name+" "+strings.Join(by, "+"))
		}
		if strings.Join(got, ", ") != c.want || d.Answer.FailOpen || c.client.Firmware == FirmwareIPXE != d.Answer.Script {
			t.Errorf("%s: %q, want %s\n%+v", c.name, got, c.want, d.Trace)
		}
		if !s.Servers["boot1"].HTTP.IsValid() {
			t.Errorf("%s: the site was changed", c.name)
		}
	}
}

// TestResolveByProtocol: a name goes by the protocol that its servers share.
func TestResolveByProtocol(t *testing.T) {
	s := dnsSite()
	down := func(by Protocol) Down {
		return func(server, _ string, p Protocol) bool { return p == by && (server == "boot1" || server == "web1") }
	}
	f := func(what string, from []string, dead Protocol, want string) {
		t.Helper()
		r := Resolve(Name{Name: "x", File: "f", From: from, Order: OrderFirst}, netip.Prefix{}, 0, s, down(dead))
		if got := namesOf(r.Servers); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	s.Servers["web2"] = Server{Name: "web2", HTTP: netip.MustParseAddrPort("10.10.0.32:80")}
	f("HTTP is dead, and the name is for TFTP", []string{"boot1", "boot2"}, ByHTTP, "boot1 boot2")
	f("TFTP is dead", []string{"boot1", "boot2"}, ByTFTP, "boot2")
	f("HTTP is dead, and is all there is", []string{"web1", "web2"}, ByHTTP, "web2")
}

func TestUsesHTTP(t *testing.T) {
	for want, rules := range map[bool][]Rule{
		true: {
			{},
			{When: Match{Arch: ClassBIOS.Archs()}},
			{When: Match{Firmware: []Firmware{FirmwarePXE, FirmwareIPXE}}},
			{When: Match{Firmware: []Firmware{FirmwareUEFIHTTP}}, IPXE: IPXEFile},
		},
		false: {{When: Match{Firmware: []Firmware{FirmwarePXE, FirmwareEDK2}}}, {When: Match{Firmware: []Firmware{FirmwareIPXE}}, IPXE: IPXEFile}},
	} {
		for _, r := range rules {
			if r.UsesHTTP() != want {
				t.Errorf("%+v: %v", r, !want)
			}
		}
	}
}
