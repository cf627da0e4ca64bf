package app

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"

	"surefoot/internal/config"
	"surefoot/internal/kernel/link"
	"surefoot/internal/store/etcd"
)

// newShared makes this node's side of the store that the nodes share, nil if they share none. It
// connects to nothing yet.
func newShared(cfg *config.Config, l *leases, log *slog.Logger, now func() time.Time) (*etcd.Cluster, error) {
	if !cfg.Store.Shared() {
		return nil, nil
	}
	e := cfg.Store.Etcd
	c := etcd.Config{
		Node: cfg.Node.Name, Site: cfg.Site.Name, Prefix: e.Prefix, BlockSize: e.BlockSize,
		Login:  etcd.Login{TLS: e.TLS(), CA: e.CAFile, Cert: e.CertFile, Key: e.KeyFile, User: e.User, Password: e.PasswordFile},
		Blocks: blocksFile(cfg.DHCP.Leases), Pools: pools(cfg),
	}
	for _, m := range e.Endpoints {
		c.Endpoints = append(c.Endpoints, etcd.Endpoint(m))
	}
	c.Members = givers(cfg)
	c.Nodes = len(c.Members)
	return etcd.New(c, etcd.Deps{Log: log.With("role", "store"), Now: now, Book: l.book, Keep: l.Keep, Wired: func() []string { return l.wired() }})
}

// givers are the nodes of the site that give addresses.
func givers(cfg *config.Config) []string {
	var out []string
	for _, n := range cfg.Nodes {
		if slices.Contains(n.Roles, roleDHCP) || slices.Contains(n.Roles, roleDHCP6) {
			out = append(out, n.Name)
		}
	}
	return out
}

// blocksFile stands beside the leases: neither is worth anything without the other.
func blocksFile(leases string) string {
	if leases == "" {
		return ""
	}
	return strings.TrimSuffix(leases, ".db") + ".blocks"
}

// runShared works with the shared store until ctx ends, from when a network needs it.
func (l *leases) runShared(ctx context.Context, ready func()) error {
	ready()
	select {
	case <-l.up:
	case <-ctx.Done():
		return nil
	}
	if l.shared == nil {
		<-ctx.Done()
		return nil
	}
	return l.shared.Run(ctx, nil)
}

// wiredTo returns the scopes on whose wire this node has an interface of its own.
func (a *App) wiredTo() []string {
	s := a.setup()
	var out []string
	for _, name := range s.Node.Interfaces {
		l, err := a.link(name)
		if err != nil {
			continue
		}
		for _, d := range s.DHCP.Scopes {
			for _, p := range l.Addrs {
				if d.Subnet.Contains(p.Addr()) && !slices.Contains(out, d.Network) {
					out = append(out, d.Network)
				}
			}
		}
		addrs, _ := link.Addrs6(name) // none where IPv6 is switched off
		for _, d := range s.DHCP.Scopes6 {
			for _, p := range addrs {
				if d.Subnet.Contains(p.Addr()) && !slices.Contains(out, scope6(d.Network)) {
					out = append(out, scope6(d.Network))
				}
			}
		}
	}
	return out
}

// sameStore says why another store cannot be taken while the node runs.
func sameStore(was, is *config.Config) error {
	if !reflect.DeepEqual(was.Store, is.Store) {
		return errors.New("store cannot change while running: restart surefoot for that, one node after the other")
	}
	return nil
}
