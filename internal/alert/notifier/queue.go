package notifier

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"surefoot/internal/alert"
)

// Names of the metrics; docs/metrics.md explains each.
const (
	MetricSent   = "surefoot_alert_notifications_total"
	MetricFailed = "surefoot_alert_notification_failures_total"
	MetricLost   = "surefoot_alert_notifications_lost_total"
)

// How a notifier is treated.
const (
	maxWaiting = 256 // notes for one notifier
	timeout    = 15 * time.Second
	tries      = 8
	firstWait  = time.Second
	mostWait   = 2 * time.Minute
)

// Queue is one notifier with what waits for it. Use it as NewQueue, Run, and Add from anywhere.
type Queue struct {
	n         Notifier
	node      string
	site      string
	log       *slog.Logger
	now       func() time.Time
	wake      chan struct{}
	firstWait time.Duration

	mu      sync.Mutex // guards what follows
	waiting []alert.Note
	status  Status
	said    time.Time // when a refresher was told last
}

// Status is how a notifier fares.
type Status struct {
	Name    string    `json:"name"`
	Sent    uint64    `json:"sent"`   // notes that arrived
	Failed  uint64    `json:"failed"` // tries that failed
	Lost    uint64    `json:"lost"`   // notes that were given up, or did not fit
	Waiting int       `json:"waiting,omitempty"`
	Error   string    `json:"error,omitempty"` // of the last try, if it failed
	At      time.Time `json:"at,omitzero"`     // of the last try
}

// NewQueue makes the queue of a notifier.
func NewQueue(n Notifier, node, site string, log *slog.Logger, now func() time.Time) *Queue {
	return &Queue{n: n, node: node, site: site, log: log, now: now, wake: make(chan struct{}, 1), firstWait: firstWait, status: Status{Name: n.Name()}}
}

// Add takes notes without waiting, and what is on the whole, for those that want to hear it again.
func (q *Queue) Add(notes []alert.Note, active []alert.Alert) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r, ok := q.n.(refresher); ok && q.now().Sub(q.said) >= r.Refresh() {
		q.said = q.now()
		for _, a := range active {
			if a.State == alert.Firing && a.Silence == "" {
				notes = append(notes, alert.Note{Alert: a, Repeated: true})
			}
		}
	}
	for _, n := range notes {
		if len(q.waiting) >= maxWaiting {
			q.status.Lost++
			continue
		}
		q.waiting = append(q.waiting, n)
	}
	if len(q.waiting) > 0 {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

// Run tells what waits until ctx ends; then it tries once more.
func (q *Queue) Run(ctx context.Context) {
	for {
		select {
		case <-q.wake:
			q.deliver(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			if m := q.take(); len(m.Notes) > 0 {
				q.try(last, m)
			}
			return
		}
	}
}

// take returns what waits as one message.
func (q *Queue) take() Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	m := Message{Node: q.node, Site: q.site, At: q.now(), Notes: q.waiting}
	q.waiting = nil
	return m
}

func (q *Queue) deliver(ctx context.Context) {
	m := q.take()
	if len(m.Notes) == 0 {
		return
	}
	wait := q.firstWait
	for n := 1; ; n++ {
		if q.try(ctx, m) {
			return
		}
		if n == tries {
			break
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		wait = min(2*wait, mostWait)
	}
	q.mu.Lock()
	q.status.Lost += uint64(len(m.Notes))
	text := q.status.Error
	q.mu.Unlock()
	q.log.Error("an alert could not be told", "notifier", q.n.Name(), "notes", len(m.Notes), "tries", tries, "err", text)
}

// try tells once, and reports whether it arrived.
func (q *Queue) try(ctx context.Context, m Message) bool {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := q.n.Tell(ctx, m)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.status.At = q.now()
	if err != nil {
		q.status.Failed++
		if q.status.Error != err.Error() {
			q.log.Warn("an alert could not be told, it is tried again", "notifier", q.n.Name(), "err", err)
		}
		q.status.Error = err.Error()
		return false
	}
	q.status.Sent += uint64(len(m.Notes))
	q.status.Error = ""
	return true
}

// Status says how the notifier fares.
func (q *Queue) Status() Status {
	q.mu.Lock()
	defer q.mu.Unlock()
	st := q.status
	st.Waiting = len(q.waiting)
	return st
}

// Collect sends the metrics of a notifier.
func (q *Queue) Collect(out chan<- prometheus.Metric) {
	st := q.Status()
	for _, c := range []struct {
		name, help string
		v          uint64
	}{
		{MetricSent, "Notes of alerts that arrived, by notifier.", st.Sent},
		{MetricFailed, "Tries to tell of alerts that failed, by notifier.", st.Failed},
		{MetricLost, "Notes of alerts that were given up or did not fit, by notifier.", st.Lost},
	} {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(c.name, c.help, []string{"notifier"}, nil), prometheus.CounterValue, float64(c.v), st.Name)
	}
}
