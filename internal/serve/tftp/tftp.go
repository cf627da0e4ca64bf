// Package tftp is the TFTP server (RFC 1350, 1123 section 4.2.3, 2347 to 2349,
// 7440). It serves the files of one root and knows nothing of rules, DHCP or stories: it says by
// events what it does.
//
// Three layers. sender.go is the transfer as a pure machine, judge.go what a packet on the
// request port means; both see neither socket nor clock. The rest moves packets: loop.go
// serves many transfers by epoll, requests.go reads the request port in batches,
// opener.go opens files where a slow disk delays nobody else, transmit.go sends windows in one
// system call from cache.go's shared copies. source.go is for contents that are not in files, and
// may come while they are sent.
//
// A loop for each core, not a goroutine for each transfer: a goroutine with its own net.UDPConn
// measured 288 against 375 MB/s (1 MiB, 100 clients in lock-step) and 4.9 against 3.7 us of CPU
// for each block: read deadlines and wake-ups are the difference.
//
// It never answers what is no request (VU#417980), answers from the address that was asked, so
// that a service address on the loopback interface works, and writes nothing unless a folder takes
// uploads (receiver.go, upload.go).
package tftp

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/files"
	"surefoot/internal/inbox"
)

// Role is the name that this role's events carry.
const Role = "tftp"

// Defaults of Config.
const (
	DefaultDrainTimeout = 30 * time.Second
	DefaultCacheBytes   = 256 << 20
	DefaultCacheFile    = 64 << 20
	maxDefaultLoops     = 4 // a core serves more than a 10 Gb/s network carries
)

// maxWindow is the largest window that is granted: beyond it little is gained, and a burst
// overruns the buffers of switches and ROMs (F28).
const maxWindow = 64

// Config is what the server needs; it is valid already. Zero numbers mean the defaults.
type Config struct {
	Node         string
	Listen       netip.AddrPort // a wildcard address is fine; port 0 takes any
	Files        *files.Root
	Source       Source        // where contents come from instead of Files; see source.go
	AnyAddress   bool          // listen also at an address that the machine does not have (yet)
	FirstNumber  uint64        // transfers are counted from here: several servers in one process tell theirs apart
	Limits       Limits        // of transfers at the same time
	DrainTimeout time.Duration // how long transfers may go on after the end

	Loops      int           // threads, each with a request socket; default: one a core, at most 4
	BusyPoll   time.Duration // how long to look for the next packet before sleeping; 0: not at all
	CacheBytes int64         // contents held in memory for all transfers; < 0: none
	CacheFile  int64         // a longer file is read from the disk block by block
	Ports      Ports         // where transfers are served from

	Uploads *inbox.Inbox // the folders that take files; nil: none does

	Offer    Offer          // which options are granted ...
	Networks []NetworkOffer // ... and to the clients of these subnets instead
}

// Ports says which port a transfer gets. The zero value is a new port of the system's choice for
// each one (RFC 1350 section 4).
type Ports struct {
	Low, High uint16 // one of these, for firewalls; 0: any
	// Single serves transfers from the request port itself, for what lets only one port through: a
	// NAT that knows nothing of TFTP, a Kubernetes service, a balancer that hashes ports (F29). Clients are
	// told apart by address and port. A client that goes away is noticed later: an ICMP message to
	// a shared socket is not listened to.
	Single bool
}

// Deps are what the role uses of the world. Each may be nil.
type Deps struct {
	Log  *slog.Logger
	Now  func() time.Time
	Emit boot.Emit
	// Network names the network of a client, for Limits.PerNetwork. It is asked once for each
	// client that has no other transfer.
	Network func(netip.Addr) string
	Who     func(ip netip.Addr, mac boot.MAC) files.Client // for templates
}

// Server is the role: New, Listen, Run.
type Server struct {
	cfg     Config
	deps    Deps
	files   atomic.Pointer[files.Root]
	offers  atomic.Pointer[offers]
	socks   []*requestSocket // one for each loop; nil before Listen
	addr    netip.AddrPort   // of all of them
	running registry
	last    atomic.Uint64 // the number of the last transfer
	uploads atomic.Pointer[inbox.Inbox]
	desk    desk // of uploads
	cache   cache
	ports   portRange
	doors   atomic.Int32  // loops that let somebody in
	shut    chan struct{} // closed when none does any more
	open    *opener       // these two: while it runs
	loops   []*loop
}

// New checks the configuration. It opens nothing and starts nothing.
func New(cfg Config, d Deps) (*Server, error) {
	if cfg.Files == nil && cfg.Source == nil {
		return nil, errors.New("tftp: no root of files")
	}
	if !cfg.Listen.IsValid() {
		return nil, errors.New("tftp: no address to listen at")
	}
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.DrainTimeout <= 0 {
		cfg.DrainTimeout = DefaultDrainTimeout
	}
	if cfg.Loops <= 0 {
		cfg.Loops = min(runtime.GOMAXPROCS(0), maxDefaultLoops)
	}
	if cfg.CacheBytes == 0 {
		cfg.CacheBytes = DefaultCacheBytes
	}
	if cfg.CacheFile <= 0 {
		cfg.CacheFile = DefaultCacheFile
	}
	if n := int(cfg.Ports.High) - int(cfg.Ports.Low) + 1; cfg.Ports.Low > 0 && n > 0 { // what finds no port waits for one
		cfg.Limits.Transfers = min(cfg.Limits.Transfers, n)
	}
	if cfg.Ports.High < cfg.Ports.Low {
		return nil, fmt.Errorf("tftp: ports %d to %d: no port is in this range", cfg.Ports.Low, cfg.Ports.High)
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Server{
		cfg: cfg, deps: d, running: registry{limits: cfg.Limits, network: d.Network, clock: time.Now},
		cache: cache{budget: cfg.CacheBytes, longest: min(cfg.CacheFile, cfg.CacheBytes)},
		ports: portRange{low: cfg.Ports.Low, high: cfg.Ports.High},
	}
	s.shut = make(chan struct{})
	s.last.Store(cfg.FirstNumber)
	s.files.Store(cfg.Files)
	s.uploads.Store(cfg.Uploads)
	s.ApplyOffers(cfg.Offer, cfg.Networks)
	return s, nil
}

// Apply exchanges the root, and the folders that take files. Transfers under way keep the file that
// they opened.
func (s *Server) Apply(root *files.Root, uploads *inbox.Inbox) {
	s.files.Store(root)
	s.uploads.Store(uploads)
}

// ApplyOffers exchanges what options are granted. Transfers under way keep what they were granted.
func (s *Server) ApplyOffers(general Offer, networks []NetworkOffer) {
	s.offers.Store(&offers{general, networks})
}

func (s *Server) emit(ev boot.Event) {
	ev.Node, ev.Role, ev.Time = s.cfg.Node, Role, s.deps.Now()
	s.deps.Emit.To(ev)
}
