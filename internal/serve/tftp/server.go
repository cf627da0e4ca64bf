package tftp

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/tftp"
)

// Listen opens the request port. An error says who holds the port or what is missing.
func (s *Server) Listen(ctx context.Context) error {
	c, err := listenRequests(ctx, s.cfg.Listen)
	if err != nil {
		return err
	}
	s.conn = c
	return nil
}

// Addr returns the address that Listen opened, with the real port.
func (s *Server) Addr() netip.AddrPort {
	if s.conn == nil {
		return s.cfg.Listen
	}
	return s.conn.addr()
}

// Close closes the socket of a server that was never Run.
func (s *Server) Close() error {
	if s.conn == nil {
		return nil
	}
	return s.conn.Close()
}

// Run serves until ctx ends. Then the request port is closed, which tells a client at once to try
// its next server, and transfers under way may finish within the drain timeout.
func (s *Server) Run(ctx context.Context, ready func()) error {
	if s.conn == nil {
		return errors.New("tftp: Run before Listen")
	}
	stop := context.AfterFunc(ctx, func() { _ = s.conn.Close() })
	defer stop()
	if ready != nil {
		ready()
	}
	err := s.receive(ctx)
	_ = s.conn.Close()
	if ctx.Err() == nil {
		s.running.interruptAll(draining)
	}
	late := time.AfterFunc(s.cfg.DrainTimeout, func() { s.running.interruptAll(draining) })
	defer late.Stop()
	s.transfer.Wait()
	return err
}

// receive reads packets until ctx ends or the socket fails for good.
func (s *Server) receive(ctx context.Context) error {
	buf := make([]byte, maxRequest+1)
	oob := make([]byte, 256)
	for failures := 0; ; {
		n, from, local, err := s.conn.read(buf, oob)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			failures = 0
			s.packet(buf[:n], from, local)
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("tftp: read requests at %s: %w", s.Addr(), err)
		default: // no memory for a moment; a socket that fails for ever is a broken one
			if failures++; failures == 100 {
				return fmt.Errorf("tftp: read requests at %s: %w", s.Addr(), err)
			}
		}
	}
}

// packet works on one packet of the request port. It never blocks: a transfer has a goroutine of
// its own, which opens the file.
func (s *Server) packet(b []byte, from netip.AddrPort, local netip.Addr) {
	t := &transfer{s: s, ends: ends{from, local}, request: string(b), began: time.Now()}
	t.ev = boot.Event{IP: from.Addr(), Peer: from.String()}
	defer s.contain(t)
	if !local.IsValid() { // RFC 1123 4.2.3.5
		t.ignore(boot.BadRequest, "sent to a broadcast or multicast address")
		return
	}
	t.ev.Local = netip.AddrPortFrom(local, s.conn.addr().Port()).String()
	v := judge(b)
	if from.Port() == 0 {
		v = verdict{silent: true, reason: boot.Malformed, detail: "source port 0"}
	}
	if v.silent {
		t.ignore(v.reason, v.detail)
		return
	}
	t.asked, t.ev.File = v.req, v.req.File
	if v.reason == boot.Answered {
		v.reason = s.running.admit(t, t.began)
	}
	if v.reason == boot.DuplicateRequest && s.running.doubts(t) {
		s.transfer.Go(func() {
			defer s.contain(t)
			time.Sleep(doubt)
			v.reason = s.running.admit(t, time.Now())
			s.begin(t, v)
		})
		return
	}
	s.begin(t, v)
}

// begin starts a transfer that was admitted, and refuses another.
func (s *Server) begin(t *transfer, v verdict) {
	switch v.reason {
	case boot.DuplicateRequest:
		t.ignore(v.reason, "")
		return
	case boot.TooManyTransfers:
		v.code, v.text = wire.ErrUndefined, "server busy, try again later"
		v.detail = fmt.Sprintf("at most %d run at the same time, %d of one client", s.cfg.MaxTransfers, perAddress(s.cfg.MaxTransfers))
	}
	t.ev.Transfer = s.last.Add(1)
	if v.req.Op == wire.OpRRQ {
		t.tell(boot.ReadRequest, func(ev *boot.Event) { ev.Options = wire.FormatOptions(v.req.Options) })
	}
	if v.reason != boot.Answered {
		t.refuse(v)
		return
	}
	s.transfer.Go(t.run)
}

// contain keeps a fault within the packet that caused it. It is deferred.
func (s *Server) contain(t *transfer) {
	p := recover()
	if p == nil {
		return
	}
	s.running.remove(t)
	s.deps.Log.Error("fault while working on a packet", "role", Role, "from", t.ev.Peer,
		"panic", p, "packet", hex.EncodeToString([]byte(t.request)), "stack", string(debug.Stack()))
	t.ignore(boot.Panicked, fmt.Sprint(p))
}
