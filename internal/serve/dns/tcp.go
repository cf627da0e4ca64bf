package dnsboot

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

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
