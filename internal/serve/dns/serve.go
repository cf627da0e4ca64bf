package dnsboot

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
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
		n, noob, _, from, err := s.udp.ReadMsgUDPAddrPort(in, oob)
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
		if _, _, err := s.udp.WriteMsgUDPAddrPort(out, control, from); err != nil && ctx.Err() == nil {
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

// conns are the connections that are open.
type conns struct {
	mu    sync.Mutex // guards what follows
	open  map[net.Conn]bool
	ended bool
	wait  sync.WaitGroup
}

func (c *conns) add(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	c.open[conn] = true
	c.wait.Add(1)
	return true
}

func (c *conns) remove(conn net.Conn) {
	c.mu.Lock()
	delete(c.open, conn)
	c.mu.Unlock()
	_ = conn.Close()
	c.wait.Done()
}

// finish lets answers under way leave, and ends what waits for a query.
func (c *conns) finish() {
	c.mu.Lock()
	c.ended = true
	for conn := range c.open {
		_ = conn.SetReadDeadline(time.Unix(1, 0))
	}
	c.mu.Unlock()
	c.wait.Wait()
}

func (s *Server) serveTCP(ctx context.Context, open *conns) error {
	for {
		conn, err := s.tcp.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // out of files, or the client went away
			s.deps.Log.Debug("a connection was not taken", "role", Role, "err", err)
			pause(ctx)
			continue
		}
		if !open.add(conn) {
			_ = conn.Close()
			continue
		}
		go func() {
			defer open.remove(conn)
			s.serveConn(ctx, conn)
		}()
	}
}

// serveConn answers the queries of one connection, each behind its length (RFC 1035 section 4.2.2).
func (s *Server) serveConn(ctx context.Context, conn net.Conn) {
	from, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return
	}
	w := &worker{}
	head, in := make([]byte, 2), []byte(nil)
	for ctx.Err() == nil {
		_ = conn.SetReadDeadline(time.Now().Add(tcpIdle))
		if ctx.Err() != nil { // finish may have set its deadline before ours
			return
		}
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}
		n := int(binary.BigEndian.Uint16(head))
		if cap(in) < n {
			in = make([]byte, n)
		}
		_ = conn.SetReadDeadline(time.Now().Add(tcpPatience))
		if _, err := io.ReadFull(conn, in[:n]); err != nil {
			return
		}
		out := s.answer(w, in[:n], from.Addr(), true)
		if out == nil {
			return // not worth a connection
		}
		_ = conn.SetWriteDeadline(time.Now().Add(tcpPatience))
		// In one piece: some resolvers read length and message as one segment (RFC 7766 section 8).
		packet := append(binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(out)), uint16(len(out))), out...)
		if _, err := conn.Write(packet); err != nil {
			return
		}
	}
}
