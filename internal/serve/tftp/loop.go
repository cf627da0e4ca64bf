package tftp

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/rate"
	wire "surefoot/internal/wire/tftp"
)

// loop is one goroutine with its own request socket, which no other goroutine's packets wait for
// and which the runtime's poller does not know. It alone touches the transfers whose requests
// came there; others leave it a note.
type loop struct {
	s    *Server
	sock *requestSocket
	mail mailbox
	ep   int // epoll(7)

	slots   []*transfer            // by the number that epoll tells
	free    []int32                // of slots
	peers   map[ends]*transfer     // in single-port mode, instead of slots; else nil
	full    []*transfer            // in single-port mode: those that wait for room in the socket
	queue   map[*transfer]struct{} // those that wait for a place
	alarms  alarms
	live    int // transfers, with those being opened
	opening int
	closing bool // no new requests

	batch   batch
	events  [64]unix.EpollEvent
	in      [600]byte // a client sends ACKs and ERRORs only
	from    sockaddr
	out     window
	sent    int       // bytes since requests were looked for
	busy    time.Time // the last time that something happened
	yielded time.Time
	asked   bool // the workers got something to do since the last yield

	refusals *rate.Keyed[netip.Addr]

	local     netip.Addr // the address that was asked last, and its name
	localName string
}

// refusalRate is how many ERRORs the request port sends to one address: many machines may ask
// for missing files from behind one, and more would only serve to trouble somebody else.
func refusalRate() rate.Rate { return rate.Rate{PerSecond: 200, Burst: 1000} }

// maxRefused is how many addresses that were refused each of two generations remembers.
const maxRefused = 8192

// Slots that are no transfers.
const (
	slotRequests = -1
	slotMail     = -2
)

const (
	// sentPerTurn bounds the DATA, in bytes, between two looks at the request port.
	sentPerTurn = 1 << 20
	// nap is how long the loop keeps its processor (of Go's scheduler) while it waits for packets of
	// running transfers. A client in lock-step answers within that, and giving the processor away and
	// getting it back costs more than the answer: see wait.
	nap = time.Millisecond
	// yieldEvery bounds how long a loop without a pause keeps the processor from other goroutines.
	yieldEvery = time.Millisecond
)

func newLoop(s *Server, sock *requestSocket) (*loop, error) {
	l := &loop{s: s, sock: sock, ep: -1, refusals: rate.NewKeyed[netip.Addr](refusalRate(), maxRefused)}
	if s.cfg.Ports.Single {
		l.peers = map[ends]*transfer{}
	}
	var err error
	if l.mail.bell, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return nil, fmt.Errorf("tftp: eventfd: %w", err)
	}
	if l.ep, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		l.close()
		return nil, fmt.Errorf("tftp: epoll: %w", err)
	}
	if err = errors.Join(l.watch(sock.fd, slotRequests, unix.EPOLLIN), l.watch(l.mail.bell, slotMail, unix.EPOLLIN)); err != nil {
		l.close()
		return nil, fmt.Errorf("tftp: epoll: %w", err)
	}
	return l, nil
}

func (l *loop) close() {
	l.mail.mu.Lock()
	defer l.mail.mu.Unlock()
	for _, fd := range []int{l.ep, l.mail.bell} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
	l.ep, l.mail.bell = -1, -1
}

func (l *loop) watch(fd int, slot int32, events uint32) error {
	return unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: slot})
}

// run serves until it was told to close and the last transfer has ended, or until the request
// socket fails for good. It is not locked to its thread: that measured no faster, and made each
// turn of another goroutine on the same processor a switch of threads (500 clients: p99 57 to 60
// instead of 53 ms).
func (l *loop) run() error {
	defer l.close()
	defer l.sock.close()
	var fatal error
	for failures := 0; !l.closing || l.live > 0 || l.stays(); {
		err := l.once()
		if err == nil {
			failures = 0
			continue
		}
		// No memory for a moment; a socket that fails for ever is a broken one.
		if failures++; failures == 100 {
			fatal = fmt.Errorf("tftp: read requests at %s: %w", l.s.addr, err)
			l.s.abandon()
		}
	}
	return fatal
}

// once waits for something and works on it.
func (l *loop) once() error {
	events := l.wait()
	l.readMail()
	l.ring()
	return l.turn(events)
}

// turn works on what is ready: requests first.
func (l *loop) turn(events []unix.EpollEvent) error {
	var err error
	for i := range events {
		if events[i].Fd == slotRequests && events[i].Events&unix.EPOLLOUT != 0 {
			l.room()
		}
		if events[i].Fd == slotRequests || len(events) == len(l.events) {
			err = l.accept()
			break
		}
	}
	for i := range events {
		ev := &events[i]
		if ev.Fd < 0 {
			continue
		}
		if t := l.slots[ev.Fd]; t != nil { // else it ended in this turn
			l.serve(t, ev.Events)
		}
		if l.sent >= sentPerTurn {
			l.sent = 0
			err = errors.Join(err, l.accept())
		}
	}
	return err
}

// wait returns what is ready. It looks without sleeping first, since under load something always
// is. Then it looks again and again for Config.BusyPoll: waking up a core takes 39 us where the
// work takes 5, which is all that counts with one client. Then it naps, and at last it sleeps.
func (l *loop) wait() []unix.EpollEvent {
	l.yield()
	if n := epollNow(l.ep, l.events[:], 0); n > 0 {
		l.busy = time.Time{}
		return l.events[:n]
	}
	now := time.Now()
	if l.busy.IsZero() {
		l.busy = now
	}
	sleep := time.Hour
	if due, ok := l.alarms.next(); ok {
		sleep = due.Sub(now)
	}
	if l.closing && l.peers != nil {
		sleep = min(sleep, lookAround)
	}
	l.mail.sleeps.Store(true)
	defer l.mail.sleeps.Store(false)
	if sleep <= 0 || l.mail.waits.Load() {
		return nil
	}
	active := len(l.alarms) > 0 && l.opening == 0
	if poll := l.s.cfg.BusyPoll; active && poll > 0 {
		for end := now.Add(min(poll, sleep)); time.Now().Before(end); {
			if n := epollNow(l.ep, l.events[:], 0); n > 0 {
				l.busy = time.Time{}
				return l.events[:n]
			}
		}
	}
	if active && now.Sub(l.busy) < nap && sleep > nap {
		n := epollNow(l.ep, l.events[:], nap)
		if n > 0 {
			l.busy = time.Time{}
		}
		return l.events[:n]
	}
	n, err := unix.EpollWait(l.ep, l.events[:], int((sleep+time.Millisecond-1)/time.Millisecond))
	if err != nil { // a signal
		n = 0
	}
	l.busy, l.yielded = time.Time{}, time.Now()
	return l.events[:n]
}

// yield lets other goroutines have the processor: the workers as soon as they have something to
// do, all others now and then.
func (l *loop) yield() {
	now := time.Now()
	if l.asked || now.Sub(l.yielded) > yieldEvery {
		l.asked = false
		runtime.Gosched()
		l.yielded = now
	}
}

// ring works on the alarms that are due.
func (l *loop) ring() {
	now := time.Now()
	for t := l.alarms.ring(now); t != nil; t = l.alarms.ring(now) {
		l.alarm(t, now)
	}
}

// begin takes over a transfer whose file is open.
func (l *loop) begin(t *transfer) error {
	t.begun = true
	t.to = sockaddrOf(t.ends.client)
	t.packet = wire.HeaderSize + t.m.profile.BlockSize
	if l.peers != nil {
		t.from = sourceControl(t.ends.local)
		l.peers[t.ends] = t
		return nil
	}
	return l.occupy(t)
}

// occupy watches a transfer's own socket.
func (l *loop) occupy(t *transfer) error {
	t.slot = int32(len(l.slots))
	if n := len(l.free); n > 0 {
		t.slot, l.free = l.free[n-1], l.free[:n-1]
	} else {
		l.slots = append(l.slots, nil)
	}
	l.slots[t.slot] = t
	return l.watch(t.fd, t.slot, unix.EPOLLIN)
}

// drop forgets a transfer.
func (l *loop) drop(t *transfer) {
	if t.over {
		return
	}
	t.over = true
	l.live--
	l.alarms.clear(t)
	l.unwait(t)
	if l.peers[t.ends] == t {
		delete(l.peers, t.ends)
	}
	if t.slot >= 0 {
		l.slots[t.slot] = nil
		l.free = append(l.free, t.slot)
	}
	if t.fd >= 0 {
		_ = unix.Close(t.fd) // epoll forgets it by itself
	}
	if t.disk == nil || !t.disk.busy { // else the worker's note comes
		t.closeFile()
	}
	l.s.running.remove(t)
}
