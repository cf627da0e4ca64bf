package lab

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"surefoot/internal/boot"
)

// Parts of a lab, the last element of a namespace's name.
const (
	partSwitch = "sw"
	partDHCP   = "dhcp"
	partRelay  = "r"
)

// Addresses of a lab. They are the same in every lab: namespaces keep them apart.
var (
	Subnet      = netip.MustParsePrefix("10.77.0.0/24")
	RelaySubnet = netip.MustParsePrefix("10.78.0.0/24") // the clients behind the relay
	DHCPAddr    = netip.MustParseAddr("10.77.0.2")
	RelayAddr   = netip.MustParseAddr("10.77.0.1") // the relay, on the servers' network
	RelayClient = netip.MustParseAddr("10.78.0.1") // the relay, on its clients' network: giaddr
)

const (
	bridge      = "br0" // of the servers and the machines
	relayBridge = "br1" // of the machines behind the relay
)

// NodeAddr returns the address of node number i, counted from 0.
func NodeAddr(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, 0, byte(11 + i)}) }

// NodeAddr6 returns the IPv6 address of node number i, where the lab's nodes have any.
func NodeAddr6(i int) netip.Addr {
	b := netip.MustParseAddr("fd77::").As16()
	b[15] = byte(0x11 + i)
	return netip.AddrFrom16(b)
}

// wire makes the namespaces and joins each to the bridge by a cable called eth0 inside.
func (l *Lab) wire(ctx context.Context, parts []string) error {
	var names strings.Builder
	for _, part := range parts {
		fmt.Fprintf(&names, "netns add %s\n", l.space(part))
	}
	if err := ip(ctx, "", names.String()); err != nil {
		return err
	}
	sw := "link set lo up\nlink add br0 type bridge forward_delay 0 stp_state 0\nlink set br0 up\n"
	if l.Relay {
		sw += "link add br1 type bridge forward_delay 0 stp_state 0\nlink set br1 up\n"
	}
	if err := ip(ctx, l.space(partSwitch), sw); err != nil {
		return err
	}
	for _, part := range parts {
		if part == partSwitch {
			continue
		}
		if err := l.plug(ctx, part, "eth0", bridge, l.address(part)); err != nil {
			return err
		}
	}
	if l.Relay {
		if err := l.plug(ctx, partRelay, "eth1", relayBridge, netip.PrefixFrom(RelayClient, 24)); err != nil {
			return err
		}
	}
	for _, part := range parts {
		p, err := enter(l.space(part))
		if err != nil {
			return err
		}
		l.places[part] = p
	}
	return nil
}

// plug lays a cable between a namespace and a bridge.
func (l *Lab) plug(ctx context.Context, part, dev, bridge string, addr netip.Prefix) error {
	port := part + "-" + dev
	err := ip(ctx, l.space(partSwitch), fmt.Sprintf(
		"link add %[1]s type veth peer name %[2]s netns %[3]s\nlink set %[1]s master %[4]s up\n",
		port, dev, l.space(part), bridge))
	if err != nil {
		return err
	}
	in := fmt.Sprintf("link set lo up\nlink set %[1]s up\naddr add %[2]s brd + dev %[1]s\n", dev, addr)
	if l.Relay && part != partRelay {
		in += fmt.Sprintf("route add %s via %s\n", RelaySubnet, RelayAddr)
	}
	for i := range l.options.Nodes {
		if l.options.IPv6 && part == nodeName(i) {
			in += fmt.Sprintf("addr add %s/64 dev eth0 nodad\n", NodeAddr6(i))
			if l.Relay {
				in += "route add fd78::/64 via fd77::1\n"
			}
		}
	}
	if dhcpPart(l.options) == part {
		in += "addr add fd77::2/64 dev eth0 nodad\n" // for router advertisements
	}
	if l.options.IPv6 && part == partRelay && dev == "eth0" {
		in += "addr add fd77::1/64 dev eth0 nodad\n"
	}
	if dev == "eth1" {
		in += "addr add fd78::1/64 dev eth1 nodad\n"
	}
	return ip(ctx, l.space(part), in)
}

// Plug gives a part of the lab one more network card, without an IP address, as a machine has it that is
// about to ask for one: beside the servers or behind the relay. It goes with the lab.
func (l *Lab) Plug(ctx context.Context, part, dev string, mac boot.MAC, behind bool) error {
	to := bridge
	if behind {
		to = relayBridge
	}
	port := part + "-" + dev
	err := ip(ctx, l.space(partSwitch), fmt.Sprintf(
		"link add %[1]s type veth peer name %[2]s address %[5]s netns %[3]s\nlink set %[1]s master %[4]s up\n",
		port, dev, l.space(part), to, mac))
	if err != nil {
		return err
	}
	return ip(ctx, l.space(part), fmt.Sprintf("link set %s up\n", dev))
}

func (l *Lab) address(part string) netip.Prefix {
	addr := DHCPAddr
	if part == partRelay {
		addr = RelayAddr
	}
	for i := range l.options.Nodes {
		if part == nodeName(i) {
			addr = NodeAddr(i)
		}
	}
	return netip.PrefixFrom(addr, Subnet.Bits())
}

// dhcpPart says in which namespace the DHCP server runs.
func dhcpPart(o Options) string {
	if o.SameHost {
		return nodeName(0)
	}
	return partDHCP
}
