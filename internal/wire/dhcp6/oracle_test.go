package dhcp6

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"
)

// What another codec writes is read here as it was meant.
func TestOracleWrites(t *testing.T) {
	mac := net.HardwareAddr{0x52, 0x54, 0, 0, 0, 1}
	m, err := dhcpv6.NewSolicit(mac, dhcpv6.WithClientID(&dhcpv6.DUIDLL{HWType: iana.HWTypeEthernet, LinkLayerAddr: mac}),
		dhcpv6.WithArchType(iana.EFI_X86_64), dhcpv6.WithRequestedOptions(dhcpv6.OptionBootfileURL), dhcpv6.WithRapidCommit)
	if err != nil {
		t.Fatal(err)
	}
	r, err := dhcpv6.EncapsulateRelay(m, dhcpv6.MessageTypeRelayForward, net.ParseIP("fd78::1"), net.ParseIP("fe80::2"))
	if err != nil {
		t.Fatal(err)
	}
	r.AddOption(dhcpv6.OptInterfaceID([]byte("eth9")))
	r.AddOption(dhcpv6.OptClientLinkLayerAddress(iana.HWTypeEthernet, mac))
	var v View
	if err := v.Parse(r.ToBytes()); err != nil {
		t.Fatal(err)
	}
	got, ok := v.ClientID().MAC()
	if !ok || !bytes.Equal(got[:], mac) || v.Type() != Solicit || !v.Options().Has(RapidCommit) || !v.Options().Asks(BootFileURL) {
		t.Errorf("read %s of %s", v.Type(), got)
	}
	xid := m.TransactionID
	if v.XID() != uint32(xid[0])<<16|uint32(xid[1])<<8|uint32(xid[2]) {
		t.Errorf("transaction %x, want %s", v.XID(), xid)
	}
	if id, _ := v.First().Options.Get(InterfaceID); string(id) != "eth9" {
		t.Errorf("interface id %q", id)
	}
	if _, b := v.First().LinkLayer(); !bytes.Equal(b, mac) {
		t.Errorf("link-layer address % x", b)
	}
	for ia := range v.Options().IAs() {
		if id := m.Options.OneIANA().IaId; ia.IAID != uint32(id[0])<<24|uint32(id[1])<<16|uint32(id[2])<<8|uint32(id[3]) {
			t.Errorf("IAID %x, want % x", ia.IAID, id)
		}
	}
}

// What is written here is read by another codec as it was meant.
func TestOracleReads(t *testing.T) {
	var v View
	relayed, err := Forward(nil, 0, addr("fd78::1"), addr("fe80::2"), []byte{0, 18, 0, 2, 'i', 'f'}, solicit(t))
	if err == nil {
		err = v.Parse(relayed)
	}
	if err != nil {
		t.Fatal(err)
	}
	var w Writer
	w.Begin(nil, &v, Reply)
	w.Put(ClientID, v.ClientID())
	w.Put(ServerID, LL([6]byte{2, 0, 0, 0, 0, 9}))
	w.BeginIA(IA{Code: IANA, IAID: 7, T1: 1800, T2: 2880})
	w.PutAddress(addr("fd78::99"), 3600, 3700)
	w.PutStatus(NoAddrsAvail, "full")
	w.EndIA()
	w.PutAddrs(DNSServers, []netip.Addr{addr("fd78::53"), addr("fd78::54")})
	search, _ := AppendDomains(nil, "lab.example")
	w.Put(DomainSearch, search)
	w.Put(NTPServer, AppendNTP(nil, addr("fd78::77")))
	w.PutText(BootFileURL, "tftp://[fd78::11]/a.efi")
	w.PutTexts(BootFileParam, "one", "two")
	w.PutClass(EnterprisePXE, "HTTPClient")
	b, err := w.End()
	if err != nil {
		t.Fatal(err)
	}
	p, err := dhcpv6.FromBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	r := p.(*dhcpv6.RelayMessage)
	if string(r.Options.InterfaceID()) != "if" || !r.LinkAddr.Equal(net.ParseIP("fd78::1")) {
		t.Errorf("relay %s", r.Summary())
	}
	m, err := r.GetInnerMessage()
	if err != nil {
		t.Fatal(err)
	}
	ia := m.Options.OneIANA()
	a := ia.Options.OneAddress()
	if m.MessageType != dhcpv6.MessageTypeReply || ia.T1 != 1800*time.Second || !a.IPv6Addr.Equal(net.ParseIP("fd78::99")) || a.ValidLifetime != 3700*time.Second {
		t.Errorf("message %s", m.Summary())
	}
	if s := ia.Options.Status(); s.StatusCode != iana.StatusNoAddrsAvail || s.StatusMessage != "full" {
		t.Errorf("status %v", s)
	}
	if dns := m.Options.DNS(); len(dns) != 2 || !dns[1].Equal(net.ParseIP("fd78::54")) {
		t.Errorf("DNS %v", dns)
	}
	if l := m.Options.DomainSearchList(); l == nil || len(l.Labels) != 1 || l.Labels[0] != "lab.example" {
		t.Errorf("search %v", l)
	}
	if m.Options.BootFileURL() != "tftp://[fd78::11]/a.efi" || len(m.Options.BootFileParam()) != 2 || m.Options.BootFileParam()[1] != "two" {
		t.Errorf("boot file %q %q", m.Options.BootFileURL(), m.Options.BootFileParam())
	}
	if c := m.Options.VendorClass(EnterprisePXE); len(c) != 1 || string(c[0]) != "HTTPClient" {
		t.Errorf("class %q", c)
	}
	if ntp := m.Options.NTPServers(); len(ntp) != 1 || !ntp[0].Equal(net.ParseIP("fd78::77")) {
		t.Errorf("NTP %v", ntp)
	}
}
