package journal

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"surefoot/internal/boot"
)

// names lists the constants; TestMetrics finds out if one is not here.
var names = []string{
	MetricPackets, MetricDHCP, MetricDHCP6, MetricTFTPTransfers, MetricTFTPIgnored, MetricTFTPQueued, MetricTFTPUploads, MetricTFTPReceived, MetricTFTPBytes, MetricTFTPRetransmits, MetricTFTPSeconds, MetricTFTPFirst,
	MetricHTTPRequests, MetricHTTPBytes, MetricScripts, MetricDNSQueries, MetricDNSNamed, MetricStories, MetricOpen, MetricBootSeconds, MetricDropped, MetricMachines,
	MetricTFTPPackets, MetricTFTPStalls, MetricTFTPRunning, MetricTFTPStalled, MetricForgotten, MetricBuildInfo, MetricReady, MetricConfigGood, MetricConfigGoodSecond, MetricVersion,
}

// busy returns a journal that has seen at least one of everything.
func busy(t *testing.T) *Journal {
	t.Helper()
	j := New(Config{Node: "boot1", Site: "hq", Version: "1.2.3", FilesVersion: func() string { return "20261122-1" }, Now: func() time.Time { return start }})
	for i, ev := range []boot.Event{
		{Role: "proxydhcp", Kind: boot.DiscoverSeen, MAC: mac, XID: 1},
		{Role: "proxydhcp", Kind: boot.OfferSent, MAC: mac, XID: 1, Reason: boot.Answered, File: "a.0", Server: "boot1"},
		{Role: "proxydhcp", Kind: boot.RequestSeen, MAC: mac, IP: ip, XID: 1, Reason: boot.OtherMessage},
		{Role: "proxydhcp", Kind: boot.Ignored, Reason: boot.NotPXE},
		{Role: "tftp", Kind: boot.Ignored, Reason: boot.UnexpectedOpcode, IP: ip},
		{Role: "tftp", Kind: boot.ReadRequest, IP: ip, File: "a.0", Transfer: 1},
		{Role: "tftp", Kind: boot.TransferEnd, IP: ip, File: "crash/a", Transfer: 7, Upload: true, Reason: boot.Received, Bytes: 50},
		{Role: "tftp", Kind: boot.Waiting, IP: ip, File: "a.0", Transfer: 1, Reason: boot.TooManyTransfers},
		{
			Role: "tftp", Kind: boot.TransferEnd, IP: ip, File: "a.0", Transfer: 1, Reason: boot.Done, Bytes: 1000, Size: 1000, Blocks: 2,
			Packets: 6, Retransmits: 3, Dur: 40 * time.Millisecond, FirstBlock: 2 * time.Millisecond,
		},
		{Role: "tftp", Kind: boot.ReadRequest, IP: ip, File: "c.0", Transfer: 2},
		{Role: "tftp", Kind: boot.ReadRequest, IP: ip, File: "d.0", Transfer: 3},
		{Role: "tftp", Kind: boot.Stalled, IP: ip, File: "d.0", Transfer: 3, Pause: time.Second},
		{Role: "http", Kind: boot.HTTPRequest, IP: ip, File: "b", Transfer: 1},
		{Role: "http", Kind: boot.TransferEnd, IP: ip, File: "b", Transfer: 1, Reason: boot.FileMissing},
		{Role: "http", Kind: boot.HTTPRequest, IP: ip, File: "b", Reason: boot.MethodRefused},
		{Role: "http", Kind: boot.ScriptSent, IP: ip, MAC: mac, Reason: boot.Answered},
		{Role: "dns", Kind: boot.NameAsked, IP: ip, Detail: "uefi.boot.example.net.", Options: "A", Reason: boot.Answered, Server: "boot1"},
		{Role: "dhcp4", Kind: boot.AddressGiven, Reason: boot.Answered},
		{Role: "dhcp6", Kind: boot.AddressGiven, Reason: boot.Answered},
	} {
		ev.Time, ev.Node = start.Add(time.Duration(i)*time.Second), "boot1"
		j.Emit(ev)
		j.take(*<-j.queue)
	}
	j.ConfigLoaded(start, true)
	j.SetReady(true)
	return j
}

func gather(t *testing.T, j *Journal) map[string]*dto.MetricFamily {
	t.Helper()
	all, err := j.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*dto.MetricFamily{}
	for _, f := range all {
		out[f.GetName()] = f
	}
	return out
}

// ofOthers are the metrics that another room holds together with their documentation.
var ofOthers = regexp.MustCompile("^surefoot_(lb_|vip|shared|probe_|dhcp_probe_|dhcp_leases$|dhcp_pool_|leases_|server_|watch_|history_|alert)") // packages lb, watch, store/sqlite, alert: internal/app

// TestMetrics holds names, help texts, constants and documentation together, with Prometheus'
// own linter as judge of the form.
func TestMetrics(t *testing.T) {
	all := gather(t, busy(t))
	doc, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range all {
		if !strings.HasPrefix(name, "surefoot_") {
			continue
		}
		if !slices.Contains(names, name) {
			t.Errorf("%s is not among the constants of this test", name)
		}
		problems, err := promlint.NewWithMetricFamilies([]*dto.MetricFamily{f}).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
		for unit, word := range map[string]string{"_seconds": "econds", "_bytes": "ytes"} {
			if strings.Contains(name, unit) && !strings.Contains(f.GetHelp(), word) {
				t.Errorf("the help of %s does not name the unit: %q", name, f.GetHelp())
			}
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if strings.Contains(l.GetValue(), mac.String()) || strings.Contains(l.GetValue(), ip.String()) {
					t.Errorf("%s has a label for one machine: %s", name, l)
				}
			}
		}
	}
	for _, name := range names {
		if all[name] == nil {
			t.Errorf("%s is never shown", name)
		}
		if !regexp.MustCompile("`" + name + "[`{]").Match(doc) {
			t.Errorf("docs/metrics.md does not explain %s", name)
		}
	}
	for _, m := range regexp.MustCompile("surefoot_[a-z0-9_]+").FindAllString(string(doc), -1) {
		if !slices.Contains(names, strings.TrimSuffix(m, "_bucket")) && !ofOthers.MatchString(m) { // of a histogram
			t.Errorf("docs/metrics.md explains %s, which does not exist", m)
		}
	}
}

func TestMetricValues(t *testing.T) {
	all := gather(t, busy(t))
	for _, c := range []struct {
		name, label string
		want        float64
	}{
		{MetricPackets, "kind=discover reason=", 1},
		{MetricDHCP, "kind=lease reason=answered", 1},
		{MetricDHCP6, "kind=lease reason=answered", 1},
		{MetricPackets, "kind=offer reason=answered", 1},
		{MetricPackets, "kind=ignored reason=not-pxe", 1},
		{MetricTFTPTransfers, "reason=done", 1},
		{MetricTFTPIgnored, "reason=unexpected-opcode", 1},
		{MetricTFTPQueued, "reason=too-many-transfers", 1},
		{MetricTFTPUploads, "reason=received", 1},
		{MetricTFTPReceived, "", 50},
		{MetricTFTPBytes, "", 1000},
		{MetricTFTPRetransmits, "", 3},
		{MetricTFTPPackets, "", 6},
		{MetricTFTPStalls, "", 1},
		{MetricTFTPRunning, "", 2},
		{MetricTFTPStalled, "", 1},
		{MetricTFTPSeconds, "", 0.04},
		{MetricTFTPFirst, "", 0.002},
		{MetricHTTPRequests, "reason=file-missing", 1},
		{MetricHTTPRequests, "reason=method-refused", 1},
		{MetricScripts, "reason=answered", 1},
		{MetricStories, "state=done", 1},
		{MetricBootSeconds, "", 8},
		{MetricMachines, "", 1},
		{MetricOpen, "", 1},
		{MetricReady, "", 1},
		{MetricConfigGood, "", 1},
		{MetricConfigGoodSecond, "", float64(start.Unix())},
	} {
		got, found := 0.0, false
		for _, m := range all[c.name].GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			if strings.Join(labels, " ") == c.label {
				got, found = m.GetCounter().GetValue()+m.GetGauge().GetValue()+m.GetHistogram().GetSampleSum(), true
			}
		}
		if !found || got != c.want {
			t.Errorf("%s{%s} is %v (found %v), want %v", c.name, c.label, got, found, c.want)
		}
	}
}

func TestConfigLoaded(t *testing.T) {
	j := busy(t)
	j.ConfigLoaded(start.Add(time.Hour), false)
	j.SetReady(false)
	all := gather(t, j)
	if v := all[MetricConfigGood].GetMetric()[0].GetGauge().GetValue(); v != 0 {
		t.Errorf("%s is %v after a refused reload", MetricConfigGood, v)
	}
	if v := all[MetricConfigGoodSecond].GetMetric()[0].GetGauge().GetValue(); v != float64(start.Unix()) {
		t.Errorf("%s is %v: a refused reload moved it", MetricConfigGoodSecond, v)
	}
	if v := all[MetricReady].GetMetric()[0].GetGauge().GetValue(); v != 0 {
		t.Errorf("%s is %v", MetricReady, v)
	}
}

func TestCounters(t *testing.T) {
	got := busy(t).Counters()
	for name, want := range map[string]int64{
		"offers": 1, "boot_replies": 0, "files_delivered": 1, "bytes": 1000, "transfers_failed": 1, "packets_ignored": 2,
	} {
		if got[name] != want {
			t.Errorf("%s is %d, want %d", name, got[name], want)
		}
	}
}
