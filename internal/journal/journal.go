package journal

import (
	"cmp"
	"container/list"
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"surefoot/internal/boot"
	"surefoot/internal/journal/transfers"
)

// Config is what the journal needs. Nil functions and zero numbers mean the defaults.
type Config struct {
	Node    string
	Site    string
	Version string
	Log     *slog.Logger
	Now     func() time.Time
	Queue   int // events that may wait; default 8192
	// NoStories leaves out the stories of machines, which take the most memory: transfers, metrics and
	// log lines are kept.
	NoStories bool

	// Peers reports whether other nodes answer the same machines: what they do is not seen here,
	// so a machine that does not come back after our offer may well boot. Nil: there are none.
	Peers func() bool
	// Ended takes a story, with its steps, each time that it comes to an end of some kind: one that
	// goes on after all comes again. It must be quick. Nil: nobody asks.
	Ended func(Story)
	// Name returns what people call a machine, "" if nothing. It must be quick. Nil: no names.
	Name func(boot.MAC) string
	// FilesVersion returns the version of the files that is served, "" if there is none. Nil: none.
	FilesVersion func() string
}

// Journal takes events. Use it as New, Run, and Emit from anywhere.
type Journal struct {
	now     func() time.Time
	queue   chan *boot.Event // a queue of events themselves would be megabytes, nearly always empty
	spare   sync.Pool        // of *boot.Event
	dropped atomic.Uint64
	metrics *metrics
	log     *lineLog

	mu        sync.Mutex // guards what follows
	tell      *stories
	noStories bool
	board     *transfers.Board
	followers map[*follower]struct{}

	ended func(Story)
}

// New makes a journal. It starts nothing.
func New(cfg Config) *Journal {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Queue <= 0 {
		cfg.Queue = 8192
	}
	j := &Journal{
		now: cfg.Now, queue: make(chan *boot.Event, cfg.Queue),
		log: newLineLog(cfg.Log), tell: newStories(cfg.Node, defaultLimits()),
		noStories: cfg.NoStories,
		board:     transfers.New(cfg.Now(), transfers.DefaultLimits()),
		followers: map[*follower]struct{}{},
	}
	j.ended = cfg.Ended
	if cfg.Peers != nil {
		j.tell.peers = cfg.Peers
	}
	if cfg.Name != nil {
		j.tell.names = cfg.Name
	}
	j.metrics = newMetrics(cfg)
	j.metrics.watch(j)
	if cfg.FilesVersion != nil {
		j.metrics.reg.MustRegister(newVersionInfo(cfg.FilesVersion))
	}
	return j
}

// Emit takes an event without waiting. It is counted at once; an event that does not fit the
// queue becomes part of no story and of no log line, and that is counted too. Junk and progress
// may fill half of the queue only, so that what makes up a story finds room.
func (j *Journal) Emit(ev boot.Event) {
	j.metrics.event(&ev)
	if minor(&ev) && len(j.queue) > cap(j.queue)/2 {
		j.dropped.Add(1)
		return
	}
	p, _ := j.spare.Get().(*boot.Event)
	if p == nil {
		p = new(boot.Event)
	}
	*p = ev
	select {
	case j.queue <- p:
	default:
		j.spare.Put(p)
		j.dropped.Add(1)
	}
}

func minor(ev *boot.Event) bool {
	return ev.Kind == boot.Ignored || ev.Kind == boot.Progress || ev.Kind == boot.Stalled || ev.Kind == boot.NameAsked
}

// Run works on events until ctx ends, and then on those that still wait.
func (j *Journal) Run(ctx context.Context, ready func()) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	if ready != nil {
		ready()
	}
	for {
		select {
		case p := <-j.queue:
			j.take(j.unwrap(p))
		case <-tick.C:
			j.tick()
		case <-ctx.Done():
			for {
				select {
				case p := <-j.queue:
					j.take(j.unwrap(p))
				default:
					return nil
				}
			}
		}
	}
}

// unwrap takes an event out of what the queue holds.
func (j *Journal) unwrap(p *boot.Event) boot.Event {
	ev := *p
	j.spare.Put(p)
	return ev
}

// take gives one event to everything that is made of events.
func (j *Journal) take(ev boot.Event) {
	clean(&ev)
	var of label
	var end ending
	j.mu.Lock()
	if ev.Upload || j.noStories { // an upload is no part of a boot
	} else if c, ok := j.tell.take(&ev); ok {
		of = label{boot: c.r.ID, mac: c.r.MAC}
		j.metrics.story(c.r)
		j.publish(&ev, c.r)
		end = j.end(c)
	}
	j.board.Feed(&ev, of.mac, of.boot)
	j.mu.Unlock()
	end.tell(j.ended)
	j.log.event(&ev, of)
}

// tick marks what is overdue.
func (j *Journal) tick() {
	now := j.now()
	var late []Story
	var ends []ending
	j.mu.Lock()
	j.board.Tick(now)
	for _, c := range j.tell.tick(now) {
		j.metrics.story(c.r)
		j.publish(nil, c.r)
		late = append(late, c.r.snapshot(false))
		ends = append(ends, j.end(c))
	}
	j.mu.Unlock()
	for _, e := range ends {
		e.tell(j.ended)
	}
	for i := range late {
		j.log.story(&late[i], now)
	}
	j.log.tick(now)
}

// Query chooses stories. Zero fields choose all.
type Query struct {
	Machine string // the MAC address or its end, or the IP address
	Limit   int
	Steps   bool // with all steps
	Latest  bool // only the last story of each machine
}

// Stories returns stories, the one that moved last in front.
func (j *Journal) Stories(q Query) []Story {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found []*record
	for _, l := range []*list.List{j.tell.newcomers, j.tell.real} {
		for e := l.Front(); e != nil; e = e.Next() {
			m := e.Value.(*machine)
			if q.Machine != "" && !m.is(q.Machine) {
				continue
			}
			from := m.stories
			if q.Latest && len(from) > 1 {
				from = from[len(from)-1:]
			}
			found = append(found, from...)
		}
	}
	slices.SortFunc(found, func(a, b *record) int {
		return cmp.Or(b.Updated.Compare(a.Updated), cmp.Compare(b.ID, a.ID))
	})
	if q.Limit > 0 && len(found) > q.Limit {
		found = found[:q.Limit]
	}
	out := make([]Story, len(found))
	for i, r := range found {
		out[i] = r.snapshot(q.Steps)
	}
	return out
}

// ConfigLoaded notes a reading of the configuration.
func (j *Journal) ConfigLoaded(at time.Time, ok bool) { j.metrics.config(at, ok) }

// SetReady notes whether the node serves.
func (j *Journal) SetReady(ready bool) { j.metrics.setReady(ready) }

// Register adds metrics of others to what Gatherer hands out.
func (j *Journal) Register(c prometheus.Collector) error { return j.metrics.reg.Register(c) }

// Gatherer hands out the metrics.
func (j *Journal) Gatherer() prometheus.Gatherer { return j.metrics.reg }

// Counters are the main numbers since the start, for status.
func (j *Journal) Counters() map[string]int64 { return j.metrics.counters() }

// Dropped returns how many events were lost to a full queue.
func (j *Journal) Dropped() uint64 { return j.dropped.Load() }
