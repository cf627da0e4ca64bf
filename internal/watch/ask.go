package watch

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"surefoot/internal/boot"
	"surefoot/internal/health"
	"surefoot/internal/kernel/link"
	"surefoot/internal/probe"
)

// ask looks at a segment once: it finds the network, sends DISCOVERs, and judges the answers.
// ownWorks is set where answers came to the card's own address and not to the monitor's.
func (c *Discovery) ask(ctx context.Context, deps DiscoverDeps, l *Look, own bool, ownWorks *bool) (health.Status, string) {
	at, err := deps.Link(l.Interface)
	if err != nil {
		return NotAsked, err.Error()
	}
	if state, why := c.network(l, at); why != "" {
		return state, why
	}
	from := probe.MonitorMAC(c.Site.Name, c.Site.Self, l.Interface)
	if own {
		from = at.MAC
	}
	round := c.round(ctx, deps, l.Interface, from)
	l.MAC, l.Trace = from.String(), round.trace()
	if f := round.fault(); f != nil {
		l.Hints = f.Hint
		return NotAsked, f.Text
	}
	c.judge(round, at, l)
	if l.State != Answered && from != at.MAC {
		c.askAgain(ctx, deps, at, l, ownWorks)
	} else if own {
		l.Note = noForeign
	}
	if l.State == Silent && dhcpHeld(deps) {
		l.OwnServer, l.Hints = true, []string{"watch DHCP from another node: this one cannot"}
		return NotAsked, "a DHCP server of this machine holds UDP port 67, and hears nothing that this machine sends: that no address is offered says nothing"
	}
	return l.State, l.Text
}

// noForeign says why a segment is asked from the card's own address.
const noForeign = "asked from the card's own MAC address: answers to the monitor's do not arrive, as where a hypervisor or a switch port passes one MAC address only"

// askAgain asks from the card's own address: virtual switches and switch ports with port security
// pass frames of that one alone, and their doing is not the DHCP server's. The better result counts.
func (c *Discovery) askAgain(ctx context.Context, deps DiscoverDeps, at link.Link, l *Look, works *bool) {
	round := c.round(ctx, deps, l.Interface, at.MAC)
	if round.fault() != nil {
		return
	}
	second := &Look{Name: l.Name, Network: l.Network, Interface: l.Interface, Time: l.Time, MAC: at.MAC.String(), Trace: append(l.Trace, round.trace()...)}
	c.judge(round, at, second)
	if l.Trace = second.Trace; second.State == Answered || l.State == Silent && second.State == Deaf {
		*works, second.Note = true, noForeign
		*l = *second
	}
}

// network finds the network of an interface, or says why nothing is sent there.
func (c *Discovery) network(l *Look, at link.Link) (health.Status, string) {
	var client boot.Client
	if len(at.Addrs) > 0 {
		client.Link = at.Addrs[0]
	}
	n, ok := c.Site.Locate(client)
	l.Network = n.Name
	switch {
	case !ok && len(at.Addrs) == 0:
		return NotAsked, fmt.Sprintf("interface %s has no IPv4 address, so that its network is not known", l.Interface)
	case !ok:
		return LeftOut, fmt.Sprintf("%s is in no network of the site file", at.Addrs[0])
	case len(c.Networks) > 0 && !slices.Contains(c.Networks, n.Name):
		return LeftOut, fmt.Sprintf("watch.discover.networks does not name %s", n.Name)
	case n.Deliver == boot.DeliverNone && !slices.Contains(c.Networks, n.Name):
		return LeftOut, fmt.Sprintf("network %s says deliver: none", n.Name)
	}
	return "", ""
}

// round sends the DISCOVERs, and waits for the offers.
func (c *Discovery) round(ctx context.Context, deps DiscoverDeps, iface string, from boot.MAC) *asked {
	var a asked
	var both sync.WaitGroup
	both.Go(func() {
		a.uefi = deps.Ask(ctx, probe.DHCPOptions{
			Interface: iface, As: probe.ClientEDK2, MAC: from, Broadcast: []bool{false, true}, Wait: c.Wait, Monitor: true,
		})
	})
	both.Go(func() {
		a.bios = deps.Ask(ctx, probe.DHCPOptions{
			Interface: iface, As: probe.ClientPXE, MAC: from, Broadcast: []bool{true}, Wait: c.Wait, Monitor: true,
		})
	})
	both.Wait()
	return &a
}

func (a *asked) trace() []probe.Packet { return append(slices.Clone(a.uefi.Trace), a.bios.Trace...) }
