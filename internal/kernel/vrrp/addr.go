package vrrp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Label is what an IPv4 address of ours is called on its interface, "" where the name leaves no room
// (the kernel's labels begin with it, and have 15 characters).
func Label(iface string, vrid uint8) string {
	s := fmt.Sprintf("%s:sf%d", iface, vrid)
	if len(s) > 15 {
		return ""
	}
	return s
}

// Add puts an address on an interface; there is false if it was on it already. IPv6 does without the
// second in which the kernel looks for another holder (RFC 4862 section 5.4): the election knows of them.
func Add(iface string, a netip.Prefix, label string) (added bool, err error) {
	l, err := netlink.LinkByName(iface)
	if err != nil {
		return false, fmt.Errorf("interface %s: %w", iface, err)
	}
	err = netlink.AddrAdd(l, addrFor(a, label))
	if errors.Is(err, unix.EEXIST) {
		return false, nil
	}
	if err != nil {
		return false, explain(fmt.Sprintf("add %s to %s", a, iface), "CAP_NET_ADMIN", err)
	}
	return true, nil
}

func addrFor(a netip.Prefix, label string) *netlink.Addr {
	x := &netlink.Addr{IPNet: &net.IPNet{IP: a.Addr().AsSlice(), Mask: net.CIDRMask(a.Bits(), a.Addr().BitLen())}}
	if a.Addr().Is6() {
		x.Flags = unix.IFA_F_NODAD
	} else {
		x.Label = label
	}
	return x
}

// Remove takes an address off an interface. One that is not there, or has another label, is left alone
// and no error; so is an interface that is gone.
func Remove(iface string, a netip.Prefix, label string) (removed bool, err error) {
	list, l, err := addrs(iface, a.Addr().Is6())
	if err != nil {
		return false, err
	}
	for _, x := range list {
		if prefixOf(x) != a || a.Addr().Is4() && label != "" && x.Label != label {
			continue
		}
		if err := netlink.AddrDel(l, &x); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return false, explain(fmt.Sprintf("remove %s from %s", a, iface), "CAP_NET_ADMIN", err)
		}
		return true, nil
	}
	return false, nil
}

// Ours reports whether the address is on the interface under this label, which nobody else gives.
func Ours(iface string, a netip.Prefix, label string) bool {
	list, _, err := addrs(iface, a.Addr().Is6())
	if err != nil || label == "" || a.Addr().Is6() {
		return false
	}
	return slices.ContainsFunc(list, func(x netlink.Addr) bool { return prefixOf(x) == a && x.Label == label })
}

// Has reports whether the interface has the address, whoever put it there.
func Has(iface string, a netip.Addr) bool {
	list, _, err := addrs(iface, a.Is6())
	return err == nil && slices.ContainsFunc(list, func(x netlink.Addr) bool { return prefixOf(x).Addr() == a })
}

// From chooses the address that advertisements are sent from: the wanted one if the interface has it, else
// its first that is no service address, and with IPv6 its link-local one (RFC 9568 section 5.1.2.1).
func From(iface string, six bool, want netip.Addr, not func(netip.Addr) bool) (netip.Addr, error) {
	list, _, err := addrs(iface, six)
	if err != nil {
		return netip.Addr{}, err
	}
	var first netip.Addr
	for _, x := range list {
		a := prefixOf(x).Addr()
		switch {
		case not(a):
		case a == want:
			return a, nil
		case six && !a.IsLinkLocalUnicast(), first.IsValid():
		case x.Flags&unix.IFA_F_TENTATIVE != 0: // nothing can be sent from it yet
		default:
			first = a
		}
	}
	if !first.IsValid() {
		family := "IPv4"
		if six {
			family = "link-local IPv6"
		}
		return first, fmt.Errorf("interface %s has no %s address of its own to advertise from", iface, family)
	}
	return first, nil
}

func addrs(iface string, six bool) ([]netlink.Addr, netlink.Link, error) {
	l, err := netlink.LinkByName(iface)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("interface %s: %w", iface, err)
	}
	family := netlink.FAMILY_V4
	if six {
		family = netlink.FAMILY_V6
	}
	list, err := netlink.AddrList(l, family)
	if err != nil {
		return nil, nil, fmt.Errorf("addresses of interface %s: %w", iface, err)
	}
	return list, l, nil
}

func prefixOf(x netlink.Addr) netip.Prefix {
	if x.IPNet == nil {
		return netip.Prefix{}
	}
	ip, _ := netip.AddrFromSlice(x.IP)
	ones, _ := x.Mask.Size()
	return netip.PrefixFrom(ip.Unmap(), ones)
}
