package tftp

import (
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/tftp"
)

const (
	// firstBlock is how long a client may send nothing at all: it asked to send, and an address that
	// somebody forged holds its place until then. Those with 5 s of patience get three tries.
	firstBlock = 16 * time.Second
	// dally is how long the last ACK is repeated for a client that did not get it (RFC 1350 section
	// 6). tftp-hpa and atftp send the last block again after 5 s.
	dally = 6 * time.Second
	// copied is how soon after an ACK the block comes again because the network doubled it, or because
	// the client answers every ACK (RFC 1123 4.2.3.1), and not because the client waited in vain.
	copied = minRTO
)

// receiver is an upload as a pure machine: no socket, no clock, no file. Blocks are numbered
// without the wrap: number 65536 travels as 0 (F27).
type receiver struct {
	profile wire.Profile
	oack    bool  // options were granted: the OACK stands for ACK 0 (RFC 2347)
	most    int64 // bytes that are taken
	told    int64 // bytes that the client said it has (tsize, RFC 2349); 0: it did not

	got      int64 // every block up to here has arrived
	inWindow int   // blocks since the last ACK
	bytes    int64
	over     bool // the last block has arrived
	gap      bool // a gap was told already since the last progress

	started time.Time
	heard   time.Time // the last progress
	lastTx  time.Time // the last ACK
	until   time.Time // when it stops to repeat the last one; zero before
	wait    rto
	resent  bool // the last ACK was sent more than once: its round trip cannot be measured (Karn)

	repeats int           // ACKs sent again
	first   time.Duration // begin to the first block
}

// order is what an upload is to do: take the block that came, send the ACK of a block or the
// OACK, or end. The next tick is due at deadline.
type order struct {
	take     bool
	last     bool  // what was taken is the end: the file is to be finished before its ACK leaves
	ack      int64 // -1: none
	oack     bool
	end      boot.Reason // "" while the upload goes on; Received when nobody needs the last ACK again
	deadline time.Time
}

func newReceiver(p wire.Profile, oack bool, most, told int64) *receiver {
	return &receiver{profile: p, oack: oack, most: most, told: told, wait: newRTO(p.Timeout, manners{})}
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
	case ahead == -1 && r.lost(now):
		return r.again(now)
	case r.over || ahead < 0: // an old copy: to acknowledge it would double what follows
		return r.idle()
	case ahead > 0: // RFC 7440 section 4: what is missing is told at once, and once
		if r.gap || ahead >= int64(r.profile.WindowSize) {
			return r.idle()
		}
		r.gap = true
		return r.again(now)
	case r.bytes+int64(n) > r.most:
		return finishUpload(boot.UploadTooLarge)
	}
	return r.next(now, n)
}

// lost reports whether the last block, when it comes once more, says that its ACK was lost. Within
// a window it says nothing: the ACK is still to come.
func (r *receiver) lost(now time.Time) bool {
	return r.got > 0 && r.inWindow == 0 && now.Sub(r.lastTx) >= copied
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
	switch {
	case r.over && r.bytes < r.told: // a client that took another block size, or a file cut short
		return finishUpload(boot.UploadShort)
	case !r.over && r.inWindow < r.profile.WindowSize:
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
		return finishUpload(boot.Received)
	case now.Sub(r.heard) >= r.limit():
		return finishUpload(boot.Timeout)
	}
	if r.got == 0 && r.repeats >= freeTries {
		r.wait.backOff() // whoever is there did not ask, perhaps
	} else {
		r.wait.double()
	}
	r.gap = false
	return r.again(now)
}

// again repeats what has arrived.
func (r *receiver) again(now time.Time) order {
	r.repeats++
	r.resent = true
	return r.acknowledge(now)
}

// acknowledge says what has arrived. The client's next window begins after it.
func (r *receiver) acknowledge(now time.Time) order {
	r.lastTx, r.inWindow = now, 0
	if r.over && r.until.IsZero() {
		r.until = now.Add(r.dally())
	}
	o := r.idle()
	o.ack = r.got
	if r.got == 0 && r.oack {
		o.ack, o.oack = -1, true
	}
	return o
}

// left notes when an ACK really left: a slow disk may have been before it.
func (r *receiver) left(now time.Time) (deadline time.Time) {
	r.lastTx = now
	if r.over {
		r.until = now.Add(r.dally())
	}
	return r.deadline()
}

func (r *receiver) idle() order { return order{ack: -1, deadline: r.deadline()} }

func (r *receiver) deadline() time.Time {
	if r.over {
		return r.until
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
	limit := giveUp
	if r.got == 0 {
		limit = firstBlock
	}
	return max(limit, patience*min(r.profile.Timeout, longestTimeout))
}

// dally is longer than a client waits that fixed its own timeout.
func (r *receiver) dally() time.Duration {
	return max(dally, min(r.profile.Timeout, longestTimeout)+time.Second)
}

func finishUpload(why boot.Reason) order { return order{ack: -1, end: why} }
