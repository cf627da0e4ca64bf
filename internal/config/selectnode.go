package config

import (
	"net/netip"
	"os"
	"slices"
	"strings"
)

// selectNode finds the node that this process is: the one asked for, else the one called as the
// host is, else the only one, else the first if any will do.
func (d *decoder) selectNode(f *file, o Options) *fileNode {
	if len(f.nodes) == 0 {
		return nil // reported by check, or the key is missing
	}
	if o.Node != "" {
		if n := f.node(o.Node); n != nil {
			return n
		}
		d.report(f.nodesAt, faultf("there is no node %s", quote(o.Node)).do("%s", didYouMean(o.Node, f.nodeNames())))
		return nil
	}
	host, err := os.Hostname()
	if err == nil {
		short, _, _ := strings.Cut(host, ".")
		for _, name := range []string{host, short, strings.ToLower(host), strings.ToLower(short)} {
			if n := f.node(name); n != nil {
				return n
			}
		}
	}
	if len(f.nodes) == 1 || o.AnyNode {
		return &f.nodes[0]
	}
	d.report(f.nodesAt, faultf("none of the nodes is called %s, as this machine is, and none was asked for", quote(host)).do("--node NAME says which one this is: %s", strings.Join(f.nodeNames(), ", ")))
	return nil
}

// checkNode looks at what a node needs to do its part.
func (d *decoder) checkNode(f *file, n *fileNode, interfaces []string) {
	roles := f.runs(n)
	if slices.Contains(roles, RoleProxyDHCP) && f.byProxy() && !n.bad && n.interfaces == nil && len(interfaces) == 0 {
		d.report(n.at, faultf("network %s is answered by proxy, but node %s names no interface to answer on", f.proxyNetwork(), n.name).
			write(n.example(f)).do("interfaces can also be named by `surefoot serve --interface`; roles: [tftp, http] leaves answering to other nodes"))
	}
	if slices.Contains(roles, RoleDHCP) && f.byDHCP() && !n.bad && n.interfaces == nil && len(interfaces) == 0 && !slices.Contains(roles, RoleProxyDHCP) {
		d.report(n.at, faultf("node %s gives out addresses, but names no interface to answer on", n.name).
			write(n.example(f)).do("interfaces can also be named by `surefoot serve --interface`; roles: [tftp, http] leaves answering to other nodes"))
	}
	d.checkVIPNode(f, n, interfaces)
	d.checkBalanceNode(f, n, interfaces)
	if slices.Contains(roles, RoleDHCP6) && f.byDHCP6() && !n.bad && n.interfaces == nil && len(interfaces) == 0 &&
		!slices.Contains(roles, RoleProxyDHCP) && !slices.Contains(roles, RoleDHCP) {
		d.report(n.at, faultf("node %s answers DHCPv6, but names no interface to answer on", n.name).
			write(n.example(f)).do("interfaces can also be named by `surefoot serve --interface`; roles: [tftp, http] leaves answering to other nodes"))
	}
	if n.address == nil {
		return
	}
	d.checkBalanceAddresses(f, n)
	for _, l := range []struct {
		role   string
		listen *parsed[netip.AddrPort]
	}{{RoleTFTP, f.tftpListen}, {RoleHTTP, f.httpListen}} {
		if l.listen == nil || !slices.Contains(roles, l.role) {
			continue
		}
		if a := l.listen.v.Addr(); !a.IsUnspecified() && a != n.address.v {
			port := netip.AddrPortFrom(netip.IPv4Unspecified(), l.listen.v.Port())
			d.report(l.listen.at, faultf("clients are sent to %s, the address of node %s, but %s would listen on %s only", n.address.v, n.name, l.role, a).write("listen: "+port.String()))
		}
	}
}

// example is the node as it would be right.
func (n *fileNode) example(f *file) string {
	s := n.name + ": {"
	if n.address != nil {
		s += "address: " + n.address.v.String() + ", "
	}
	s += "interfaces: [eth1]"
	if len(n.roles) > 0 {
		s += ", roles: [" + strings.Join(f.runs(n), ", ") + "]"
	}
	return s + "}"
}

// proxyNetwork names the first network that is answered by proxy.
func (f *file) proxyNetwork() string {
	for _, n := range f.networks {
		if n.proxy {
			return n.name
		}
	}
	return defaultNetwork
}

// defaultNetwork is the name of the network of a file that has none.
const defaultNetwork = "default"
