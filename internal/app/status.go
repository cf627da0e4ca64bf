package app

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"surefoot/internal/config"
	"surefoot/internal/kernel/bind"
	"surefoot/internal/serve/tftp"
	"surefoot/internal/web"
)

// newWeb makes the status page and the API, which see the program through functions only.
func (a *App) newWeb(s *setup) (*web.Server, error) {
	d := web.Deps{
		Journal: a.journal, Status: a.Status, Reload: a.Reload, Ready: a.notReady, Monitor: a.monitor,
		Gatherer: a.journal.Gatherer(), Log: a.log, TFTPLimits: a.tftpLimits, DNS: a.askDNS, Balance: a.askLB, Alerting: a.alerting,
		Probing: a.probing, Leases: a.leased, VIPs: a.vipReports, MoveVIP: a.moveVIP, HoldVIPs: a.holdVIPs, RoleVIPs: a.roleVIPs,
	}
	if a.history != nil {
		d.History = a.history
	}
	return web.New(web.Config{Status: s.Status, Socket: s.Socket}, d)
}

// probing says whom /probe may ask now.
func (a *App) probing() web.Probing {
	s := a.setup()
	p := web.Probing{On: s.Probe != config.ProbeNobody, Any: s.Probe == config.ProbeAny}
	for _, srv := range s.Site.Servers {
		p.Servers = append(p.Servers, srv)
	}
	return p
}

// tftpLimits says what bounds the TFTP server that runs now, if any does.
func (a *App) tftpLimits() web.TFTPLimits {
	for _, s := range a.slots {
		srv, _ := s.get()
		if t, ok := srv.(*tftp.Server); ok {
			l := t.Limits()
			return web.TFTPLimits{MaxTransfers: l.Transfers, PerClient: l.PerClient, PerNetwork: l.PerNetwork, Queue: max(l.Queue, 0), QueueTime: l.QueueTime}
		}
	}
	return web.TFTPLimits{}
}

// Status says what this node does and how it is.
func (a *App) Status() web.Status {
	a.mu.Lock()
	st := web.Status{
		Node: a.cur.Node.Name, Site: a.cur.Site.Name, Version: a.opts.Version, Started: a.started,
		Draining: a.draining,
		Config:   web.ConfigStatus{Path: a.cur.Path, LoadedAt: a.loadedAt},
	}
	if a.loadErr != nil {
		st.Config.LastError, st.Config.LastErrorAt = a.loadErr.Error(), a.failedAt
	}
	cur := a.cur
	a.mu.Unlock()

	st.Files = a.filesStatus()
	st.NotReady = a.notReady()
	st.Ready = len(st.NotReady) == 0
	for _, s := range a.slots {
		_, state := s.get()
		if state == "" {
			continue
		}
		st.Roles = append(st.Roles, web.RoleStatus{Name: s.name, State: state, Listen: cur.listens(s.name)})
	}
	for _, n := range cur.Nodes {
		st.Nodes = append(st.Nodes, web.NodeStatus{
			Name: n.Name, Address: addrText(n.Addr), Self: n.Name == cur.Node.Name, Roles: n.Roles,
		})
	}
	for _, name := range slices.Sorted(maps.Keys(cur.Site.Servers)) {
		st.Servers = append(st.Servers, cur.Site.Servers[name])
	}
	for _, r := range cur.Site.Rules {
		st.Rules = append(st.Rules, web.RuleStatus{Name: r.Name, File: r.File, From: r.From})
	}
	for _, n := range cur.Site.Networks {
		subnet := "every client"
		switch {
		case n.Subnet.IsValid() && n.Subnet6.IsValid():
			subnet = n.Subnet.String() + ", " + n.Subnet6.String()
		case n.Subnet.IsValid():
			subnet = n.Subnet.String()
		case n.Subnet6.IsValid():
			subnet = n.Subnet6.String()
		}
		st.Networks = append(st.Networks, web.NetworkStatus{Name: n.Name, Subnet: subnet, Deliver: n.Delivers()})
	}
	st.Health = a.monitor.Servers()
	st.Services = a.serviceStatus()
	if c := a.leases.shared; c != nil {
		s := c.Status()
		st.Shared = &s
	}
	st.Pools = a.leased.Pools()
	if len(st.Pools) > 0 {
		st.Leases = cur.DHCP.Leases
	}
	st.Warnings = a.warnings()
	return st
}

// notReady lists the parts that are not serving.
func (a *App) notReady() []string {
	a.mu.Lock()
	ready, draining := a.ready, a.draining
	a.mu.Unlock()
	var out []string
	for _, s := range a.slots {
		if _, state := s.get(); state != "" && state != "ready" {
			out = append(out, s.name+" "+state)
		}
	}
	for _, t := range a.interfaces(a.setup()) {
		if t.silent {
			out = append(out, fmt.Sprintf("%s on %s (%s)", answering(a.setup()), t.name, t.title))
		}
	}
	switch {
	case draining:
		out = append(out, "draining")
	case !ready && len(out) == 0:
		out = append(out, "starting")
	}
	return out
}

// listens says where a role takes packets.
func (s *setup) listens(role string) []string {
	switch role {
	case roleTFTP:
		return []string{"udp " + s.TFTP.String()}
	case roleHTTP:
		return []string{"tcp " + s.HTTP.String()}
	case roleLB:
		return s.balanced(config.Balance.InKernel)
	case slotPaths:
		return s.balanced(func(b config.Balance) bool { return !b.InKernel() })
	case slotTFTP6:
		at, _ := s.over6(roleTFTP, s.TFTP)
		return []string{"udp " + at.String()}
	case slotHTTP6:
		at, _ := s.over6(roleHTTP, s.HTTP)
		return []string{"tcp " + at.String()}
	case roleDHCP6:
		var out []string
		for _, i := range s.Node.Interfaces {
			out = append(out, i+": DHCPv6 (udp 547)")
		}
		return out
	case roleDNS:
		return []string{"udp and tcp " + s.DNS.Listen.String() + ": " + strings.Join(s.DNS.Zones, " ")}
	case roleVIP:
		var out []string
		for _, v := range s.vipConfig().Addresses {
			how := fmt.Sprintf("VRRP group %d", v.VRID)
			if v.External {
				how = "another program moves it"
			}
			out = append(out, fmt.Sprintf("%s on %s: %s, %s", v.Address, v.Interface, v.Name, how))
		}
		return out
	case roleDHCP:
		return s.dhcpListens()
	case roleProxy:
		var out []string
		for _, i := range s.Node.Interfaces {
			out = append(out, i+": DHCP broadcasts and relays (67), udp 4011")
		}
		return out
	}
	return nil
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// Banner is what a person wants to read when the program starts.
func (a *App) Banner() []string {
	s := a.setup()
	source := s.Path
	if source == "" {
		source = "embedded defaults"
	}
	out := []string{fmt.Sprintf("surefoot %s: node %s of site %s, from %s", a.opts.Version, s.Node.Name, s.Site.Name, source)}
	for _, r := range s.Site.Rules {
		out = append(out, fmt.Sprintf("  rule %-12s gives %s from %s", r.Name, r.File, strings.Join(r.From, ", ")))
	}
	for _, role := range []string{roleProxy, roleDHCP, roleTFTP, roleHTTP, roleDNS, roleLB, roleVIP} {
		if role == roleDHCP {
			out = append(out, s.dhcpBanner()...)
			continue
		}
		if role == roleProxy && s.proxyIdle() {
			continue
		}
		if role == roleProxy && (!s.has(role) || len(s.Node.Interfaces) == 0) {
			out = append(out, "  "+role+"    off: no interface is named (--interface IF)")
			continue
		}
		if role == roleLB && s.has(role) {
			out = append(out, fmt.Sprintf("  %-12s %s", role, strings.Join(s.balanced(nil), "; ")))
			continue
		}
		if s.has(role) || role == roleVIP && s.hasVIP() {
			out = append(out, fmt.Sprintf("  %-12s %s", role, strings.Join(s.listens(role), "; ")))
		}
	}
	if (s.has(roleProxy) || s.has(roleDHCP)) && len(s.Node.Interfaces) > 0 {
		if h := bind.Holder("udp", 67); h != "" {
			out = append(out, "  udp port 67 is held by "+h+": both answer, Surefoot reads from the interface itself")
		}
	}
	if s.Status.IsValid() {
		out = append(out, fmt.Sprintf("  status page  http://%s/", s.Status))
	}
	return out
}
