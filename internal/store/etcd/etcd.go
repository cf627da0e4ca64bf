package etcd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"surefoot/internal/lease"
	"surefoot/internal/store"
)

// Config says where the store is, and who asks.
type Config struct {
	Node, Site string
	Nodes      int      // of the site: no more than their share of a pool goes into the blocks of one
	Members    []string // their names: the blocks of others go back after a while; none: nothing goes back
	Endpoints  []Endpoint
	Login      Login
	Prefix     string // of all keys; "": DefaultPrefix
	Blocks     string // the file in which this node's blocks stand, beside its leases
	BlockSize  int    // addresses of a block; 0: 5 % of the pool, at least 16
	Pools      []lease.Pool
	Times      Times
}

// DefaultPrefix is what the names of keys begin with.
const DefaultPrefix = "surefoot"

// Times are how long things may take. A zero field means its default.
type Times struct {
	Claim    time.Duration // until a claim is answered, whatever the store does; 150 ms
	Call     time.Duration // until a call is given up; 1 s
	Beat     time.Duration // between two looks at whether the store answers; 250 ms
	Lost     time.Duration // without an answer until the store counts as lost; 1 s
	Presence time.Duration // between two words of this node about itself; 10 s
	Upkeep   time.Duration // between two looks at the blocks; 5 s
	Adopt    time.Duration // until a block is used that this node's disk knows nothing of; 6 min
	Alone    time.Duration // for how long a node gives out of its blocks without the store; 7 days
}

func (t Times) orDefault() Times {
	set := func(d *time.Duration, def time.Duration) { *d = cmp.Or(*d, def) }
	set(&t.Claim, 150*time.Millisecond)
	set(&t.Call, time.Second)
	set(&t.Beat, 250*time.Millisecond)
	set(&t.Lost, time.Second)
	set(&t.Presence, 10*time.Second)
	set(&t.Upkeep, 5*time.Second)
	set(&t.Adopt, 6*time.Minute)
	set(&t.Alone, 7*24*time.Hour)
	return t
}

// Keep makes a record durable on this node, as leasedb.DB.Keep does.
type Keep func(r lease.Record, done func(error))

// Deps are what the store uses. Book and Keep must be there.
type Deps struct {
	Log  *slog.Logger
	Now  func() time.Time
	Book *lease.Book
	Keep Keep
	// Wired returns the networks on whose wire this node has an interface: broadcasts there should be
	// heard by all such nodes. nil: none.
	Wired func() []string
}

// Cluster is this node's side of the store. Use it as New, Begin, Run; everything else may be called at
// any time, and by anybody.
type Cluster struct {
	cfg   Config
	times Times
	log   *slog.Logger
	now   func() time.Time
	book  *lease.Book
	disk  *disk
	keys  keys
	epoch int64 // when this process began: two that have one name are told apart by it
	wired func() []string
	dial  func(context.Context) (db, string, func(), error)
	stats *stats

	work  chan struct{} // rung when claims wait
	greet chan struct{} // rung when another node started

	mu        sync.Mutex // guards what follows
	store     db         // nil: none is connected
	contact   bool
	why       error          // why there is no contact
	since     time.Time      // of contact, or of its loss
	okAt      time.Time      // when the store answered last
	at        string         // the endpoint in use
	cluster   uint64         // which store it is
	seenSome  bool           // one was connected before
	rev       int64          // everything up to it was seen
	moved     chan struct{}  // closed and made anew when rev moves
	seen      map[place]seen // what the store has of each address
	last      map[place]*claim
	ready     []*claim
	waiting   int
	unsaid    map[place]uint64 // kept on this node and not published: the Serial
	pools     map[string]*pool
	nodes     map[string]Node
	twin      bool
	heard     *heard
	first     map[string]time.Time // when a source of packets was heard of
	deaf      []store.Deaf
	lag       time.Duration // from this node's word to its return
	spoke     int64         // the revision of the last one
	spokeAt   time.Time
	spokeNow  time.Time // and by our clock, before it left
	began     time.Time
	word      time.Time           // when the store heard of this node last, by our clock
	wordSaved time.Time           // what of that stands in the file
	stale     bool                // that is too long ago: see alone
	unheard   map[string]struct{} // nodes whose clocks are to be compared with ours before it is trusted
	unsure    time.Time           // but not for longer than until then
	doubtful  time.Time           // until when this node goes by clocks that differ
	counted   []store.SharedNetwork
	countedAt time.Time
	silent    bool // it was told that the store does not answer
}

// New checks the configuration, and reads the files it names. It connects to nothing.
func New(cfg Config, d Deps) (*Cluster, error) {
	if cfg.Node == "" || d.Book == nil || d.Keep == nil {
		return nil, errors.New("etcd: no name of the node, no book of leases, or nobody who keeps them")
	}
	c := newCluster(cfg, d)
	p, err := newDialer(cfg)
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	c.dial = p.connect
	return c, nil
}

func newCluster(cfg Config, d Deps) *Cluster {
	c := &Cluster{
		cfg: cfg, times: cfg.Times.orDefault(), log: d.Log, now: d.Now, book: d.Book, wired: d.Wired,
		keys: newKeys(cmp.Or(cfg.Prefix, DefaultPrefix), cfg.Site), stats: newStats(),
		work: make(chan struct{}, 1), greet: make(chan struct{}, 1), moved: make(chan struct{}), seen: map[place]seen{}, last: map[place]*claim{},
		unsaid: map[place]uint64{}, pools: map[string]*pool{}, nodes: map[string]Node{}, heard: newHeard(), first: map[string]time.Time{},
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.now == nil {
		c.now = time.Now
	}
	c.began = c.now()
	c.epoch, c.since = c.began.UnixNano(), c.began
	c.disk = newDisk(d.Keep, d.Book, c.log)
	return c
}

// Run works with the store until ctx ends. It is ready at once and never fails: while the store does not
// answer, the node goes on from its own blocks.
func (c *Cluster) Run(ctx context.Context, ready func()) error {
	if ready != nil {
		ready()
	}
	var wg sync.WaitGroup
	for range committers {
		wg.Go(func() { c.commit(ctx) })
	}
	wg.Go(func() { c.disk.run(ctx) })
	for wait := retryFirst; ctx.Err() == nil; {
		began := time.Now()
		err := c.session(ctx)
		if ctx.Err() != nil {
			break
		}
		c.lose(err)
		if time.Since(began) > retryMost {
			wait = retryFirst
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, retryMost)
	}
	c.lose(errEnds)
	wg.Wait()
	return nil
}

// errEnds is why there is no contact when the program ends.
var errEnds = errors.New("the program ends")

// How soon the store is tried again.
const (
	retryFirst = 50 * time.Millisecond
	retryMost  = time.Second
)

// lose says that the store does not answer.
func (c *Cluster) lose(err error) {
	c.mu.Lock()
	was := c.contact && !errors.Is(err, errEnds)
	c.store, c.contact, c.why = nil, false, err
	told := c.silent
	c.silent = true
	if was {
		c.since = c.now()
		c.stats.losses.Inc()
	}
	c.book.Contact(false, c.now())
	c.failWaiting()
	c.mu.Unlock()
	c.trust()
	c.alone()
	if (was || !told) && !errors.Is(err, errEnds) {
		c.log.Warn("the shared store does not answer: new machines get addresses of this node's own blocks, and leases are short", "err", firstLine(err))
	}
}

// gain says that it does, after everything in it was seen and everything of this node was published.
func (c *Cluster) gain() {
	c.mu.Lock()
	was, first := c.contact, c.stats.gains == 0
	c.contact, c.why, c.silent = true, nil, false
	if !was {
		c.stats.gains++
		c.since = c.now()
	}
	c.book.Contact(true, c.now())
	records, at := len(c.seen), c.at
	c.mu.Unlock()
	if !was {
		c.log.Info("the shared store answers", "endpoint", at, "records", records, "again", !first)
	}
}

// firstLine of an error: joined ones have a line each.
func firstLine(err error) string {
	if err == nil {
		return ""
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
