package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/lb"
	"surefoot/internal/lb/relay"
	"surefoot/internal/web"
)

// BalanceView is a service as it is at present.
type BalanceView struct {
	lb.Service
	State []BackendView `json:"state"`
	Stats *relay.Stats  `json:"stats,omitempty"` // of a relay; nil: it does not run here

	// Of a data path in the kernel that runs here.
	Role    string     `json:"role,omitempty"` // active or standby
	By      string     `json:"by,omitempty"`   // what carries packets: nftables, BPF
	Trouble string     `json:"trouble,omitempty"`
	Counts  []lb.Count `json:"counts,omitempty"`
}

// BackendView is what a backend counts as.
type BackendView struct {
	Name    string   `json:"name"`
	Down    bool     `json:"down"` // for every file that is tested
	DownFor []string `json:"down_for,omitempty"`
	Suspect bool     `json:"suspect,omitempty"`
	Path    string   `json:"path,omitempty"` // what a data path does with it: alive, drained, out
}

// BalanceChoice is whom a client gets, and why.
type BalanceChoice struct {
	Node    string  `json:"node"`
	Service string  `json:"service"`
	Mode    lb.Mode `json:"mode"`
	From    string  `json:"from"`
	File    string  `json:"file,omitempty"`
	lb.Choice
}

// What carries packets, as people call it.
const (
	byNFT   = "nftables"
	byBPF   = "BPF"
	byRelay = "relay"
)

// balanceWithin bounds reading the counters of the kernel.
const balanceWithin = 5 * time.Second

// relaying lists the relays that run.
func (a *App) relaying() []*relay.Relay {
	for _, s := range a.slots {
		srv, _ := s.get()
		if b, ok := srv.(*balancer); ok {
			return b.relays
		}
	}
	return nil
}

// balances are the services that run here now, in the order of the site file.
func (a *App) balances() []BalanceView {
	cfg := a.setup().Config
	ctx, cancel := context.WithTimeout(context.Background(), balanceWithin)
	defer cancel()
	by := map[string]BalanceView{}
	for _, r := range a.relaying() {
		st := r.Stats()
		v := viewOf(cfg, a.health.down, r.Service(), &st)
		v.By = byRelay
		by[v.Name] = v
	}
	for _, p := range a.paths.Views(ctx) {
		v := viewOf(cfg, a.health.down, p.Table.Service, nil)
		v.Counts, v.Trouble, v.By, v.Role = p.Counts, p.Trouble, p.By, "standby"
		if p.Table.Active {
			v.Role = "active"
		}
		for i := range v.State {
			v.State[i].Path = standing(&p.Table, i)
		}
		by[v.Name] = v
	}
	var out []BalanceView
	for _, b := range cfg.Balances {
		if v, ok := by[b.Name]; ok {
			out = append(out, v)
		}
	}
	return out
}

// standing is what a data path does with a backend.
func standing(t *lb.Table, i int) string {
	switch {
	case slices.Contains(t.Alive, i):
		return "alive"
	case slices.Contains(t.Drained, i):
		return "drained"
	}
	return "out"
}

var errNoBalance = errors.New("this node balances nothing: it does not have the role lb, or the site file has no lb.services")

// askLB lists the services that run now, or explains a choice.
func (a *App) askLB(q web.BalanceQuery) (any, error) {
	views := a.balances()
	if len(views) == 0 {
		return nil, errNoBalance
	}
	if q.From == "" {
		views = slices.DeleteFunc(views, func(v BalanceView) bool { return q.Service != "" && v.Name != q.Service })
		if len(views) == 0 {
			return nil, noService(a.setup().Config, q.Service)
		}
		return views, nil
	}
	from, err := netip.ParseAddr(q.From)
	if err != nil {
		return nil, err
	}
	v, err := asked(a.setup().Config, views, q.Service, q.To)
	if err != nil {
		return nil, err
	}
	c, err := a.explainBalance(v.Service, from, q.File)
	return BalanceChoice{a.setup().Node.Name, v.Name, v.Mode, q.From, q.File, c}, err
}

func (a *App) explainBalance(s lb.Service, from netip.Addr, file string) (lb.Choice, error) {
	if s.Mode == lb.Relay {
		for _, r := range a.relaying() {
			if r.Service().Name == s.Name {
				return r.Explain(from, file), nil
			}
		}
		return lb.Choice{}, errNoBalance
	}
	ctx, cancel := context.WithTimeout(context.Background(), balanceWithin)
	defer cancel()
	return a.paths.Explain(ctx, s.Name, from)
}

func noService(cfg *config.Config, name string) error {
	return fmt.Errorf("there is no service %q here; the site file has %s", name, strings.Join(serviceNames(cfg), ", "))
}

// asked is the service of that name, or the one that takes packets to an address; with neither the first.
func asked(cfg *config.Config, views []BalanceView, name, to string) (*BalanceView, error) {
	if name != "" || to == "" {
		for i := range views {
			if name == "" || views[i].Name == name {
				return &views[i], nil
			}
		}
		return nil, noService(cfg, name)
	}
	at, err := netip.ParseAddrPort(to)
	if err != nil {
		a, err := netip.ParseAddr(to)
		if err != nil {
			return nil, fmt.Errorf("%.80q is neither an address nor address:port", to)
		}
		at = netip.AddrPortFrom(a, 0)
	}
	for i := range views {
		s := &views[i].Service
		takes := at.Port() == 0 || s.Mode != lb.Relay && len(s.Ports) == 0 || s.Listen.Port() == at.Port() ||
			slices.ContainsFunc(s.Ports, func(p lb.Port) bool { return p.Number == at.Port() })
		if s.Listen.Addr() == at.Addr() && takes {
			return &views[i], nil
		}
	}
	var have []string
	for _, v := range views {
		have = append(have, v.Name+" at "+addressText(v.Service))
	}
	return nil, fmt.Errorf("no service takes packets to %s; there are %s", to, strings.Join(have, ", "))
}

// addressText says what of an address a service takes.
func addressText(s lb.Service) string {
	if s.Mode == lb.Relay {
		return "udp " + s.Listen.String()
	}
	if len(s.Ports) == 0 {
		return s.Listen.Addr().String() + ", every port"
	}
	var ports []string
	for _, p := range s.Ports {
		ports = append(ports, p.String())
	}
	return s.Listen.Addr().String() + " " + strings.Join(ports, " ")
}

// Where says what of an address the service takes.
func (v BalanceView) Where() string { return addressText(v.Service) }

func serviceNames(cfg *config.Config) []string {
	var out []string
	for _, b := range cfg.Balances {
		out = append(out, b.Name)
	}
	return out
}

func viewOf(cfg *config.Config, down boot.Down, svc lb.Service, st *relay.Stats) BalanceView {
	v := BalanceView{Service: svc, Stats: st}
	for _, b := range svc.Backends {
		x := BackendView{Name: b.Name, Suspect: st != nil && slices.Contains(st.Suspects, b.Name)}
		tested := 0
		for _, r := range withBackends(cfg).Rules {
			if !slices.Contains(r.From, b.Name) {
				continue
			}
			if tested++; down(b.Name, testName(r.File), boot.ByTFTP) && !slices.Contains(x.DownFor, r.File) {
				x.DownFor = append(x.DownFor, r.File)
			}
		}
		x.Down = tested > 0 && len(x.DownFor) > 0 && deadFor(cfg, down, b.Name, "")
		v.State = append(v.State, x)
	}
	return v
}

// StateOf says how a backend stands, and whether it gets clients.
func (v BalanceView) StateOf(i int) (words string, good bool) {
	st := v.State[i]
	switch {
	case st.Path == "drained":
		return "drained, keeps its clients", true
	case st.Path == "alive" && st.Down:
		return "down, and tried all the same", false
	case st.Path == "out", st.Down:
		return "down or drained", false
	case len(st.DownFor) > 0:
		return "down for " + strings.Join(st.DownFor, " "), false
	case st.Suspect:
		return "has just failed", false
	}
	return "up", true
}

// Count is what went to a backend; share is its part of the requests, in percent, -1 where there was none.
func (v BalanceView) Count(backend string) (c lb.Count, share int) {
	var all uint64
	for _, x := range v.Counts {
		all += x.Requests
		if x.Backend == backend {
			c = x
		}
	}
	if all == 0 {
		return c, -1
	}
	return c, int((100*c.Requests + all/2) / all)
}

// serviceStatus is what the status page shows of services.
func (a *App) serviceStatus() []web.ServiceStatus {
	var out []web.ServiceStatus
	for _, v := range a.balances() {
		s := web.ServiceStatus{
			Name: v.Name, Where: v.Where(), Mode: string(v.Mode), Scheduler: string(v.Scheduler), By: v.By, Role: v.Role, Trouble: v.Trouble,
		}
		for i, b := range v.Backends {
			x := web.BackendStatus{Name: b.Name, Address: b.TFTP.String(), Weight: b.Weight}
			x.State, x.Good = v.StateOf(i)
			c, share := v.Count(b.Name)
			x.Requests, x.Retries, x.Bytes, x.Share = c.Requests, c.Retries, c.Bytes, max(share, 0)
			if v.Stats != nil {
				x.Requests, x.Bytes, x.Share = relayed(v.Stats, b.Name)
			}
			s.Backends = append(s.Backends, x)
		}
		out = append(out, s)
	}
	return out
}

// relayed is what a relay fetched from a backend: downloads, bytes, and its part of the downloads.
func relayed(st *relay.Stats, backend string) (n, bytes uint64, share int) {
	var all uint64
	for name, b := range st.Backends {
		sum := uint64(b.Running)
		for _, x := range b.Ended {
			sum += uint64(x)
		}
		if all += sum; name == backend {
			n, bytes = sum, uint64(b.Bytes)
		}
	}
	if all > 0 {
		share = int((100*n + all/2) / all)
	}
	return n, bytes, share
}
