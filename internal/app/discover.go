package app

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"surefoot/internal/alert"
	"surefoot/internal/boot"
	"surefoot/internal/probe"
	"surefoot/internal/store"
	"surefoot/internal/watch"
)

// newDiscoverer makes what asks the segments of this node who answers DISCOVERs.
func (a *App) newDiscoverer(s *setup) (*watch.Discoverer, error) {
	d, err := watch.NewDiscoverer(discovery(s), watch.DiscoverDeps{
		Log: a.log, Now: a.now, Emit: a.journal.Emit, Looked: a.looked, Changed: a.segmentChanged, Link: a.link,
	})
	if err != nil {
		return nil, err
	}
	return d, a.journal.Register(watch.NewDiscoverCollector(d))
}

func discovery(s *setup) watch.Discovery {
	c := s.Watch.Discover
	nodes := map[string]netip.Addr{}
	for _, n := range s.Nodes {
		nodes[n.Name] = n.Addr
	}
	noAddress := map[string]bool{}
	for _, d := range s.DHCP.Scopes6 {
		noAddress[d.Network] = len(d.Ranges) == 0 // a monitor has no reservation
	}
	return watch.Discovery{
		NoAddress: noAddress,
		Site:      &s.Site, Interfaces: s.Node.Interfaces, Networks: c.Networks, Every: c.Every, Wait: c.Wait,
		Probes: s.Alerts.Rules.NobodyProbes, Expect: c.Expect, Nodes: nodes,
	}
}

// looked takes a look at a segment to the alerts and to the history. What could not be asked says
// nothing there; in the history it is why there is a gap.
func (a *App) looked(l watch.Look) {
	if l.State != watch.LeftOut && a.history != nil {
		m := store.Measurement{Test: l.Name, File: l.Network, At: l.Time, Available: l.Response > 0, Response: l.Response, Text: l.Text}
		if l.State != watch.Answered {
			m.Cause = causeOf(l)
		}
		a.history.Measure(m)
	}
	a.alerting.looked(a.now(), l)
	a.monitor.Looked(l)
}

// causeOf is the name of what is wrong, as surefoot probe dhcp has it.
func causeOf(l watch.Look) string {
	switch l.State {
	case watch.Silent:
		return string(probe.NoAnswer)
	case watch.Deaf:
		return string(probe.FlagMatters)
	}
	return string(probe.LocalError)
}

// looked takes a look at a segment.
func (a *alerting) looked(now time.Time, l watch.Look) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l.State == watch.NotAsked && len(l.Services) == 0 {
		return // what was true before, may be or not
	}
	six := strings.HasPrefix(l.Name, "dhcp6/")
	a.machine.ForgetSegments(now, func(network, iface string) bool {
		return iface == l.Interface && strings.HasSuffix(network, "/6") == six && (network != l.Network || l.State == watch.LeftOut)
	})
	if l.State == watch.LeftOut {
		return
	}
	d := alert.Discover{Network: l.Network, Interface: l.Interface, Unsure: l.State == watch.NotAsked, Lost: l.Lost, Text: l.Text, Hints: l.Hints, Six: six}
	for _, s := range l.Services {
		o := alert.Offer{From: s.From, Server: s.Server, MAC: s.MAC, Text: strings.Join(s.Offers, " | "), Address: s.Address, PXE: s.Boot, Known: s.Known != ""}
		d.Offers = append(d.Offers, o)
	}
	a.machine.Discovered(now, d)
}

// segmentChanged takes what a segment counts as now to the history.
func (a *App) segmentChanged(c watch.Change) {
	if a.history != nil {
		a.history.Change(store.Change{Test: c.Test, At: c.Time, From: string(c.From), To: string(c.To), Cause: string(c.Reason), Text: c.Text})
	}
}

// warnSegments tells of segments that cannot be asked. A DHCP server on the same machine is a choice,
// and what is wrong with an interface is told already where ProxyDHCP answers on it.
func (a *App) warnSegments(s *setup, add adder) {
	if a.discoverer == nil {
		return
	}
	told := a.interfaces(s)
	for _, s := range a.discoverer.Segments(watch.Query{}) {
		if s.State != watch.NotAsked || s.Last.OwnServer || slices.ContainsFunc(told, func(t trouble) bool { return t.name == s.Interface }) {
			continue
		}
		fix := "surefoot watch show " + s.Name
		if len(s.Last.Hints) > 0 {
			fix = s.Last.Hints[0]
		}
		what := "DISCOVERs"
		if strings.HasPrefix(s.Name, "dhcp6/") {
			what = "SOLICITs (DHCPv6)"
		}
		add(string(boot.DHCPNotAsked), "who answers "+what+" on "+s.Interface+" is not known", s.Text, fix)
	}
}

// fromMachines is emit without what other nodes' monitors ask: they are answered as machines are, and
// are none.
func (a *App) fromMachines(ev boot.Event) {
	if !probe.Monitors(ev.UUID) {
		a.journal.Emit(ev)
	}
}
