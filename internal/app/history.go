package app

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"time"

	"surefoot/internal/config"
	"surefoot/internal/journal"
	"surefoot/internal/phase"
	"surefoot/internal/store"
	"surefoot/internal/store/sqlite"
)

// historyFile is where the history is kept, "" if nowhere: where the site file says, else in the
// directory that systemd gives ($STATE_DIRECTORY). Whoever tries Surefoot by hand gets no file.
func historyFile(h config.History, stateDir string) string {
	switch {
	case h.File == config.NoHistory:
		return ""
	case h.File != "":
		return h.File
	}
	dir, _, _ := strings.Cut(stateDir, ":")
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "history.db")
}

// newHistory makes the store, nil if nothing is kept. It opens nothing.
func (a *App) newHistory(s *setup) *sqlite.DB {
	file := historyFile(s.History, a.opts.StateDir)
	if file == "" {
		return nil
	}
	return sqlite.New(
		sqlite.Config{File: file, Raw: s.History.Raw, Five: s.History.Five, Keep: s.History.Keep, MaxSize: s.History.MaxSize},
		sqlite.Deps{Log: a.log.With("role", "history"), Now: a.now},
	)
}

// storyEnded takes a story from the journal: for the history, and for the share of boots that fail.
func (a *App) storyEnded(s journal.Story) {
	a.alerting.story(a.now(), s)
	if a.history == nil {
		return
	}
	body, err := json.Marshal(s)
	if err != nil {
		return // plain values: it cannot be
	}
	ip := ""
	if s.IP.IsValid() {
		ip = s.IP.String()
	}
	a.history.Story(store.Story{
		ID: s.Node + "/" + s.ID, Machine: s.Machine(), Name: s.Name, IP: ip, State: string(s.State), Started: s.Started, Updated: s.Updated, Body: body,
	})
}

// Measured takes the result of a test: the monitor's sink.
func (a *App) Measured(m store.Measurement) {
	a.alerting.measured(a.now(), m)
	if a.history != nil {
		a.history.Measure(m)
	}
}

// Changed takes a change of state: the monitor's sink.
func (a *App) Changed(c store.Change) {
	a.alerting.changed(a.now(), c)
	if a.history != nil {
		a.history.Change(c)
	}
}

// warnHistory tells of a history that is not what was asked for.
func (a *App) warnHistory(add adder) {
	if a.history == nil {
		return
	}
	if err := a.history.Fault(); err != nil {
		add("history-refused", "the history is not written", "boots go on; measurements and stories are not kept: "+firstLine(err),
			"make room on its disk, or look at its owner and mode; it is tried again by itself")
	}
	if r := a.history.Room(); r.Squeezed {
		add("history-squeezed", "the history keeps less than asked for", r.String(), "raise history.max_size, or lower history.keep, keep_five_minutes or keep_measurements")
	}
}

// historyPatience is how long the start of the alerts may wait for the history.
const historyPatience = 30 * time.Second

// pastPhase holds what outlives all others: what happens until the end is kept.
func (a *App) pastPhase() phase.Phase {
	p := phase.Phase{{Name: "alerts", Run: a.alerting.run}}
	if a.history != nil {
		p = append(p, phase.Task{Name: "history", Run: a.history.Run})
	}
	return p
}

// gather adds the metrics of history and alerts.
func (a *App) gather() error {
	if err := a.journal.Register(leaseMetrics{a.leased}); err != nil {
		return err
	}
	if err := a.journal.Register(a.alerting); err != nil || a.history == nil {
		return err
	}
	return a.journal.Register(a.history)
}
