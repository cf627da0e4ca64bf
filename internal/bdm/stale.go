package bdm

import (
	"net/netip"
	"net/url"
	"slices"

	"surefoot/internal/boot"
)

// Stale is how the servers of an image differ from those of the site file today.
type Stale struct {
	Gone    []string `json:"gone,omitempty"`    // the image names them, the site file knows them no more
	Lacking []string `json:"lacking,omitempty"` // the site file would give them to a new image
}

// Compare compares an image's servers with a site. Addresses in addition are the site's as well:
// service addresses. A server that the image names by a name is left alone: the name leads to whoever
// it is today.
func Compare(s *Settings, site *boot.Site, more []netip.Addr, now Choice) Stale {
	var out Stale
	known := slices.Clone(more)
	for _, srv := range site.Servers {
		for _, at := range []netip.AddrPort{srv.TFTP, srv.HTTP} {
			if at.IsValid() {
				known = append(known, at.Addr().Unmap())
			}
		}
	}
	byName, service := false, false
	for _, server := range s.Servers {
		a, ok := address(server)
		byName = byName || !ok
		service = service || ok && slices.Contains(more, a)
		if ok && !slices.Contains(known, a) {
			out.Gone = append(out.Gone, server)
		}
	}
	if byName || service { // others stand behind it
		return out
	}
	for _, server := range now.Servers {
		a, _ := address(server)
		if !slices.ContainsFunc(s.Servers, func(own string) bool { b, ok := address(own); return ok && a == b }) {
			out.Lacking = append(out.Lacking, server)
		}
	}
	return out
}

func address(server string) (netip.Addr, bool) {
	u, err := url.Parse(server)
	if err != nil {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(u.Hostname())
	return a, err == nil
}
