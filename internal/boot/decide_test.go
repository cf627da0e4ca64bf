package boot

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

var (
	macA = MAC{0x52, 0x54, 0, 0, 0, 1}
	macR = MAC{0x52, 0x54, 0, 0, 0, 9}
)

// site is a site of two nodes and two foreign TFTP servers, seen by the node that is named.
func site(self string) *Site {
	node := func(name, addr string) Server {
		a := netip.MustParseAddr(addr)
		return Server{Name: name, TFTP: netip.AddrPortFrom(a, 69), HTTP: netip.AddrPortFrom(a, 8067), PXE: a, Node: true}
	}
	foreign := func(name, addr string) Server {
		return Server{Name: name, TFTP: netip.AddrPortFrom(netip.MustParseAddr(addr), 69)}
	}
	bios, x64 := ClassBIOS.Archs(), ClassUEFIx64.Archs()
	return &Site{
		Name: "hq", Self: self,
		Servers: map[string]Server{
			"boot1": node("boot1", "10.10.0.11"), "boot2": node("boot2", "10.10.0.12"),
			"pvs1": foreign("pvs1", "10.10.0.21"), "pvs2": foreign("pvs2", "10.10.0.22"),
		},
		Rules: []Rule{
			{Name: "pvs-bios", When: Match{Arch: bios, Network: []string{"vdi"}}, File: "ARDBP32.BIN", From: []string{"pvs1", "pvs2"}},
			{Name: "uefi", When: Match{Arch: x64}, File: "snponly.efi", From: []string{"boot1", "boot2"}},
			{Name: "menu", When: Match{Firmware: []Firmware{FirmwareIPXE}}, File: "menu.ipxe", From: []string{"boot1", "boot2"}},
			{Name: "test", When: Match{MAC: []string{"52:54:00:00:00"}}, File: TestBootstrap, From: []string{"boot1", "boot2"}},
		},
		Networks: []Network{
			{
				Name: "vdi", Subnet: netip.MustParsePrefix("10.10.0.0/22"), Deliver: DeliverProxy, BIOS: BIOSDirect,
				Reservations: map[MAC]Reservation{macR: {Name: "pc-90", Rule: "uefi"}},
			},
			{Name: "lab", Subnet: netip.MustParsePrefix("10.20.0.0/24"), Deliver: DeliverProxy},
			{Name: "quiet", Subnet: netip.MustParsePrefix("10.30.0.0/24"), Deliver: DeliverNone},
		},
	}
}

func on(subnet string, c Client) Client {
	c.Link = netip.MustParsePrefix(subnet)
	if c.MAC.IsZero() {
		c.MAC = macA
	}
	return c
}

func TestDecide(t *testing.T) {
	vdi, lab := "10.10.0.11/22", "10.20.0.5/24"
	tests := []struct {
		name    string
		self    string
		client  Client
		down    Down
		reason  Reason
		rule    string
		file    string
		servers string
		script  bool
	}{
		{
			name: "first match wins", client: on(vdi, Client{Arch: ArchBIOS, Firmware: FirmwarePXE}),
			reason: Answered, rule: "pvs-bios", file: "ARDBP32.BIN", servers: "pvs1 pvs2",
		},
		{
			name: "this node comes first", self: "boot2", client: on(vdi, Client{Arch: ArchX64, Firmware: FirmwareEDK2}),
			reason: Answered, rule: "uefi", file: "snponly.efi", servers: "boot2 boot1",
		},
		{
			name: "7 and 9 are both x64 (F9)", client: on(vdi, Client{Arch: ArchEBC, Firmware: FirmwareEDK2}),
			reason: Answered, rule: "uefi", file: "snponly.efi", servers: "boot1 boot2",
		},
		{
			name: "iPXE is never given iPXE", client: on(vdi, Client{Arch: ArchX64, Firmware: FirmwareIPXE}),
			reason: Answered, rule: "menu", file: "menu.ipxe", servers: "boot1 boot2", script: true,
		},
		{
			name: "iPXE without HTTP is given the file", client: on(vdi, Client{Arch: ArchX64, Firmware: FirmwareIPXE, IPXE: IPXEFeatures{Known: true, TFTP: true}}),
			reason: Answered, rule: "menu", file: "menu.ipxe", servers: "boot1 boot2",
		},
		{
			name: "the relay decides the network", client: on(vdi, Client{Arch: ArchBIOS, Relay: netip.MustParseAddr("10.20.0.1")}),
			reason: Answered, rule: "test", file: TestBootstrapBIOS, servers: "boot1 boot2",
		},
		{
			name: "a reservation names its rule", client: on(vdi, Client{MAC: macR, Arch: ArchBIOS}),
			reason: Answered, rule: "uefi", file: "snponly.efi", servers: "boot1 boot2",
		},
		{
			name: "a reservation cannot make iPXE loop", client: on(vdi, Client{MAC: macR, Arch: ArchX64, Firmware: FirmwareIPXE}),
			reason: Answered, rule: "menu", file: "menu.ipxe", servers: "boot1 boot2", script: true,
		},
		{
			name: "the test bootstrap has two forms", client: on(lab, Client{Arch: ArchBIOS}),
			reason: Answered, rule: "test", file: TestBootstrapBIOS, servers: "boot1 boot2",
		},
		{name: "and no third", client: on(lab, Client{Arch: ArchARM64}), reason: NoTestBootstrap, rule: "test"},
		{
			name: "a server that is down is left out", client: on(vdi, Client{Arch: ArchBIOS}),
			down:   func(server, _ string, _ Protocol) bool { return server == "pvs1" },
			reason: Answered, rule: "pvs-bios", file: "ARDBP32.BIN", servers: "pvs2",
		},
		{
			name: "all down: all are named", client: on(vdi, Client{Arch: ArchBIOS}),
			down:   func(string, string, Protocol) bool { return true },
			reason: Answered, rule: "pvs-bios", file: "ARDBP32.BIN", servers: "pvs1 pvs2",
		},
		{
			name: "HTTP boot needs HTTP", client: on(vdi, Client{Arch: ArchX64HTTP, Firmware: FirmwareUEFIHTTP}),
			reason: Answered, rule: "uefi", file: "snponly.efi", servers: "boot1 boot2",
		},
		{name: "no rule", client: on(lab, Client{MAC: MAC{2, 0, 0, 0, 0, 1}, Arch: ArchBIOS}), reason: NoRule},
		{name: "no network", client: on("192.0.2.1/24", Client{Arch: ArchBIOS}), reason: NoNetwork},
		{name: "a network that stays silent", client: on("10.30.0.1/24", Client{Arch: ArchBIOS}), reason: NetworkSilent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			self := tt.self
			if self == "" {
				self = "boot1"
			}
			d := Decide(tt.client, site(self), tt.down)
			var names []string
			for _, s := range d.Answer.Servers {
				names = append(names, s.Name)
			}
			if d.Reason != tt.reason || d.Answer.Rule != tt.rule || strings.Join(names, " ") != tt.servers ||
				d.Reason == Answered && d.Answer.File != tt.file || d.Answer.Script != tt.script {
				t.Errorf("got %s, rule %q, file %q, servers %q, script %v\ntrace: %+v",
					d.Reason, d.Answer.Rule, d.Answer.File, names, d.Answer.Script, d.Trace)
			}
			if len(d.Trace) == 0 {
				t.Error("no trace")
			}
		})
	}
}

func TestDecideServerWithoutHTTP(t *testing.T) {
	s := site("boot1")
	s.Rules = []Rule{{Name: "only", File: "x.efi", From: []string{"pvs1"}}}
	c := on("10.10.0.11/22", Client{Arch: ArchX64HTTP, Firmware: FirmwareUEFIHTTP})
	if d := Decide(c, s, nil); d.Reason != NoServer {
		t.Errorf("reason = %s, want %s", d.Reason, NoServer)
	}
}

// Port 4011 is asked of nodes, whoever serves the file.
func TestDecideNodes(t *testing.T) {
	d := Decide(on("10.10.0.11/22", Client{Arch: ArchBIOS}), site("boot2"), nil)
	var names []string
	for _, n := range d.Answer.Nodes {
		names = append(names, n.Name)
	}
	if got := strings.Join(names, " "); d.Answer.Rule != "pvs-bios" || got != "boot2 boot1" {
		t.Errorf("rule %s: nodes %q, want boot2 boot1", d.Answer.Rule, got)
	}
}

func TestDecideFailOpenIsSaid(t *testing.T) {
	d := Decide(on("10.10.0.11/22", Client{Arch: ArchBIOS}), site("boot1"), func(string, string, Protocol) bool { return true })
	if !d.Answer.FailOpen {
		t.Error("FailOpen is not set")
	}
}

// The trace says of every rule why it was or was not taken.
func TestDecideTraceNamesEveryRule(t *testing.T) {
	s := site("boot1")
	d := Decide(on("10.10.0.11/22", Client{Arch: ArchX64, Firmware: FirmwareEDK2}), s, nil)
	for _, r := range s.Rules {
		if !slices.ContainsFunc(d.Trace, func(x Step) bool { return x.Subject == "rule "+r.Name && x.Why != "" }) {
			t.Errorf("the trace is silent on rule %s: %+v", r.Name, d.Trace)
		}
	}
}

// Decide is called by many goroutines on one Site, so it must not change it.
func TestDecideLeavesTheSiteAlone(t *testing.T) {
	s := site("boot2")
	for range 3 {
		Decide(on("10.10.0.11/22", Client{Arch: ArchX64}), s, nil)
	}
	if got := s.Rules[1].From; !slices.Equal(got, []string{"boot1", "boot2"}) {
		t.Errorf("From became %q", got)
	}
}
