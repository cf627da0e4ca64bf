package app

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"surefoot/internal/config"
	"surefoot/internal/lb"
	"surefoot/internal/lb/dsr"
)

// slotPeers is the place of what balancers tell each other.
const slotPeers = "lb-peers"

// lbPeersPort is where they listen, each at its node's own address.
const lbPeersPort = 8069

// peersSlot is filled where there is a key, a service with direct server return, and another balancer.
func (a *App) peersSlot() *slot {
	return &slot{
		name: slotPeers,
		make: func(cfg *setup) (server, error) {
			peers := cfg.lbPeers()
			if len(peers) == 0 {
				return nil, nil
			}
			key, err := os.ReadFile(cfg.LBPeersKey)
			if err != nil {
				return nil, fmt.Errorf("the key of lb.peers: %w", err)
			}
			return dsr.NewPeers(
				dsr.PeersConfig{Node: cfg.Node.Name, Addr: netip.AddrPortFrom(cfg.Node.Addr, lbPeersPort), Peers: peers, Key: bytes.TrimSpace(key)},
				a.direct.bpf, dsr.Deps{Log: a.log, Now: a.now},
			)
		},
		same: func(was, is *setup) bool {
			return slices.Equal(was.lbPeers(), is.lbPeers()) && was.LBPeersKey == is.LBPeersKey && was.Node.Addr == is.Node.Addr
		},
		apply: func(server, *setup) {},
	}
}

// lbPeers are the other balancers, if this node is to tell them anything.
func (s *setup) lbPeers() (out []netip.AddrPort) {
	direct := func(b config.Balance) bool { return lb.Mode(b.Mode) == lb.DSR }
	if s.LBPeersKey == "" || !slices.ContainsFunc(s.inKernel(), direct) {
		return nil
	}
	for _, n := range s.Nodes {
		if n.Name != s.Node.Name && slices.Contains(n.Roles, config.RoleLB) {
			out = append(out, netip.AddrPortFrom(n.Addr, lbPeersPort))
		}
	}
	return out
}

// lbPeers are what other balancers see, beside what this one sees.
func (a *App) lbPeers() []dsr.PeerView {
	for _, s := range a.slots {
		srv, _ := s.get()
		if p, ok := srv.(*dsr.Peers); ok {
			return p.Views()
		}
	}
	return nil
}

// warnPeers tells of balancers that would not go on with this one's transfers.
func (a *App) warnPeers(add adder) {
	for _, v := range a.lbPeers() {
		name := v.Node
		if name == "" {
			name = v.Peer.String()
		}
		switch {
		case v.Stale && v.At.IsZero():
			add("lb-peer-silent", "balancer "+name+" was never heard", "it does not tell what it sees, nor learn which clients are here", "is it running, has it the same key (lb.peers.key_file), and does a firewall let UDP port 8069 in?")
		case v.Stale:
			add("lb-peer-stale", "balancer "+name+" has not been heard for a while", "what it saw last is of "+v.At.Format("15:04:05"), "is it running?")
		case len(v.Differs) > 0:
			add("lb-peer-differs", "balancer "+name+" sees other backends", v.Differs[0], "the same site file on both, and: surefoot lb list")
		}
	}
}
