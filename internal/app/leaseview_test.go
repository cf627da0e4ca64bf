package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"surefoot/internal/alert"
	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/lease"
	"surefoot/internal/web"
)

const leaseSite = `site: hq
root: /srv/boot
nodes:
  n1: {address: 10.0.0.1, interfaces: [eth1]}
boot:
  - {name: uefi, file: snponly.efi}
networks:
  vdi:
    subnet: 10.0.0.0/24
    deliver: dhcp
    dhcp: {range: 10.0.0.100-10.0.0.119, router: 10.0.0.254, lease: 8h, max_lease: 1d}
    reservations:
      - {mac: "02:00:00:00:00:09", ip: 10.0.0.9, name: pc-9}
      - {mac: "02:00:00:00:00:08", name: pc-8}
  lab:
    subnet: 10.1.0.0/24
    deliver: dhcp
    dhcp: {range: 10.1.0.100-10.1.0.199}
`

// ledger is leases on a disk, with what is shown of them.
type ledger struct {
	*leaseView
	cfg  *config.Config
	file string
}

func newLedger(t *testing.T) *ledger {
	t.Helper()
	cfg, err := config.Parse("site.yaml", []byte(leaseSite), config.Options{Node: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLeases(cfg, Options{}.logger(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	k := &ledger{cfg: cfg, file: filepath.Join(t.TempDir(), "leases.db")}
	k.leaseView = &leaseView{leases: l, cfg: func() *config.Config { return cfg }}
	if err := l.open(t.Context(), k.file); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- l.run(ctx, func() {}) }()
	t.Cleanup(func() {
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return k
}

// give has machines take addresses, as the server does.
func (k *ledger) give(t *testing.T, scope string, first, n int) {
	t.Helper()
	for i := first; i < first+n; i++ {
		mac := boot.MAC{2, 0, 0, 0, 1, byte(i)}
		ask := lease.Ask{Scope: scope, ID: lease.Hardware(1, mac[:]), MAC: mac, Host: fmt.Sprintf("host%d", i), Arch: uint16(boot.ArchUnknown)}
		now := time.Now()
		g, why := k.leases.book.Offer(now, ask)
		if why != boot.Answered {
			t.Fatal(why)
		}
		ask.Want = g.Record.Addr
		if g, why = k.leases.book.Request(now, ask, lease.Selecting); why != boot.Answered {
			t.Fatal(why)
		}
		if err := k.keep(t.Context(), g.Record); err != nil {
			t.Fatal(err)
		}
	}
}

// Pages hold every lease once, in order, whatever their size.
func TestLeasePages(t *testing.T) {
	k := newLedger(t)
	k.give(t, "vdi", 0, 15)
	k.give(t, "lab", 20, 30)
	for _, limit := range []int{1, 7, 45, 100} {
		var all []string
		q := web.LeaseQuery{Limit: limit}
		for pages := 0; ; pages++ {
			p, err := k.List(q)
			if err != nil || len(p.Leases) > limit || pages > 50 {
				t.Fatalf("limit %d: %d leases, %v", limit, len(p.Leases), err)
			}
			for _, l := range p.Leases {
				all = append(all, fmt.Sprintf("%s %03d", l.Network, l.Addr.As4()[3]))
			}
			if q.After = p.Next; q.After == "" {
				break
			}
		}
		if len(all) != 45 {
			t.Errorf("limit %d: %d leases", limit, len(all))
		}
		for i := 1; i < len(all); i++ {
			if all[i-1] >= all[i] {
				t.Errorf("limit %d: %s before %s", limit, all[i-1], all[i])
			}
		}
	}
	for q, want := range map[web.LeaseQuery]int{
		{Network: "lab", Limit: 100}: 30, {State: "active", Limit: 100}: 45, {State: "released", Limit: 100}: 0,
		{Text: "HOST21", Limit: 100}: 1, {Text: "02-00-00-00-01-02", Limit: 100}: 1, {Text: "02:00:00:00:01", Limit: 100}: 45, {Text: "10.1.0.", Limit: 100}: 30,
	} {
		if p, err := k.List(q); err != nil || len(p.Leases) != want {
			t.Errorf("%+v: %d, want %d, %v", q, len(p.Leases), want, err)
		}
	}
	for _, q := range []web.LeaseQuery{{State: "odd"}, {Network: "none"}, {After: "x"}} {
		if _, err := k.List(q); err == nil {
			t.Errorf("%+v is answered", q)
		}
	}
}

// A release is on the disk, and the address can be given again; what nobody has cannot be released.
func TestLeaseRelease(t *testing.T) {
	k := newLedger(t)
	k.give(t, "vdi", 0, 1)
	had := k.Find("host0")
	if len(had) != 1 || had[0].State != "active" {
		t.Fatalf("%+v", had)
	}
	if k.Pools()[0].Active != 1 || k.Pools()[0].Network != "vdi" {
		t.Errorf("%+v", k.Pools())
	}
	out, err := k.Release(t.Context(), "02:00:00:00:01:00")
	if err != nil || out.State != "released" || out.Addr != had[0].Addr {
		t.Fatalf("%+v, %v", out, err)
	}
	if k.Pools()[0].Active != 0 {
		t.Error("the usage is of before the release")
	}
	if _, err := k.Release(t.Context(), had[0].Addr.String()); !errors.Is(err, web.ErrNoLease) {
		t.Errorf("twice: %v", err)
	}
	again, err := newLeases(k.cfg, Options{}.logger(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.read(t.Context(), k.file); err != nil {
		t.Fatal(err)
	}
	if r, ok := again.book.ByAddr(had[0].Addr); !ok || r.State != lease.Released {
		t.Errorf("on disk: %+v", r)
	}
}

// Leases of another server are taken with their end, to the disk; conflicts say what is in the way; a dry run
// changes nothing.
func TestAdoptLeases(t *testing.T) {
	k := newLedger(t)
	k.give(t, "vdi", 0, 1)
	mine := k.Find("host0")[0].Addr
	now := time.Now().UTC().Truncate(time.Second)
	rec := func(ip string, n byte, ends time.Time) lease.Record {
		mac := boot.MAC{2, 0, 0, 0, 2, n}
		if n == 9 {
			mac = boot.MAC{2, 0, 0, 0, 0, 9}
		}
		return lease.Record{Addr: netip.MustParseAddr(ip), ID: lease.Hardware(1, mac[:]), MAC: mac, Start: now, Expires: ends}
	}
	free := "10.0.0.110"
	if mine.String() == free {
		free = "10.0.0.111"
	}
	list := []lease.Record{
		rec("10.1.0.150", 1, now.Add(50*time.Hour)), rec("10.0.0.119", 2, time.Time{}), rec(mine.String(), 3, now.Add(time.Hour)),
		rec("10.9.0.1", 4, now.Add(time.Hour)), rec("10.0.0.50", 5, now.Add(time.Hour)), rec(free, 9, now.Add(time.Hour)),
		rec("10.1.0.151", 6, now.Add(-time.Hour)), rec("10.1.0.152", 1, now.Add(time.Hour)), rec("10.1.0.150", 7, now.Add(time.Hour)),
	}
	want := []string{"", "for ever", "leased to another machine, 02:00:00:00:01:00", "no network", "in no range", "another address is reserved", "run out", "another lease here", "another machine"}
	if mine.String() == "10.0.0.119" {
		list[1].Addr = netip.MustParseAddr("10.0.0.118")
	}
	check := func(out []web.Adopted) {
		t.Helper()
		for i, a := range out {
			if a.Taken != (i < 2) || !strings.Contains(a.Why, want[i]) || want[i] == "" && a.Why != "" {
				t.Errorf("%s: %+v, want %q", list[i].Addr, a, want[i])
			}
		}
	}
	check(k.Adopt(t.Context(), list, true))
	if len(k.Find("10.1.0.150")) != 0 {
		t.Error("a dry run changed something")
	}
	check(k.Adopt(t.Context(), list, false))
	got := k.Find("10.1.0.150")
	if len(got) != 1 || got[0].State != "active" || !got[0].Expires.Equal(now.Add(50*time.Hour)) {
		t.Errorf("%+v", got)
	}
	if d := k.Find(list[1].Addr.String())[0].Expires.Sub(now); d < 23*time.Hour || d > 25*time.Hour {
		t.Errorf("for ever is %s, want max_lease", d)
	}
	// Into the file of a stopped node.
	file := filepath.Join(t.TempDir(), "l.db")
	out, err := AdoptIntoFile(t.Context(), k.cfg, file, list[:1], Options{}, true)
	if _, missing := os.Stat(file); err != nil || !out[0].Taken || !os.IsNotExist(missing) {
		t.Errorf("dry: %+v, %v, %v", out, err, missing)
	}
	if out, err = AdoptIntoFile(t.Context(), k.cfg, file, list[:1], Options{}, false); err != nil || !out[0].Taken {
		t.Errorf("%+v, %v", out, err)
	}
	if out, err = AdoptIntoFile(t.Context(), k.cfg, file, list[:1], Options{}, true); err != nil || out[0].Why != "it is here already" {
		t.Errorf("again: %+v, %v", out, err)
	}
	if _, err := AdoptIntoFile(t.Context(), k.cfg, k.file, list[:1], Options{}, false); err == nil {
		t.Error("the file of a running node is written")
	}
}

// A network that fills up is a warning, and an alert that is told; the alert ends when there is room again.
func TestPoolTroubles(t *testing.T) {
	k := newLedger(t)
	a := &App{leases: k.leases, leased: k.leaseView}
	m, at := alert.New(alert.Rules{}), time.Now()
	look := a.alertElsewhere()
	want := func(warned, told string) {
		t.Helper()
		var codes, notes []string
		k.forget()
		warnTroubles(func(code, _, text, fix string) { codes = append(codes, code); _ = text + fix }, a.leaseTroubles(k.Pools()))
		for end := at.Add(nearlyFor + troublesEvery); at.Before(end); at = at.Add(time.Second) {
			look(at, m)
			for _, n := range m.Tick(at) {
				notes = append(notes, fmt.Sprintf("%s %s", n.Alert.Key, n.Alert.State))
			}
		}
		if got := strings.Join(codes, " "); got != warned {
			t.Errorf("warnings: %q, want %q", got, warned)
		}
		if got := strings.Join(notes, ", "); got != told {
			t.Errorf("alerts: %q, want %q", got, told)
		}
	}
	k.give(t, "vdi", 0, 17)
	want("", "")
	k.give(t, "vdi", 17, 1)
	want("pool-nearly-full", "pool-nearly-full network=vdi firing")
	k.give(t, "vdi", 18, 2)
	want("pool-empty", "pool-empty network=vdi firing, pool-nearly-full network=vdi resolved")
	for _, host := range []string{"host0", "host1", "host2", "host3"} {
		if _, err := k.Release(t.Context(), host); err != nil {
			t.Fatal(err)
		}
	}
	want("", "pool-empty network=vdi resolved")
}

func TestPoolMetrics(t *testing.T) {
	k := newLedger(t)
	k.give(t, "vdi", 0, 20)
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(leaseMetrics{k.leaseView}); err != nil {
		t.Fatal(err)
	}
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	doc, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if !strings.Contains(string(doc), "| `"+f.GetName()) {
			t.Errorf("docs/metrics.md does not explain %s", f.GetName())
		}
		seen[f.GetName()] = len(f.GetMetric())
	}
	if seen[metricLeases] != 12 || seen[metricPoolSize] != 2 || seen[metricPoolUsed] != 2 || seen["surefoot_leases_writable"] != 1 {
		t.Errorf("%v", seen)
	}
}

// What explain shows is what the server would send.
func TestOfferTo(t *testing.T) {
	cfg, err := config.Parse("site.yaml", []byte(leaseSite), config.Options{Node: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	offer := func(mac boot.MAC, has ...lease.Record) DHCPOffer {
		t.Helper()
		c := boot.Client{MAC: mac, Arch: boot.ArchX64, Firmware: boot.FirmwareEDK2, VendorClass: "PXEClient:Arch:00007:UNDI:003000"}
		c.Link = netip.MustParsePrefix("10.0.0.1/24")
		o, err := OfferTo(cfg, c, "vdi", nil, has, now)
		if err != nil || o.Packet == nil {
			t.Fatalf("%+v, %v", o, err)
		}
		return o
	}
	if o := offer(boot.MAC{2, 0, 0, 0, 0, 9}); o.Packet.YIAddr.String() != "10.0.0.9" || !strings.Contains(o.Addr, "reserved") {
		t.Errorf("%+v", o)
	}
	m := boot.MAC{2, 0, 0, 0, 0, 8}
	r := lease.Record{Scope: "vdi", Addr: netip.MustParseAddr("10.0.0.117"), ID: lease.Hardware(1, m[:]), MAC: m, State: lease.Active, Start: now, Expires: now.Add(time.Hour), Serial: 3}
	if o := offer(m, r); o.Packet.YIAddr != r.Addr || !strings.Contains(o.Addr, "which it has until") {
		t.Errorf("%+v", o)
	}
	if o := offer(m); !strings.Contains(o.Addr, "one of the range") || o.Packet.File != "snponly.efi" || o.Packet.SIAddr.String() != "10.0.0.1" {
		t.Errorf("%+v", o)
	}
}
