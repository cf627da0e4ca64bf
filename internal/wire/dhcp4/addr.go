package dhcp4

import (
	"net/netip"
	"slices"
)

// everyone is the address of all machines on the wire.
var everyone = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// LastOf returns the broadcast address of a subnet.
func LastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(b)
}

// IsBroadcast reports whether an address is that of all machines in one of the subnets.
func IsBroadcast(a netip.Addr, subnets []netip.Prefix) bool {
	return slices.ContainsFunc(subnets, func(p netip.Prefix) bool { return p.Bits() < 31 && a == LastOf(p) })
}

// Sane reports whether an address that a packet names can be one machine's; none is one too. Otherwise a reply to
// it could reach everyone, or ourselves. subnets are those of the wire.
func Sane(a netip.Addr, subnets []netip.Prefix) bool {
	return !a.IsValid() || !a.IsMulticast() && !a.IsLoopback() && a != everyone && !IsBroadcast(a, subnets)
}
