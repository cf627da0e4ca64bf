package neigh

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Entry is what the kernel knows of a neighbour.
type Entry struct {
	MAC [6]byte
	Up  bool // it answered, or nobody has found out otherwise; false: it did not answer (NUD_FAILED)
}

// Table reads the neighbours of an interface, IPv4 and IPv6, and is told when one changes. It belongs to the
// network namespace in which it was opened.
type Table struct {
	h       *netlink.Handle
	done    chan struct{}
	Changes <-chan netip.Addr // of neighbours; the invalid address: an interface changed
}

// alive are the states in which an address is sent to (rtnetlink(7)).
const alive = unix.NUD_REACHABLE | unix.NUD_STALE | unix.NUD_DELAY | unix.NUD_PROBE | unix.NUD_PERMANENT | unix.NUD_NOARP

// Open begins to listen. Whoever opens it reads Changes until Close.
func Open() (*Table, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	t := &Table{h: h, done: make(chan struct{})}
	neighbours, links := make(chan netlink.NeighUpdate, 64), make(chan netlink.LinkUpdate, 16)
	if err := netlink.NeighSubscribe(neighbours, t.done); err != nil {
		h.Close()
		return nil, fmt.Errorf("listen for changes of neighbours: %w", err)
	}
	if err := netlink.LinkSubscribe(links, t.done); err != nil {
		close(t.done)
		h.Close()
		return nil, fmt.Errorf("listen for changes of interfaces: %w", err)
	}
	out := make(chan netip.Addr)
	t.Changes = out
	go t.forward(out, neighbours, links)
	return t, nil
}

func (t *Table) forward(out chan<- netip.Addr, neighbours <-chan netlink.NeighUpdate, links <-chan netlink.LinkUpdate) {
	for neighbours != nil || links != nil {
		var a netip.Addr
		select {
		case u, ok := <-neighbours:
			if !ok {
				neighbours = nil
				continue
			}
			a, _ = netip.AddrFromSlice(u.IP)
		case _, ok := <-links:
			if !ok {
				links = nil
				continue
			}
		case <-t.done:
			return
		}
		select {
		case out <- a.Unmap():
		case <-t.done:
			return
		}
	}
}

// Close ends listening.
func (t *Table) Close() {
	close(t.done)
	t.h.Close()
}

// Of returns the neighbours of an interface that have a MAC.
func (t *Table) Of(ifindex int) (map[netip.Addr]Entry, error) {
	out := map[netip.Addr]Entry{}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		list, err := t.h.NeighList(ifindex, family)
		if err != nil {
			return nil, fmt.Errorf("ask for neighbours: %w", err)
		}
		for _, n := range list {
			if a, ok := netip.AddrFromSlice(n.IP); ok {
				e := Entry{Up: n.State&alive != 0}
				if len(n.HardwareAddr) == len(e.MAC) {
					e.MAC = [6]byte(n.HardwareAddr)
				} else {
					e.Up = false
				}
				out[a.Unmap()] = e
			}
		}
	}
	return out, nil
}

// Ask has the kernel find out whether a neighbour is there, by ARP or neighbour discovery, as if it had a packet
// for it (NTF_USE): one that is known already is asked again when that was long ago.
func (t *Table) Ask(ifindex int, a netip.Addr) error {
	n := &netlink.Neigh{LinkIndex: ifindex, Family: nl.FAMILY_V4, IP: a.AsSlice(), Flags: netlink.NTF_USE, State: unix.NUD_NONE}
	if a.Is6() {
		n.Family = nl.FAMILY_V6
	}
	if err := t.h.NeighSet(n); err != nil {
		return fmt.Errorf("ask the link for %s: %w", a, err)
	}
	return nil
}

// Interface is what a data path below IP wants to know of an interface.
type Interface struct {
	Name  string
	Index int
	MAC   [6]byte
}

// Interface returns the interface of that name.
func (t *Table) Interface(name string) (Interface, error) {
	l, err := t.h.LinkByName(name)
	if err != nil {
		return Interface{}, fmt.Errorf("interface %s: %w", name, err)
	}
	out := Interface{Name: name, Index: l.Attrs().Index}
	if len(l.Attrs().HardwareAddr) != len(out.MAC) {
		return out, fmt.Errorf("interface %s has no Ethernet address", name)
	}
	out.MAC = [6]byte(l.Attrs().HardwareAddr)
	return out, nil
}

// Toward says by which interface packets to an address leave, and whether it is this node's own.
func (t *Table) Toward(a netip.Addr) (name string, local bool, err error) {
	routes, err := t.h.RouteGet(a.AsSlice())
	if err != nil || len(routes) == 0 {
		return "", false, fmt.Errorf("route to %s: %w", a, err)
	}
	l, err := t.h.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return "", false, fmt.Errorf("interface of the route to %s: %w", a, err)
	}
	if routes[0].Type == unix.RTN_LOCAL {
		return l.Attrs().Name, true, nil
	}
	if len(routes[0].Gw) > 0 {
		return l.Attrs().Name, false, fmt.Errorf("%s is behind the router %s: direct server return reaches only servers on the link itself", a, routes[0].Gw)
	}
	return l.Attrs().Name, false, nil
}
