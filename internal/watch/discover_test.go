package watch

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"surefoot/internal/boot"
	"surefoot/internal/health"
	"surefoot/internal/kernel/link"
	"surefoot/internal/probe"
	"surefoot/internal/wire/pxe"
)

// lan is a segment without any network: it answers DISCOVERs as it is told.
type lan struct {
	mu      sync.Mutex
	answer  func(o probe.DHCPOptions, flags string) []probe.Offer
	err     error // of the interface
	held    bool  // this machine's port 67
	asked   []probe.DHCPOptions
	at      []time.Time // of the UEFI questions
	running int
	most    int
	looks   []Look
	changes []Change
	events  []boot.Event
}

var (
	cardMAC = boot.MAC{0x52, 0x54, 0, 0, 0, 1}
	segSite = &boot.Site{
		Name: "hq", Self: "boot1",
		Servers: map[string]boot.Server{
			"boot1": {Name: "boot1", PXE: netip.MustParseAddr("10.0.0.11"), Node: true},
			"boot2": {Name: "boot2", PXE: netip.MustParseAddr("10.0.0.12"), Node: true},
			"pvs1":  {Name: "pvs1", TFTP: netip.MustParseAddrPort("10.0.0.21:69")},
		},
		Networks: []boot.Network{
			{Name: "vdi", Subnet: netip.MustParsePrefix("10.0.0.0/24"), Deliver: boot.DeliverProxy},
			{Name: "quiet", Subnet: netip.MustParsePrefix("10.0.1.0/24"), Deliver: boot.DeliverNone},
		},
	}
)

func dhcpOffer(flags string) probe.Offer {
	return probe.Offer{Server: "10.0.0.2", From: "10.0.0.2", MAC: "52:54:00:00:00:02", Address: "10.0.0.100", Class: pxe.OfferDHCPOnly, Flags: flags, After: int64(3 * time.Millisecond)}
}

func proxyOffer(server, flags string) probe.Offer {
	return probe.Offer{Server: server, From: server, Class: pxe.OfferProxyBINL, Flags: flags, File: "boot.efi", After: 1}
}

func (l *lan) ask(ctx context.Context, o probe.DHCPOptions) (res probe.Result) {
	l.mu.Lock()
	l.asked = append(l.asked, o)
	if o.As == probe.ClientEDK2 {
		l.at = append(l.at, time.Now())
	}
	l.running++
	l.most = max(l.most, l.running)
	answer := l.answer
	l.mu.Unlock()
	for _, broadcast := range o.Broadcast {
		flags := map[bool]string{false: "0", true: "0x8000"}[broadcast]
		if answer != nil {
			res.Offers = append(res.Offers, answer(o, flags)...)
		}
	}
	select {
	case <-time.After(o.Wait):
	case <-ctx.Done():
	}
	l.mu.Lock()
	l.running--
	l.mu.Unlock()
	return res
}

func (l *lan) set(f func()) { l.mu.Lock(); defer l.mu.Unlock(); f() }

// run runs a Discoverer on the segment, in a bubble of time.
func (l *lan) run(t *testing.T, cfg Discovery, f func(d *Discoverer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if cfg.Site == nil {
			cfg.Site = segSite
		}
		if cfg.Interfaces == nil {
			cfg.Interfaces = []string{"eth1"}
		}
		cfg.Wait, cfg.Probes = time.Second, 3
		d, err := NewDiscoverer(cfg, DiscoverDeps{
			Ask:     l.ask,
			Held:    func(string, uint16) bool { l.mu.Lock(); defer l.mu.Unlock(); return l.held },
			Emit:    func(ev boot.Event) { l.set(func() { l.events = append(l.events, ev) }) },
			Looked:  func(x Look) { l.set(func() { l.looks = append(l.looks, x) }) },
			Changed: func(c Change) { l.set(func() { l.changes = append(l.changes, c) }) },
			Link: func(name string) (link.Link, error) {
				l.mu.Lock()
				defer l.mu.Unlock()
				addr := map[string]string{"eth2": "10.0.1.11/24", "eth3": "192.168.7.1/24"}[name]
				if addr == "" {
					addr = "10.0.0.11/24"
				}
				return link.Link{Name: name, MAC: cardMAC, Up: true, Addrs: []netip.Prefix{netip.MustParsePrefix(addr)}}, l.err
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- d.Run(ctx, nil) }()
		f(d)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func (l *lan) state(t *testing.T, d *Discoverer) SegmentReport {
	t.Helper()
	all := d.Segments(Query{Samples: 100, Diagnoses: true})
	if len(all) == 0 {
		t.Fatal("no segment")
	}
	return all[0]
}

// everybody answers: the DHCP server, and the other node.
func everybody(_ probe.DHCPOptions, flags string) []probe.Offer {
	return []probe.Offer{dhcpOffer(flags), proxyOffer("10.0.0.12", flags)}
}

// TestDiscoverTimes: the first look comes soon, further ones once a period, each moved a little, one at
// a time; what stops answering is found out within the period times the probes.
func TestDiscoverTimes(t *testing.T) {
	l := &lan{answer: everybody}
	l.run(t, Discovery{Every: time.Minute}, func(d *Discoverer) {
		time.Sleep(firstLook + 2*time.Second)
		if s := l.state(t, d); s.State != Answered || s.Last.Response != 3*time.Millisecond {
			t.Errorf("soon after the start: %+v", s)
		}
		time.Sleep(time.Hour)
		var at []time.Time
		l.set(func() { at = slices.Clone(l.at) })
		n := len(at)
		if n < 58 || n > 63 {
			t.Errorf("%d looks in an hour", n)
		}
		moved := map[time.Duration]bool{}
		for i := 2; i < n; i++ {
			gap := at[i].Sub(at[i-1])
			if gap < 54*time.Second || gap > 66*time.Second {
				t.Errorf("%s between two looks", gap)
			}
			moved[gap] = true
		}
		if len(moved) < 20 {
			t.Errorf("the looks keep step: %d different gaps", len(moved))
		}
		l.set(func() { l.answer = nil })
		gone := time.Now()
		for l.state(t, d).State == Answered && time.Since(gone) < time.Hour {
			time.Sleep(time.Second)
		}
		if took := time.Since(gone); took > 3*time.Minute {
			t.Errorf("found out after %s", took)
		}
		l.set(func() { l.answer = everybody })
		back := time.Now()
		for l.state(t, d).State != Answered {
			time.Sleep(time.Second)
		}
		if took := time.Since(back); took > 70*time.Second {
			t.Errorf("its return after %s", took)
		}
	})
	if l.most > 2 { // as UEFI and as BIOS
		t.Errorf("%d questions at a time", l.most)
	}
	for _, o := range l.asked[:2] {
		if o.MAC != probe.MonitorMAC("hq", "boot1", "eth1") || !o.Monitor {
			t.Errorf("asked as a machine: %+v", o)
		}
	}
	var to []health.Status
	for _, c := range l.changes {
		to = append(to, c.To)
	}
	if !slices.Equal(to, []health.Status{Answered, Silent, Answered}) {
		t.Errorf("changes: %v", to)
	}
	var why []boot.Reason
	for _, ev := range l.events {
		if ev.If != "eth1" || ev.Network != "vdi" || ev.Kind != boot.HealthChanged || ev.Role != Role {
			t.Errorf("event %+v", ev)
		}
		why = append(why, ev.Reason)
	}
	if !slices.Equal(why, []boot.Reason{boot.DHCPAnswers, boot.DHCPSilent, boot.DHCPAnswers}) {
		t.Errorf("events: %v", why)
	}
}

// TestDiscoverStates: each look is called what it is.
func TestDiscoverStates(t *testing.T) {
	only := func(flags string) func(probe.DHCPOptions, string) []probe.Offer {
		return func(_ probe.DHCPOptions, f string) []probe.Offer {
			if f != flags {
				return []probe.Offer{proxyOffer("10.0.0.12", f)}
			}
			return []probe.Offer{dhcpOffer(f)}
		}
	}
	for _, c := range []struct {
		name  string
		lan   *lan
		cfg   Discovery
		state health.Status
		lost  string
		has   string
		asked bool
	}{
		{"answered", &lan{answer: everybody}, Discovery{}, Answered, "", "10.0.0.2", true},
		{"nobody", &lan{}, Discovery{}, Silent, "", "nobody offers an address", true},
		{"only proxies", &lan{answer: func(_ probe.DHCPOptions, f string) []probe.Offer { return []probe.Offer{proxyOffer("10.0.0.12", f)} }}, Discovery{}, Silent, "", "10.0.0.12 answered, without one", true},
		{"no unicast", &lan{answer: only("0x8000")}, Discovery{}, Deaf, "0", "only answers to the broadcast address arrive", true},
		{"no broadcast", &lan{answer: only("0")}, Discovery{}, Deaf, "0x8000", "only answers to a single MAC address arrive", true},
		{"no interface", &lan{err: errors.New("interface eth1: there is none")}, Discovery{}, NotAsked, "", "there is none", false},
		{"our own DHCP server", &lan{held: true}, Discovery{}, NotAsked, "", "says nothing", true},
		{"a DHCP server here, and another that answers", &lan{held: true, answer: everybody}, Discovery{}, Answered, "", "10.0.0.2", true},
		{"a quiet network", &lan{}, Discovery{Interfaces: []string{"eth2"}}, LeftOut, "", "deliver: none", false},
		{"a quiet network, asked for", &lan{answer: everybody}, Discovery{Interfaces: []string{"eth2"}, Networks: []string{"quiet"}}, Answered, "", "", true},
		{"another network is wanted", &lan{}, Discovery{Networks: []string{"quiet"}}, LeftOut, "", "does not name vdi", false},
		{"no network", &lan{}, Discovery{Interfaces: []string{"eth3"}}, LeftOut, "", "in no network", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Every = time.Minute
			c.lan.run(t, c.cfg, func(d *Discoverer) {
				time.Sleep(5 * time.Minute)
				s := c.lan.state(t, d)
				if s.State != c.state || s.Last.Lost != c.lost || !strings.Contains(s.Text, c.has) {
					t.Errorf("%s %q: %s", s.State, s.Last.Lost, s.Text)
				}
				if (s.State == Silent || s.State == Deaf) && len(s.Last.Hints) == 0 {
					t.Error("it does not say what to do")
				}
				if s.State == NotAsked && (s.Runs > 0 || s.Availability != nil || s.Errors == 0) {
					t.Errorf("it says something of the segment: %+v", s)
				}
			})
			if (len(c.lan.asked) > 0) != c.asked {
				t.Errorf("%d DISCOVERs were sent", len(c.lan.asked))
			}
		})
	}
}

// TestDiscoverFault: what the probe cannot do is no silence of others.
func TestDiscoverFault(t *testing.T) {
	l := &lan{}
	ask := func(context.Context, probe.DHCPOptions) probe.Result {
		return probe.Result{Fault: &probe.Fault{Code: probe.LocalError, Text: "open a packet socket: needs CAP_NET_RAW", Hint: []string{"setcap"}}}
	}
	cfg := Discovery{Site: segSite}
	look := &Look{Interface: "eth1"}
	var own bool
	state, text := cfg.ask(t.Context(), DiscoverDeps{Ask: ask, Held: func(string, uint16) bool { return false }, Link: func(string) (link.Link, error) {
		return link.Link{MAC: cardMAC, Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.11/24")}}, nil
	}}, look, false, &own)
	if state != NotAsked || !strings.Contains(text, "CAP_NET_RAW") || len(look.Hints) != 1 {
		t.Errorf("%s %s %v", state, text, look.Hints)
	}
	if len(l.asked) != 0 {
		t.Error("asked")
	}
}

// TestDiscoverOwnAddress: where frames to a foreign MAC address do not arrive, that is not the DHCP
// server's doing, and the card's own is asked from.
func TestDiscoverOwnAddress(t *testing.T) {
	l := &lan{answer: func(o probe.DHCPOptions, flags string) []probe.Offer {
		if o.MAC != cardMAC {
			return nil
		}
		return []probe.Offer{dhcpOffer(flags)}
	}}
	l.run(t, Discovery{Every: time.Minute}, func(d *Discoverer) {
		time.Sleep(30*time.Minute + 30*time.Second)
		s := l.state(t, d)
		if s.State != Answered || s.Last.MAC != cardMAC.String() || !strings.Contains(s.Last.Note, "own MAC address") || s.BadRuns != 0 {
			t.Errorf("%+v, %+v", s, s.Last)
		}
		foreign := 0
		l.set(func() {
			for _, o := range l.asked {
				if o.MAC != cardMAC {
					foreign++
				}
			}
		})
		if foreign != 2 {
			t.Errorf("asked %d times from an address that does not work", foreign)
		}
		time.Sleep(time.Hour)
		l.set(func() { l.answer = everybody })
		time.Sleep(time.Hour)
		if s := l.state(t, d); s.Last.MAC == cardMAC.String() || s.Last.Note != "" {
			t.Errorf("the port was mended, and it is asked as before: %+v", s.Last)
		}
	})
}

// TestDiscoverStrangers: who says what to boot is a stranger unless the site file knows it.
func TestDiscoverStrangers(t *testing.T) {
	l := &lan{answer: func(_ probe.DHCPOptions, flags string) []probe.Offer {
		out := []probe.Offer{dhcpOffer(flags)}
		for _, s := range []string{"10.0.0.11", "10.0.0.12", "10.0.0.13", "10.0.0.21", "10.0.0.5", "10.0.0.66"} {
			out = append(out, proxyOffer(s, flags))
		}
		return out
	}}
	expect := []netip.Addr{netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("10.0.0.6")}
	addressesOnly := map[string]netip.Addr{"boot3": netip.MustParseAddr("10.0.0.13")}
	l.run(t, Discovery{Every: time.Minute, Expect: expect, Nodes: addressesOnly}, func(d *Discoverer) {
		time.Sleep(3 * time.Minute)
		s := l.state(t, d)
		known := map[string]string{}
		for _, x := range s.Last.Services {
			known[x.Server] = x.Known
			if x.Stranger() != (x.Server == "10.0.0.66") {
				t.Errorf("%s: stranger %v", x.Server, x.Stranger())
			}
		}
		want := map[string]string{"10.0.0.2": "", "10.0.0.11": "this node", "10.0.0.12": "node boot2", "10.0.0.13": "node boot3", "10.0.0.21": "server pvs1", "10.0.0.5": "expected", "10.0.0.66": ""}
		if fmt.Sprint(known) != fmt.Sprint(want) {
			t.Errorf("%v", known)
		}
		if fmt.Sprint(s.Last.Missing) != "[10.0.0.6]" {
			t.Errorf("missing %v", s.Last.Missing)
		}
	})
	n := 0
	for _, ev := range l.events {
		if ev.Reason == boot.StrangerAnswers {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the stranger is told of %d times", n)
	}
}

// TestDiscoverApply: a reload switches it off, and what stays keeps what is known.
func TestDiscoverApply(t *testing.T) {
	l := &lan{answer: everybody}
	cfg := Discovery{Site: segSite, Every: time.Minute, Wait: time.Second, Probes: 3, Interfaces: []string{"eth1"}}
	l.run(t, cfg, func(d *Discoverer) {
		time.Sleep(2 * time.Minute)
		runs := l.state(t, d).Runs
		cfg.Interfaces = []string{"eth1", "eth4"}
		d.Apply(cfg)
		if s := l.state(t, d); s.Runs != runs || s.State != Answered {
			t.Errorf("after a reload: %+v", s)
		}
		time.Sleep(time.Minute)
		if all := d.Segments(Query{}); len(all) != 2 || all[1].Runs == 0 {
			t.Errorf("the new interface: %+v", all)
		}
		cfg.Every = 0
		d.Apply(cfg)
		n, after := 0, 0
		l.set(func() { n = len(l.asked) })
		time.Sleep(time.Hour)
		if l.set(func() { after = len(l.asked) }); len(d.Segments(Query{})) != 0 || after > n {
			t.Error("off, and it goes on")
		}
	})
}

// TestDiscoverMetrics holds values, names and documentation together.
func TestDiscoverMetrics(t *testing.T) {
	names := []string{
		MetricDHCPAnswered, MetricDHCPSeconds, MetricDHCPServices, MetricDHCPRuns, MetricDHCPForm, MetricDHCPSilent, MetricDHCPNotAsked, MetricDHCPStrangers,
	}
	l := &lan{answer: func(_ probe.DHCPOptions, flags string) []probe.Offer {
		if flags == "0" {
			return []probe.Offer{proxyOffer("10.0.0.66", flags)}
		}
		return []probe.Offer{dhcpOffer(flags)}
	}}
	l.run(t, Discovery{Every: time.Minute}, func(d *Discoverer) {
		time.Sleep(10 * time.Minute)
		reg := prometheus.NewPedanticRegistry()
		if err := reg.Register(NewDiscoverCollector(d)); err != nil {
			t.Fatal(err)
		}
		all, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		values := map[string]float64{}
		var shown []string
		for _, f := range all {
			shown = append(shown, f.GetName())
			for _, m := range f.GetMetric() {
				key := f.GetName()
				for _, l := range m.GetLabel() {
					key += " " + l.GetValue()
				}
				values[key] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
			if problems, err := promlint.NewWithMetricFamilies([]*dto.MetricFamily{f}).Lint(); err != nil || len(problems) > 0 {
				t.Errorf("%s: %v, %v", f.GetName(), problems, err)
			}
		}
		for key, want := range map[string]float64{
			MetricDHCPAnswered + " eth1 vdi": 1, MetricDHCPSeconds + " eth1 vdi": 0.003, MetricDHCPStrangers + " eth1 vdi": 1,
			MetricDHCPForm + " 0 eth1 vdi": 0, MetricDHCPForm + " 0x8000 eth1 vdi": 1, MetricDHCPSilent + " eth1 vdi": 0,
			MetricDHCPServices + " eth1 vdi address": 1, MetricDHCPServices + " eth1 vdi boot": 1,
		} {
			if got, ok := values[key]; !ok || got != want {
				t.Errorf("%s = %v (there: %v), want %v: %v", key, got, ok, want, values)
			}
		}
		slices.Sort(shown)
		slices.Sort(names)
		if !slices.Equal(shown, names) {
			t.Errorf("shown are %q, want %q", shown, names)
		}
	})
	doc, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.Contains(string(doc), "`"+name+"{") {
			t.Errorf("docs/metrics.md does not explain %s", name)
		}
	}
}
