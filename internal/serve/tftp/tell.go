package tftp

import (
	"fmt"
	"time"

	"surefoot/internal/boot"
)

// progressEvery bounds how often a transfer tells how far it is.
const progressEvery = 250 * time.Millisecond

// tale is what all events of a transfer have in common, besides its ends. An event itself would be
// half of a transfer's memory.
type tale struct {
	peer, local                    string
	file, version, template, quirk string
	backend                        string // where a relayed content comes from
	size                           int64
	number                         uint64
	upload                         bool
}

func (t *transfer) progress(now time.Time) {
	if now.Sub(t.shown) < progressEvery {
		return
	}
	t.shown = now
	t.tell(boot.Progress, t.measures)
}

func (t *transfer) tell(k boot.Kind, more func(*boot.Event)) {
	c := &t.tale
	ev := boot.Event{
		Kind: k, IP: t.ends.client.Addr(), Peer: c.peer, Local: c.local, File: c.file, Version: c.version, Template: c.template,
		Quirk: c.quirk, Backend: c.backend, Transfer: c.number, Upload: c.upload, Size: c.size,
	}
	more(&ev)
	t.s.emit(ev)
}

// stalled tells that the client acknowledges nothing any more.
func (t *transfer) stalled(now time.Time) {
	t.tell(boot.Stalled, func(ev *boot.Event) {
		t.measures(ev)
		ev.Pause, ev.PauseAt = now.Sub(t.m.heard), t.m.acked+1
	})
}

// ignore tells of a packet that gets no answer.
func (t *transfer) ignore(why boot.Reason, detail string) {
	t.tell(boot.Ignored, func(ev *boot.Event) { ev.Reason, ev.Detail = why, detail })
}

// end tells how the transfer ended.
func (t *transfer) end(why boot.Reason, detail string) {
	t.tell(boot.TransferEnd, func(ev *boot.Event) {
		ev.Reason, ev.Detail = why, detail
		t.measures(ev)
		if t.stream != nil {
			ev.Backend = t.stream.Origin()
		}
	})
}

func (t *transfer) measures(ev *boot.Event) {
	now := time.Now()
	ev.Dur = now.Sub(t.began)
	if t.up != nil {
		m := t.up.m
		ev.Bytes, ev.Blocks, ev.Retransmits, ev.FirstBlock, ev.RTT = m.bytes, m.got, m.repeats, m.first, m.wait.smooth
		if ev.Reason == boot.Received {
			ev.Size = m.bytes
		}
		return
	}
	if t.m == nil {
		return
	}
	ev.Packets, ev.RTT = t.m.packets(), t.m.wait.smooth
	ev.Pause, ev.PauseAt = t.m.longestPause(now)
	ev.Blocks = max(t.m.acked, 0)
	ev.Bytes = min(ev.Blocks*int64(t.m.profile.BlockSize), t.size)
	ev.Retransmits, ev.FirstBlock = t.m.retransmits, t.m.firstBlock
	if t.m.badBlocks > 0 && ev.Kind == boot.TransferEnd {
		if ev.Detail != "" {
			ev.Detail += "; "
		}
		ev.Detail += fmt.Sprintf("%d ACKs of blocks that were never sent", t.m.badBlocks)
	}
}

// position says for what the transfer waits.
func (t *transfer) position() string {
	if t.m.acked < 0 {
		return "the options were not acknowledged yet"
	}
	if t.m.last == unknownLast {
		return fmt.Sprintf("%d blocks were acknowledged", t.m.acked)
	}
	return fmt.Sprintf("%d of %d blocks were acknowledged", t.m.acked, t.m.last)
}

// stuck says what a client that stopped did not acknowledge, and for how long.
func (t *transfer) stuck(now time.Time) string {
	what := "the options"
	if t.m.acked >= 0 {
		what = fmt.Sprintf("block %d of %d", t.m.acked+1, t.m.last)
		if t.m.last == unknownLast {
			what = fmt.Sprintf("block %d", t.m.acked+1)
		}
	}
	s := fmt.Sprintf("no ACK of %s for %s", what, now.Sub(t.m.heard).Round(time.Second))
	if t.m.acked < 0 {
		s += " (a client that cannot take options: tftp.refuse_options of its network leaves them out)"
	}
	if t.sendErr != nil {
		s += "; the last error while sending: " + t.sendErr.Error()
	}
	return s
}

// gone says what the client has when its port is closed.
func (t *transfer) gone() string {
	if t.m.sent == t.m.last {
		return "its port is closed (ICMP); every block was sent, the last ACK is missing: it probably has all"
	}
	return "its port is closed (ICMP); " + t.position()
}
