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
	"golang.org/x/sys/unix"

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
	Cut   bool           // the kernel knows that there is no carrier: no cable, or its other end is down
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

// Reader asks about interfaces of the network namespace in which it was opened, from any thread.
type Reader struct{ h *netlink.Handle }

// Open opens a Reader.
func Open() (*Reader, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	return &Reader{h: h}, nil
}

// Close closes its socket.
func (r *Reader) Close() { r.h.Close() }

// ByName returns the interface of that name; *MissingError if there is none.
func (r *Reader) ByName(name string) (Link, error) { return byName(r.h, name) }

// ByName returns the interface of that name in the current network namespace; *MissingError if
// there is none.
func ByName(name string) (Link, error) { return byName(&netlink.Handle{}, name) }

func byName(h *netlink.Handle, name string) (Link, error) {
	nl, err := h.LinkByName(name)
	var missing netlink.LinkNotFoundError
	if errors.As(err, &missing) {
		return Link{}, &MissingError{Name: name, Have: names(h)}
	}
	if err != nil {
		return Link{}, fmt.Errorf("interface %s: %w", name, err)
	}
	attrs := nl.Attrs()
	l := Link{Name: attrs.Name, Index: attrs.Index, MTU: attrs.MTU, Up: attrs.Flags&net.FlagUp != 0}
	switch attrs.OperState { // RFC 2863; unknown is what drivers say that do not tell
	case netlink.OperNotPresent, netlink.OperDown, netlink.OperLowerLayerDown:
		l.Cut = true
	}
	if len(attrs.HardwareAddr) == len(l.MAC) {
		l.MAC = boot.MAC(attrs.HardwareAddr)
	}
	addrs, err := h.AddrList(nl, netlink.FAMILY_V4)
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

func names(h *netlink.Handle) []string {
	links, err := h.LinkList()
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
