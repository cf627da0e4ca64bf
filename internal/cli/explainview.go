package cli

import (
	"net/netip"
	"os"
	"slices"
	"strings"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/files"
	"surefoot/internal/kernel/link"
	"surefoot/internal/testboot"
)

// view is what the node knows of itself besides the site file: its files and its interfaces, as
// far as they can be seen from here.
type view struct {
	root      *files.Root // nil: not seen
	node      string
	notLooked string
	links     []link.Link // the node's, each with an address
}

// lookAt opens the root as the node does, and asks for the interfaces if this machine is the node.
// named means that the person named interfaces of this machine.
func lookAt(cfg *config.Config, named bool) view {
	v := view{node: cfg.Node.Name}
	root, err := files.Open(cfg.Root, files.Options{Fold: cfg.Fold, Builtin: testboot.Files(cfg.Node.Name)})
	if err != nil {
		v.notLooked = err.Error()
	} else {
		v.root = root
	}
	var all []link.Link
	here := named || isHost(cfg.Node.Name)
	for _, name := range cfg.Node.Interfaces {
		if l, err := link.ByName(name); err == nil && len(l.Addrs) > 0 {
			all = append(all, l)
			here = here || slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return p.Addr() == cfg.Node.Addr })
		}
	}
	if here { // elsewhere an interface of the same name says nothing
		v.links = all
	}
	return v
}

func (v view) close() {
	if v.root != nil {
		_ = v.root.Close()
	}
}

// down is what a node knows of itself without a monitor: it cannot hand out a file that it lacks.
func (v view) down(server, file string) bool {
	return v.root != nil && server == v.node && !v.root.Has(file)
}

// on returns the interface on which a client is heard: the one in whose subnet it is, else the
// first.
func (v view) on(c boot.Client) (link.Link, bool) {
	if len(v.links) == 0 {
		return link.Link{}, false
	}
	for _, a := range []netip.Addr{c.Relay, c.Addr, c.Link.Addr()} {
		for _, l := range v.links {
			if a.IsValid() && slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return p.Masked().Contains(a) }) {
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
