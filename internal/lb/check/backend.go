package check

import (
	"fmt"

	"surefoot/internal/kernel/proc"
	"surefoot/internal/lb"
)

// backendHere looks at this machine as a backend.
func (c *checking) backendHere() {
	own := ""
	for _, b := range c.service.Backends {
		if i := c.host.has(b.Addr.Addr()); i != "" {
			own = i
		}
	}
	a := c.service.Address.Addr()
	if c.service.Mode != lb.DSR {
		c.good(here, "it is a backend of %s by mode %s, which needs nothing here", c.service.Name, c.service.Mode)
		return
	}
	setup := fmt.Sprintf("surefoot lb backend-setup --service %s --apply", a)
	switch on := c.host.has(a); on {
	case loopback:
		c.good(here, "%s is on %s", a, on)
	case "":
		c.found(NotOnLo, here, fmt.Sprintf("%s is on no interface of this machine, so it takes no packet for it", a), setup)
	default:
		c.found(NotOnLo, here, fmt.Sprintf("%s is on %s, and not on the loopback interface: ARP for it is answered there whatever arp_ignore says", a, on),
			fmt.Sprintf("ip address del %s/32 dev %s, and then %s", a, on, setup))
	}
	c.arp(ARPIgnore, "arp_ignore", 1, own, fmt.Sprintf("this machine answers ARP for %s, and takes the clients away from the balancer", a), setup)
	c.arp(ARPAnnounce, "arp_announce", 2, own, fmt.Sprintf("this machine tells its neighbours by its own ARP questions that it has %s", a), setup)
	c.reversePath(own)
	if n, ok := proc.Counter("Udp", "InCsumErrors"); ok && n > 0 {
		all, _ := proc.Counter("Udp", "InDatagrams")
		c.warn(Checksums, here, fmt.Sprintf("%d datagrams were dropped for a wrong checksum since the start, %d were taken (Udp InCsumErrors): a virtual network card before the balancer leaves checksums to somebody who is not there", n, all),
			"does it grow? nstat -az UdpInCsumErrors; then, at the other end of the balancer's veth: ethtool -K PEER tx off")
	} else if ok {
		c.good(here, "no datagram was dropped for a wrong checksum")
	}
}

// arp looks at one of the two settings: the kernel takes the larger of all's and the interface's.
func (c *checking) arp(code Code, name string, least int, iface, then, setup string) {
	all, own := proc.Number(proc.OfInterface("all", name)), proc.Number(proc.OfInterface(iface, name))
	if n := max(all, own); n < least {
		c.found(code, here, fmt.Sprintf("%s is %d for all interfaces and %d for %s, and %d is needed: %s", name, all, own, iface, least, then), setup)
		return
	}
	c.good(here, "%s is %d on %s", name, max(all, own), iface)
}
