package link

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// Route is the way that packets to an address take.
type Route struct {
	If      string     `json:"if"`
	Gateway netip.Addr `json:"gateway,omitzero"` // absent: the address is on the interface's own network
	Source  netip.Addr `json:"source,omitzero"`  // the address that packets leave with
	MTU     int        `json:"mtu"`              // bytes; of the route where it has one, else of the interface
}

// String says the route in words.
func (r Route) String() string {
	via := "direct"
	if r.Gateway.IsValid() {
		via = "by gateway " + r.Gateway.String()
	}
	return fmt.Sprintf("interface %s, %s, from %s, MTU %d", r.If, via, r.Source, r.MTU)
}

// RouteTo asks the kernel for the way to an address, in the current network namespace.
func RouteTo(to netip.Addr) (Route, error) {
	h := &netlink.Handle{}
	routes, err := h.RouteGet(to.AsSlice())
	if err != nil {
		return Route{}, fmt.Errorf("route to %s: %w", to, err)
	}
	if len(routes) == 0 {
		return Route{}, fmt.Errorf("route to %s: there is none", to)
	}
	out := Route{MTU: routes[0].MTU}
	if a, ok := netip.AddrFromSlice(routes[0].Gw); ok {
		out.Gateway = a.Unmap()
	}
	if a, ok := netip.AddrFromSlice(routes[0].Src); ok {
		out.Source = a.Unmap()
	}
	l, err := h.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return Route{}, fmt.Errorf("interface of the route to %s: %w", to, err)
	}
	out.If = l.Attrs().Name
	if out.MTU == 0 {
		out.MTU = l.Attrs().MTU
	}
	return out, nil
}
