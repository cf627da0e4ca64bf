package app

import (
	"slices"
	"time"

	"surefoot/internal/config"
	"surefoot/internal/health"
	"surefoot/internal/probe"
	"surefoot/internal/watch"
)

// newMonitor makes what watches the servers. It steers every answer through a.health.
func (a *App) newMonitor(s *setup) (*watch.Watcher, error) {
	w, err := watch.New(watchConfig(s.Config), watch.Deps{
		Log: a.log, Now: a.now, Emit: a.journal.Emit, Sink: pastSink{a}, Lacks: a.health.lacks,
		Drains: watch.NewDrainFile(s.State), Opened: a.probes.opened,
		Segments: a.discoverer.Segments,
	})
	if err != nil {
		return nil, err
	}
	a.health.watched = w.Down
	return w, a.journal.Register(watch.NewCollector(w))
}

// watchConfig makes the tests and thresholds of a configuration. With the monitor switched off
// there are none, and drains work all the same.
func watchConfig(cfg *config.Config) watch.Config {
	c := cfg.Watch
	out := watch.Config{
		Node: cfg.Node.Name, Servers: cfg.Site.Servers,
		Health:   health.Settings{DownAfter: c.DownAfter, UpAfter: c.UpAfter, SlowStart: c.SlowStart},
		Diagnose: watch.Diagnosis{Normal: c.Normal, Abnormal: c.Abnormal},
	}
	if c.SlowStart == 0 {
		out.Health.SlowStart = -1
	}
	out.Tests, out.Groups = watch.Derive(withBackends(cfg), c.Every, c.Timeout)
	if !c.Enabled {
		out.Tests = nil
		return out
	}
	out.Tests = slices.DeleteFunc(out.Tests, func(t watch.Test) bool { return carried(cfg, t.Target.Host) })
	for _, t := range c.Tests {
		target, err := probe.ParseTarget(t.URL)
		if err != nil {
			continue // config refuses such a file
		}
		out.Tests = append(out.Tests, watch.Test{
			Name: t.Name, Target: target, As: t.As, Every: t.Every, Timeout: min(c.Timeout, max(t.Every/2, time.Millisecond)),
			Contains: t.Contains, SHA256: t.SHA256,
		})
	}
	out.Tests = throughServices(cfg, out.Tests)
	return out
}

// carried reports whether an address is that of a service whose packets this node's kernel hands on: from
// the node itself nobody answers there, since packets of its own do not come in. The backends are tested.
func carried(cfg *config.Config, host string) bool {
	return slices.Contains(cfg.Node.Roles, config.RoleLB) &&
		slices.ContainsFunc(cfg.Balances, func(b config.Balance) bool { return b.InKernel() && b.Address.String() == host })
}
