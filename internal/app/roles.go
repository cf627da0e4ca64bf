package app

import (
	"net/netip"
	"slices"
	"time"

	httprole "surefoot/internal/serve/http"
	"surefoot/internal/serve/proxydhcp"
	"surefoot/internal/serve/tftp"
)

// Names of the roles, as the site file has them.
const (
	roleProxy = "proxydhcp"
	roleTFTP  = "tftp"
	roleHTTP  = "http"
	roleDNS   = "dns"
	roleDHCP  = "dhcp"
)

func (s *setup) has(role string) bool { return slices.Contains(s.Node.Roles, role) }

func (s *setup) close() {
	_ = s.files.Close()
	if s.inbox != nil {
		_ = s.inbox.Close()
	}
}

// retire closes a setup that was exchanged; requests under way may still open files of it.
func (s *setup) retire() { time.AfterFunc(s.DrainTimeout+time.Second, s.close) }

// limits are those of the TFTP server: there, no queue is a negative number.
func (s *setup) limits() tftp.Limits {
	l := tftp.Limits{
		Transfers: s.MaxTransfers, PerClient: s.Serving.PerClient, PerNetwork: s.Serving.PerNetwork,
		Queue: s.Serving.Queue, QueueTime: s.Serving.QueueTime,
	}
	if l.Queue == 0 {
		l.Queue = -1
	}
	return l
}

func (a *App) tftpSlot() *slot {
	return &slot{
		name: roleTFTP,
		make: func(cfg *setup) (server, error) {
			if !cfg.has(roleTFTP) {
				return nil, nil
			}
			return a.makeTFTP(cfg, cfg.TFTP)
		},
		same: func(was, is *setup) bool {
			return was.has(roleTFTP) == is.has(roleTFTP) && was.TFTP == is.TFTP &&
				was.MaxTransfers == is.MaxTransfers && was.Serving == is.Serving && was.DrainTimeout == is.DrainTimeout
		},
		apply: func(s server, cfg *setup) { applyTFTP(s.(*tftp.Server), cfg) },
	}
}

func (a *App) httpSlot() *slot {
	return &slot{
		name: roleHTTP,
		make: func(cfg *setup) (server, error) {
			if !cfg.has(roleHTTP) {
				return nil, nil
			}
			return a.makeHTTP(cfg, cfg.HTTP)
		},
		same: func(was, is *setup) bool {
			return was.has(roleHTTP) == is.has(roleHTTP) && was.HTTP == is.HTTP && was.DrainTimeout == is.DrainTimeout
		},
		apply: func(s server, cfg *setup) { s.(*httprole.Server).Apply(&cfg.Site, cfg.files) },
	}
}

func (a *App) proxySlot() *slot {
	return &slot{
		name: roleProxy,
		make: func(cfg *setup) (server, error) {
			if !cfg.has(roleProxy) || len(cfg.Node.Interfaces) == 0 {
				return nil, nil
			}
			return proxydhcp.New(
				proxydhcp.Config{Node: cfg.Node.Name, Site: &cfg.Site, Interfaces: cfg.Node.Interfaces},
				proxydhcp.Deps{Log: a.log, Now: a.now, Emit: a.fromMachines, Down: a.health.down},
			)
		},
		same: func(was, is *setup) bool {
			return was.has(roleProxy) == is.has(roleProxy) && slices.Equal(was.Node.Interfaces, is.Node.Interfaces)
		},
		apply: func(s server, cfg *setup) { s.(*proxydhcp.Server).Apply(&cfg.Site) },
	}
}

func (a *App) makeTFTP(cfg *setup, at netip.AddrPort) (server, error) {
	offer, networks := cfg.offers()
	return tftp.New(
		tftp.Config{
			Node: cfg.Node.Name, Listen: at, Files: cfg.files,
			Limits: cfg.limits(), DrainTimeout: cfg.DrainTimeout,
			Ports: tftp.Ports(cfg.Serving.Ports), BusyPoll: cfg.Serving.BusyPoll, Uploads: cfg.inbox,
			Offer: offer, Networks: networks,
		},
		tftp.Deps{Log: a.log, Now: a.now, Emit: a.emit, Network: a.networkOf, Who: a.who},
	)
}

func (a *App) makeHTTP(cfg *setup, at netip.AddrPort) (server, error) {
	return httprole.New(
		httprole.Config{Node: cfg.Node.Name, Listen: at, Site: &cfg.Site, Files: cfg.files, DrainTimeout: cfg.DrainTimeout},
		httprole.Deps{Log: a.log, Now: a.now, Emit: a.emit, Down: a.health.down, Who: a.who},
	)
}
