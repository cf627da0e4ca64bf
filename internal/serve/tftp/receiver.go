package tftp

import (
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/tftp"
)

// receiver is an upload as a pure machine: no socket, no clock, no file. Blocks are numbered
// without the wrap: number 65536 travels as 0 (F27).
type receiver struct {
	profile wire.Profile
	oack    bool  // options were granted: the OACK stands for ACK 0 (RFC 2347)
	most    int64 // bytes that are taken

	got      int64 // every block up to here has arrived
	inWindow int   // blocks since the last ACK that ended a window
	bytes    int64
	over     bool // the last block has arrived
	gap      bool // a gap was told already since the last progress

	started time.Time
	heard   time.Time // the last progress
	lastTx  time.Time // the last ACK
	wait    rto
	resent  bool // the last ACK was sent more than once: its round trip cannot be measured (Karn)

	repeats int           // ACKs sent again
	first   time.Duration // begin to the first block
}

// dally is how long the last ACK is repeated for a client that did not get it (RFC 1350 section
// 6): longer than most clients wait before they send the last block again.
const dally = 3 * time.Second

// order is what an upload is to do: take the block that came, send the ACK of a block or the
// OACK, or end. The next tick is due at deadline.
type order struct {
	take     bool
	last     bool  // what was taken is the end: the file is to be finished before its ACK leaves
	ack      int64 // -1: none
	oack     bool
	end      boot.Reason // "" while the upload goes on
	deadline time.Time
}

func newReceiver(p wire.Profile, oack bool, most int64) *receiver {
	return &receiver{profile: p, oack: oack, most: most, wait: newRTO(p.Timeout, manners{})}
}

// begin answers the request: with the OACK, or ACK 0 (RFC 1350 section 4, RFC 2347).
func (r *receiver) begin(now time.Time) order {
	r.started, r.heard = now, now
	return r.acknowledge(now)
}

// data takes a DATA packet with n bytes of content.
func (r *receiver) data(now time.Time, block uint16, n int) order {
	// The distance is 16 bits with a sign: behind is a copy, ahead is a gap.
	ahead := int64(int16(block - uint16(r.got+1)))
	switch {
	case r.over && ahead == -1, !r.over && ahead == -1 && r.got > 0:
		// The last block once more: its ACK was lost. Copies of older ones say nothing: to
		// acknowledge them would double what follows (RFC 1123 4.2.3.1).
		r.repeats++
		r.resent = true
		return r.acknowledge(now)
	case r.over || ahead < 0:
		return r.idle()
	case ahead > 0: // RFC 7440 section 4: what is missing is told at once, once
		if r.gap || ahead > int64(r.profile.WindowSize) {
			return r.idle()
		}
		r.gap, r.resent = true, true
		r.repeats++
		return r.acknowledge(now)
	case r.bytes+int64(n) > r.most:
		return finishUpload(boot.UploadTooLarge)
	}
	return r.next(now, n)
}

// next takes the block that was awaited.
func (r *receiver) next(now time.Time, n int) order {
	if r.first == 0 {
		r.first = now.Sub(r.started)
	}
	if r.inWindow == 0 && !r.resent {
		r.wait.measure(now.Sub(r.lastTx))
	}
	r.got++
	r.inWindow++
	r.bytes += int64(n)
	r.heard, r.gap = now, false
	r.over = n < r.profile.BlockSize
	if !r.over && r.inWindow < r.profile.WindowSize {
		o := r.idle()
		o.take = true
		return o
	}
	r.wait.settle()
	r.resent = false
	o := r.acknowledge(now)
	o.take, o.last = true, r.over
	return o
}

// tick works on the deadline.
func (r *receiver) tick(now time.Time) order {
	switch {
	case now.Before(r.deadline()):
		return r.idle()
	case r.over:
		return finishUpload(boot.Done)
	case now.Sub(r.heard) >= r.limit():
		return finishUpload(boot.Timeout)
	}
	r.wait.double()
	r.repeats++
	r.resent, r.gap = true, false
	return r.acknowledge(now)
}

// acknowledge says what has arrived. The client's next window begins after it.
func (r *receiver) acknowledge(now time.Time) order {
	r.lastTx, r.inWindow = now, 0
	o := r.idle()
	o.ack = r.got
	if r.got == 0 && r.oack {
		o.ack, o.oack = -1, true
	}
	return o
}

func (r *receiver) idle() order { return order{ack: -1, deadline: r.deadline()} }

func (r *receiver) deadline() time.Time {
	if r.over {
		return r.heard.Add(dally)
	}
	// A window is acknowledged when it is whole, so silence is counted from whatever came last.
	at := r.lastTx
	if r.heard.After(at) {
		at = r.heard
	}
	return at.Add(r.wait.now)
}

// limit is how long the client may make no progress.
func (r *receiver) limit() time.Duration {
	return max(giveUp, patience*min(r.profile.Timeout, longestTimeout))
}

func finishUpload(why boot.Reason) order { return order{ack: -1, end: why} }
