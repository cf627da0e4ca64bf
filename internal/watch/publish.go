package watch

import (
	"slices"
	"strings"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/health"
)

// Role is the name under which the monitor's events go.
const Role = "watch"

// breath is the least time between two snapshots of more tests than few: where a server of many
// files dies, its changes go into one.
const (
	breath = 50 * time.Millisecond
	few    = 500
)

// changed makes a new snapshot at once or, where that is work, soon after the last one. The caller
// holds the lock.
func (w *Watcher) changed(now time.Time) {
	switch wait := breath - now.Sub(w.published); {
	case w.pending:
	case wait <= 0, len(w.order) <= few:
		w.publish(now)
	default:
		w.pending = true
		time.AfterFunc(wait, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.publish(w.deps.Now())
		})
	}
}

// publish makes the snapshot of now, and tells of findings that are new. The caller holds the lock.
func (w *Watcher) publish(now time.Time) {
	was := w.snap.Load()
	is := health.Build(w.input(now, w.drains))
	w.snap.Store(is)
	w.published, w.pending = now, false
	before := was.Findings()
	for _, f := range is.Findings() {
		if slices.ContainsFunc(before, func(b health.Finding) bool { return b.Reason == f.Reason && b.File == f.File && b.Text == f.Text }) {
			continue
		}
		w.deps.Emit.To(boot.Event{
			Time: now, Node: w.cfg.Node, Role: Role, Kind: boot.HealthChanged, Reason: f.Reason,
			Rule: strings.Join(f.Rules, ", "), File: f.File, Detail: f.Text,
		})
	}
}

// input is what a snapshot is made of. The caller holds the lock.
func (w *Watcher) input(now time.Time, drains map[string]health.Drain) health.Input {
	in := health.Input{
		Time: now, Settings: w.cfg.Health, States: map[health.Key]health.State{}, Groups: w.cfg.Groups, Lacks: w.deps.Lacks,
	}
	for _, e := range w.order {
		if e.test.Steers() && (e.state.Is() == health.Down || e.state.Weight(now, w.cfg.Health) < 100) {
			in.States[health.Key{Server: e.test.Server, File: e.test.File, By: e.test.By}] = e.state
		}
	}
	for _, d := range drains {
		in.Drains = append(in.Drains, d)
	}
	return in
}

// tell gives a change to everybody who wants to know.
func (w *Watcher) tell(c Change) {
	file := c.File
	if file == "" {
		file = c.Test
	}
	detail := c.Text
	if c.By != "" {
		detail = "by " + c.By.String() + ": " + detail
	}
	w.deps.Emit.To(boot.Event{
		Time: c.Time, Node: w.node(), Role: Role, Kind: boot.HealthChanged, Reason: c.Reason,
		Server: c.Server, File: file, Detail: detail,
	})
	if w.deps.Sink != nil {
		w.deps.Sink.Change(c)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changeTo(c)
}

func (w *Watcher) node() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cfg.Node
}
