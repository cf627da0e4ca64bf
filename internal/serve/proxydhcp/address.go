package proxydhcp

import (
	"net/netip"
	"slices"

	"surefoot/internal/boot"
)

// ownAddr returns the address by which this node is known to the client: the one that was asked,
// or the interface's first, which must have one, if the packet was a broadcast.
func (h Heard) ownAddr() netip.Addr {
	if a := h.To.Addr(); h.Link.has(a) {
		return a
	}
	return h.Link.Addrs[0].Addr()
}

func (l Link) has(a netip.Addr) bool {
	return slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return p.Addr() == a })
}

const tftpPort = 69

// nodeAt returns this node as a server that is reached at an address of its own. That address
// stands in option 54, and in siaddr where the client is to come back to this node: port 4011
// is served there, whatever address the site file names for TFTP.
func nodeAt(s *boot.Site, addr netip.Addr) boot.Server {
	self := s.Servers[s.Self]
	self.Name, self.Node = s.Self, true
	self.TFTP = netip.AddrPortFrom(addr, tftpPort)
	return self
}
