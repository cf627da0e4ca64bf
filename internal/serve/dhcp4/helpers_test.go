package dhcp4

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp4"
)

var (
	clientMAC = boot.MAC{0x52, 0x54, 0, 0, 0, 1}
	ownMAC    = boot.MAC{2, 0, 0, 0, 0, 2}
	now       = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// testSite is two nodes, an ordinary TFTP server and a rule for each kind of machine.
func testSite() *boot.Site {
	return &boot.Site{
		Name: "lab", Self: "boot1",
		Rules: []boot.Rule{
			{Name: "bios", When: boot.Match{Arch: boot.ClassBIOS.Archs()}, File: "nbp.0", From: []string{"boot1", "boot2", "pvs1"}},
			{Name: "uefi", When: boot.Match{Arch: boot.ClassUEFIx64.Archs()}, File: "efi/nbp.efi", From: []string{"boot2", "boot1"}},
		},
		Servers: map[string]boot.Server{
			"boot1": {Name: "boot1", Node: true, PXE: addr("10.77.0.2"), TFTP: netip.MustParseAddrPort("10.77.0.2:69"), HTTP: netip.MustParseAddrPort("10.77.0.2:8067")},
			"boot2": {Name: "boot2", Node: true, PXE: addr("10.77.0.3"), TFTP: netip.MustParseAddrPort("10.77.0.3:69"), HTTP: netip.MustParseAddrPort("10.77.0.3:8067")},
			"pvs1":  {Name: "pvs1", TFTP: netip.MustParseAddrPort("10.77.0.21:69")},
		},
		Networks: []boot.Network{
			{Name: "lab", Subnet: netip.MustParsePrefix("10.77.0.0/24"), Deliver: boot.DeliverDHCP, BIOS: boot.BIOSDirect},
			{Name: "far", Subnet: netip.MustParsePrefix("10.88.0.0/24"), Deliver: boot.DeliverDHCP, BIOS: boot.BIOSDirect},
			{Name: "theirs", Subnet: netip.MustParsePrefix("10.99.0.0/24"), Deliver: boot.DeliverProxy},
		},
	}
}

// testConfig serves two scopes: the wire's own, and one behind a relay.
func testConfig() Config {
	return Config{
		Node: "boot1", Site: testSite(), Interfaces: []string{"eth0"}, BootService: true,
		Scopes: []Scope{
			{
				Name: "lab", Subnet: netip.MustParsePrefix("10.77.0.0/24"), Authoritative: true,
				Routers: []netip.Addr{addr("10.77.0.1")}, DNS: []netip.Addr{addr("10.77.0.5"), addr("10.77.0.6")},
				NTP: []netip.Addr{addr("10.77.0.7")}, Domain: "lab.example", MTU: 1400,
				Routes: []wire.Route{{To: netip.MustParsePrefix("10.0.0.0/8"), Via: addr("10.77.0.1")}},
			},
			{Name: "far", Subnet: netip.MustParsePrefix("10.88.0.0/24"), Routers: []netip.Addr{addr("10.88.0.1")}},
		},
	}
}

func testPools() []lease.Pool {
	return []lease.Pool{
		{
			Scope: "lab", Subnet: netip.MustParsePrefix("10.77.0.0/24"), Lease: time.Hour,
			Ranges: []lease.Range{{From: addr("10.77.0.100"), To: addr("10.77.0.150")}},
		},
		{
			Scope: "far", Subnet: netip.MustParsePrefix("10.88.0.0/24"), Lease: time.Hour,
			Ranges: []lease.Range{{From: addr("10.88.0.100"), To: addr("10.88.0.150")}},
		},
	}
}

func testBook(t testing.TB, change func([]lease.Pool)) *lease.Book {
	t.Helper()
	pools := testPools()
	if change != nil {
		change(pools)
	}
	b, err := lease.NewBook("boot1", pools)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func testLink() *Link {
	return &Link{Name: "eth0", MAC: ownMAC, Addrs: []netip.Prefix{netip.MustParsePrefix("10.77.0.2/24")}}
}

// memory is a Keeper that keeps at once, or refuses.
type memory struct {
	mu      sync.Mutex // guards all below
	refuse  error
	records []lease.Record
}

func (m *memory) Keep(r lease.Record, done func(error)) {
	m.mu.Lock()
	err := m.refuse
	if err == nil {
		m.records = append(m.records, r)
	}
	m.mu.Unlock()
	done(err)
}

func (m *memory) refuseWith(err error) {
	m.mu.Lock()
	m.refuse = err
	m.mu.Unlock()
}

func (m *memory) all() []lease.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]lease.Record(nil), m.records...)
}
