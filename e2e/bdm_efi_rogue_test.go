package e2e

import (
	"net/netip"
	"testing"

	"surefoot/internal/wire/dhcp4"
)

// Of two DHCP servers the one whose offer always comes first gives nothing: it refuses, or says no more.
func bdmRogueDHCP(t *testing.T, b *bench) {
	o := quiet(2)
	o.OwnDHCP = true
	s := b.raise(t, o)
	s.twoServers(t)
	m := s.insert(asking("tftp://"+n2+"/"), plainOVMF(), false)
	m.says(`E-DHCP 10\.77\.0\.98 refuses the address`, `10\.77\.0\.99 offers 10\.77\.0\.90`)
	f := m.report("n2", n2)
	if f["ip"] != "10.77.0.90" {
		t.Errorf("address %q, want the good server's 10.77.0.90", f["ip"])
	}
}

// twoServers answers DHCP in the place of two servers.
func (s *stage) twoServers(t *testing.T) {
	t.Helper()
	c := s.socket("n1", "0.0.0.0:67")
	good, rogue := netip.MustParseAddr("10.77.0.99"), netip.MustParseAddr("10.77.0.98")
	everybody := netip.AddrPortFrom(netip.MustParseAddr("10.77.0.255"), 68)
	go func() {
		buf := make([]byte, 1500)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			p, err := dhcp4.Decode(buf[:n])
			if err != nil {
				continue
			}
			say := func(kind dhcp4.MessageType, server, yours netip.Addr) {
				r := &dhcp4.Packet{Op: 2, HType: 1, HLen: 6, XID: p.XID, Flags: p.Flags, CHAddr: p.CHAddr, YIAddr: yours}
				r.SetType(kind)
				r.SetAddr(54, server)
				r.SetAddr(1, netip.MustParseAddr("255.255.255.0"))
				r.Set(51, []byte{0, 0, 14, 16})
				if b, err := r.Encode(p.MaxSize()); err == nil {
					_, _ = c.WriteToUDPAddrPort(b, everybody)
				}
			}
			switch {
			case p.Type() == dhcp4.Discover:
				say(dhcp4.Offer, rogue, netip.MustParseAddr("10.77.0.91"))
				say(dhcp4.Offer, good, netip.MustParseAddr("10.77.0.90"))
			case p.Type() == dhcp4.Request && p.Addr(54) == rogue:
				say(dhcp4.NAK, rogue, netip.Addr{})
			case p.Type() == dhcp4.Request && p.Addr(54) == good:
				say(dhcp4.ACK, good, p.Addr(50))
			}
		}
	}()
}
