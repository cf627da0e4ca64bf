package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"surefoot/internal/alert"
	"surefoot/internal/alert/notifier"
	"surefoot/internal/config"
	"surefoot/internal/journal"
	"surefoot/internal/store"
	"surefoot/internal/store/sqlite"
	"surefoot/internal/web"
)

// MetricAlerts counts the alerts that are; docs/metrics.md explains it.
const MetricAlerts = "surefoot_alerts"

// alerting drives the machine of alerts: it brings it what happens and the time, and carries away
// what it has to say.
type alerting struct {
	log        *slog.Logger
	now        func() time.Time
	node, site string
	history    *sqlite.DB                      // nil: none
	elsewhere  func(time.Time, *alert.Machine) // findings that nobody tells of by himself

	mu       sync.Mutex // guards what follows
	machine  *alert.Machine
	silences []store.Silence
	wanted   []config.Notify
	queues   []*notifier.Queue
	stop     context.CancelFunc // ends the queues' goroutines
	ctx      context.Context    // of Run; nil before
	running  sync.WaitGroup
}

func newAlerting(cfg *config.Config, history *sqlite.DB, log *slog.Logger, now func() time.Time) *alerting {
	a := &alerting{log: log.With("role", "alerts"), now: now, node: cfg.Node.Name, site: cfg.Site.Name, history: history, machine: alert.New(cfg.Alerts.Rules), stop: func() {}}
	a.apply(cfg)
	return a
}

// apply takes thresholds and notifiers of a configuration.
func (a *alerting) apply(cfg *config.Config) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.machine.SetRules(cfg.Alerts.Rules)
	a.machine.Forget(a.now(), func(server, _ string) bool { _, ok := cfg.Site.Servers[server]; return !ok })
	a.machine.ForgetSegments(a.now(), func(_, iface string) bool {
		return cfg.Watch.Discover.Every == 0 || !slices.Contains(cfg.Node.Interfaces, iface)
	})
	if a.queues != nil && reflect.DeepEqual(a.wanted, cfg.Alerts.Notify) {
		return
	}
	a.stop() // what waits there is tried once more
	a.wanted, a.queues = cfg.Alerts.Notify, []*notifier.Queue{}
	for _, n := range cfg.Alerts.Notify {
		a.queues = append(a.queues, notifier.NewQueue(notifierOf(n), a.node, a.site, a.log, a.now))
	}
	a.begin()
}

// begin runs the queues, once there is a context to run them in. a.mu is held.
func (a *alerting) begin() {
	if a.ctx == nil {
		return
	}
	ctx, stop := context.WithCancel(a.ctx)
	a.stop = stop
	for _, q := range a.queues {
		a.running.Go(func() { q.Run(ctx) })
	}
}

func notifierOf(n config.Notify) notifier.Notifier {
	switch {
	case n.Webhook != "":
		return notifier.Webhook{URL: n.Webhook, TokenFile: n.TokenFile}
	case n.Alertmanager != "":
		return notifier.Alertmanager{URL: n.Alertmanager, TokenFile: n.TokenFile}
	case n.Mail != nil:
		return *n.Mail
	case n.Syslog != nil:
		return *n.Syslog
	}
	return notifier.Program{Argv: n.Exec}
}

// run is a task: time passes for the alerts, until ctx ends.
func (a *alerting) run(ctx context.Context, ready func()) error {
	a.mu.Lock()
	a.ctx = ctx
	a.begin()
	a.mu.Unlock()
	ready()
	a.recall(ctx)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			a.running.Wait()
			return nil
		case <-tick.C:
			a.tick()
		}
	}
}

// recall reads from the history what the alerts go by: the silences, what is normal, and what
// servers delivered last.
func (a *alerting) recall(ctx context.Context) {
	if a.history == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, historyPatience)
	defer cancel()
	silences, err := a.history.LoadSilences(ctx)
	if err != nil {
		a.log.Warn("the silences cannot be read", "err", err)
		return
	}
	now := a.now()
	series, err := a.history.Series(ctx, store.Query{Since: now.Add(-24 * time.Hour), Until: now, Step: store.Five})
	if err != nil {
		a.log.Warn("response times of the past cannot be read: what is slow is learned anew", "err", err)
	}
	contents, err := a.history.LoadContents(ctx)
	if err != nil {
		a.log.Warn("what servers delivered before cannot be read: a file that changed since then is not told", "err", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range contents {
		a.machine.Recall(now, c)
	}
	a.silences = append(silences, a.silences...)
	a.machine.SetSilences(a.silences)
	for _, s := range series {
		var medians []time.Duration
		for i := range s.Buckets {
			if d, ok := s.Buckets[i].Quantile(.5); ok {
				medians = append(medians, d)
			}
		}
		a.machine.Prime(s.Test, s.Server, s.File, medians)
	}
}

func (a *alerting) tick() {
	a.mu.Lock()
	now := a.now()
	if a.elsewhere != nil {
		a.elsewhere(now, a.machine)
	}
	notes := a.machine.Tick(now)
	active := a.machine.Alerts()
	queues := a.queues
	a.mu.Unlock()
	for _, n := range notes {
		if !n.Repeated {
			a.log.Warn("alert "+string(n.Alert.State), "code", n.Alert.Code, "severity", n.Alert.Severity, "title", n.Alert.Title, "evidence", strings.Join(n.Alert.Evidence, "; "), "fix", n.Alert.Fix)
			a.record(now, n.Alert)
		}
	}
	for _, q := range queues {
		q.Add(slices.Clone(notes), active)
	}
}

func (a *alerting) record(now time.Time, x alert.Alert) {
	if a.history == nil {
		return
	}
	body, err := json.Marshal(x)
	if err != nil {
		return // plain values: it cannot be
	}
	a.history.Alert(store.AlertEvent{At: now, Key: x.Key, Code: string(x.Code), State: string(x.State), Severity: string(x.Severity), Title: x.Title, Body: body})
}

func (a *alerting) measured(now time.Time, m store.Measurement) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.machine.Measured(now, m)
}

func (a *alerting) changed(now time.Time, c store.Change) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.machine.Changed(now, c)
}

func (a *alerting) story(now time.Time, s journal.Story) {
	if s.State == journal.Ended {
		return // over, without a fault that this node could see
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.machine.Booted(now, alert.Boot{Machine: s.Machine(), Failed: s.State == journal.Stuck, Reason: string(s.Reason), Where: s.Where})
}

// Alerts are those that are pending or firing.
func (a *alerting) Alerts() []alert.Alert {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.machine.Alerts()
}

// Silences are those that have not ended.
func (a *alerting) Silences() []store.Silence {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	out := []store.Silence{}
	for _, s := range a.silences {
		if s.Until.After(now) {
			out = append(out, s)
		}
	}
	return out
}

// Silence makes one. It holds from now on, and after a restart if there is a history.
func (a *alerting) Silence(ctx context.Context, s store.Silence) (store.Silence, error) {
	s.ID, s.Since = strings.ToLower(rand.Text()[:6]), a.now()
	if a.history != nil {
		if err := a.history.SaveSilence(ctx, s); err != nil {
			return s, err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.silences = append(a.silences, s)
	a.machine.SetSilences(a.silences)
	return s, nil
}

// Unsilence ends one.
func (a *alerting) Unsilence(ctx context.Context, id string) error {
	a.mu.Lock()
	known := slices.ContainsFunc(a.silences, func(s store.Silence) bool { return s.ID == id })
	a.mu.Unlock()
	if !known {
		return web.ErrNoSilence
	}
	if a.history != nil {
		if err := a.history.RemoveSilence(ctx, id); err != nil {
			return err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.silences = slices.DeleteFunc(a.silences, func(s store.Silence) bool { return s.ID == id })
	a.machine.SetSilences(a.silences)
	return nil
}

// Notifiers say how each fares.
func (a *alerting) Notifiers() []notifier.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := []notifier.Status{}
	for _, q := range a.queues {
		out = append(out, q.Status())
	}
	return out
}

// Describe sends nothing: what Collect sends is checked all the same (prometheus.Collector).
func (a *alerting) Describe(chan<- *prometheus.Desc) {}

// Collect sends the metrics of alerts and notifiers.
func (a *alerting) Collect(out chan<- prometheus.Metric) {
	type labels struct {
		code     alert.Code
		severity alert.Severity
		state    alert.State
	}
	n := map[labels]float64{}
	for _, x := range a.Alerts() {
		n[labels{x.Code, x.Severity, x.State}]++
	}
	desc := prometheus.NewDesc(MetricAlerts, "Alerts that are pending or firing, by code and severity.", []string{"code", "severity", "state"}, nil)
	for l, k := range n {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, k, string(l.code), string(l.severity), string(l.state))
	}
	a.mu.Lock()
	queues := a.queues
	a.mu.Unlock()
	seen := map[string]bool{}
	for _, q := range queues {
		if name := q.Status().Name; !seen[name] { // two of one name would be one metric twice
			seen[name] = true
			q.Collect(out)
		}
	}
}
