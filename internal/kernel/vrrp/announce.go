package vrrp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/packet"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
)

// Announce tells everybody on an interface that an address is at its MAC address now: a gratuitous ARP
// request and reply (RFC 5227 section 3; some hosts heed only one of the two), or an unsolicited
// neighbour advertisement (RFC 4861 section 7.2.6).
func Announce(ctx context.Context, iface string, index int, mac boot.MAC, a netip.Addr) error {
	if a.Is6() {
		return explainAnnounce(iface, a, announce6(ctx, iface, index, mac, a))
	}
	return explainAnnounce(iface, a, announce4(iface, index, mac, a))
}

func explainAnnounce(iface string, a netip.Addr, err error) error {
	if err == nil {
		return nil
	}
	return explain(fmt.Sprintf("announce %s on %s", a, iface), "CAP_NET_RAW", err)
}

func announce4(iface string, index int, mac boot.MAC, a netip.Addr) error {
	c, err := packet.Listen(&net.Interface{Index: index, Name: iface, HardwareAddr: mac.HardwareAddr()}, packet.Raw, 0, nil) // protocol 0: nothing is read
	if err != nil {
		return err
	}
	defer c.Close()
	all := boot.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	for op := uint16(1); op <= 2; op++ {
		b := append([]byte{}, all[:]...)
		b = append(b, mac[:]...)
		b = binary.BigEndian.AppendUint16(b, unix.ETH_P_ARP)
		b = append(b, 0, 1, 8, 0, 6, 4) // Ethernet, IPv4
		b = binary.BigEndian.AppendUint16(b, op)
		b = append(b, mac[:]...)
		b = append(b, a.AsSlice()...)
		b = append(b, all[:]...)
		b = append(b, a.AsSlice()...)
		if _, sendErr := c.WriteTo(b, &packet.Addr{HardwareAddr: all.HardwareAddr()}); sendErr != nil {
			err = errors.Join(err, sendErr)
		}
	}
	return err
}

func announce6(ctx context.Context, iface string, index int, mac boot.MAC, a netip.Addr) error {
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(ctx, "ip6:58", "::")
	if err != nil {
		return err
	}
	defer pc.Close()
	p := ipv6.NewPacketConn(pc)
	if err := p.SetMulticastHopLimit(255); err != nil { // RFC 4861 section 7.1.2: no other is heeded
		return err
	}
	b := []byte{136, 0, 0, 0, 0x20, 0, 0, 0} // override; the kernel fills in the checksum (RFC 3542 section 3.1)
	b = append(b, a.AsSlice()...)
	b = append(b, 2, 1) // target link-layer address
	b = append(b, mac[:]...)
	_, err = p.WriteTo(b, &ipv6.ControlMessage{Src: a.AsSlice(), IfIndex: index}, &net.IPAddr{IP: net.IPv6linklocalallnodes, Zone: iface})
	return err
}
