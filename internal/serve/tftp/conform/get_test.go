package conform

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// habits are what a downloading client does unlike a good one.
type habits struct {
	lose    func(block int64, time int) bool // pretend that this DATA never came; time counts from 1
	ack     func(c *client, block int64)     // how an ACK leaves; nil: once
	ackAll  bool                             // acknowledges every DATA, as the oldest clients do
	ackDups bool                             // acknowledges what it has when a block comes again
	spur    int64                            // acknowledges this block though the window is not full
	timer   time.Duration                    // when it repeats its request or ACK; 0: 1 s
	limit   time.Duration                    // for the whole; 0: 20 s
}

// result is what a download brought.
type result struct {
	content []byte
	oack    packet
	times   map[int64]int // block → how often it came
	blocks  int64
	took    time.Duration
	gaps    []time.Duration // the waits from a gap's ACK to the missing block
}

// repeated is how many blocks came more than once.
func (r result) repeated() (n int) {
	for _, times := range r.times {
		if times > 1 {
			n++
		}
	}
	return n
}

// refusal is an ERROR of the server.
type refusal struct {
	packet
	after int64 // blocks
}

func (r *refusal) Error() string { return fmt.Sprintf("%s after %d blocks", r.packet, r.after) }

// get downloads as RFC 1350 and 7440 say, but for the habits.
func (c *client) get(req []byte, h habits) (result, error) {
	timer, limit := h.timer, h.limit
	if timer == 0 {
		timer = time.Second
	}
	if limit == 0 {
		limit = 20 * time.Second
	}
	if most := c.a.target.limit; most > 0 {
		limit = min(limit, most)
	}
	ack := func(n int64) {
		if h.ack != nil {
			h.ack(c, n)
			return
		}
		_, _ = c.conn.WriteToUDPAddrPort(ackOf(uint16(n)), c.tid)
	}
	c.forget()
	if _, err := c.conn.WriteToUDPAddrPort(req, c.to); err != nil {
		return result{}, err
	}
	r := result{times: map[int64]int{}}
	begun := time.Now()
	have, acked, inWindow := int64(0), int64(-1), int64(0)
	size, window := 512, int64(1)
	var gapAt time.Time // when the ACK for a gap left
	for {
		if time.Since(begun) > limit {
			return r, fmt.Errorf("stuck after %d blocks and %s", have, limit)
		}
		p, err := c.recv(timer)
		switch {
		case errors.Is(err, errQuiet) && !c.tid.IsValid():
			_, _ = c.conn.WriteToUDPAddrPort(req, c.to)
			continue
		case errors.Is(err, errQuiet):
			if acked >= 0 {
				inWindow = 0
				ack(have)
			}
			continue
		case err != nil:
			return r, err
		case p.from != c.tid:
			continue
		case p.op == opERROR:
			return r, &refusal{p, have}
		case p.op == opOACK && have == 0:
			if r.oack = p; acked < 0 {
				if size, window, err = profile(p); err != nil {
					return r, err
				}
			}
			acked = 0
			ack(0)
			continue
		case p.op == opOACK:
			continue
		case p.op != opDATA:
			return r, fmt.Errorf("%s in a download", p)
		}
		n := have + int64(int16(p.block-uint16(have)))
		r.times[n]++
		if h.lose != nil && h.lose(n, r.times[n]) {
			continue
		}
		switch {
		case n == have+1:
			if !gapAt.IsZero() {
				r.gaps, gapAt = append(r.gaps, time.Since(gapAt)), time.Time{}
			}
			if len(p.data) > size {
				return r, fmt.Errorf("%s: the blocks have %d", p, size)
			}
			have++
			inWindow++
			r.content = append(r.content, p.data...)
			last := len(p.data) < size
			if last || inWindow == window || h.ackAll || have == h.spur {
				if last || inWindow == window {
					inWindow = 0
				}
				acked = have
				ack(have)
			}
			if last {
				r.blocks, r.took = have, time.Since(begun)
				return r, nil
			}
		case n > have+1:
			if gapAt.IsZero() { // one ACK for each gap
				gapAt, inWindow, acked = time.Now(), 0, have
				ack(have)
			}
		case h.ackAll:
			ack(n)
		case h.ackDups:
			inWindow = 0
			ack(have)
		case n == acked: // the ACK was lost
			ack(acked)
		}
	}
}

// profile reads what an OACK means to the client.
func profile(p packet) (size int, window int64, err error) {
	size, window = 512, 1
	if v, ok := p.lookup("blksize"); ok {
		if size, err = strconv.Atoi(v); err != nil {
			return 0, 0, fmt.Errorf("%s: %w", p, err)
		}
	}
	if v, ok := p.lookup("windowsize"); ok {
		if window, err = strconv.ParseInt(v, 10, 32); err != nil || window < 1 {
			return 0, 0, fmt.Errorf("%s: windowsize", p)
		}
	}
	return size, window, nil
}

// fetch is get for a check: the content must be right.
func (c *client) fetch(req, want []byte, h habits) result {
	r, err := c.get(req, h)
	if err != nil {
		c.a.failf("%v", err)
	}
	c.a.same(r.content, want)
	return r
}

// fetchWith is fetch, skipped when the server does not grant an option.
func (c *client) fetchWith(option string, req, want []byte, h habits) result {
	r, err := c.get(req, h)
	var no *refusal
	if _, ok := r.oack.lookup(option); !ok && !errors.As(err, &no) {
		c.a.lacks(option)
	}
	if err != nil {
		c.a.failf("%v", err)
	}
	c.a.same(r.content, want)
	return r
}

// same fails the check if a content is not the one wanted.
func (a *attempt) same(got, want []byte) {
	if bytes.Equal(got, want) {
		return
	}
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	a.failf("wrong content: %d bytes of %d, different from byte %d", len(got), len(want), i)
}
