package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/lb"
	wire "surefoot/internal/wire/tftp"
)

// receiveBuffer in bytes: some windows.
const receiveBuffer = 256 << 10

var (
	errSilent = errors.New("no answer")
	errClosed = errors.New("its port is closed (ICMP)")
)

// attempt is one transfer from one backend.
type attempt struct {
	f        *flight
	m        *receiver
	v        *verifier
	conn     *net.UDPConn
	to, peer netip.AddrPort
	patience time.Duration
	progress time.Time
	end      time.Time // then it counts as silent
	of       *backend
	began    time.Time
	backend  string
}

// try downloads from one backend, from the beginning: what came already is compared. A backend that does
// not like the options is asked once more without any.
func (f *flight) try(ctx context.Context, b lb.Backend, patience time.Duration) error {
	of, done := f.r.stats.begin(b.Name)
	had := f.held()
	err := f.attempt(ctx, b, of, patience, false)
	var e *said
	if errors.As(err, &e) && e.code == wire.ErrNegotiation {
		err = f.attempt(ctx, b, of, patience, true)
	}
	done(f.held()-had, err)
	return err
}

func (f *flight) attempt(ctx context.Context, b lb.Backend, of *backend, patience time.Duration, plain bool) error {
	conn, err := dial(b.TFTP.Addr())
	if err != nil {
		return fmt.Errorf("open a socket: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	now := time.Now()
	a := &attempt{
		f: f, m: newReceiver(f.key.file, f.key.mode, plain), v: f.verifier(), conn: conn, to: b.TFTP, patience: patience,
		progress: now, end: now.Add(patience), began: now, backend: b.Name, of: of,
	}
	err = a.run(ctx)
	if a.peer.IsValid() && err != nil && a.stops(err) {
		_, _ = conn.WriteToUDPAddrPort(wire.AppendError(nil, wire.ErrUndefined, "not needed any more"), a.peer)
	}
	return err
}

// stops reports whether the backend does not know yet that this is the end.
func (a *attempt) stops(err error) bool {
	var e *said
	return !errors.As(err, &e) && !errors.Is(err, errClosed)
}

func (a *attempt) run(ctx context.Context) error {
	var buf [wire.HeaderSize + blockSize + 1]byte
	if err := a.send(a.m.last); err != nil {
		return err
	}
	wait := a.patience / 2 // a request that comes twice is two transfers to many servers
	resend := a.began.Add(wait)
	for !a.m.done {
		due := a.end
		if resend.Before(due) {
			due = resend
		}
		if err := a.conn.SetReadDeadline(due); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n, from, err := a.conn.ReadFromUDPAddrPort(buf[:])
		switch {
		case err == nil:
			moved, err := a.packet(ctx, buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
			if err != nil {
				return err
			}
			if moved {
				now := time.Now()
				a.progress, resend, wait = now, now.Add(a.f.r.pace.firstResend), a.f.r.pace.firstResend
				a.end = now.Add(a.patience)
				a.of.heard.Store(now.UnixNano())
			}
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, unix.ECONNREFUSED):
			return errClosed
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case !time.Now().Before(a.end):
			now := time.Now()
			if now.Sub(a.progress) >= a.f.r.pace.slowest || !a.of.alive(now, a.patience) {
				return a.silence()
			}
			a.end = now.Add(a.f.r.pace.lookAgain)
		case !time.Now().Before(resend):
			if err := a.send(a.m.last); err != nil {
				return err
			}
			wait *= 2
			resend = time.Now().Add(wait)
		}
	}
	return a.f.complete(a.v, time.Now())
}

func (a *attempt) silence() error {
	if a.m.block == 0 {
		return fmt.Errorf("%w within %s", errSilent, time.Since(a.began).Round(time.Millisecond))
	}
	return fmt.Errorf("%w for %s after block %d", errSilent, time.Since(a.progress).Round(time.Millisecond), a.m.block)
}

func (a *attempt) send(b []byte) error {
	to := a.peer
	if !to.IsValid() {
		to = a.to
	}
	if _, err := a.conn.WriteToUDPAddrPort(b, to); err != nil {
		if errors.Is(err, unix.ECONNREFUSED) {
			return errClosed
		}
		return fmt.Errorf("send to %s: %w", to, err)
	}
	return nil
}

// packet takes one datagram from anywhere, and reports whether it brought something new.
func (a *attempt) packet(ctx context.Context, b []byte, from netip.AddrPort) (moved bool, err error) {
	switch {
	case a.peer.IsValid() && from != a.peer: // RFC 1350 section 4: the answer to a copy of the request
		if op, _ := wire.PeekOp(b); op != wire.OpERROR {
			_, _ = a.conn.WriteToUDPAddrPort(wire.AppendError(nil, wire.ErrUnknownTID, "unknown transfer ID"), from)
		}
		return false, nil
	case !a.peer.IsValid() && (from.Addr() != a.to.Addr() || !begins(b)):
		return false, nil
	}
	a.peer = from
	block, oack := a.m.block, a.m.oack
	reply, data, err := a.m.receive(b)
	if err != nil {
		return false, err
	}
	moved = a.m.block > block || a.m.oack != oack
	if a.m.oack && !oack {
		if err := a.agreed(); err != nil {
			return false, err
		}
	}
	if data != nil {
		if !a.m.oack && block == 0 {
			a.f.origin(a.backend)
		}
		if err := a.f.take(a.v, data); err != nil {
			return false, err
		}
		if !a.m.done {
			a.f.launch()
		}
	}
	if reply == nil {
		return moved, nil
	}
	if a.m.done { // nobody is to begin before it is known to be complete
		_ = a.send(reply)
		return moved, nil
	}
	if waited, err := a.f.makeRoom(ctx); err != nil {
		return false, err
	} else if waited {
		moved = true
	}
	return moved, a.send(reply)
}

// begins reports whether a packet can be the first of an answer: a late one to whoever had this port before
// is not.
func begins(b []byte) bool {
	p, err := wire.ParsePacket(b)
	return err == nil && p.Op != wire.OpACK && (p.Op != wire.OpDATA || p.Block == 1)
}

// agreed takes the size from the OACK.
func (a *attempt) agreed() error {
	if a.m.size < 0 {
		a.f.origin(a.backend)
		return nil
	}
	if g := a.f.older; g != nil && a.f.held() == 0 && g.still(a.m.size) {
		a.f.reuse()
		return errReused
	}
	if err := a.f.announce(a.m.size); err != nil {
		return err
	}
	a.f.origin(a.backend)
	a.f.launch()
	return nil
}

// still reports whether an older content may be handed out for some more time, given its size now.
func (f *flight) still(size int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.done && f.err == nil && f.size == size && time.Since(f.fetched) < recheck*f.r.cfg.Fresh
}

// origin notes whom the content comes from now.
func (f *flight) origin(backend string) {
	if s := f.r.service.Load(); s.Persist > 0 {
		f.r.kept.Set(f.ask.Client.Addr(), backend, time.Now().Add(s.Persist))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.have == 0 {
		f.origins = nil
	}
	if n := len(f.origins); n == 0 || f.origins[n-1] != backend && n < 8 {
		f.origins = append(f.origins, backend)
	}
}

// makeRoom waits until the clients have moved on, where the content is held for them alone. The backend
// waits for its ACK meanwhile.
func (f *flight) makeRoom(ctx context.Context) (waited bool, err error) {
	for {
		f.mu.Lock()
		full := f.full()
		f.mu.Unlock()
		if !full {
			return waited, nil
		}
		waited = true
		select {
		case <-f.room:
		case <-ctx.Done():
			return waited, ctx.Err()
		}
	}
}

// dial opens a socket that is not connected, since a backend answers from another port than the one
// asked, and yet hears of ICMP errors (IP_RECVERR, ip(7)).
func dial(backend netip.Addr) (*net.UDPConn, error) {
	network, level, opt := "udp4", unix.SOL_IP, unix.IP_RECVERR
	if backend.Is6() {
		network, level, opt = "udp6", unix.SOL_IPV6, unix.IPV6_RECVERR
	}
	conn, err := net.ListenUDP(network, nil)
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), level, opt, 1)
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
		})
	}
	return conn, nil
}
