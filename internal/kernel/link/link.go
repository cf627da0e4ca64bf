// Package link reads network interfaces by name over netlink. It asks by name and never by
// index from the packet path: an index means another interface in another network namespace.
package link

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink"

	"surefoot/internal/boot"
)

// Link is an interface as it was when it was asked for.
type Link struct {
	Name  string
	Index int
	MAC   boot.MAC
	Addrs []netip.Prefix // IPv4, the primary address first
	MTU   int            // bytes
	Up    bool           // administratively up; the carrier may still be missing
}

// MissingError says that there is no such interface, and which there are.
type MissingError struct {
	Name string
	Have []string
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("interface %s: there is none of that name", e.Name)
}

// Hint names the interfaces that exist.
func (e *MissingError) Hint() []string {
	if len(e.Have) == 0 {
		return nil
	}
	return []string{"interfaces of this machine: " + strings.Join(e.Have, ", ")}
}

// ByName returns the interface of that name in the current network namespace.
func ByName(name string) (Link, error) {
	nl, err := netlink.LinkByName(name)
	var missing netlink.LinkNotFoundError
	if errors.As(err, &missing) {
		return Link{}, &MissingError{Name: name, Have: names()}
	}
	if err != nil {
		return Link{}, fmt.Errorf("interface %s: %w", name, err)
	}
	attrs := nl.Attrs()
	l := Link{Name: attrs.Name, Index: attrs.Index, MTU: attrs.MTU, Up: attrs.Flags&net.FlagUp != 0}
	if len(attrs.HardwareAddr) == len(l.MAC) {
		l.MAC = boot.MAC(attrs.HardwareAddr)
	}
	addrs, err := netlink.AddrList(nl, netlink.FAMILY_V4)
	if err != nil {
		return Link{}, fmt.Errorf("addresses of interface %s: %w", name, err)
	}
	for _, a := range addrs {
		ip, ok := netip.AddrFromSlice(a.IP.To4())
		if !ok || a.IPNet == nil {
			continue
		}
		ones, _ := a.Mask.Size()
		l.Addrs = append(l.Addrs, netip.PrefixFrom(ip, ones))
	}
	return l, nil
}

func names() []string {
	links, err := netlink.LinkList()
	if err != nil {
		return nil
	}
	var out []string
	for _, l := range links {
		if l.Attrs().Flags&net.FlagLoopback == 0 {
			out = append(out, l.Attrs().Name)
		}
	}
	return out
}
