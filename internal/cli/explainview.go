package cli

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"surefoot/internal/app"
	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/files"
	"surefoot/internal/health"
	"surefoot/internal/kernel/link"
	"surefoot/internal/watch"
	"surefoot/internal/web"
)

// view is what the node knows of itself besides the site file: its files and its interfaces, as
// far as they can be seen from here.
type view struct {
	root      *files.Root // nil: not seen
	node      string
	notLooked string
	links     []link.Link // the node's, each with an address
	health    string      // where it is known from who delivers, or why it is not; "": nobody was asked
	out       []health.Out
	leases    []web.Lease // that the machine has, as the node says; nil: nobody was asked, or it has none
	asked     bool        // the node was asked for them
}

// lookAt opens the root as the node does, and asks for the interfaces if this machine is the node.
// named means that the person named interfaces of this machine.
func lookAt(cfg *config.Config, named bool) view {
	v := view{node: cfg.Node.Name}
	root, err := app.OpenRoot(cfg)
	if err != nil {
		v.notLooked = err.Error()
	} else {
		v.root = root
	}
	for _, name := range cfg.Node.Interfaces {
		if l, err := link.ByName(name); err == nil && len(l.Addrs) > 0 {
			v.links = append(v.links, l)
		}
	}
	if !named && !runsHere(cfg, v.links) {
		v.links = nil // an interface of the same name on another machine says nothing
	}
	return v
}

// runsHere reports whether this machine is the node: it is called so, has the node's address, or
// has the node's interfaces in the node's subnet and is none of the other nodes.
func runsHere(cfg *config.Config, links []link.Link) bool {
	is := func(n config.Node) bool { return isHost(n.Name) || isLocal(n.Addr) }
	if is(cfg.Node) {
		return true
	}
	if slices.ContainsFunc(cfg.Nodes, is) {
		return false
	}
	return slices.ContainsFunc(links, func(l link.Link) bool { return reaches(l, cfg.Node.Addr) })
}

// reaches reports whether an address is in a subnet of the interface.
func reaches(l link.Link, a netip.Addr) bool {
	return slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return p.Contains(a) })
}

// isLocal reports whether this machine has an address, loopback's own aside.
func isLocal(a netip.Addr) bool {
	all, err := net.InterfaceAddrs()
	return err == nil && !a.IsLoopback() && slices.ContainsFunc(all, func(x net.Addr) bool {
		p, err := netip.ParsePrefix(x.String())
		return err == nil && p.Addr() == a
	})
}

func (v view) close() {
	if v.root != nil {
		_ = v.root.Close()
	}
}

// ask asks the node, if it runs here, who delivers at present.
func (v *view) ask(ctx context.Context, socket string, watched bool) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	rep, err := web.Dial(socket).Watch(ctx, watch.Query{Test: watch.NoTest})
	switch {
	case err == nil && rep.Node == v.node:
		v.health, v.out = fmt.Sprintf("asked of node %s, which runs here", rep.Node), rep.Out
	case !watched:
	case err == nil:
		v.health = fmt.Sprintf("not known: node %s runs here", rep.Node)
	default:
		v.health = "not known: " + err.Error()
	}
}

// down is what a node knows of itself, that it cannot hand out a file that it lacks, and what it
// has found out of the others.
func (v view) down(server, file string, by boot.Protocol) bool {
	return v.root != nil && server == v.node && !v.root.Has(file) ||
		slices.ContainsFunc(v.out, func(o health.Out) bool { return o.Server == server && o.File == file && o.By == by })
}

// on returns the interface on which a client is heard: the one in whose subnet it is, else the
// first.
func (v view) on(c boot.Client) (link.Link, bool) {
	if len(v.links) == 0 {
		return link.Link{}, false
	}
	for _, a := range []netip.Addr{c.Relay, c.Addr, c.Link.Addr()} {
		for _, l := range v.links {
			if reaches(l, a) {
				return l, true
			}
		}
	}
	return v.links[0], true
}

// own returns the node's address on the wire to a client, and the interface that has it.
func (v view) own(c boot.Client) (netip.Addr, string) {
	l, ok := v.on(c)
	if !ok {
		return netip.Addr{}, ""
	}
	return l.Addrs[0].Addr(), l.Name
}

// isHost reports whether the machine that this runs on is called so.
func isHost(name string) bool {
	host, err := os.Hostname()
	short, _, _ := strings.Cut(host, ".")
	return err == nil && (strings.EqualFold(name, host) || strings.EqualFold(name, short))
}
