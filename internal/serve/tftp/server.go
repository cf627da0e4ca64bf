// Package tftp is the TFTP server, reading only (RFC 1350, 2347 to 2349, 7440). Its sender is a
// pure machine (sender.go); sockets are in listen.go and transfer.go.
//
// It never answers what is not a request on the request port (VU#417980), answers from the
// address that was asked, so that a service address on the loopback interface works, and writes
// nothing.
package tftp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/files"
	wire "surefoot/internal/wire/tftp"
)

// Role is the name that this role's events carry.
const Role = "tftp"

// Config is what the server needs; it is valid already. Zero numbers mean the defaults.
type Config struct {
	Node         string
	Listen       netip.AddrPort // a wildcard address is fine; port 0 takes any
	Files        *files.Root
	MaxTransfers int           // at the same time; default 4096
	DrainTimeout time.Duration // how long transfers may go on after the end; default 30 s
}

// Deps are the functions that the role calls. Each may be nil.
type Deps struct {
	Log  *slog.Logger
	Now  func() time.Time
	Emit boot.Emit
}

// maxWindow is the largest window that is granted: beyond it little is gained, and a burst
// overruns the buffers of switches and ROMs (F28).
const maxWindow = 64

// Server is the role. Use it as New, Listen, Run.
type Server struct {
	cfg   Config
	deps  Deps
	files atomic.Pointer[files.Root]
	conn  *net.UDPConn
	ids   atomic.Uint64

	mu      sync.Mutex                   // guards running
	running map[netip.AddrPort]*transfer // by the client's address and port
	work    sync.WaitGroup
}

// New checks the configuration. It opens nothing.
func New(cfg Config, d Deps) (*Server, error) {
	if cfg.Files == nil {
		return nil, errors.New("tftp: no root of files")
	}
	if !cfg.Listen.IsValid() {
		return nil, errors.New("tftp: no address to listen at")
	}
	if cfg.MaxTransfers == 0 {
		cfg.MaxTransfers = 4096
	}
	if cfg.DrainTimeout == 0 {
		cfg.DrainTimeout = 30 * time.Second
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Server{cfg: cfg, deps: d, running: map[netip.AddrPort]*transfer{}}
	s.files.Store(cfg.Files)
	return s, nil
}

// Apply exchanges the root. Running transfers keep the file that they opened.
func (s *Server) Apply(root *files.Root) { s.files.Store(root) }

// Run serves until ctx ends, then lets running transfers finish within the drain timeout.
func (s *Server) Run(ctx context.Context, ready func()) error {
	if s.conn == nil {
		return errors.New("tftp: Run before Listen")
	}
	own, cancel := context.WithCancel(context.WithoutCancel(ctx)) // ends the transfers
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = s.conn.Close() })
	defer stop()
	if ready != nil {
		ready()
	}
	err := s.receive(own)
	if ctx.Err() == nil {
		cancel()
		s.work.Wait()
		return err
	}
	timer := time.AfterFunc(s.cfg.DrainTimeout, cancel)
	defer timer.Stop()
	s.work.Wait()
	return nil
}

// receive reads requests until the socket is closed.
func (s *Server) receive(ctx context.Context) error {
	buf := make([]byte, 2048) // a request with options fits; longer ones are cut and refused
	oob := make([]byte, 128)
	for {
		n, oobn, _, from, err := s.conn.ReadMsgUDPAddrPort(buf, oob)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			continue // an ICMP message about an earlier ERROR of ours
		}
		local := s.local(oob[:oobn])
		s.request(ctx, buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), local)
	}
}

// request works on one packet of the request port.
func (s *Server) request(ctx context.Context, b []byte, from netip.AddrPort, local netip.AddrPort) {
	ev := boot.Event{IP: from.Addr(), Peer: from.String(), Local: local.String()}
	defer func() {
		if p := recover(); p != nil {
			s.deps.Log.Error("fault while working on a packet", "role", Role, "panic", p, "packet", b)
			ev.Kind, ev.Reason = boot.Ignored, boot.Panicked
			s.emit(ev)
		}
	}()
	ignore := func(why boot.Reason, detail string) {
		ev.Kind, ev.Reason, ev.Detail = boot.Ignored, why, detail
		s.emit(ev)
	}
	if from.Port() == 0 {
		ignore(boot.Malformed, "source port 0")
		return
	}
	req, err := wire.ParseRequest(b)
	switch {
	case errors.Is(err, wire.ErrOpcode):
		ignore(boot.UnexpectedOpcode, err.Error()) // silence: VU#417980
		return
	case err != nil:
		ignore(boot.Malformed, err.Error())
		return
	}
	ev.Kind, ev.File, ev.Options = boot.ReadRequest, req.File, wire.FormatOptions(req.Options)
	if t := s.transferOf(from); t != nil {
		if t.asked == req.File {
			ignore(boot.DuplicateRequest, "transfer "+t.ev.File)
			return
		}
		t.cancel() // the client has begun something else from the same port (lpxelinux does)
	}
	ev.Transfer = s.ids.Add(1)
	s.emit(ev)
	refuse := func(code wire.ErrorCode, why boot.Reason, text, detail string) {
		s.refuse(from, local, code, text)
		ev.Kind, ev.Reason, ev.Detail = boot.TransferEnd, why, detail
		s.emit(ev)
	}
	switch {
	case req.Op == wire.OpWRQ:
		refuse(wire.ErrAccess, boot.WriteRefused, "uploads are off", "")
		return
	case !req.IsOctet() && !req.IsNetascii():
		refuse(wire.ErrIllegal, boot.BadMode, "mode must be octet or netascii", "mode "+req.Mode)
		return
	}
	t, err := s.begin(req, from, local, ev)
	if err != nil {
		code, why := explainOpen(err)
		refuse(code, why, why.Text(), err.Error()) // near names are for the story, not for strangers
		return
	}
	if !s.add(from, t) {
		t.close()
		refuse(wire.ErrUndefined, boot.TooManyTransfers, "server busy, try again", "")
		return
	}
	own, cancel := context.WithCancel(ctx)
	t.cancel = cancel
	s.work.Go(func() {
		defer cancel()
		defer s.remove(from, t)
		t.run(own)
	})
}

// explainOpen says what an error of files.Open means to the client and to the story.
func explainOpen(err error) (wire.ErrorCode, boot.Reason) {
	var missing *files.NotFoundError
	switch {
	case errors.As(err, &missing):
		return wire.ErrNotFound, boot.FileMissing
	case errors.Is(err, files.ErrOutside):
		return wire.ErrAccess, boot.AccessDenied
	case errors.Is(err, files.ErrNotAFile):
		return wire.ErrAccess, boot.NotAFile
	}
	return wire.ErrUndefined, boot.ReadFailed
}

func (s *Server) transferOf(from netip.AddrPort) *transfer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running[from]
}

// add registers a transfer; false if there are too many.
func (s *Server) add(from netip.AddrPort, t *transfer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.running) >= s.cfg.MaxTransfers {
		return false
	}
	s.running[from] = t
	return true
}

// remove forgets the transfer unless a later one has its place.
func (s *Server) remove(from netip.AddrPort, t *transfer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[from] == t {
		delete(s.running, from)
	}
}

func (s *Server) emit(ev boot.Event) {
	ev.Node, ev.Role, ev.Time = s.cfg.Node, Role, s.deps.Now()
	s.deps.Emit.To(ev)
}
