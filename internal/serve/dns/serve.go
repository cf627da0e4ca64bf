package dnsboot

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"surefoot/internal/boot"
)

const (
	// maxQuery is the longest query by UDP that is read whole; no client sends one of this size.
	maxQuery = 4096
	// A connection may be idle for so long (RFC 7766 section 6.2.3: a few seconds).
	tcpIdle = 10 * time.Second
	// A query that has begun to arrive, or an answer to leave, is through within this time.
	tcpPatience = 5 * time.Second
)

// serve answers until ctx ends.
func (s *Server) serve(outer context.Context, ready func()) error {
	ctx, end := context.WithCancel(outer)
	defer end()
	var all sync.WaitGroup
	failed := make(chan error, runtime.GOMAXPROCS(0)+1)
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() { failed <- s.serveUDP(ctx) })
	}
	conns := &conns{open: map[net.Conn]bool{}}
	all.Go(func() { failed <- s.serveTCP(ctx, conns) })
	if ready != nil {
		ready()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	end()
	err = errors.Join(err, s.udp.Close(), s.tcp.Close())
	conns.finish()
	all.Wait()
	if outer.Err() != nil {
		return nil
	}
	return err
}

// serveUDP answers one query after another. Several do so at once on one socket.
func (s *Server) serveUDP(ctx context.Context) error {
	w := &worker{out: make([]byte, 0, maxQuery)}
	in, oob := make([]byte, maxQuery), make([]byte, 128)
	wild := s.Addr().Addr().IsUnspecified()
	v4 := s.cfg.Listen.Addr().Is4()
	var lastOOB, control []byte // clients ask at the same address again and again
	for {
		var n, noob int
		var from netip.AddrPort
		var err error
		if wild {
			n, noob, _, from, err = s.udp.ReadMsgUDPAddrPort(in, oob)
		} else { // the cheaper call: there is one address only that can have been asked
			n, from, err = s.udp.ReadFromUDPAddrPort(in)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // of one packet, or of the network for a while
			s.deps.Log.Debug("a query was not read", "role", Role, "err", err)
			pause(ctx)
			continue
		}
		out := s.answer(w, in[:n], from.Addr(), false)
		if out == nil || from.Port() == 0 {
			continue
		}
		if wild && !bytes.Equal(oob[:noob], lastOOB) {
			lastOOB = append(lastOOB[:0], oob[:noob]...)
			control = replyControl(lastOOB, v4)
		}
		if wild {
			_, _, err = s.udp.WriteMsgUDPAddrPort(out, control, from)
		} else {
			_, err = s.udp.WriteToUDPAddrPort(out, from)
		}
		if err != nil && ctx.Err() == nil {
			s.tell(s.deps.Now(), from.Addr().Unmap(), Outcome{Reason: boot.SendFailed}, 0)
		}
	}
}

// pause keeps an error that comes back at once from eating a core.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Millisecond):
	}
}
