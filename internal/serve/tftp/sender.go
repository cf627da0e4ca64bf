package tftp

import (
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/tftp"
)

// Retransmission. A client's own patience is 1 s and more, so the server must be faster (F27): the
// first wait is short because a lost block costs the client nothing then, and no wait is longer
// than maxRTO, which is also the smallest value of the option timeout.
const (
	firstRTO = 300 * time.Millisecond
	minRTO   = 50 * time.Millisecond
	maxRTO   = time.Second
	giveUp   = 25 * time.Second // without progress; EDK2 itself gives up after 24 s
)

// input is what happens to a transfer.
type input struct {
	kind  inputKind
	block uint16         // ack
	code  wire.ErrorCode // clientError
}

type inputKind uint8

const (
	begin       inputKind = iota
	ack                   // an ACK of the client
	clientError           // an ERROR of the client
	tick                  // the deadline passed
)

// output is what is to be done: send the OACK, or the blocks from..to (none if to < from), or
// end. The next tick is due at deadline.
type output struct {
	oack     bool
	from, to int64
	end      boot.Reason // "" while the transfer goes on
	deadline time.Time
}

// sender is a transfer as a pure machine over (size, profile, block): no socket, no clock, no
// file. The OACK counts as block 0. Blocks are numbered without the wrap at 65535.
type sender struct {
	profile wire.Profile
	last    int64 // number of the last block: short, or empty
	tsize   bool  // the client asked for the size
	acked   int64 // every block up to here has arrived; -1: not even the OACK
	sent    int64 // the highest block sent
	started time.Time
	heard   time.Time // the last progress
	lastTx  time.Time // the last packet sent
	rto     rto
	resent  bool // the blocks in flight include repeated ones: no measurement (Karn)

	retransmits int
	badBlocks   int
	firstBlock  time.Duration // begin to the first acknowledged block; 0: none yet
}

// newSender makes the machine for size bytes of content. oack says that options are granted.
func newSender(size int64, p wire.Profile, oack, tsize bool) *sender {
	s := &sender{profile: p, last: size/int64(p.BlockSize) + 1, tsize: tsize, rto: rto{now: firstRTO}}
	if oack {
		s.acked = -1
	}
	s.sent = s.acked
	return s
}

// step takes one input and says what to do.
func (s *sender) step(now time.Time, in input) output {
	switch in.kind {
	case begin:
		s.started, s.heard = now, now
		return s.window(now)
	case ack:
		return s.ack(now, in.block)
	case clientError:
		// EDK2 asks for the size, ends the transfer with "User aborted", and comes back (F25).
		if s.tsize && s.acked <= 0 {
			return output{to: -1, end: boot.TsizeProbe}
		}
		return output{to: -1, end: boot.ClientError}
	}
	if now.Sub(s.heard) >= giveUp {
		return output{to: -1, end: boot.Timeout}
	}
	s.rto.double()
	return s.again(now)
}

// ack moves on. An acknowledgement within the window means that what follows it was lost
// (RFC 7440 section 3), one of the block before the window that its first block was. At
// windowsize 1 a repeated acknowledgement is never answered: that is the Sorcerer's Apprentice
// (RFC 1123 4.2.3.1).
func (s *sender) ack(now time.Time, block uint16) output {
	ahead := int64(block - uint16(s.acked)) // modulo 65536: the number wraps to 0 (F27)
	switch {
	case ahead == 0 && s.profile.WindowSize > 1 && s.acked > 0 && now.Sub(s.lastTx) > s.rto.rtt():
		return s.again(now)
	case ahead == 0:
		return s.wait()
	case s.acked+ahead > s.sent:
		if ahead < 1<<15 { // else an old one that comes late
			s.badBlocks++
		}
		return s.wait()
	}
	if !s.resent {
		s.rto.measure(now.Sub(s.lastTx))
	}
	s.acked += ahead
	s.heard = now
	if s.acked >= 1 && s.firstBlock == 0 {
		s.firstBlock = now.Sub(s.started)
	}
	if s.acked == s.last {
		return output{to: -1, end: boot.Done}
	}
	s.resent = s.acked < s.sent // what follows goes out once more
	if s.resent {
		s.retransmits += int(s.sent - s.acked)
	}
	return s.window(now)
}

// window sends what follows the last acknowledged block.
func (s *sender) window(now time.Time) output {
	s.lastTx = now
	if s.acked < 0 {
		s.sent = 0
		return output{oack: true, to: -1, deadline: now.Add(s.rto.now)}
	}
	s.sent = min(s.acked+int64(s.profile.WindowSize), s.last)
	return output{from: s.acked + 1, to: s.sent, deadline: now.Add(s.rto.now)}
}

// again repeats what is not acknowledged.
func (s *sender) again(now time.Time) output {
	s.resent = true
	s.retransmits += max(1, int(s.sent-s.acked))
	return s.window(now)
}

func (s *sender) wait() output { return output{to: -1, deadline: s.lastTx.Add(s.rto.now)} }

// rto is the retransmission timeout: RFC 6298's estimate within our bounds.
type rto struct {
	now           time.Duration
	smooth, vary  time.Duration
	sampleCounted bool
}

func (r *rto) measure(sample time.Duration) {
	if !r.sampleCounted {
		r.smooth, r.vary, r.sampleCounted = sample, sample/2, true
	} else {
		diff := r.smooth - sample
		if diff < 0 {
			diff = -diff
		}
		r.vary = (3*r.vary + diff) / 4
		r.smooth = (7*r.smooth + sample) / 8
	}
	r.now = min(max(r.smooth+4*r.vary, minRTO), maxRTO)
}

func (r *rto) double() { r.now = min(2*r.now, maxRTO) }

// rtt is how long an answer takes at least.
func (r *rto) rtt() time.Duration {
	if !r.sampleCounted {
		return firstRTO
	}
	return r.smooth
}
