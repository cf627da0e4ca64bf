// Package relay balances TFTP in user space: it ends the client's transfer at the service address
// and gets the file from a backend by a transfer of its own. So it sees what no balancer of packets
// does: that a backend is silent, or has not the file, before the client's first time-out; and when one
// stops in mid-transfer another goes on, from the byte where the first one stopped, and the client does
// not notice. Clients that want the same file share one download.
//
// It serves its clients by serve/tftp, whose source it is, and knows nothing of sockets to them. Who
// gets a download is lb.Choose's word. It takes no uploads.
package relay

import (
	"container/list"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/files"
	"surefoot/internal/lb"
	"surefoot/internal/serve/tftp"
)

// Defaults of Config.
const (
	DefaultCache = 64 << 20
	DefaultFresh = 10 * time.Second
	// recheck is how many times Fresh a content may be handed out after its size was asked for.
	recheck = 6
)

// Config is what a relay needs; it is valid already.
type Config struct {
	Node    string
	Service lb.Service
	Cache   int64         // bytes of contents that clients share; 0: each client has a download of its own
	Fresh   time.Duration // how long a content is handed out before a backend is asked about it

	Limits       tftp.Limits
	Ports        tftp.Ports
	DrainTimeout time.Duration
	BusyPoll     time.Duration
	Offer        tftp.Offer
	Networks     []tftp.NetworkOffer
	FirstNumber  uint64 // of transfers
}

// Deps are what the relay uses of the world. Each may be nil.
type Deps struct {
	Log     *slog.Logger
	Now     func() time.Time
	Emit    boot.Emit
	Down    func(server, file string) bool // the one health set
	Network func(netip.Addr) string
}

// Relay is one service: New, Listen, Run.
type Relay struct {
	cfg     Config
	deps    Deps
	service atomic.Pointer[lb.Service]
	server  *tftp.Server
	pace    pace
	kept    lb.Keeper
	stats   stats
	ctx     context.Context // of the downloads
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex // guards the rest
	turn    uint64
	flights map[key]*flight
	idle    list.List // of *flight: complete ones that nobody uses, the oldest first
	used    int64     // bytes of the cache

	streams atomic.Int64 // downloads that run and are not shared
}

// New checks the configuration. It opens nothing and starts nothing.
func New(cfg Config, d Deps) (*Relay, error) {
	if len(cfg.Service.Backends) == 0 {
		return nil, errors.New("relay: the service has no backend")
	}
	if cfg.Fresh <= 0 {
		cfg.Fresh = DefaultFresh
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	r := &Relay{cfg: cfg, deps: d, pace: usualPace(), flights: map[key]*flight{}}
	r.ctx, r.stop = context.WithCancel(context.Background())
	r.service.Store(&cfg.Service)
	var err error
	r.server, err = tftp.New(tftp.Config{
		Node: cfg.Node, Listen: cfg.Service.Listen, Source: r, AnyAddress: true, FirstNumber: cfg.FirstNumber,
		Limits: cfg.Limits, DrainTimeout: cfg.DrainTimeout, BusyPoll: cfg.BusyPoll, Ports: cfg.Ports,
		Offer: cfg.Offer, Networks: cfg.Networks,
	}, tftp.Deps{Log: d.Log, Now: d.Now, Emit: d.Emit, Network: d.Network, Who: nobody})
	return r, err
}

// nobody: backends make texts for machines, not the relay.
func nobody(ip netip.Addr, mac boot.MAC) files.Client { return files.Client{} }

// Listen opens the service's port.
func (r *Relay) Listen(ctx context.Context) error { return r.server.Listen(ctx) }

// Addr returns the address that Listen opened.
func (r *Relay) Addr() netip.AddrPort { return r.server.Addr() }

// Close closes the sockets of a relay that was never Run.
func (r *Relay) Close() error { return r.server.Close() }

// Shut is closed when the relay begins nothing new any more, some moments after Run was told to end.
func (r *Relay) Shut() <-chan struct{} { return r.server.Shut() }

// Run serves until ctx ends; transfers under way may finish within the drain timeout.
func (r *Relay) Run(ctx context.Context, ready func()) error {
	defer r.running.Wait()
	defer r.stop()
	return r.server.Run(ctx, ready)
}

// Apply exchanges the service, all but its address. Downloads under way keep their backends; contents
// of a former set of backends are forgotten.
func (r *Relay) Apply(s lb.Service, offer tftp.Offer, networks []tftp.NetworkOffer) {
	r.service.Store(&s)
	r.server.ApplyOffers(offer, networks)
	r.mu.Lock()
	defer r.mu.Unlock()
	for e := r.idle.Front(); e != nil; e = r.idle.Front() {
		r.evict(e.Value.(*flight))
	}
	clear(r.flights)
}

// Service returns the service as it is now.
func (r *Relay) Service() lb.Service { return *r.service.Load() }

// Explain says whom a client would get that asks now. It moves no turn on.
func (r *Relay) Explain(client netip.Addr, file string) lb.Choice {
	r.mu.Lock()
	turn := r.turn
	r.mu.Unlock()
	return r.chooseAt(client, file, turn)
}

func (r *Relay) choose(client netip.Addr, file string) lb.Choice {
	r.mu.Lock()
	turn := r.turn
	r.turn++
	r.mu.Unlock()
	return r.chooseAt(client, file, turn)
}

func (r *Relay) chooseAt(client netip.Addr, file string, turn uint64) lb.Choice {
	now := time.Now()
	return lb.Choose(r.service.Load(), client, file, lb.State{
		Turn: turn, Down: r.deps.Down, Kept: r.kept.Get(client, now), Load: r.stats.load,
		Suspect: func(server string) bool { return r.stats.suspect(server, now) },
	})
}
