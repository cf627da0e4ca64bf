package config

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

func count0(n int) string { return strconv.Itoa(n) }

func (f *file) resolveVIPs() []VIP {
	var out []VIP
	for i := range f.vips {
		v := &f.vips[i]
		x := VIP{
			Name: v.name, Address: v.address.or(netip.Prefix{}), VRID: v.vrid.or(0), Version: v.version.or(3),
			Advert: v.advert.or(DefaultAdvert), Preempt: v.preempt.or(true), PreemptDelay: v.preemptDelay.or(0),
			Track: v.track.or(TrackDelivers), Nodes: v.members(f), External: v.external(),
		}
		if x.External {
			x.Track = TrackNone
			out = append(out, x)
			continue
		}
		x.LowerBy = v.lowerBy.or(max(leastLowerBy, needed(x.Nodes)))
		for _, p := range v.peers {
			switch p.v {
			case peersMulticast:
			case peersUnicast:
				x.Unicast = true
			default:
				a, _ := netip.ParseAddr(p.v) // checked when it was read
				x.Peers = append(x.Peers, a)
			}
		}
		x.Multicast = !x.Unicast && len(x.Peers) == 0
		out = append(out, x)
	}
	return out
}

// Peers of a node are the addresses that its advertisements go to; none: the group.
func (c *Config) VIPPeers(v VIP) []netip.Addr {
	out := slices.Clone(v.Peers)
	if !v.Unicast {
		return out
	}
	for _, n := range c.Nodes {
		if n.Name != c.Node.Name && n.Addr.Is4() == v.Address.Addr().Is4() && slices.ContainsFunc(v.Nodes, func(m VIPNode) bool { return m.Name == n.Name }) {
			out = append(out, n.Addr)
		}
	}
	return out
}

func (c *Config) writeVIPs(line func(string, ...any)) {
	if len(c.VIPs) > 0 {
		line("vips:")
	}
	for _, v := range c.VIPs {
		var peers, nodes []string
		if v.Multicast {
			peers = []string{peersMulticast}
		}
		if v.Unicast {
			peers = append(peers, peersUnicast)
		}
		for _, a := range v.Peers {
			peers = append(peers, a.String())
		}
		for _, n := range v.Nodes {
			keys := []string{"priority: " + count0(n.Priority)}
			if v.External {
				keys = nil
			}
			if n.Interface != "" {
				keys = append(keys, "interface: "+plain(n.Interface))
			}
			nodes = append(nodes, plain(n.Name)+": {"+strings.Join(keys, ", ")+"}")
		}
		line("  %s:", plain(v.Name))
		line("    address: %s", plain(v.Address.String()))
		if v.External {
			line("    ha: %s", haExternal)
			line("    nodes: {%s}", strings.Join(nodes, ", "))
			continue
		}
		line("    ha: %s", haVRRP)
		line("    vrid: %d", v.VRID)
		line("    nodes: {%s}", strings.Join(nodes, ", "))
		line("    advert: %s", durationText(v.Advert))
		line("    preempt: %t", v.Preempt)
		line("    preempt_delay: %s", durationText(v.PreemptDelay))
		line("    peers: %s", flow(peers))
		line("    version: %d", v.Version)
		line("    track: %s", v.Track)
		line("    lower_by: %d", v.LowerBy)
	}
}
