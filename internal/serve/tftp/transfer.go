package tftp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	"surefoot/internal/files"
	wire "surefoot/internal/wire/tftp"
)

const (
	progressEvery = 250 * time.Millisecond
	// maxNetascii bounds the files that are translated, which is done in memory, in bytes.
	maxNetascii = 16 << 20
)

// transfer is one download: the sender machine, its socket and its file.
type transfer struct {
	s       *Server
	client  netip.AddrPort
	conn    *net.UDPConn
	file    *files.File
	content io.ReaderAt // the file, or its translation
	size    int64       // of content
	asked   string      // the name in the request
	granted []wire.Option
	m       *sender
	ev      boot.Event // what all events of this transfer have in common
	cancel  context.CancelFunc
	strange bool // something was sent to another address than the client's
	buf     []byte
	shown   time.Time // the last Progress event
}

// begin opens file and socket.
func (s *Server) begin(req wire.Request, client, local netip.AddrPort, ev boot.Event) (*transfer, error) {
	f, err := s.files.Load().Open(req.File)
	if err != nil {
		return nil, err
	}
	t := &transfer{s: s, client: client, file: f, content: f, size: f.Size(), asked: req.File, ev: ev}
	if req.IsNetascii() {
		if err := t.translate(); err != nil {
			_ = f.Close()
			return nil, err
		}
	}
	var p wire.Profile
	p, t.granted = wire.Negotiate(req.Options, wire.Limits{WindowSize: maxWindow}, t.size)
	_, tsize := wire.Lookup(t.granted, wire.OptTsize)
	t.m = newSender(t.size, p, len(t.granted) > 0, tsize)
	if t.conn, err = transferSocket(local.Addr()); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("socket for a transfer: %w", err)
	}
	t.ev.Kind, t.ev.Options = "", ""
	t.ev.File, t.ev.Size, t.ev.Local = f.Name(), t.size, t.conn.LocalAddr().String()
	t.buf = make([]byte, 0, wire.HeaderSize+p.BlockSize)
	return t, nil
}

// translate turns the content into netascii.
func (t *transfer) translate() error {
	if t.size > maxNetascii {
		return fmt.Errorf("%s: %d bytes are too many for netascii; ask in octet mode", t.file.Name(), t.size)
	}
	src := make([]byte, t.size)
	if _, err := t.file.ReadAt(src, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s: %w", t.file.Name(), err)
	}
	out := make([]byte, wire.NetasciiSize(src))
	var n wire.Netascii
	n.Encode(out, src)
	t.content, t.size = bytes.NewReader(out), int64(len(out))
	return nil
}

func (t *transfer) close() {
	_ = t.conn.Close()
	_ = t.file.Close()
}

// run moves packets until the machine says that the transfer is over, or ctx ends.
func (t *transfer) run(ctx context.Context) {
	defer t.close()
	stop := context.AfterFunc(ctx, func() { _ = t.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	in := make([]byte, 1024) // the client sends ACKs and ERRORs only
	do := t.m.step(time.Now(), input{kind: begin})
	for {
		if why, detail := t.perform(do); why != "" {
			t.end(why, detail)
			return
		}
		ev, why, detail := t.next(ctx, in, do.deadline)
		if why != "" {
			t.end(why, detail)
			return
		}
		do = t.m.step(time.Now(), ev)
		if do.end != "" {
			if detail == "" {
				detail = t.where(do.end)
			}
			t.end(do.end, detail)
			return
		}
	}
}

// perform sends what the machine wants sent.
func (t *transfer) perform(do output) (boot.Reason, string) {
	if do.oack {
		if t.m.retransmits == 0 {
			ev := t.ev
			ev.Kind, ev.Options = boot.OptionsSent, wire.FormatOptions(t.granted)
			t.s.emit(ev)
		}
		return t.send(wire.AppendOACK(t.buf[:0], t.granted))
	}
	blk := t.m.profile.BlockSize
	for n := do.from; n <= do.to; n++ {
		b := wire.AppendDataHeader(t.buf[:0], uint16(n))
		off := (n - 1) * int64(blk)
		want := int(min(int64(blk), t.size-off))
		b = b[:wire.HeaderSize+want]
		if got, err := t.content.ReadAt(b[wire.HeaderSize:], off); got < want {
			if err == nil || errors.Is(err, io.EOF) {
				err = fmt.Errorf("the file became shorter than %d bytes while it was sent", t.size)
			}
			_, _ = t.send(wire.AppendError(t.buf[:0], wire.ErrUndefined, "read error"))
			return boot.ReadFailed, err.Error()
		}
		if why, detail := t.send(b); why != "" {
			return why, detail
		}
	}
	return "", ""
}

func (t *transfer) send(b []byte) (boot.Reason, string) {
	_, err := t.conn.WriteToUDPAddrPort(b, t.client)
	switch {
	case err == nil, errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EAGAIN):
		return "", "" // a full queue is a lost packet: the timer repeats it
	case errors.Is(err, unix.ECONNREFUSED):
		return t.gone()
	}
	return boot.SendFailed, err.Error()
}

// gone is what an ICMP "port unreachable" means: after the last block, that the client has all
// and only its last acknowledgement was lost.
func (t *transfer) gone() (boot.Reason, string) {
	if t.strange {
		return "", "" // it may be about an ERROR that went to somebody else
	}
	if t.m.sent == t.m.last && t.m.acked >= t.m.last-int64(t.m.profile.WindowSize) && t.m.acked > 0 {
		return boot.Done, "the client closed its port after the last block instead of acknowledging it"
	}
	return boot.ClientGone, "its port is closed (ICMP); " + t.position()
}

// next waits for the client's next packet, or for the deadline.
func (t *transfer) next(ctx context.Context, buf []byte, deadline time.Time) (input, boot.Reason, string) {
	for {
		_ = t.conn.SetReadDeadline(deadline)
		if ctx.Err() != nil { // checked after the deadline was set: AfterFunc may have come between
			_, _ = t.send(wire.AppendError(t.buf[:0], wire.ErrUndefined, "server is stopping"))
			return input{}, boot.Draining, t.position()
		}
		n, from, err := t.conn.ReadFromUDPAddrPort(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if ctx.Err() != nil {
				continue
			}
			return input{kind: tick}, "", ""
		case errors.Is(err, unix.ECONNREFUSED):
			if why, detail := t.gone(); why != "" {
				return input{}, why, detail
			}
			continue
		case err != nil:
			return input{}, boot.SendFailed, err.Error()
		}
		if from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port()); from != t.client {
			t.stranger(buf[:n], from)
			continue
		}
		p, err := wire.ParsePacket(buf[:n])
		switch {
		case err != nil || p.Op == wire.OpDATA || p.Op == wire.OpOACK:
			t.note(boot.UnexpectedOpcode, from)
			continue
		case p.Op == wire.OpERROR:
			return input{kind: clientError, code: p.Code}, "", fmt.Sprintf("%s: %q, %s", p.Code, p.Message, t.position())
		}
		t.progress()
		return input{kind: ack, block: p.Block}, "", ""
	}
}

// stranger answers a packet that belongs to no transfer of its sender (RFC 1350 section 4). An
// ERROR is never answered.
func (t *transfer) stranger(b []byte, from netip.AddrPort) {
	t.note(boot.UnknownTID, from)
	if op, ok := wire.PeekOp(b); !ok || op == wire.OpERROR || t.strange {
		return // one answer is enough
	}
	t.strange = true
	_, _ = t.conn.WriteToUDPAddrPort(wire.AppendError(nil, wire.ErrUnknownTID, "unknown transfer ID"), from)
}

func (t *transfer) note(why boot.Reason, from netip.AddrPort) {
	ev := boot.Event{Kind: boot.Ignored, Reason: why, IP: from.Addr(), Peer: from.String(), Local: t.ev.Local}
	t.s.emit(ev)
}

// progress tells how far the transfer is, a few times a second.
func (t *transfer) progress() {
	now := time.Now()
	if t.shown.IsZero() {
		t.shown = t.m.started
	}
	if now.Sub(t.shown) < progressEvery {
		return
	}
	t.shown = now
	ev := t.ev
	ev.Kind = boot.Progress
	t.measures(&ev)
	t.s.emit(ev)
}

func (t *transfer) end(why boot.Reason, detail string) {
	ev := t.ev
	ev.Kind, ev.Reason, ev.Detail = boot.TransferEnd, why, detail
	t.measures(&ev)
	t.s.emit(ev)
}

func (t *transfer) measures(ev *boot.Event) {
	ev.Blocks = max(t.m.acked, 0)
	ev.Bytes = min(ev.Blocks*int64(t.m.profile.BlockSize), t.size)
	ev.Retransmits, ev.FirstBlock, ev.Dur = t.m.retransmits, t.m.firstBlock, time.Since(t.m.started)
	if ev.Reason == boot.Done {
		ev.Bytes, ev.Blocks = t.size, t.m.last
	}
}

// where says where a transfer got stuck.
func (t *transfer) where(why boot.Reason) string {
	if why != boot.Timeout {
		return ""
	}
	return fmt.Sprintf("no acknowledgement of %s for %s", t.position(), giveUp)
}

func (t *transfer) position() string {
	if t.m.acked < 0 {
		return "the options (OACK)"
	}
	return fmt.Sprintf("block %d of %d", min(t.m.acked+1, t.m.last), t.m.last)
}
