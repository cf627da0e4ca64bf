package check

import (
	"fmt"
	"net"
	"net/netip"

	"surefoot/internal/kernel/link"
	"surefoot/internal/kernel/proc"
	"surefoot/internal/lb"
)

const loopback = "lo"

// host is this machine: the addresses of its interfaces.
type host struct{ addrs map[netip.Addr]string }

func look() host {
	h := host{addrs: map[netip.Addr]string{}}
	list, err := net.Interfaces()
	if err != nil {
		return h
	}
	for _, i := range list {
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			n, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				h.addrs[ip.Unmap()] = i.Name
			}
		}
	}
	return h
}

// has returns the interface that has an address, "" if none does.
func (h host) has(a netip.Addr) string { return h.addrs[a] }

func (h host) towards(a netip.Addr) string {
	if i := h.has(a); i != "" {
		return i
	}
	r, err := link.RouteTo(a)
	if err != nil {
		return ""
	}
	return r.If
}

// kernel looks at the settings and tables of a balancer.
func (c *checking) kernel() {
	switch c.service.Mode {
	case lb.DSR:
		c.veth()
	case lb.NAT, lb.SNAT:
		c.forwarding()
		c.tables()
		c.reversePath(c.service.Interface)
	default:
		c.reversePath(c.service.Interface)
	}
}

// veth looks for the trap of virtual machines and containers. XDP in the driver of a veth loses what an offload has not finished yet.
func (c *checking) veth() {
	kind, xdp, err := link.Kind(c.service.Interface)
	switch {
	case err != nil:
		c.warn(NotLooked, here, err.Error())
	case kind == "veth" && xdp == link.XDPNative:
		c.found(VethXDP, here,
			fmt.Sprintf("%s is a veth with XDP in its driver: a checksum that its other end leaves to the network card is never finished (the servers count Udp InCsumErrors), and packets leave only where the other end has an XDP program too", c.service.Interface),
			fmt.Sprintf("plane: tcx in lb.services.%s, which needs none of this", c.service.Name),
			"or, at the other end of the veth: ethtool -K PEER tx off, and an XDP program that passes everything")
	default:
		c.good(here, "%s is a %s%s", c.service.Interface, kind, map[bool]string{true: ", XDP " + xdp}[xdp != ""])
	}
}

// forwarding looks at what lets a packet through this machine.
func (c *checking) forwarding() {
	name := "net.ipv4.ip_forward"
	if proc.Number(name) == 0 {
		c.found(NoForwarding, here, name+" is 0: this machine passes on no packet, so no client reaches a backend", "sysctl -w "+name+"=1, and the same in /etc/sysctl.d")
	} else {
		c.good(here, "%s is 1", name)
	}
	for _, i := range []string{"all", c.service.Interface} { // one of the two is enough for the kernel
		name := proc.OfInterface(i, "send_redirects")
		if proc.Number(name) == 0 {
			continue
		}
		text := name + " is 1: where clients or backends are on one segment with this machine, it tells them by ICMP to do without it, and a transfer that was translated breaks off"
		c.warn(Redirects, here, text, fmt.Sprintf("sysctl -w %s=0 %s=0 (the kernel takes the larger of the two)", proc.OfInterface("all", "send_redirects"), proc.OfInterface(c.service.Interface, "send_redirects")))
		break
	}
}

// nearlyFull is the percentage of a table from which it is told of, and full the one that is no warning any more.
const (
	nearlyFull = 60
	full       = 90
)

// tables looks at how full conntrack's are. Each request of TFTP is an expectation for 300 s, answered or not: who sends
// enough of them that nobody answers shuts everybody else out.
func (c *checking) tables() {
	if n, ok := proc.Expectations(); ok {
		c.table(Expectations, "expectations of conntrack's helpers", n, proc.Number("net.netfilter.nf_conntrack_expect_max"),
			"new transfers fail when it is full, with healthy servers (the kernel logs: expectation table full)",
			"who asks without an answer? a dead backend leaves an expectation for 300 s with each request: surefoot lb show; conntrack -L expect",
			"at once: conntrack -F expect; for good: sysctl -w net.netfilter.nf_conntrack_expect_max=65536")
	} else {
		c.warn(NotLooked, here, "the expectations of conntrack cannot be counted: /proc/net/nf_conntrack_expect is missing, or takes root", "run it as root")
	}
	if n := proc.Number("net.netfilter.nf_conntrack_count"); n > 0 {
		c.table(Conntrack, "connections of conntrack", n, proc.Number("net.netfilter.nf_conntrack_max"),
			"new connections are dropped when it is full", "sysctl -w net.netfilter.nf_conntrack_max=..., and look who makes so many: conntrack -L")
	}
}

func (c *checking) table(code Code, what string, n, most int, then string, fix ...string) {
	if most <= 0 {
		return
	}
	percent := 100 * n / most
	text := fmt.Sprintf("%d of %d %s, %d %%", n, most, what, percent)
	switch {
	case percent >= full:
		c.found(code, here, text+": "+then, fix...)
	case percent >= nearlyFull:
		c.warn(code, here, text+": "+then, fix...)
	default:
		c.good(here, "%s", text)
	}
}

// reversePath looks for clients whose packets come in at an interface, and would go out by another: a strict
// rp_filter drops them in silence.
func (c *checking) reversePath(iface string) {
	if iface == "" || iface == loopback {
		return
	}
	all, own := proc.OfInterface("all", "rp_filter"), proc.OfInterface(iface, "rp_filter")
	name, mode := own, proc.Number(own)
	if n := proc.Number(all); n > mode { // the kernel takes the larger
		name, mode = all, n
	}
	if mode != 1 {
		c.good(here, "rp_filter is not strict on %s", iface)
		return
	}
	bad := false
	for _, p := range c.service.Clients {
		client := p.Masked().Addr().Next()
		for c.host.has(client) != "" {
			client = client.Next()
		}
		if !client.Is4() || !p.Contains(client) {
			continue
		}
		r, err := link.RouteTo(client)
		if err == nil && r.If == iface {
			continue
		}
		bad = true
		way := "there is no route to them"
		if err == nil {
			way = "packets to them leave by " + r.If
		}
		text := fmt.Sprintf("%s is 1: packets of clients in %s that come in at %s are dropped in silence, since %s", name, p, iface, way)
		if n, ok := proc.Counter("TcpExt", "IPReversePathFilter"); ok {
			text += fmt.Sprintf("; the kernel has dropped %d so (TcpExt IPReversePathFilter)", n)
		}
		c.found(ReversePath, here, text, fmt.Sprintf("sysctl -w %s=2 (loose), or a route to %s by %s", name, p, iface))
	}
	if !bad {
		c.good(here, "rp_filter is strict on %s, and the way to the clients is the way they come", iface)
	}
}
