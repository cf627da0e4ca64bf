// Package web is the window on a node: the API on a unix socket for the command line, and on the
// status address the same for reading, with one plain page, /metrics, /ready and /health.
//
// It shows and decides nothing; what it can ask for is a reload, and the drain of a server,
// and that on the unix socket alone.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/netutil"

	"surefoot/internal/journal"
	"surefoot/internal/kernel/bind"
	"surefoot/internal/lb/vip"
	"surefoot/internal/store"
)

// Config says where to listen.
type Config struct {
	Status netip.AddrPort // the zero value: no status page
	Socket string         // "": no unix socket
}

// Deps are where everything that is shown comes from.
type Deps struct {
	Journal  *journal.Journal
	Status   func() Status
	Reload   func(context.Context) error
	Ready    func() []string // who is not ready; empty: the node serves
	Gatherer prometheus.Gatherer
	Monitor  Monitor // nil: nothing is watched
	Log      *slog.Logger
	History  store.Reader // nil: none is kept
	Alerting Alerting     // nil: there are no alerts

	TFTPLimits func() TFTPLimits // nil: not known
	Probing    func() Probing    // nil: /probe is off

	// Balance lists the services of the load balancer, or explains whom a client gets. Nil: there is none.
	Balance func(BalanceQuery) (any, error)

	VIPs     func() []vip.Report // nil: there are no service addresses
	MoveVIP  func(name, to string, span time.Duration, dry bool) (vip.MoveResult, error)
	HoldVIPs func(span time.Duration) error
	RoleVIPs func(name string, master bool) ([]string, error)
	Leases   Leases // nil: the node gives no addresses

	// DNS explains an answer of the node's DNS server, or lists its names. Nil: it has none.
	DNS func(name, qtype, from string) (any, error)
}

const (
	maxConnections = 256
	// maxFollowers leaves connections for everybody else.
	maxFollowers = 64
	// shutdownLimit is how long an answer under way may take after the end.
	shutdownLimit = 2 * time.Second
)

// Server is the window. Use it as New, Listen, Run.
type Server struct {
	cfg  Config
	deps Deps
	// following holds a token for each follower.
	following chan struct{}
	probing   chan struct{} // and this one a token for each probe that runs
	tcp       net.Listener  // nil: no status page
	unix      net.Listener
	courses   coursePages
}

// New checks the configuration. It opens nothing.
func New(cfg Config, d Deps) (*Server, error) {
	if d.Journal == nil || d.Status == nil || d.Ready == nil || d.Gatherer == nil {
		return nil, errors.New("web: a source of what is shown is missing")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{cfg: cfg, deps: d, following: make(chan struct{}, maxFollowers), probing: make(chan struct{}, maxProbes)}, nil
}

// Listen opens both sockets, or none.
func (s *Server) Listen(ctx context.Context) error {
	var lc net.ListenConfig
	if s.cfg.Status.IsValid() {
		l, err := lc.Listen(ctx, "tcp", s.cfg.Status.String())
		if err != nil {
			return bind.Explain(err, "tcp", s.cfg.Status, "")
		}
		s.tcp = l
	}
	if s.cfg.Socket != "" {
		l, err := listenUnix(ctx, s.cfg.Socket)
		if err != nil {
			_ = s.Close()
			return err
		}
		s.unix = l
	}
	return nil
}

// Addr returns the status address with its real port.
func (s *Server) Addr() netip.AddrPort {
	if s.tcp == nil {
		return s.cfg.Status
	}
	return s.tcp.Addr().(*net.TCPAddr).AddrPort()
}

// Close closes the sockets of a server that was never Run.
func (s *Server) Close() error {
	var err error
	for _, l := range []net.Listener{s.tcp, s.unix} {
		if l != nil {
			err = errors.Join(err, l.Close())
		}
	}
	return err
}

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context, ready func()) error {
	streams, endStreams := context.WithCancel(context.WithoutCancel(ctx)) // followers never end by themselves
	defer endStreams()
	var servers []*http.Server
	failed := make(chan error, 2)
	serve := func(l net.Listener, h http.Handler) {
		if l == nil {
			return
		}
		srv := &http.Server{
			Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
			WriteTimeout: 30 * time.Second, // followers renew theirs
			BaseContext:  func(net.Listener) context.Context { return streams },
			ErrorLog:     slog.NewLogLogger(s.deps.Log.Handler(), slog.LevelDebug),
		}
		servers = append(servers, srv)
		go func() { failed <- srv.Serve(netutil.LimitListener(l, maxConnections)) }()
	}
	serve(s.tcp, s.guard(s.pages()))
	serve(s.unix, s.api(true))
	if ready != nil {
		ready()
	}
	var err error
	if len(servers) == 0 {
		<-ctx.Done()
		return nil
	}
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	endStreams()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
	defer cancel()
	for _, srv := range servers {
		if srv.Shutdown(limit) != nil {
			_ = srv.Close()
		}
	}
	return err
}
