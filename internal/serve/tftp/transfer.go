package tftp

import (
	"container/list"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	"surefoot/internal/files"
	wire "surefoot/internal/wire/tftp"
)

// transfer is one download: the machine, its socket and its content. Its goroutine owns
// everything but the atomic fields.
type transfer struct {
	s       *Server
	ends    ends
	request string // the packet as it came
	asked   wire.Request
	began   time.Time
	ev      boot.Event // what all events of this transfer have in common

	file    *files.File
	content content
	size    int64 // of the content
	granted []wire.Option
	m       *sender
	buf     []byte // for packets to send

	armed     time.Time // the read deadline of the socket
	grace     time.Time // an interrupted transfer ends here
	shown     time.Time // the last Progress event
	strangers int
	place     *list.Element // in the registry, whose lock guards it and the next two
	live      bool          // admitted and not removed
	doubted   bool          // a copy of its request was kept back already
	sendErr   error         // the last one, for the story

	moved   atomic.Int64                 // when the client last made progress, in Unix nanoseconds
	conn    atomic.Pointer[transferConn] // nil before it is open
	stopped atomic.Int32                 // an interruption
}

// interruption is why a transfer is to end though neither side is done.
type interruption int32

const (
	replaced interruption = iota + 1 // the client began something else from the same port
	draining
	displaced // another client needs the place, and this one never acknowledged anything
)

// graceTime is how long a replaced transfer still takes packets: the client's last ACK may wait
// in its socket while the next request is read already.
const graceTime = 20 * time.Millisecond

// interrupt asks the transfer's goroutine to end. It may be called from any goroutine.
func (t *transfer) interrupt(why interruption) {
	t.stopped.CompareAndSwap(0, int32(why))
	if c := t.conn.Load(); c != nil {
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
}

// stale reports whether a transfer has stood still since it last moved.
func (t *transfer) stale(now time.Time) bool {
	moved := t.moved.Load()
	return moved != 0 && now.Sub(time.Unix(0, moved)) >= staleAfter
}

// run is the goroutine of a transfer.
func (t *transfer) run() {
	defer t.s.running.remove(t)
	defer func() {
		if p := recover(); p != nil {
			t.s.deps.Log.Error("fault in a transfer", "role", Role, "file", t.asked.File, "panic", p, "stack", string(debug.Stack()))
			t.end(boot.Panicked, fmt.Sprint(p))
		}
	}()
	if v, ok := t.open(); !ok {
		t.refuse(v)
		return
	}
	defer t.file.Close()
	defer t.conn.Load().Close()
	why, detail := t.exchange()
	t.end(why, detail)
}

// open opens file and socket and agrees on the options.
func (t *transfer) open() (verdict, bool) {
	f, err := t.s.files.Load().Open(t.asked.File)
	if err != nil {
		return judgeOpen(t.asked.File, err), false
	}
	t.file, t.size, t.ev.File = f, f.Size(), f.Name()
	if t.asked.IsNetascii() {
		t.size, err = netasciiSize(f, f.Size())
	}
	if err != nil {
		_ = f.Close()
		return judgeOpen(t.asked.File, err), false
	}
	p, granted := wire.Negotiate(t.asked.Options, wire.Limits{WindowSize: maxWindow}, t.size)
	_, tsize := wire.Lookup(granted, wire.OptTsize)
	t.granted, t.m = granted, newSender(t.size, p, len(granted) > 0, tsize)
	t.content = octet{f, int64(p.BlockSize)}
	if t.asked.IsNetascii() {
		t.content = newNetascii(f, f.Size(), p)
	}
	c, err := openTransfer(t.ends.local)
	if err != nil {
		_ = f.Close()
		return verdict{
			reason: boot.SendFailed, detail: "open a socket for the transfer: " + err.Error(),
			code: wire.ErrUndefined, text: "server busy, try again later",
		}, false
	}
	t.conn.Store(c)
	t.ev.Size = t.size
	t.buf = make([]byte, 0, max(wire.HeaderSize+p.BlockSize, 512))
	return verdict{}, true
}

// exchange moves packets until the machine says that the transfer is over.
func (t *transfer) exchange() (boot.Reason, string) {
	in := make([]byte, 600) // a client sends ACKs and ERRORs only
	t.m.started = t.began
	do := t.m.step(t.began, input{kind: begin})
	t.shown = t.began
	if len(t.granted) > 0 {
		t.tell(boot.OptionsSent, func(ev *boot.Event) { ev.Options = wire.FormatOptions(t.granted) })
	}
	for {
		if why, detail := t.perform(do); why != "" {
			return why, detail
		}
		what, why, detail := t.next(in, do.deadline)
		if why != "" {
			return why, detail
		}
		now := time.Now()
		acked := t.m.acked
		do = t.m.step(now, what)
		switch {
		case do.end == boot.ClientError, do.end == boot.TsizeProbe:
			return do.end, fmt.Sprintf("%s: %q, %s", what.code, what.text, t.position())
		case do.end == boot.Timeout:
			return do.end, t.stuck(now)
		case do.end != "":
			return do.end, ""
		case t.m.acked > acked:
			if t.moved.Load() == 0 {
				t.s.running.heard(t)
			}
			t.moved.Store(now.UnixNano())
			t.progress(now)
		}
	}
}

// isRefused and isHopeless sort what a send or a receive returns. The rest is a lost packet, which
// the timer repeats: a full queue, a link that is down for a moment, a firewall.
func isRefused(err error) bool { return errors.Is(err, unix.ECONNREFUSED) }

func isHopeless(err error) bool {
	return errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.EINVAL) || errors.Is(err, net.ErrClosed)
}
