package tftp

import "time"

// A content that still comes, as the relay has it, may have less than the window that is to be
// sent. Then nothing is under way, nothing is to be sent again, and the wait is none of the client's:
// neither its patience nor its round trip is measured by it. A file's sender is never here.

const (
	// unknownLast is the number of the last block while the size is not known.
	unknownLast = int64(1) << 40
	// starveLook is how often a sender that has nothing to send looks up by itself.
	starveLook = time.Hour
)

// starves reports whether everything sent was acknowledged, and the next block is not there.
func (s *sender) starves() bool {
	return s.acked >= 0 && s.sent == s.acked && s.sent < s.last && s.have < s.last
}

// needs returns the block that has to be there before more can be sent, 0 if none.
func (s *sender) needs() int64 {
	if full := min(s.acked+int64(s.profile.WindowSize), s.last); s.acked >= 0 && s.sent < full && s.have < full {
		return full
	}
	return 0
}

// part is window where not all of it is there. A window that nothing was sent of waits until it is
// whole: to a client, a part of a window followed by silence is a loss. What was sent already is
// sent again.
func (s *sender) part(now time.Time) output {
	if s.lastTx = now; s.sent <= s.acked {
		return s.idle()
	}
	s.fresh = s.sent + 1
	return output{from: s.acked + 1, to: s.sent, deadline: s.deadline()}
}

// onFilled goes on when more is there.
func (s *sender) onFilled(now time.Time) output {
	switch {
	case s.acked < 0: // the OACK comes first
	case s.sent == s.acked:
		s.heard = now
		return s.window(now)
	case s.sent < min(s.acked+int64(s.profile.WindowSize), s.last, s.have):
		return s.extend(now)
	}
	return s.idle()
}
