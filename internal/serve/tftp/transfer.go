package tftp

import (
	"container/list"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	"surefoot/internal/files"
	wire "surefoot/internal/wire/tftp"
)

// transfer is one download: the machine, its socket and its content. Its loop owns everything
// but the atomic fields, place, and what a worker has been given for a while. It takes about 1 KiB.
type transfer struct {
	s       *Server
	l       *loop
	ends    ends
	request string // the packet as it came
	asked   wire.Request
	began   time.Time
	tale    tale     // what all its events have in common
	refusal *verdict // why the file could not be opened
	up      *upload  // the client sends the file; upload.go says who has it when

	data    []byte // the whole content, shared with others; nil: from content or disk
	content content
	disk    *disk
	stream  Content     // from a Source, instead of all these
	awaits  bool        // the stream will tell when there is more
	file    *files.File // open while data is nil
	size    int64       // of the content
	granted []wire.Option
	m       *sender

	fd       int   // -1: none yet, or the request socket's in single-port mode
	slot     int32 // in the loop; -1 before it has one
	begun    bool  // the loop serves it
	over     bool
	plain    bool // windows leave block by block: UDP_SEGMENT was refused
	writable bool // waits for room in the socket
	packet   int  // bytes of a full DATA packet
	to       sockaddr
	from     []byte // the control message that says from which address; nil: the socket knows
	todo     output // what is still to be sent of what the machine wanted

	due       time.Time // of the alarm
	alarm     int       // its place in the loop's alarms
	grace     time.Time // an interrupted transfer ends here
	shown     time.Time // the last Progress event
	strangers int
	tries     int   // of the present packet
	waits     bool  // for a place: nothing is opened yet
	sendErr   error // the last one, for the story

	booking

	moved   atomic.Int64 // when the client last made progress, in Unix nanoseconds
	stopped atomic.Int32 // an interruption
}

// booking is what the registry notes of a transfer; its lock guards it.
type booking struct {
	account *source       // while it runs or waits
	place   *list.Element // among those that wait, or those that run in silence
	queued  bool          // it waits
	placed  time.Time     // when it began to run
	live    bool          // admitted and not removed
}

func newTransfer(l *loop, e ends, now time.Time) *transfer {
	return &transfer{s: l.s, l: l, ends: e, began: now, fd: -1, slot: -1, alarm: none, todo: output{to: -1}}
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

// interrupt asks the transfer's loop to end it. It may be called from any goroutine.
func (t *transfer) interrupt(why interruption) {
	if t.stopped.CompareAndSwap(0, int32(why)) && t.l != nil {
		t.l.post(note{t: t, kind: interrupted})
	}
}

// stale reports whether a transfer has stood still since it last moved.
func (t *transfer) stale(now time.Time) bool {
	moved := t.moved.Load()
	return moved != 0 && now.Sub(time.Unix(0, moved)) >= staleAfter
}

// contain is deferred around everything that happens to a transfer: a fault costs that client its
// transfer and nobody else.
func (l *loop) contain(t *transfer) {
	if p := recover(); p != nil {
		l.fault(t, p)
	}
}

func (l *loop) fault(t *transfer, p any) {
	defer l.drop(t)
	defer func() { _ = recover() }() // whoever listens to events may be the fault
	l.s.deps.Log.Error("fault in a transfer", "role", Role, "file", t.asked.File, "panic", p, "stack", string(debug.Stack()))
	t.end(boot.Panicked, fmt.Sprint(p))
}

// start begins a transfer, or refuses it, when the worker is done.
func (l *loop) start(t *transfer, fault any) {
	defer l.contain(t)
	if fault != nil {
		l.fault(t, fault)
		return
	}
	if t.refusal != nil {
		l.refuse(t, *t.refusal)
		l.drop(t)
		return
	}
	if t.up != nil {
		l.startUpload(t)
		return
	}
	if err := l.begin(t); err != nil {
		l.finish(t, boot.SendFailed, "wait for the socket of the transfer: "+err.Error())
		return
	}
	t.m.started, t.shown = t.began, t.began
	if len(t.granted) > 0 {
		t.tell(boot.OptionsSent, func(ev *boot.Event) { ev.Options = wire.FormatOptions(t.granted) })
	}
	if t.stopped.Load() != 0 {
		l.interrupted(t)
		return
	}
	l.step(t, time.Now(), input{kind: begin})
}

// finish ends a transfer and tells the story.
func (l *loop) finish(t *transfer, why boot.Reason, detail string) {
	t.end(why, detail)
	l.drop(t)
}

// step lets the machine work on an input, and does what it says.
func (l *loop) step(t *transfer, now time.Time, in input) {
	acked := t.m.acked
	var short error // why a stream ends early
	if t.stream != nil {
		short = t.refill()
	}
	do := t.m.step(now, in)
	switch {
	case do.end == boot.ClientError, do.end == boot.TsizeProbe:
		l.finish(t, do.end, fmt.Sprintf("%s: %q, %s", in.code, in.text, t.position()))
		return
	case do.end == boot.Timeout:
		l.finish(t, do.end, t.stuck(now))
		return
	case do.end != "":
		l.finish(t, do.end, "")
		return
	case t.m.acked > acked:
		if t.moved.Load() == 0 {
			l.s.running.heard(t)
		}
		t.moved.Store(now.UnixNano())
		t.progress(now)
	case do.stalled:
		t.stalled(now)
	}
	if t.grace.IsZero() {
		l.alarms.set(t, do.deadline)
		t.want(do)
		l.flush(t)
		if t.stream != nil && !t.over {
			l.attend(t, short)
		}
	}
}

// serve works on what epoll tells of a transfer's socket: one packet, so that none comes short.
func (l *loop) serve(t *transfer, events uint32) {
	defer l.contain(t)
	if t.up != nil {
		l.dally(t, events)
		return
	}
	if events&unix.EPOLLERR != 0 && closedPort(t.fd, &t.to) {
		l.departed(t)
		return
	}
	if events&unix.EPOLLOUT != 0 {
		l.flush(t)
	}
	if events&unix.EPOLLIN != 0 && !t.over {
		l.receive(t)
	}
}

func (l *loop) receive(t *transfer) {
	n, err := recvFrom(t.fd, l.in[:], &l.from)
	switch {
	case err == errAgain:
		return
	case err != nil && isRefused(err):
		if closedPort(t.fd, &t.to) {
			l.departed(t)
		}
		return
	case err != nil && isHopeless(err):
		l.finish(t, boot.SendFailed, "read from the socket of the transfer: "+err.Error())
		return
	case err != nil:
		return // an ICMP message that may pass: the timer decides
	}
	if !l.from.same(&t.to) {
		t.stranger(l.in[:n], &l.from)
		return
	}
	l.hear(t, l.in[:n])
}

// departed ends a transfer whose client has closed its port. Its last words may wait in the socket
// still, the ACK of the last block among them: what was sent again meanwhile met the closed port.
func (l *loop) departed(t *transfer) {
	for range maxWindow {
		n, err := recvFrom(t.fd, l.in[:], &l.from)
		switch {
		case err != nil && isRefused(err):
			_ = closedPort(t.fd, &t.to) // once more
			continue
		case err == nil && l.from.same(&t.to):
			l.hear(t, l.in[:n])
		}
		if t.over {
			return
		}
		if err != nil {
			break
		}
	}
	l.finish(t, boot.ClientGone, t.gone())
}

// hear works on a packet of a transfer's client.
func (l *loop) hear(t *transfer, b []byte) {
	p, err := wire.ParsePacket(b)
	switch {
	case err == nil && p.Op == wire.OpACK:
		l.step(t, time.Now(), input{kind: ack, block: p.Block})
	case err == nil && p.Op == wire.OpERROR:
		l.step(t, time.Now(), input{kind: clientError, code: p.Code, text: p.Message})
	}
	// Anything else is ignored: a packet in the wrong place is never answered (VU#417980).
}

// alarm works on a deadline that passed; it may be an old one.
func (l *loop) alarm(t *transfer, now time.Time) {
	defer l.contain(t)
	switch {
	case t.waits:
		l.wake(t, now)
	case t.up != nil:
		l.dallied(t, now)
	case !t.grace.IsZero():
		l.interrupted(t)
	default:
		l.step(t, now, input{kind: tick})
	}
}

// interrupted ends an interrupted transfer, a replaced one after its grace.
func (l *loop) interrupted(t *transfer) {
	defer l.contain(t)
	why := interruption(t.stopped.Load())
	if t.up != nil {
		if t.slot >= 0 { // it dallies; else it looks for itself
			l.drop(t)
		}
		return
	}
	if t.waits {
		l.leaveQueue(t, why)
		return
	}
	switch why {
	case replaced:
		now := time.Now()
		if t.grace.IsZero() {
			t.grace = now.Add(graceTime)
		}
		if !now.Before(t.grace) {
			l.finish(t, boot.ClientGone, "it began another request from the same port; "+t.position())
			return
		}
		l.alarms.set(t, t.grace)
	case displaced:
		l.finish(t, boot.TooManyTransfers,
			fmt.Sprintf("nothing was acknowledged for %s, and another client needed the place", silentFor))
	case draining:
		_ = l.send(t, wire.AppendError(nil, wire.ErrUndefined, "the server is stopping"))
		l.finish(t, boot.Draining, "the drain timeout passed; "+t.position())
	}
}

// maxStrangers bounds the answers to strangers of one transfer.
const maxStrangers = 8

// stranger answers a packet of somebody whose transfer this is not (RFC 1350 section 4). The
// transfer goes on. An ERROR is never answered.
func (t *transfer) stranger(b []byte, sender *sockaddr) {
	if t.strangers++; t.strangers > maxStrangers {
		return
	}
	from := sender.addrPort()
	t.s.emit(boot.Event{
		Kind: boot.Ignored, Reason: boot.UnknownTID, IP: from.Addr(), Peer: from.String(), Local: t.tale.local,
		Detail: fmt.Sprintf("it came to the port of transfer %d, whose client is %s", t.tale.number, t.ends.client),
	})
	if op, ok := wire.PeekOp(b); ok && op != wire.OpERROR && from.Port() != 0 {
		_ = sendTo(t.fd, wire.AppendError(nil, wire.ErrUnknownTID, "unknown transfer ID"), sender)
	}
}

// isRefused and isHopeless sort what a send or a receive returns. The rest is a lost packet, which
// the timer repeats: a full queue, a link that is down for a moment, a firewall.
func isRefused(err error) bool { return errors.Is(err, unix.ECONNREFUSED) }

func isHopeless(err error) bool {
	return errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EBADF)
}
