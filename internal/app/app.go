// Package app is the composition root: the only room that knows all roles. It makes them from
// the configuration, runs them in phases, and exchanges them on a reload. Reading it tells who
// affects whom: every role emits into one journal and decides by one Site and one health.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"surefoot/internal/config"
	"surefoot/internal/journal"
	"surefoot/internal/kernel/link"
	"surefoot/internal/kernel/notify"
	"surefoot/internal/kernel/pages"
	"surefoot/internal/lb/vip"
	"surefoot/internal/phase"
	"surefoot/internal/store/sqlite"
	"surefoot/internal/watch"
	"surefoot/internal/web"
)

// App is one node of Surefoot.
type App struct {
	opts    Options
	log     *slog.Logger
	now     func() time.Time
	notify  notify.Notifier
	journal *journal.Journal
	health  siteHealth
	monitor *watch.Watcher
	probes  ownProbes

	discoverer *watch.Discoverer
	slots      []*slot // in the order in which they start
	web        *web.Server
	history    *sqlite.DB // nil: nothing is kept
	leases     *leases
	leased     *leaseView // what is shown of them
	paths      *dataPaths
	direct     *direct // of these, that with direct server return
	expecting  expecting

	alerting *alerting
	started  time.Time
	starved  starved // where new machines were refused
	link     func(name string) (link.Link, error)

	reloading sync.Mutex     // held during a reload
	drains    sync.WaitGroup // slots that may still begin something new
	telling   sync.Mutex     // held while the metric of readiness is set

	mu       sync.Mutex // guards what follows
	cur      *setup
	ready    bool
	draining bool
	loadedAt time.Time
	loadErr  error
	failedAt time.Time
	shown    string // the version of the files that the log told of last
	rootErr  error  // why what stands at the root now is not served
}

// New reads the configuration and makes every role. It opens no socket.
func New(o Options, log *slog.Logger) (*App, error) {
	cfg, err := LoadConfig(o)
	if err != nil {
		return nil, err
	}
	first, err := newSetup(cfg)
	if err != nil {
		return nil, err
	}
	a := &App{opts: o, log: log, now: time.Now, notify: notify.New(o.Notify), link: link.ByName}
	a.started = a.now()
	a.use(first)
	a.shown = a.version()
	a.journal = journal.New(journal.Config{
		Node: cfg.Node.Name, Site: cfg.Site.Name, Version: o.Version, Log: log, Now: a.now,
		Peers: a.hasPeers, Name: a.nameOf, FilesVersion: a.version,
		Ended: a.storyEnded,
	})
	a.probes.now = a.now
	if a.leases, err = newLeases(cfg, log, a.now); err != nil {
		return nil, err
	}
	a.leased = &leaseView{leases: a.leases, cfg: func() *config.Config { return a.setup().Config }}
	if err := a.leases.configure(cfg); err != nil {
		return nil, err
	}
	a.leases.wired = a.wiredTo
	if a.leases.shared != nil {
		if err := a.journal.Register(a.leases.shared); err != nil {
			return nil, err
		}
	}
	if a.discoverer, err = a.newDiscoverer(first); err != nil {
		return nil, err
	}
	if a.monitor, err = a.newMonitor(first); err != nil {
		return nil, err
	}
	a.history = a.newHistory(first)
	a.alerting = newAlerting(cfg, a.history, log, a.now)
	a.alerting.elsewhere = a.alertElsewhere()
	if err := a.gather(); err != nil {
		return nil, err
	}
	a.noteLoad(nil)
	a.journal.ConfigLoaded(a.now(), true)
	a.paths = newDataPaths(log, a.now, a.planes(), a.lbTables)
	a.slots = []*slot{a.tftpSlot(), a.httpSlot(), a.tftp6Slot(), a.http6Slot(), a.lbSlot(), a.pathsSlot(), a.peersSlot(), a.dnsSlot(), a.dhcp6Slot(), a.dhcpSlot(), a.proxySlot(), a.vipSlot()} // what sends clients to the others comes last
	a.drains.Add(len(a.slots))
	for _, s := range a.slots {
		s.swaps, s.drains = make(chan swap), a.drains.Done
	}
	if err := a.journal.Register(newLBMetrics(a)); err != nil {
		return nil, err
	}
	if err := a.journal.Register(vip.NewCollector(a.vipReports)); err != nil {
		return nil, err
	}
	if a.web, err = a.newWeb(first); err != nil {
		return nil, err
	}
	return a, nil
}

// Run opens every socket and works until ctx ends, then drains: what runs is finished, nothing
// new is begun. A value on hup starts a reload.
func (a *App) Run(ctx context.Context, hup <-chan os.Signal) error {
	if err := a.listen(ctx); err != nil {
		return err
	}
	draining := context.AfterFunc(ctx, a.drain)
	defer draining()
	go a.reloadOn(ctx, hup)
	// The roles are one phase: their sockets are open already, so that a client that is offered
	// a file early waits in the other's queue, and all stop beginning new things at once.
	// Service addresses come after them all, and go first.
	var roles, addresses phase.Phase
	for _, s := range a.slots {
		if s.name == roleVIP {
			addresses = append(addresses, phase.Task{Name: s.name, Run: s.run})
			continue
		}
		roles = append(roles, phase.Task{Name: s.name, Run: s.run})
	}
	return phase.Run(
		ctx, a.becomeReady,
		a.pastPhase(),
		phase.Phase{{Name: "journal", Run: a.journal.Run}, {Name: "leases", Run: a.leases.run}, {Name: "store", Run: a.leases.runShared}},
		phase.Phase{{Name: "status", Run: a.web.Run}, {Name: "watch", Run: a.watch}, {Name: "monitor", Run: a.monitor.Run}, {Name: "discover", Run: a.discoverer.Run}},
		roles, addresses,
	)
}

// listen opens all sockets, or none: every refusal is reported at once.
func (a *App) listen(ctx context.Context) error {
	var all error
	for _, s := range a.slots {
		all = errors.Join(all, s.listen(ctx, a.setup()))
	}
	if err := a.web.Listen(ctx); err != nil {
		all = errors.Join(all, fmt.Errorf("status: %w", err))
	}
	if all == nil {
		return nil
	}
	for _, s := range a.slots {
		if srv, _ := s.get(); srv != nil {
			if c, ok := srv.(interface{ Close() error }); ok {
				_ = c.Close()
			}
		}
	}
	_ = a.web.Close()
	return all
}

func (a *App) reloadOn(ctx context.Context, hup <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			_ = a.Reload(ctx) // told by log, status and metric
		}
	}
}

func (a *App) becomeReady() {
	a.mu.Lock()
	a.ready = true
	a.mu.Unlock()
	a.tellReady()
	a.log.Info("ready", "roles", strings.Join(a.roleNames(), " "), "took", a.now().Sub(a.started).Round(time.Millisecond))
	for _, w := range a.warnings() {
		a.log.Warn(w.Title, "code", w.Code, "text", w.Text, "fix", w.Fix)
	}
	a.tell(a.notify.Ready(a.summary()))
	if _, err := pages.ReleaseStart(); err != nil { // without it everything works as well
		a.log.Debug("the pages of the start stay mapped", "err", err)
	}
}

func (a *App) drain() {
	a.mu.Lock()
	a.draining = true
	a.mu.Unlock()
	a.tellReady()
	a.drains.Wait()
	a.log.Info("draining: running transfers are finished, nothing new is begun", "limit", a.setup().DrainTimeout)
	a.tell(a.notify.Stopping("draining"))
}

// tell logs what went wrong while talking to systemd, which must not stop the work.
func (a *App) tell(err error) {
	if err != nil {
		a.log.Debug("systemd not told", "err", err)
	}
}

func (a *App) setup() *setup {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cur
}

func (a *App) use(s *setup) {
	a.mu.Lock()
	a.cur = s
	a.mu.Unlock()
	a.health.now.Store(s)
}

func (a *App) noteLoad(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.loadErr, a.failedAt = err, a.now()
		return
	}
	a.loadErr, a.loadedAt = nil, a.now()
}

// roleNames lists the roles that this node runs.
func (a *App) roleNames() []string {
	var out []string
	for _, s := range a.slots {
		if srv, _ := s.get(); srv != nil {
			out = append(out, s.name)
		}
	}
	return out
}

// summary is the line that systemctl status shows.
func (a *App) summary() string {
	return fmt.Sprintf("serving %s: %s", a.setup().Site.Name, strings.Join(a.roleNames(), ", "))
}
