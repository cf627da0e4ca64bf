package app

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"surefoot/internal/alert"
	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/lb/vip"
)

const roleVIP = vip.Role

// vipNotes is the file in which a node notes the service addresses that it put on its interfaces.
const vipNotes = "vips.json"

// vipConfig is what this node takes part in.
func (s *setup) vipConfig() vip.Config {
	out := vip.Config{Node: s.Node.Name, Notes: filepath.Join(s.State, vipNotes)}
	for _, v := range s.VIPs {
		i := slices.IndexFunc(v.Nodes, func(n config.VIPNode) bool { return n.Name == s.Node.Name })
		if i < 0 {
			continue
		}
		a := vip.Address{
			Name: v.Name, Address: v.Address, Interface: v.Nodes[i].Interface, VRID: uint8(v.VRID), Version: v.Version,
			Priority: uint8(v.Nodes[i].Priority), Interval: v.Advert, Preempt: v.Preempt, PreemptDelay: v.PreemptDelay,
			Peers: s.VIPPeers(v), Self: s.Node.Addr, External: v.External,
		}
		if a.Interface == "" && len(s.Node.Interfaces) > 0 {
			a.Interface = s.Node.Interfaces[0]
		}
		if v.Track == config.TrackDelivers {
			a.LowerBy = v.LowerBy
		}
		for _, n := range v.Nodes {
			a.Members = append(a.Members, vip.Member{Node: n.Name, Priority: uint8(n.Priority)})
		}
		slices.SortStableFunc(a.Members, func(x, y vip.Member) int { return int(y.Priority) - int(x.Priority) })
		out.Addresses = append(out.Addresses, a)
	}
	return out
}

func (s *setup) hasVIP() bool { return len(s.vipConfig().Addresses) > 0 }

func (a *App) vipSlot() *slot {
	return &slot{
		name: roleVIP,
		make: func(cfg *setup) (server, error) {
			if !cfg.hasVIP() {
				return nil, nil
			}
			return vip.New(cfg.vipConfig(), vip.Deps{
				Log: a.log, Now: a.now, Emit: a.journal.Emit, Link: a.link, Delivers: a.notDelivering, Changed: a.vipChanged,
				Claiming: a.paths.Claiming, Released: a.paths.Released, Carries: a.paths.Carries,
			})
		},
		same: func(was, is *setup) bool { return was.hasVIP() == is.hasVIP() && was.State == is.State },
		apply: func(s server, cfg *setup) {
			if err := s.(*vip.Server).Apply(cfg.vipConfig()); err != nil {
				a.log.Error("the service addresses stay as before", "err", err) // config lets nothing through that it refuses
			}
		},
	}
}

// notDelivering says what this node does not hand out and should, "" if there is nothing: a service
// address is better elsewhere then. Where all nodes lack the same, the order among them stays.
func (a *App) notDelivering() string {
	s := a.setup()
	self := s.Site.Servers[s.Node.Name]
	for _, r := range s.Site.Rules {
		if !slices.Contains(r.From, s.Node.Name) || strings.Contains(r.File, "://") {
			continue
		}
		for _, by := range []struct {
			at       netip.AddrPort
			protocol boot.Protocol
		}{{self.TFTP, boot.ByTFTP}, {self.HTTP, boot.ByHTTP}} {
			if by.at.IsValid() && a.health.down(s.Node.Name, testName(r.File), by.protocol) {
				return fmt.Sprintf("this node does not deliver %s by %s, or is drained", r.File, by.protocol)
			}
		}
	}
	return ""
}

// vips is the server of the service addresses, nil if this node takes part in none.
func (a *App) vips() *vip.Server {
	for _, s := range a.slots {
		srv, _ := s.get()
		if v, ok := srv.(*vip.Server); ok {
			return v
		}
	}
	return nil
}

func (a *App) vipReports() []vip.Report {
	if v := a.vips(); v != nil {
		return v.Reports()
	}
	return nil
}

// vipChanged takes what an address counts as to the alerts.
func (a *App) vipChanged(r vip.Report) {
	x := alert.ServiceAddress{Name: r.Name, Address: r.Address, Interface: r.Interface, VRID: int(r.VRID)}
	if c := r.Conflict; c != nil {
		x.Conflict, x.From, x.Foreign = c.Text, c.From.String(), c.Reason == boot.VIPForeign
	}
	a.alerting.serviceAddress(a.now(), x)
}

func (a *alerting) serviceAddress(now time.Time, x alert.ServiceAddress) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.machine.ServiceAddress(now, x)
}

// warnVIPs tells of service addresses that this node cannot keep, or that somebody is in the way of.
func (a *App) warnVIPs(add adder) {
	v := a.vips()
	if v == nil {
		return
	}
	for _, r := range v.Reports() {
		if r.Trouble != "" {
			add("vip-trouble", "service address "+r.Name+" is not kept as it should be", r.Trouble, "ip address show dev "+r.Interface+"; it is tried again by itself")
		}
		if c := r.Conflict; c != nil {
			add(string(c.Reason), fmt.Sprintf("service address %s: %s", r.Name, c.Reason.Text()), fmt.Sprintf("%s on %s: %s", c.From, r.Interface, c.Text), "surefoot vip show "+r.Name)
		}
		if r.Lowered != "" {
			add("vip-lowered", fmt.Sprintf("service address %s: priority %d instead of %d", r.Name, r.Priority, r.Base), r.Lowered, "surefoot vip show "+r.Name)
		}
	}
	if err := v.NotKept(); err != nil {
		add("vip-not-noted", "service addresses are not noted", "if Surefoot is killed, what it left behind is known by its label only: "+firstLine(err),
			"make the directory that state names, writable for Surefoot (systemd: StateDirectory=surefoot)")
	}
}

var errNoVIP = errors.New("this node takes part in no service address: the section vips of the site file names none, or other nodes")

// moveVIP moves an address away from this node.
func (a *App) moveVIP(name, to string, span time.Duration, dry bool) (vip.MoveResult, error) {
	v := a.vips()
	if v == nil {
		return vip.MoveResult{}, errNoVIP
	}
	return v.Move(name, to, span, dry)
}

// roleVIPs hears what another program made of this node.
func (a *App) roleVIPs(name string, master bool) ([]string, error) {
	v := a.vips()
	if v == nil {
		return nil, errNoVIP
	}
	return v.Role(name, master)
}

// holdVIPs makes the next stop a restart.
func (a *App) holdVIPs(span time.Duration) error {
	v := a.vips()
	if v == nil {
		return errNoVIP
	}
	return v.Hold(span)
}
