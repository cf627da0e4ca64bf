package journal

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"surefoot/internal/boot"
)

// Names of the metrics. docs/metrics.md explains each; a test holds the two together.
const (
	MetricPackets          = "surefoot_proxydhcp_packets_total"
	MetricDHCP             = "surefoot_dhcp_packets_total"
	MetricDHCP6            = "surefoot_dhcp6_packets_total"
	MetricTFTPTransfers    = "surefoot_tftp_transfers_total"
	MetricTFTPIgnored      = "surefoot_tftp_ignored_total"
	MetricTFTPQueued       = "surefoot_tftp_queued_total"
	MetricTFTPUploads      = "surefoot_tftp_uploads_total"
	MetricTFTPReceived     = "surefoot_tftp_received_bytes_total"
	MetricTFTPBytes        = "surefoot_tftp_sent_bytes_total"
	MetricTFTPRetransmits  = "surefoot_tftp_retransmits_total"
	MetricTFTPPackets      = "surefoot_tftp_sent_packets_total"
	MetricTFTPStalls       = "surefoot_tftp_stalls_total"
	MetricTFTPRunning      = "surefoot_tftp_transfers_running"
	MetricTFTPStalled      = "surefoot_tftp_transfers_stalled"
	MetricTFTPSeconds      = "surefoot_tftp_transfer_seconds"
	MetricTFTPFirst        = "surefoot_tftp_first_block_seconds"
	MetricHTTPRequests     = "surefoot_http_requests_total"
	MetricHTTPBytes        = "surefoot_http_sent_bytes_total"
	MetricScripts          = "surefoot_http_scripts_total"
	MetricDNSQueries       = "surefoot_dns_queries_total"
	MetricDNSNamed         = "surefoot_dns_named_first_total"
	MetricStories          = "surefoot_boot_stories_total"
	MetricBootSeconds      = "surefoot_boot_seconds"
	MetricOpen             = "surefoot_boot_stories_open"
	MetricDropped          = "surefoot_journal_dropped_events_total"
	MetricMachines         = "surefoot_journal_machines"
	MetricForgotten        = "surefoot_journal_forgotten_machines_total"
	MetricBuildInfo        = "surefoot_build_info"
	MetricReady            = "surefoot_ready"
	MetricConfigGood       = "surefoot_config_last_load_successful"
	MetricConfigGoodSecond = "surefoot_config_last_load_success_timestamp_seconds"
)

// metrics are the counters of one node, in a registry of its own.
type metrics struct {
	reg         *prometheus.Registry
	packets     *steps
	dhcp, dhcp6 *steps
	transfers   *prometheus.CounterVec
	ignored     *prometheus.CounterVec
	queued      *prometheus.CounterVec
	uploads     *prometheus.CounterVec
	received    prometheus.Counter
	bytes       prometheus.Counter
	retransmits prometheus.Counter
	sent        prometheus.Counter
	stalls      prometheus.Counter
	seconds     prometheus.Histogram
	first       prometheus.Histogram
	requests    *prometheus.CounterVec
	httpBytes   prometheus.Counter
	scripts     *prometheus.CounterVec
	dnsQueries  *prometheus.CounterVec
	dnsNamed    *prometheus.CounterVec
	stories     *prometheus.CounterVec
	boots       prometheus.Histogram
	ready       prometheus.Gauge
	good        prometheus.Gauge
	goodAt      prometheus.Gauge

	offers, replies, files, fileBytes, failures, junk atomic.Int64 // for Counters
}

// buckets suit exchanges of a millisecond up to the patience of firmware, in seconds.
var buckets = []float64{.001, .005, .02, .1, .25, .5, 1, 2, 5, 10, 20, 60}

func newMetrics(cfg Config) *metrics {
	m := &metrics{reg: prometheus.NewRegistry()}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		m.reg.MustRegister(c)
		return c
	}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.reg.MustRegister(c)
		return c
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		m.reg.MustRegister(g)
		return g
	}
	histogram := func(name, help string) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
		m.reg.MustRegister(h)
		return h
	}
	m.packets = newSteps(vec(MetricPackets, "DHCP and boot service packets, by step and by reason for what became of them.", "kind", "reason"))
	m.dhcp6 = newSteps(vec(MetricDHCP6, "Packets of the DHCPv6 server, by step and by reason for what became of them.", "kind", "reason"))
	m.dhcp = newSteps(vec(MetricDHCP, "Packets of the DHCP server, by step and by reason for what became of them.", "kind", "reason"))
	m.transfers = vec(MetricTFTPTransfers, "TFTP transfers that ended, by reason; tsize-probe is a size query and no failure.", "reason")
	m.ignored = vec(MetricTFTPIgnored, "TFTP packets that got no answer, by reason.", "reason")
	m.queued = vec(MetricTFTPQueued, "TFTP requests that had to wait for a place, by the limit they met.", "reason")
	m.uploads = vec(MetricTFTPUploads, "TFTP uploads that ended, by reason.", "reason")
	m.received = counter(MetricTFTPReceived, "Bytes of content received from TFTP clients that upload.")
	m.bytes = counter(MetricTFTPBytes, "Bytes of content acknowledged by TFTP clients.")
	m.retransmits = counter(MetricTFTPRetransmits, "TFTP packets sent again.")
	m.sent = counter(MetricTFTPPackets, "TFTP packets sent, those sent again as well, of transfers that ended.")
	m.stalls = counter(MetricTFTPStalls, "Pauses of more than a second in which a TFTP client acknowledged nothing.")
	m.seconds = histogram(MetricTFTPSeconds, "Seconds from a TFTP request to the last acknowledgement, of complete transfers.")
	m.first = histogram(MetricTFTPFirst, "Seconds from a TFTP request to the first acknowledged block.")
	m.requests = vec(MetricHTTPRequests, "HTTP requests for boot files that ended, by reason.", "reason")
	m.httpBytes = counter(MetricHTTPBytes, "Bytes of content sent by HTTP.")
	m.scripts = vec(MetricScripts, "iPXE scripts made for a client, by the reason of the decision.", "reason")
	m.dnsQueries = vec(MetricDNSQueries, "DNS queries, by type of record asked for and by reason for what became of them.", "type", "reason")
	m.dnsNamed = vec(MetricDNSNamed, "DNS answers, by the server that they name first.", "server")
	m.stories = vec(MetricStories, "Boot attempts that reached a state for the first time: done, stuck, ended.", "state")
	m.boots = histogram(MetricBootSeconds, "Seconds from a machine's first packet to its bootstrap delivered.")
	m.ready = gauge(MetricReady, "1 if the node serves, else 0.")
	m.good = gauge(MetricConfigGood, "1 if the last reading of the configuration succeeded, else 0.")
	m.goodAt = gauge(MetricConfigGoodSecond, "Unix time in seconds of the last successful reading of the configuration.")
	m.reg.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: MetricBuildInfo, Help: "Always 1; the labels say what runs here.",
			ConstLabels: prometheus.Labels{"version": cfg.Version, "go": runtime.Version(), "node": cfg.Node, "site": cfg.Site},
		}, func() float64 { return 1 }),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// watch adds what is asked of the journal when somebody scrapes.
func (m *metrics) watch(j *Journal) {
	asked := func(f func(*stories) int) func() float64 {
		return func() float64 {
			j.mu.Lock()
			defer j.mu.Unlock()
			return float64(f(j.tell))
		}
	}
	running := func(*stories) int { n, _, _ := j.board.Counts(); return n }
	stalled := func(*stories) int { _, n, _ := j.board.Counts(); return n }
	m.reg.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: MetricDropped, Help: "Events lost to stories and log because the journal's queue was full.",
		}, func() float64 { return float64(j.dropped.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: MetricTFTPRunning, Help: "TFTP transfers that run."}, asked(running)),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: MetricTFTPStalled, Help: "TFTP transfers that run and whose client has acknowledged nothing for more than a second.",
		}, asked(stalled)),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: MetricMachines, Help: "Machines whose stories are remembered."},
			asked(func(s *stories) int { return s.count() })),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: MetricOpen, Help: "Boot attempts that wait for their next step."},
			asked(func(s *stories) int { return len(s.live) })),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: MetricForgotten, Help: "Machines forgotten to make room for others.",
		}, asked(func(s *stories) int { return s.evicted })),
	)
}

// event counts one event.
func (m *metrics) event(ev *boot.Event) {
	switch ev.Role {
	case "proxydhcp":
		m.packets.of(ev).Inc()
		switch ev.Kind {
		case boot.OfferSent:
			m.offers.Add(1)
		case boot.BootReplySent:
			m.replies.Add(1)
		}
	case "dhcp4":
		m.dhcp.of(ev).Inc()
		if ev.Kind == boot.OfferSent {
			m.offers.Add(1)
		}
	case "dhcp6":
		m.dhcp6.of(ev).Inc()
		if ev.Kind == boot.OfferSent {
			m.offers.Add(1)
		}
	case "tftp":
		m.tftp(ev)
	case "http":
		m.http(ev)
	case "dns":
		m.dns(ev)
	}
	if ev.Kind == boot.Ignored {
		m.junk.Add(1)
	}
	if ev.Kind == boot.TransferEnd && !ev.Upload {
		switch {
		case ev.Reason == boot.Done:
			m.files.Add(1)
		case !ev.Reason.Good():
			m.failures.Add(1)
		}
		m.fileBytes.Add(ev.Bytes)
	}
}

func (m *metrics) tftp(ev *boot.Event) {
	switch ev.Kind {
	case boot.Waiting:
		m.queued.WithLabelValues(string(ev.Reason)).Inc()
	case boot.Ignored:
		m.ignored.WithLabelValues(string(ev.Reason)).Inc()
	case boot.Stalled:
		m.stalls.Inc()
	case boot.TransferEnd:
		if ev.Upload {
			m.uploads.WithLabelValues(string(ev.Reason)).Inc()
			m.received.Add(float64(ev.Bytes))
			return
		}
		m.transfers.WithLabelValues(string(ev.Reason)).Inc()
		m.bytes.Add(float64(ev.Bytes))
		m.retransmits.Add(float64(ev.Retransmits))
		m.sent.Add(float64(ev.Packets))
		if ev.FirstBlock > 0 {
			m.first.Observe(ev.FirstBlock.Seconds())
		}
		if ev.Reason == boot.Done {
			m.seconds.Observe(ev.Dur.Seconds())
		}
	}
}

func (m *metrics) http(ev *boot.Event) {
	switch {
	case ev.Kind == boot.ScriptSent:
		m.scripts.WithLabelValues(string(ev.Reason)).Inc()
	case ev.Kind == boot.TransferEnd, ev.Kind == boot.HTTPRequest && ev.Reason != "":
		m.requests.WithLabelValues(string(ev.Reason)).Inc()
		m.httpBytes.Add(float64(ev.Bytes))
	}
}

func (m *metrics) dns(ev *boot.Event) {
	m.dnsQueries.WithLabelValues(ev.Options, string(ev.Reason)).Inc()
	if ev.Server != "" {
		m.dnsNamed.WithLabelValues(ev.Server).Inc()
	}
}

// story counts a story when it enters a state for the first time.
func (m *metrics) story(r *record) {
	if r.State == Running || r.counted[r.State] {
		return
	}
	r.counted[r.State] = true
	m.stories.WithLabelValues(string(r.State)).Inc()
	if r.State == Done {
		m.boots.Observe(r.finished.Sub(r.Started).Seconds())
	}
}

func (m *metrics) config(at time.Time, ok bool) {
	if !ok {
		m.good.Set(0)
		return
	}
	m.good.Set(1)
	m.goodAt.Set(float64(at.Unix()))
}

func (m *metrics) setReady(ready bool) {
	if ready {
		m.ready.Set(1)
		return
	}
	m.ready.Set(0)
}

func (m *metrics) counters() map[string]int64 {
	return map[string]int64{
		"offers": m.offers.Load(), "boot_replies": m.replies.Load(), "files_delivered": m.files.Load(),
		"bytes": m.fileBytes.Load(), "transfers_failed": m.failures.Load(), "packets_ignored": m.junk.Load(),
	}
}
