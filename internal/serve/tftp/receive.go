package tftp

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/tftp"
)

// next waits for the client's next packet, or for the deadline.
func (t *transfer) next(buf []byte, deadline time.Time) (input, boot.Reason, string) {
	c := t.conn.Load()
	for {
		t.arm(c, deadline)
		if why, detail := t.interrupted(c); why != "" {
			return input{}, why, detail
		}
		n, from, err := c.ReadFromUDPAddrPort(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			t.armed = time.Time{}
			if t.stopped.Load() == 0 && !time.Now().Before(deadline) {
				return input{kind: tick}, "", ""
			}
			continue
		case err != nil && isRefused(err):
			if c.closedPort(t.ends.client) {
				return input{}, boot.ClientGone, t.gone()
			}
			continue
		case err != nil && isHopeless(err):
			return input{}, boot.SendFailed, "read from the socket of the transfer: " + err.Error()
		case err != nil:
			continue // an ICMP message that may pass: the timer decides
		}
		if from = unmap(from); from != t.ends.client {
			t.stranger(buf[:n], from)
			continue
		}
		p, err := wire.ParsePacket(buf[:n])
		switch {
		case err == nil && p.Op == wire.OpACK:
			return input{kind: ack, block: p.Block}, "", ""
		case err == nil && p.Op == wire.OpERROR:
			return input{kind: clientError, code: p.Code, text: p.Message}, "", ""
		}
		// Anything else is ignored: a packet in the wrong place is never answered (VU#417980).
	}
}

// arm sets the socket's deadline when it must be earlier than it is. Most deadlines move away with
// each ACK, so an alarm that comes too early now and then is cheaper than a call for every packet.
func (t *transfer) arm(c *transferConn, deadline time.Time) {
	if !t.grace.IsZero() {
		deadline = t.grace
	}
	if t.armed.IsZero() || deadline.Before(t.armed) {
		t.armed = deadline
		_ = c.SetReadDeadline(deadline)
	}
}

// interrupted says how an interrupted transfer ends. It is asked after arm, so that an
// interruption is seen either here or by the deadline that it set.
func (t *transfer) interrupted(c *transferConn) (boot.Reason, string) {
	switch interruption(t.stopped.Load()) {
	case replaced:
		if t.grace.IsZero() {
			t.grace = time.Now().Add(graceTime)
			t.armed = time.Time{}
			t.arm(c, t.grace)
		}
		if !time.Now().Before(t.grace) {
			return boot.ClientGone, "it began another request from the same port; " + t.position()
		}
	case displaced:
		return boot.TooManyTransfers, fmt.Sprintf("nothing was acknowledged for %s, and another client needed the place", silentFor)
	case draining:
		_, _ = c.WriteToUDPAddrPort(wire.AppendError(t.buf[:0], wire.ErrUndefined, "the server is stopping"), t.ends.client)
		return boot.Draining, "the drain timeout passed; " + t.position()
	}
	return "", ""
}

// maxStrangers bounds the answers to strangers of one transfer.
const maxStrangers = 8

// stranger answers a packet of somebody whose transfer this is not (RFC 1350 section 4). The
// transfer goes on. An ERROR is never answered.
func (t *transfer) stranger(b []byte, from netip.AddrPort) {
	if t.strangers++; t.strangers > maxStrangers {
		return
	}
	t.s.emit(boot.Event{
		Kind: boot.Ignored, Reason: boot.UnknownTID, IP: from.Addr(), Peer: from.String(), Local: t.ev.Local,
		Detail: fmt.Sprintf("it came to the port of transfer %d, whose client is %s", t.ev.Transfer, t.ends.client),
	})
	if op, ok := wire.PeekOp(b); ok && op != wire.OpERROR && from.Port() != 0 {
		_, _ = t.conn.Load().WriteToUDPAddrPort(wire.AppendError(nil, wire.ErrUnknownTID, "unknown transfer ID"), from)
	}
}
