package storm

import (
	"time"

	"golang.org/x/sys/unix"
)

// runner drives the clients of a run: it owns all sockets, and everything happens on its thread.
type runner struct {
	cfg      Config
	profiles []*profile
	poll     *poller
	batch    *batch
	slots    []slot
	free     []int // slots without a download, the next one first
	timers   timers
	start    time.Time
	active   time.Duration // when a packet came or went last
	idle     time.Duration // spent waiting
	told     time.Duration
	begun    int
	total    int // 0: as many as fit in Duration
	log      *record
}

func newRunner(cfg Config, want []byte) (*runner, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	r := &runner{cfg: cfg, profiles: cfg.profiles(), poll: p, batch: newBatch(), total: cfg.total(), log: newRecord(cfg, want)}
	r.slots = make([]slot, cfg.Clients)
	from := sources(cfg.From, cfg.Server.Addr())
	for i := range r.slots {
		s := &r.slots[i]
		s.fd, s.addr = -1, from(i)
		s.client.content = newContent(want)
	}
	for i := range r.slots {
		if err := r.open(i); err != nil {
			r.close()
			return nil, &SocketError{Client: i, Err: err}
		}
		r.free = append(r.free, i)
	}
	return r, nil
}

func (r *runner) close() {
	for i := range r.slots {
		if fd := r.slots[i].fd; fd >= 0 {
			_ = unix.Close(fd)
		}
	}
	_ = unix.Close(r.poll.fd)
}

func (r *runner) now() time.Duration { return time.Since(r.start) }

func (r *runner) running() int { return len(r.slots) - len(r.free) }
