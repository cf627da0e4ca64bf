// Package tftp is the TFTP server, for reading only (RFC 1350, 1123 section 4.2.3, 2347 to 2349,
// 7440). It serves the files of one root and knows nothing of rules, DHCP or stories: it says by
// events what it does.
//
// Three layers. sender.go is the transfer as a pure machine, judge.go what a packet on the
// request port means; both see neither socket nor clock. server.go, transfer.go, receive.go,
// send.go and listen.go move the packets.
//
// It never answers what is no request (VU#417980), answers from the address that was asked, so
// that a service address on the loopback interface works, and writes nothing.
package tftp

import (
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/files"
)

// Role is the name that this role's events carry.
const Role = "tftp"

// Defaults of Config.
const (
	DefaultMaxTransfers = 4096
	DefaultDrainTimeout = 30 * time.Second
)

// maxWindow is the largest window that is granted: beyond it little is gained, and a burst
// overruns the buffers of switches and ROMs (F28).
const maxWindow = 64

// Config is what the server needs; it is valid already. Zero numbers mean the defaults.
type Config struct {
	Node         string
	Listen       netip.AddrPort // a wildcard address is fine; port 0 takes any
	Files        *files.Root
	MaxTransfers int           // at the same time
	DrainTimeout time.Duration // how long transfers may go on after the end
}

// Deps are what the role uses of the world. Each may be nil.
type Deps struct {
	Log  *slog.Logger
	Now  func() time.Time
	Emit boot.Emit
}

// Server is the role: New, Listen, Run.
type Server struct {
	cfg      Config
	deps     Deps
	files    atomic.Pointer[files.Root]
	conn     *requestConn // nil before Listen
	running  registry
	last     atomic.Uint64 // the number of the last transfer
	transfer sync.WaitGroup
}

// New checks the configuration. It opens nothing and starts nothing.
func New(cfg Config, d Deps) (*Server, error) {
	if cfg.Files == nil {
		return nil, errors.New("tftp: no root of files")
	}
	if !cfg.Listen.IsValid() {
		return nil, errors.New("tftp: no address to listen at")
	}
	if cfg.MaxTransfers <= 0 {
		cfg.MaxTransfers = DefaultMaxTransfers
	}
	if cfg.DrainTimeout <= 0 {
		cfg.DrainTimeout = DefaultDrainTimeout
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Server{cfg: cfg, deps: d, running: registry{max: cfg.MaxTransfers}}
	s.files.Store(cfg.Files)
	return s, nil
}

// Apply exchanges the root. Transfers under way keep the file that they opened.
func (s *Server) Apply(root *files.Root) { s.files.Store(root) }

func (s *Server) emit(ev boot.Event) {
	ev.Node, ev.Role, ev.Time = s.cfg.Node, Role, s.deps.Now()
	s.deps.Emit.To(ev)
}
