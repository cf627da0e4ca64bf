// Package httpboot is the role "http": it hands out boot files over HTTP (RFC 9110), with ranges,
// and to iPXE a script that is made for the machine that asks. UEFI HTTP boot, iPXE, GRUB and
// shim are its clients.
//
// It is not a general web server: it takes GET and HEAD only, lists no directory, and never
// redirects, since shim asks for //grubx64.efi and must get the file.
package httpboot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"surefoot/internal/boot"
	"surefoot/internal/files"
	"surefoot/internal/kernel/bind"
)

// Role is the name that this role's events carry.
const Role = "http"

// Config is what the role needs to know. Zero numbers and durations mean the defaults.
type Config struct {
	Node           string
	Listen         netip.AddrPort
	Site           *boot.Site
	Files          *files.Root
	DrainTimeout   time.Duration // how long running transfers may take after the end; default 30 s
	MaxConnections int           // at once; more wait in the kernel's queue; default 4096
	StallTimeout   time.Duration // a client that takes nothing for so long is given up; default 30 s
}

// Deps are the functions that the role calls. Each may be nil.
type Deps struct {
	Log  *slog.Logger
	Now  func() time.Time
	Emit boot.Emit
	Down boot.Down
	Who  func(ip netip.Addr, mac boot.MAC) files.Client // for templates
}

// content is what a reload exchanges, in one step.
type content struct {
	site  *boot.Site
	files *files.Root
}

// Server is the role. Use it as New, Listen, Run.
type Server struct {
	cfg       Config
	deps      Deps
	content   atomic.Pointer[content]
	transfers atomic.Uint64
	ln        net.Listener
}

// New checks the configuration. It opens nothing.
func New(cfg Config, d Deps) (*Server, error) {
	if cfg.Files == nil {
		return nil, errors.New("http: no root of files")
	}
	if !cfg.Listen.IsValid() {
		return nil, errors.New("http: no address to listen at")
	}
	setDefault(&cfg.DrainTimeout, 30*time.Second)
	setDefault(&cfg.StallTimeout, 30*time.Second)
	setDefault(&cfg.MaxConnections, 4096)
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Server{cfg: cfg, deps: d}
	s.Apply(cfg.Site, cfg.Files)
	return s, nil
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Apply exchanges site and files. Transfers under way keep the file that they opened.
func (s *Server) Apply(site *boot.Site, root *files.Root) {
	if site == nil {
		site = &boot.Site{Self: s.cfg.Node}
	}
	s.content.Store(&content{site: site, files: root})
}

// Listen opens the socket.
func (s *Server) Listen(ctx context.Context) error {
	var lc net.ListenConfig
	network := "tcp4" // one family alone, since "tcp" takes both where the address is a wildcard
	if a := s.cfg.Listen.Addr(); a.Is6() && !a.Is4In6() {
		network = "tcp6"
	}
	ln, err := lc.Listen(ctx, network, s.cfg.Listen.String())
	if err != nil {
		return bind.Explain(err, "tcp", s.cfg.Listen, "")
	}
	s.ln = ln
	return nil
}

// Addr returns the address that Listen opened, with the real port.
func (s *Server) Addr() netip.AddrPort {
	if s.ln == nil {
		return s.cfg.Listen
	}
	return s.ln.Addr().(*net.TCPAddr).AddrPort()
}

// Close closes the socket of a server that was never Run.
func (s *Server) Close() error {
	if s.ln == nil {
		return nil
	}
	return s.ln.Close()
}

// Run serves until ctx ends, then lets running transfers finish within the drain timeout.
func (s *Server) Run(ctx context.Context, ready func()) error {
	if s.ln == nil {
		return errors.New("http: Run before Listen")
	}
	srv := &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       15 * time.Second,
		MaxHeaderBytes:    16 << 10,
		// OPTIONS * is refused and counted like any other method.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(s.deps.Log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(netutil.LimitListener(s.ln, s.cfg.MaxConnections)) }()
	if ready != nil {
		ready()
	}
	select {
	case err := <-ended:
		return fmt.Errorf("http: serve %s: %w", s.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.DrainTimeout)
	defer cancel()
	if err := srv.Shutdown(drain); err != nil {
		s.deps.Log.Warn("transfers cut off at the end of the drain time", "role", Role, "err", err)
		_ = srv.Close()
	}
	<-ended
	return nil
}
