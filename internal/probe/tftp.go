package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"surefoot/internal/wire/tftp"
)

// TFTP downloads once. It returns when the file is there, when a step failed, or when ctx ends.
func TFTP(ctx context.Context, t Target, o Options) Result {
	o = o.withDefaults()
	res := Result{Target: t.String(), As: o.As, Start: time.Now()}
	addr, f := resolve(ctx, t.Host, &res)
	if f != nil {
		res.finish(f)
		return res
	}
	room := o.Room
	if room == nil {
		room = &Room{}
	}
	room.trace.reset()
	d := download{
		room: room, trace: &room.trace, target: t, server: netip.AddrPortFrom(addr, t.Port), opts: o, habits: habitsOf(o.As), res: &res,
		content: newContent(o), start: time.Now(),
	}
	res.Server = d.server.String()
	limited, cancel := context.WithTimeoutCause(ctx, o.MaxTime, errTooSlow)
	defer cancel()
	if o.Through != nil {
		f = d.through(limited)
	} else {
		f = d.run(limited)
	}
	if f == nil {
		f = res.slow(o)
	}
	if o.Traced == nil || o.Traced(f == nil || res.Available) {
		res.Trace = d.trace.packets()
	}
	if f != nil && o.Prove && o.Through == nil {
		f = d.prove(ctx, f)
	}
	res.finish(f)
	return res
}

var errTooSlow = errors.New("the time for one download is over")

// resolve looks the host up, unless it is an address.
func resolve(ctx context.Context, host string, res *Result) (netip.Addr, *Fault) {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap(), nil
	}
	start := time.Now()
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(all) == 0 {
		return netip.Addr{}, &Fault{
			Step: StepResolve, Code: NotResolved, Text: fmt.Sprintf("the name %s has no address: %v", clean(host), dnsCause(err)),
			Hint: []string{"boot firmware mostly reads an address, not a name (siaddr); probe the address to tell DNS and server apart"},
		}
	}
	res.Resolve = time.Since(start)
	return addrOf(all), nil
}

func dnsCause(err error) string {
	var de *net.DNSError
	if errors.As(err, &de) {
		return de.Err
	}
	return fmt.Sprint(err)
}

// download is one probe of one server: an optional size probe, then the file.
type download struct {
	target  Target
	server  netip.AddrPort
	opts    Options
	habits  habits
	res     *Result
	content *content
	room    *Room
	trace   *trace // in the room
	start   time.Time
	told    time.Time // when progress was told of last
	side    *side     // through the data plane; nil: as any client
}

func (d *download) run(ctx context.Context) *Fault {
	size := int64(-1)
	if d.habits.sizeProbe != nil {
		r := newReceiver(d.target.File, d.habits.sizeProbe, true, d.content)
		if f := d.stage(ctx, r); f != nil {
			return f
		}
		size = r.size
	}
	r := newReceiver(d.target.File, d.habits.options, false, d.content)
	r.size = size
	d.res.Asked = tftp.FormatOptions(d.habits.options)
	f := d.stage(ctx, r)
	d.res.Response = time.Since(d.start)
	d.res.Granted, d.res.Blocks = tftp.FormatOptions(r.granted), r.block
	d.res.Duplicates += r.duplicates
	d.res.Size = d.content.size
	if f != nil {
		return f
	}
	d.res.SHA256 = d.content.sum()
	return d.content.check(d.opts, r.size)
}

// stage is one request and what follows it, from a port of its own, as a boot client does it.
type stage struct {
	*download
	r         *receiver
	conn      udpConn
	started   time.Time
	progress  time.Time // of the last packet that brought something new
	peer      netip.AddrPort
	stray     string // the first answer from an address that was not asked
	requests  int
	resent    int // since the last progress
	lastSent  time.Time
	firstData bool
}

func (d *download) stage(ctx context.Context, r *receiver) *Fault {
	conn, err := d.open()
	if err != nil {
		f := localFault(err)
		f.Text = "open a socket: " + f.Text
		return f
	}
	closed := d.opts.opened(conn.LocalAddr(), d.server)
	defer func() { _ = conn.Close(); closed() }()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	now := time.Now()
	s := &stage{download: d, r: r, conn: conn, started: now, progress: now}
	if f := s.send(r.last, d.server); f != nil {
		return f
	}
	s.requests = 1
	buf := d.room.packet[:]
	for !r.done {
		if d.opts.enough > 0 && r.block >= d.opts.enough {
			return s.send(tftp.AppendError(nil, tftp.ErrUndefined, "seen enough"), s.peer)
		}
		again := s.lastSent.Add(d.patience(s.resent))
		end := s.progress.Add(d.opts.Timeout)
		if err := conn.SetReadDeadline(earlier(again, end)); err != nil {
			return &Fault{Step: StepRequest, Code: LocalError, Text: err.Error()}
		}
		if ctx.Err() != nil {
			return s.ended(ctx)
		}
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err == nil {
			if f := s.packet(buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port())); f != nil {
				return f
			}
			continue
		}
		if ctx.Err() != nil {
			return s.ended(ctx)
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return s.socketFault(err)
		}
		if now := time.Now(); !now.Before(end) {
			return s.silence()
		} else if now.Before(again) {
			continue
		}
		if f := s.resend(); f != nil {
			return f
		}
	}
	return nil
}

// patience is how long the n-th repetition is waited for.
func (d *download) patience(n int) time.Duration {
	wait := d.habits.resend(n)
	if d.opts.Resend > 0 {
		wait = min(wait, d.opts.Resend)
	}
	return wait
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func (s *stage) resend() *Fault {
	s.resent++
	s.res.Retransmits++
	to := s.peer
	if !to.IsValid() {
		to = s.server
		s.requests++
	}
	return s.send(s.r.last, to)
}

func (s *stage) send(b []byte, to netip.AddrPort) *Fault {
	s.lastSent = time.Now()
	peer := to
	if to == s.server {
		peer = netip.AddrPort{}
	}
	s.trace.note(s.lastSent.Sub(s.start), true, b, peer)
	if _, err := s.conn.WriteToUDPAddrPort(b, to); err != nil {
		return s.socketFault(err)
	}
	return nil
}

// packet takes one datagram from anywhere.
func (s *stage) packet(b []byte, from netip.AddrPort) *Fault {
	now := time.Now()
	s.res.Largest = max(s.res.Largest, len(b))
	s.trace.note(now.Sub(s.start), false, b, from)
	switch {
	case s.peer.IsValid() && from != s.peer: // RFC 1350 section 4: another transfer ID
		if op, _ := tftp.PeekOp(b); op == tftp.OpERROR {
			return nil
		}
		return s.send(tftp.AppendError(nil, tftp.ErrUnknownTID, "unknown transfer ID"), from)
	case !s.peer.IsValid() && from.Addr() != s.server.Addr() && !s.habits.anyServer:
		if s.stray == "" {
			s.stray = from.String()
		}
		return nil
	case !s.peer.IsValid():
		s.peer = from
		s.res.DataFrom = from.String()
	}
	before, oack := s.r.block, s.r.oack
	reply, f := s.r.receive(b)
	if s.r.block != before {
		if s.res.Timing == nil {
			s.res.Timing = &Timing{}
		}
		s.res.Timing.add(now.Sub(s.progress))
	}
	if s.r.block != before || s.r.oack != oack {
		if wait := now.Sub(s.progress); before > 0 && wait > s.res.Pause {
			s.res.Pause, s.res.PauseAfter = wait, before
		}
		s.progress, s.resent = now, 0
		s.lastSent = now // the wait for the next packet starts now, even if no ACK is due
	}
	if s.r.block > 0 && !s.firstData {
		s.firstData = true
		s.res.FirstBlock = now.Sub(s.started)
	}
	if reply != nil {
		if sendFault := s.send(reply, s.peer); f == nil {
			f = sendFault
		}
	}
	if s.opts.Progress != nil && now.Sub(s.told) >= 100*time.Millisecond {
		s.told = now
		s.opts.Progress(s.content.size, max(s.r.size, 0))
	}
	return f
}
