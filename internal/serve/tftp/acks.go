package tftp

import (
	"time"

	"surefoot/internal/boot"
)

// onAck moves on, or back: an ACK within the window says that the block after it was lost (RFC
// 7440 section 4). A repeated ACK is not answered, or a duplicated packet would double all that
// follow it: the Sorcerer's Apprentice (RFC 1123 4.2.3.1).
func (s *sender) onAck(now time.Time, block uint16) output {
	// The distance is 16 bits with a sign: behind is a late duplicate, ahead must have been sent.
	n := s.acked + int64(int16(block-uint16(s.acked)))
	switch {
	case n < 0 || n > s.sent:
		s.badBlocks++
		return s.idle()
	case n < s.acked:
		return s.idle()
	case n == s.acked:
		if !s.explained() && s.firstLost(now) {
			s.jumped = true
			return s.backTo(now, s.acked)
		}
		return s.idle()
	}
	if n >= s.fresh { // else it may answer either of two sendings (Karn)
		s.wait.measure(now.Sub(s.lastTx))
	}
	for len(s.ends) > 0 && s.ends[0] < n {
		s.ends = s.ends[1:]
	}
	if len(s.ends) == 0 { // what caused this ACK left after all that was sent twice
		s.echoes = 0
	}
	if d := now.Sub(s.heard); d > s.pause {
		s.pause, s.pauseAt = d, s.acked+1
	}
	s.acked, s.heard, s.jumped, s.probed, s.stalled = n, now, false, false, false
	if n >= 1 && s.firstBlock == 0 {
		s.firstBlock = now.Sub(s.started)
	}
	if n == s.last {
		return finish(boot.Done)
	}
	s.wait.settle()
	switch {
	case n == s.sent:
		return s.window(now)
	case n < s.fresh && s.echo(now):
		return s.extend(now)
	}
	return s.backTo(now, n)
}

// echo reports whether an ACK within the window was caused by blocks that came twice rather than
// by a loss. Many clients acknowledge what they have when they see a block again; to go back for
// such an ACK makes the next blocks come twice, and so on for ever. It is an ACK of all that had been
// sent before a repetition, or one that comes too early to be about the last one.
func (s *sender) echo(now time.Time) bool {
	return len(s.ends) > 0 && s.ends[0] == s.acked || now.Sub(s.lastTx) < s.wait.soonest()
}

// explained reports whether a repeated ACK is what blocks that came twice or out of turn are
// expected to cause: many clients acknowledge each of these (EDK2 does). It is a matter of counting
// and not of time, since a slow client takes its time for each.
func (s *sender) explained() bool {
	if s.echoes == 0 || s.acked < s.echoed {
		return false
	}
	s.echoes--
	return true
}

// expect notes that up to n ACKs of block from or a later one may come without news.
func (s *sender) expect(n, from int64) {
	if s.echoes == 0 {
		s.echoed = from
	}
	s.echoes += int(n)
}

// firstLost reports whether a repeated ACK tells that the first block of the window was lost: in
// windows only, once, and not before an answer to this window can be here, since an earlier
// duplicate causes such an ACK as well.
func (s *sender) firstLost(now time.Time) bool {
	return s.profile.WindowSize > 1 && !s.jumped && s.sent > s.acked && now.Sub(s.lastTx) >= s.wait.soonest()
}

// again repeats what is not acknowledged, after silence. Should the client have it after all, it may
// acknowledge each block once more.
func (s *sender) again(now time.Time) output {
	s.expect(s.sent-s.acked, s.acked+1)
	return s.repeat(now)
}

// backTo repeats what follows block n, since the client says that it has no more. Each block that was
// under way then comes out of turn or twice, and may bring the same ACK once more.
func (s *sender) backTo(now time.Time, n int64) output {
	s.expect(s.sent-n, n)
	return s.repeat(now)
}

func (s *sender) repeat(now time.Time) output {
	s.mark()
	s.retransmits += int(s.sent - s.acked)
	return s.window(now)
}

// mark notes up to where everything was sent when something is sent again.
func (s *sender) mark() {
	if len(s.ends) == 0 || s.ends[len(s.ends)-1] < s.sent {
		s.ends = append(s.ends, s.sent)
	}
}

// probe sends the last block of a window once more, well before the wait is over, since the loss of
// a window's end shows in nothing but silence. The client has it already, and acknowledges the
// window again, or sees the gap and says so; both within a round trip (the tail loss probe of RFC
// 8985 section 7; to RFC 7440 it is a block that came twice).
func (s *sender) probe() output {
	s.probed, s.fresh = true, s.sent+1
	s.expect(1, s.sent)
	s.mark()
	s.retransmits++
	return output{from: s.sent, to: s.sent, deadline: s.deadline()}
}
