package watch

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/health"
	"surefoot/internal/kernel/link"
	"surefoot/internal/probe"
)

// suffix6 in the name of a network says that it is looked at over IPv6.
const suffix6 = "/6"

// ask6 looks at a segment once by DHCPv6. A server of this machine hears it as every other does.
func (c *Discovery) ask6(ctx context.Context, deps DiscoverDeps, l *Look) (health.Status, string) {
	at, err := deps.Link(l.Interface)
	if err != nil {
		return NotAsked, err.Error()
	}
	own, err := deps.Addrs6(l.Interface)
	if err != nil {
		return NotAsked, err.Error()
	}
	n, state, why := c.network6(l, own)
	if why != "" {
		return state, why
	}
	res := deps.Ask6(ctx, probe.DHCP6Options{Interface: l.Interface, Wait: c.Wait, NoAddress: c.NoAddress[n.Name], Monitor: true})
	l.MAC, l.Trace = at.MAC.String(), res.Trace
	if f := res.Fault; f != nil && (f.Code == probe.LocalError || f.Code == probe.Interrupted) {
		l.Hints = f.Hint
		return NotAsked, f.Text
	}
	c.judge6(res, n, at, own, l)
	return l.State, l.Text
}

// network6 finds the network of an interface that the nodes answer by DHCPv6, or says why nothing is sent there.
func (c *Discovery) network6(l *Look, own []netip.Prefix) (boot.Network, health.Status, string) {
	for _, n := range c.Site.Networks {
		if !n.Subnet6.IsValid() || !slices.ContainsFunc(own, func(p netip.Prefix) bool { return n.Subnet6.Contains(p.Addr()) }) {
			continue
		}
		l.Network = n.Name + suffix6
		_, served := c.NoAddress[n.Name]
		switch {
		case !served:
			return n, LeftOut, fmt.Sprintf("network %s has no section dhcp6", n.Name)
		case len(c.Networks) > 0 && !slices.Contains(c.Networks, n.Name):
			return n, LeftOut, fmt.Sprintf("watch.discover.networks does not name %s", n.Name)
		}
		return n, "", ""
	}
	return boot.Network{}, LeftOut, fmt.Sprintf("interface %s has no address of a subnet6 of the site file", l.Interface)
}

// judge6 says what the answers showed.
func (c *Discovery) judge6(res probe.Result, n boot.Network, at link.Link, own []netip.Prefix, l *Look) {
	inform := c.NoAddress[n.Name]
	for _, o := range res.Offers {
		i := slices.IndexFunc(l.Services, func(s Service) bool { return s.From == o.From && s.DUID == o.DUID })
		if i < 0 {
			l.Services = append(l.Services, Service{Server: o.Server, From: o.From, MAC: o.MAC, DUID: o.DUID})
			i = len(l.Services) - 1
		}
		s := &l.Services[i]
		// What a server is known by, every URL that it names must be, too.
		known := c.known6(o, at, own)
		if o.File != "" && !s.Boot || len(s.Files) == 0 && s.Known == "" {
			s.Known = known
		} else if o.File != "" && known == "" {
			s.Known = ""
		}
		s.Boot = s.Boot || o.File != ""
		if o.Address != "" || inform {
			s.Address = true
			if after := time.Duration(o.After); l.Response == 0 || after < l.Response {
				l.Response = max(after, 1)
			}
		}
		if o.File != "" && !slices.Contains(s.Files, o.File) {
			s.Files = append(s.Files, o.File)
		}
		if text := words6(o); text != "" && !slices.Contains(s.Offers, text) {
			s.Offers = append(s.Offers, text)
		}
	}
	for i := range l.Services {
		if len(l.Services[i].Offers) == 0 {
			l.Services[i].Offers = []string{"nothing"}
		}
	}
	for _, e := range c.Expect {
		if e.Is6() && !slices.ContainsFunc(res.Offers, func(o probe.Offer) bool { return o.From == e.String() || o.Host6() == e }) {
			l.Missing = append(l.Missing, e.String())
		}
	}
	who := strings.Join(l.offering(), ", ")
	switch {
	case l.Response > 0 && inform:
		l.State, l.Text = Answered, "INFORMATION-REQUESTs are answered by "+who
	case l.Response > 0:
		l.State, l.Text = Answered, "an address is offered by "+who
	default:
		l.silent6(inform)
	}
}

func words6(o probe.Offer) string {
	var out []string
	if o.Address != "" {
		out = append(out, "the address "+o.Address)
	}
	if o.File != "" {
		out = append(out, "the file "+o.File)
	}
	return strings.Join(out, ", ")
}

// known6 says as what the site knows who answers, "" if it does not: by its link-local address, where that is this
// node's or expected, and otherwise by the address in the URL that it names, which only who is of the site has a
// reason to name.
func (c *Discovery) known6(o probe.Offer, at link.Link, own []netip.Prefix) string {
	from, _ := netip.ParseAddr(o.From)
	host := o.Host6()
	switch {
	case slices.ContainsFunc(own, func(p netip.Prefix) bool { return p.Addr() == from }) || o.MAC != "" && o.MAC == at.MAC.String():
		return "this node"
	case slices.Contains(c.Expect, from), host.IsValid() && slices.Contains(c.Expect, host):
		return "expected"
	case o.File == "":
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(c.Site.Servers)) {
		s := c.Site.Servers[name]
		if host.IsValid() && (s.TFTP6.Addr() == host || s.HTTP6.Addr() == host) {
			if s.Node {
				return "node " + name
			}
			return "server " + name
		}
	}
	for _, r := range c.Site.Rules { // a URL of its own in the site file
		if u, err := url.Parse(r.File); err == nil && u.Host != "" && r.File == o.File {
			return "rule " + r.Name
		}
	}
	return ""
}

func (l *Look) silent6(inform bool) {
	l.State, l.Response = Silent, 0
	l.Text = "nobody offers an address by DHCPv6"
	if inform {
		l.Text = "nobody answers INFORMATION-REQUESTs"
	}
	var who []string
	for _, s := range l.Services {
		who = append(who, s.Server)
	}
	if len(who) > 0 {
		l.Text += ": " + strings.Join(who, ", ") + " answered, without one"
	}
	l.Hints = []string{
		"look at the nodes: is the role dhcp6 served on this interface (surefoot status), are addresses left in the pool; then at the relay, if one is between",
		"the switch may hold packets back: DHCPv6 guard, or multicast snooping without a querier",
	}
}

// isSix reports whether a segment is asked by DHCPv6.
func isSix(segment string) bool { return strings.HasPrefix(segment, "dhcp6/") }

// segmentNames are those of an interface: by DHCP always, by DHCPv6 where the nodes answer that anywhere.
func (c *Discovery) segmentNames(iface string) []string {
	out := []string{"dhcp/" + iface}
	if len(c.NoAddress) > 0 {
		out = append(out, "dhcp6/"+iface)
	}
	return out
}
