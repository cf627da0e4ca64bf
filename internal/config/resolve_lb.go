package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
)

// resolveBalances fills in the defaults.
func (c *Config) resolveBalances(f *file) {
	c.LBPeersKey = f.lbPeersKey.or("")
	for i := range f.balances {
		b := &f.balances[i]
		out := Balance{
			Name: b.name, Listen: b.listen.or(netip.AddrPort{}), Mode: b.mode.or(ModeRelay), Backends: plainList(b.backends),
			Scheduler: b.scheduler.or(schedulers()[0]), Persist: b.persist.or(0), Sorry: b.sorry.or(""),
		}
		a, vip := b.address(f)
		out.Address = a
		if b.listen == nil {
			out.Listen = netip.AddrPortFrom(a, DefaultTFTPPort)
		}
		if vip != nil {
			out.VIP = vip.name
		}
		if !b.kernel() {
			out.Cache, out.Fresh = b.cache.or(DefaultBalanceCache), b.fresh.or(DefaultBalanceFresh)
			c.Balances = append(c.Balances, out)
			continue
		}
		if n := f.node(c.Node.Name); n != nil {
			out.Interface = f.balanceInterface(b, n)
		}
		if out.Interface == "" && len(c.Node.Interfaces) > 0 {
			out.Interface = c.Node.Interfaces[0]
		}
		out.Ports, out.Drain = b.takes(), b.drain.or(DefaultBalanceDrain)
		out.Persist = b.persist.or(b.leastPersist())
		if out.Mode == ModeDSR {
			out.Plane = b.plane.or(planes()[0])
		} else {
			out.Forwarding = b.forwarding.or(ForwardingTell)
		}
		c.Balances = append(c.Balances, out)
	}
}

// beside is where a node's own TFTP server listens where a service has an address with the same port:
// at the node's own address, since every address would take the service's as well.
func (f *file) beside(n Node, all netip.AddrPort) netip.AddrPort {
	port := "udp/" + strconv.Itoa(int(all.Port()))
	for i := range f.balances {
		if t := f.balances[i].takes(); (t == nil || slices.Contains(t, port)) && slices.Contains(n.Roles, RoleLB) {
			return netip.AddrPortFrom(n.Addr, all.Port())
		}
	}
	return all
}

// besideService reports whether the TFTP server listens at the node's own address because of a service.
func (c *Config) besideService() bool {
	port := "udp/" + strconv.Itoa(int(c.TFTP.Port()))
	return c.TFTP.Addr() == c.Node.Addr && slices.Contains(c.Node.Roles, RoleLB) &&
		slices.ContainsFunc(c.Balances, func(b Balance) bool {
			if b.InKernel() {
				return len(b.Ports) == 0 || slices.Contains(b.Ports, port)
			}
			return b.Listen.Port() == c.TFTP.Port()
		})
}

func (c *Config) writeBalances(line func(string, ...any)) {
	if len(c.Balances) == 0 {
		return
	}
	line("\nlb:")
	if c.LBPeersKey != "" {
		line("  peers: {key_file: %s}", plain(c.LBPeersKey))
	}
	line("  services:")
	for _, b := range c.Balances {
		line("    %s:", plain(b.Name))
		switch {
		case b.VIP != "":
			line("      vip: %s", plain(b.VIP))
		case b.InKernel():
			line("      vip: %s", plain(b.Address.String()))
		default:
			line("      listen: %s", b.Listen)
		}
		line("      mode: %s", b.Mode)
		var names []string
		for _, x := range b.Backends {
			if x.Weight != 1 {
				x.Name = fmt.Sprintf("%s*%d", x.Name, x.Weight)
			}
			names = append(names, x.Name)
		}
		line("      backends: %s", flow(names))
		line("      scheduler: %s", b.Scheduler)
		if b.Persist > 0 {
			line("      persistence: {source_ip: %s}", durationText(b.Persist))
		}
		if b.InKernel() {
			b.writeKernel(line)
			continue
		}
		cache := "off"
		if b.Cache > 0 {
			cache = sizeText(b.Cache)
		}
		line("      cache: %s", cache)
		line("      fresh: %s", durationText(b.Fresh))
		if b.Sorry != "" {
			line("      sorry: %s", plain(b.Sorry))
		}
	}
}

func (b Balance) writeKernel(line func(string, ...any)) {
	if b.Interface != "" {
		line("      interface: %s", plain(b.Interface))
	}
	if b.Plane != "" {
		line("      plane: %s", b.Plane)
	}
	if len(b.Ports) > 0 {
		line("      ports: %s", flow(b.Ports))
	}
	line("      drain: %s", durationText(b.Drain))
	if b.Forwarding != "" {
		line("      forwarding: %s", b.Forwarding)
	}
}
