// Package watch downloads every boot file from every server that may hand it out, again and again,
// and keeps the one health.Snapshot that every answer is decided by. It also keeps the
// administrators' drains, and the last results and diagnoses of each test in memory.
//
// A Discoverer beside it sends DISCOVERs on the node's interfaces, again and again, and knows who
// answers them.
//
// When which test is due is decided by a pure planner (plan.go); what a result means is decided in
// package health, and how a download goes in package probe. History on disk and alerts are
// somebody else's: a Sink is told of every result and of every change.
package watch

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/health"
	"surefoot/internal/probe"
)

// Test is one download that is done again and again.
type Test struct {
	Name    string
	Server  string // whose health it is about; "" for a test that steers nothing
	File    string // the boot file, as rules name it
	By      boot.Protocol
	Target  probe.Target
	As      probe.Style
	Every   time.Duration
	Timeout time.Duration // without a new packet

	Contains string
	SHA256   string

	// Through is set where the server stands behind a service address with direct server return: the download
	// reaches it as the balancer does. The tests of one service and file are Twins: they are to have the same content.
	Through probe.Through
	Twins   string
}

// Steers reports whether answers depend on it.
func (t Test) Steers() bool { return t.Server != "" }

// Diagnosis says how often a run is kept with everything about it: the first good run and then
// every n-th one, and of a row of bad ones the first and then every n-th; 0: never.
type Diagnosis struct{ Normal, Abnormal int }

// Config is what is watched. A reload gives another one.
type Config struct {
	Node     string // this one
	Tests    []Test
	Groups   []health.Group
	Servers  map[string]boot.Server
	Health   health.Settings
	Diagnose Diagnosis
}

// Sink is told of everything in the order in which it happens to one test, and must not keep the
// caller waiting: who writes to a disk queues.
type Sink interface {
	Result(Result)
	Change(Change)
}

// Deps are what a Watcher works with. Nil functions and Sink are left out.
type Deps struct {
	Log  *slog.Logger
	Now  func() time.Time
	Emit boot.Emit
	Sink Sink
	// Lacks tells of files that this node itself does not have.
	Lacks func(server, file string) bool
	// Drains keeps drains over a restart; nil: they end with the process.
	Drains Drains
	// Opened is told of every probe's socket (probe.Options.Opened).
	Opened Opened
	// Segments tells of the segments of this node, for reports.
	Segments func(Query) []SegmentReport
	// Probe downloads; nil: probe.Run.
	Probe Prober
}

// Watcher tests servers. Use it as New, Run, and everything else from anywhere.
type Watcher struct {
	deps  Deps
	snap  atomic.Pointer[health.Snapshot]
	wake  chan struct{}
	epoch time.Time    // when it was made
	late  atomic.Int64 // how late the last test began, in nanoseconds

	lateStarts atomic.Int64 // tests that began late by more than a tenth of their period

	rooms sync.Pool // of *probe.Room: what downloads work in

	mu        sync.Mutex // guards what follows
	cfg       Config
	tests     map[string]*entry
	order     []*entry // as in the configuration
	plan      plan
	running   int
	limit     int
	sleeping  time.Time // until when the planner's loop waits; zero: it is awake
	drains    map[string]health.Drain
	keepErr   error     // why drains are not kept over a restart
	published time.Time // when the snapshot was made
	pending   bool      // another one will be made soon
	followers map[*follower]struct{}
}

// New makes a Watcher that knows nothing yet. It starts nothing.
func New(cfg Config, d Deps) (*Watcher, error) {
	if cfg.Node == "" {
		return nil, errors.New("watch: the node has no name")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Probe == nil {
		d.Probe = probe.Run
	}
	w := &Watcher{
		deps: d, epoch: d.Now(), wake: make(chan struct{}, 1), tests: map[string]*entry{},
		drains: map[string]health.Drain{}, followers: map[*follower]struct{}{},
	}
	w.Apply(cfg)
	return w, nil
}

// Apply goes over to another configuration. Tests that stay the same keep what is known.
func (w *Watcher) Apply(cfg Config) {
	w.mu.Lock()
	defer w.mu.Unlock()
	cfg.Health = cfg.Health.WithDefaults()
	was := w.tests
	w.cfg, w.tests, w.order, w.plan = cfg, make(map[string]*entry, len(cfg.Tests)), nil, plan{}
	now := w.deps.Now()
	for _, t := range cfg.Tests {
		e := was[t.Name]
		if e == nil || e.test != t {
			e = &entry{test: t, job: newJob(t.Name+" by "+cfg.Node, t.Every, w.epoch)}
			e.owner = e
		}
		w.tests[t.Name] = e
		w.order = append(w.order, e)
		if !e.running {
			w.plan.put(&e.job, e.after(now))
		}
	}
	w.limit = concurrency(cfg.Tests)
	w.publish(now)
	w.rouse()
}

// Snapshot returns what is known now. It never waits.
func (w *Watcher) Snapshot() *health.Snapshot { return w.snap.Load() }

// Down has the shape of boot.Down.
func (w *Watcher) Down(server, file string, by boot.Protocol) bool {
	return w.snap.Load().Down(server, file, by)
}

// Refresh makes a new Snapshot: of drains that ended, and files of this node that came or went.
func (w *Watcher) Refresh() {
	w.endDrains()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.publish(w.deps.Now())
}

// concurrency is how many downloads may run at the same time: as many as there would be if every
// server were silent, within bounds. Mostly it is a few.
func concurrency(tests []Test) int {
	const least, most = 16, 2048
	busy := 0.0
	for _, t := range tests {
		busy += float64(t.Timeout) / float64(t.Every)
	}
	return min(max(int(busy)+1, least), most)
}
