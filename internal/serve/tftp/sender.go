package tftp

import (
	"strings"
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/tftp"
)

const (
	// giveUp is how long a client may make no progress. EDK2 itself gives up after 24 s.
	giveUp = 25 * time.Second
	// patience is how many of its own time-outs a client gets that told us its time-out, if that is
	// longer.
	patience       = 4
	longestTimeout = 10 * time.Second
	// stallAfter is how long a client must acknowledge nothing for its transfer to stand still: longer
	// than a lost packet costs, shorter than firmware's own patience of 4 s and more.
	stallAfter = time.Second
)

// input is what happens to a transfer.
type input struct {
	kind  inputKind
	block uint16         // ack
	code  wire.ErrorCode // clientError
	text  string         // clientError
}

type inputKind uint8

const (
	begin       inputKind = iota
	ack                   // an ACK of the client
	clientError           // an ERROR of the client
	tick                  // the deadline passed
	filled                // have or last became known, or grew
)

// output is what is to be done: send the OACK, or the blocks from..to (none if to < from), or
// end. The next tick is due at deadline.
type output struct {
	oack     bool
	from, to int64
	end      boot.Reason // "" while the transfer goes on
	stalled  bool        // the client has acknowledged nothing for stallAfter; once in each pause
	deadline time.Time
}

// sender is a transfer as a pure machine over (size, profile, block): no socket, no clock, no
// file, so that any node could go on with it. The OACK counts as block 0. Blocks are numbered
// without the wrap: number 65536 travels as 0 (F27).
type sender struct {
	profile wire.Profile
	first   int64 // number of the first packet: 0 with an OACK, else 1
	last    int64 // number of the last block, which is short or empty; unknownLast: not known yet
	have    int64 // every block up to here can be sent: last, but for a content that still comes
	tsize   bool  // the client was told the size

	acked   int64 // every block up to here has arrived; -1: not even the OACK
	sent    int64 // the highest block sent
	started time.Time
	heard   time.Time // the last progress
	lastTx  time.Time // the last time something was sent
	wait    rto
	ending  string  // see quirk
	fresh   int64   // the lowest block that left for the first time at lastTx
	ends    []int64 // the highest block sent, at each time that something was sent again; below acked: forgotten
	jumped  bool    // a repeated ACK has been answered already in this window
	probed  bool    // the last block of this window was sent again already, see probe
	echoes  int     // repeated ACKs of echoed and above that are no news, see explained
	echoed  int64

	retransmits int
	badBlocks   int           // ACKs of blocks that were never sent
	firstBlock  time.Duration // begin to the first acknowledged block; 0: none yet
	pause       time.Duration // the longest time without progress
	pauseAt     int64         // the block that was waited for then; 0: the OACK
	stalled     bool          // the present pause is a stall
}

// newSender makes the machine for size bytes of content. oack says that options are granted.
func newSender(size int64, p wire.Profile, oack, tsize bool) *sender {
	last := size/int64(p.BlockSize) + 1
	s := &sender{profile: p, first: 1, last: last, have: last, tsize: tsize, wait: newRTO(p.Timeout, manners{})}
	if oack {
		s.first, s.acked = 0, -1
	}
	s.sent = s.acked
	return s
}

// mind has the sender do what is known to suit its client. It is called before the first step.
func (s *sender) mind(m manners) {
	s.wait, s.ending = newRTO(s.profile.Timeout, m), m.ending
}

// step takes one input and says what to do.
func (s *sender) step(now time.Time, in input) output {
	switch in.kind {
	case begin:
		s.heard = now
		if s.started.IsZero() { // else the request came before its file was open
			s.started = now
		}
		return s.window(now)
	case ack:
		return s.onAck(now, in.block)
	case clientError:
		if s.asksSizeOnly(in) || s.looksOnly(in) {
			return finish(boot.TsizeProbe)
		}
		return finish(boot.ClientError)
	case filled:
		return s.onFilled(now)
	}
	if now.Before(s.deadline()) {
		return s.idle() // an alarm that came early
	}
	if now.Sub(s.heard) >= s.limit() {
		return finish(boot.Timeout)
	}
	if now.Before(s.lastTx.Add(s.wait.now)) {
		return s.probe()
	}
	s.probed = true // from now on it is a matter of patience
	if s.acked < s.first && s.retransmits >= freeTries {
		s.wait.backOff()
	} else {
		s.wait.double()
	}
	o := s.again(now)
	if !s.stalled && now.Sub(s.heard) >= stallAfter {
		s.stalled, o.stalled = true, true
	}
	return o
}

// asksSizeOnly recognises the end of a size query: EDK2 aborts with code 8 "User aborted the
// transfer" as soon as it has seen the size and comes back with another request (F25); others
// do so with code 0.
func (s *sender) asksSizeOnly(in input) bool {
	if !s.tsize || s.acked > 0 {
		return false
	}
	return in.code == wire.ErrNegotiation ||
		in.code == wire.ErrUndefined && (in.text == "" || strings.Contains(strings.ToLower(in.text), "abort"))
}

// looksOnly recognises the words with which a client ends a look at the file, at any block.
func (s *sender) looksOnly(in input) bool {
	return s.ending != "" && in.code == wire.ErrUndefined && strings.Contains(strings.ToLower(in.text), s.ending)
}

// extend sends what completes the client's window, which begins after its ACK, and nothing that is
// under way.
func (s *sender) extend(now time.Time) output {
	o := output{from: s.sent + 1, to: min(s.acked+int64(s.profile.WindowSize), s.last, s.have)}
	s.fresh = s.sent + 1
	s.sent, s.lastTx = max(s.sent, o.to), now
	o.deadline = s.deadline()
	return o
}

// window sends what follows the last acknowledged block, or the OACK.
func (s *sender) window(now time.Time) output {
	if s.acked >= 0 && min(s.acked+int64(s.profile.WindowSize), s.last) > s.have {
		return s.part(now)
	}
	s.lastTx, s.fresh = now, s.sent+1
	if s.acked < 0 {
		s.sent = 0
		return output{oack: true, to: -1, deadline: s.deadline()}
	}
	s.sent = max(s.sent, min(s.acked+int64(s.profile.WindowSize), s.last))
	return output{from: s.acked + 1, to: s.sent, deadline: s.deadline()}
}

// longestPause returns the longest time without progress until now, and the block that was waited for.
func (s *sender) longestPause(now time.Time) (time.Duration, int64) {
	if d := now.Sub(s.heard); d > s.pause && s.acked < s.last && !s.heard.IsZero() {
		return d, s.acked + 1
	}
	return s.pause, s.pauseAt
}

// packets is how many were sent, OACK and repetitions included.
func (s *sender) packets() int64 { return s.sent - s.first + 1 + int64(s.retransmits) }

func (s *sender) idle() output { return output{to: -1, deadline: s.deadline()} }

func (s *sender) deadline() time.Time {
	if s.starves() {
		return s.lastTx.Add(starveLook)
	}
	if soon := s.wait.probe(); s.profile.WindowSize > 1 && !s.probed && s.acked >= 0 && soon < s.wait.now {
		return s.lastTx.Add(soon)
	}
	return s.lastTx.Add(s.wait.now)
}

// limit is how long the client may make no progress.
func (s *sender) limit() time.Duration {
	return max(giveUp, patience*min(s.profile.Timeout, longestTimeout))
}

func finish(why boot.Reason) output { return output{to: -1, end: why} }
