package link

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Addrs6 returns the IPv6 addresses of the interface of that name that may be used: those that the kernel is still
// asking the link about (RFC 4862 section 5.4), or that somebody else has, are left out.
func (r *Reader) Addrs6(name string) ([]netip.Prefix, error) { return addrs6(r.h, name) }

// Addrs6 is the same in the current network namespace.
func Addrs6(name string) ([]netip.Prefix, error) { return addrs6(&netlink.Handle{}, name) }

func addrs6(h *netlink.Handle, name string) ([]netip.Prefix, error) {
	nl, err := h.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	addrs, err := h.AddrList(nl, netlink.FAMILY_V6)
	if err != nil {
		return nil, fmt.Errorf("IPv6 addresses of interface %s: %w", name, err)
	}
	var out []netip.Prefix
	for _, a := range addrs {
		ip, ok := netip.AddrFromSlice(a.IP)
		if !ok || a.IPNet == nil || a.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) != 0 {
			continue
		}
		ones, _ := a.Mask.Size()
		out = append(out, netip.PrefixFrom(ip, ones))
	}
	return out, nil
}
