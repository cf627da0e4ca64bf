package tftp

import (
	"fmt"
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/tftp"
)

// busyText is what a client is told that finds no place.
const busyText = "server busy, try again later"

// lookEvery is how often a request that waits looks whether somebody makes room for it.
const lookEvery = time.Second

// enqueue lets a transfer wait: silently, since an ERROR ends the boot of most firmware, and its
// own patience is longer than most waits.
func (l *loop) enqueue(t *transfer, why boot.Reason) {
	t.waits = true
	if l.queue == nil {
		l.queue = map[*transfer]struct{}{}
	}
	l.queue[t] = struct{}{}
	t.tell(boot.Waiting, func(ev *boot.Event) { ev.Reason, ev.Detail = why, l.s.limitText(why) })
	l.alarms.set(t, t.began.Add(min(lookEvery, l.s.cfg.Limits.QueueTime)))
}

// wake looks after a transfer that waits: one that waited too long is refused.
func (l *loop) wake(t *transfer, now time.Time) {
	end := t.began.Add(l.s.cfg.Limits.QueueTime)
	if now.Before(end) {
		if l.s.running.await(t, now) {
			l.alarms.set(t, now.Add(min(lookEvery, end.Sub(now))))
		}
		return
	}
	why, ok := l.s.running.giveUp(t)
	if !ok {
		return // the note that it has a place is under way
	}
	l.refuse(t, verdict{
		reason: why, code: wire.ErrUndefined, text: busyText,
		detail: fmt.Sprintf("it waited %s; %s", l.s.cfg.Limits.QueueTime, l.s.limitText(why)),
	})
	l.drop(t)
}

// enter lets a transfer in whose turn it is.
func (l *loop) enter(t *transfer) {
	defer l.contain(t)
	if t.over {
		return
	}
	l.unwait(t)
	l.alarms.clear(t)
	l.openNow(t)
}

// leaveQueue ends a transfer that waits.
func (l *loop) leaveQueue(t *transfer, why interruption) {
	if why == replaced {
		l.finish(t, boot.ClientGone, "it began another request from the same port while this one waited")
		return
	}
	l.finish(t, boot.Draining, "it waited for a place")
}

func (l *loop) unwait(t *transfer) {
	delete(l.queue, t)
	t.waits = false
}

// closeDoor lets nobody in any more. Who waits is not told: asked again, the closed port says it.
func (l *loop) closeDoor() {
	if !l.closing && l.s.doors.Add(-1) == 0 {
		close(l.s.shut)
	}
	l.closing = true
	if l.peers == nil {
		l.sock.close()
	}
	for t := range l.queue {
		l.leaveQueue(t, draining)
	}
}

// limitText says in words which limit a request met.
func (s *Server) limitText(why boot.Reason) string {
	m := s.cfg.Limits
	switch why {
	case boot.TooManyTransfers:
		return fmt.Sprintf("at most %d run at the same time, and %d wait", m.Transfers, max(0, m.Queue))
	case boot.TooManyOfClient:
		return fmt.Sprintf("at most %d of one client address run at the same time", m.PerClient)
	case boot.TooManyOfNetwork:
		return fmt.Sprintf("at most %d of one network run at the same time", m.PerNetwork)
	case boot.UnprovenClient:
		return fmt.Sprintf("%d of this address run, and it has acknowledged nothing", maxUnproven)
	}
	return ""
}
