package tftp

import (
	"fmt"
	"testing"
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/tftp"
)

// incoming is a receiver under test, with what it took.
type incoming struct {
	*receiver
	t   *testing.T
	now time.Time
}

func receive(t *testing.T, p wire.Profile, oack bool) *incoming {
	r := &incoming{receiver: newReceiver(p, oack, 1<<40, 0), t: t, now: time.Unix(1000, 0)}
	return r
}

func lockStep() wire.Profile { return wire.Profile{BlockSize: 512, WindowSize: 1} }

// text says an order in words.
func (o order) text() string {
	s := ""
	switch {
	case o.take && o.last:
		s = "finish "
	case o.take:
		s = "take "
	}
	switch {
	case o.end != "":
		s += "end " + string(o.end)
	case o.oack:
		s += "oack"
	case o.ack >= 0:
		s += fmt.Sprintf("ack %d", o.ack)
	default:
		s += "wait"
	}
	return s
}

func (r *incoming) wants(got order, want string) {
	r.t.Helper()
	if got.text() != want {
		r.t.Errorf("%s, want %s", got.text(), want)
	}
}

// block feeds a block, and lets a millisecond pass.
func (r *incoming) block(n uint16, size int, want string) {
	r.t.Helper()
	r.now = r.now.Add(time.Millisecond)
	r.wants(r.data(r.now, n, size), want)
}

// until lets time pass until the deadline.
func (r *incoming) until(want string) {
	r.t.Helper()
	r.now = r.deadline()
	r.wants(r.tick(r.now), want)
}

// RFC 1350 section 4: ACK 0 begins, each block is acknowledged, a short one ends.
func TestReceiveLockStep(t *testing.T) {
	r := receive(t, lockStep(), false)
	r.wants(r.begin(r.now), "ack 0")
	r.block(1, 512, "take ack 1")
	r.block(2, 512, "take ack 2")
	r.block(3, 0, "finish ack 3") // an empty block ends a file of whole blocks
	r.until("end received")
}

// RFC 2347: the OACK stands for ACK 0, and comes again until the first block.
func TestReceiveOACK(t *testing.T) {
	r := receive(t, lockStep(), true)
	r.wants(r.begin(r.now), "oack")
	r.until("oack")
	r.until("oack")
	r.block(1, 3, "finish ack 1")
}

// RFC 1123 4.2.3.1: a block that comes twice is acknowledged again only if it is the last one, and
// not if it comes so soon that nobody can have waited for its ACK: a client that answers each ACK
// would double all that follows.
func TestReceiveCopies(t *testing.T) {
	r := receive(t, lockStep(), false)
	r.begin(r.now)
	r.block(0, 512, "wait")
	r.block(1, 512, "take ack 1")
	r.block(2, 512, "take ack 2")
	r.block(2, 512, "wait") // the network doubled it
	r.now = r.now.Add(copied)
	r.block(2, 512, "ack 2") // its ACK was lost
	r.block(2, 512, "wait")
	r.block(1, 512, "wait") // a late copy
	r.now = r.now.Add(copied)
	r.block(1, 512, "wait")
	r.block(3, 512, "take ack 3")
}

// Within a window a copy of the last block says nothing: an ACK there would make the client begin
// the window anew (RFC 7440 section 4).
func TestReceiveCopiesWithinAWindow(t *testing.T) {
	r := receive(t, wire.Profile{BlockSize: 512, WindowSize: 4}, true)
	r.begin(r.now)
	r.block(1, 512, "take wait")
	r.block(2, 512, "take wait")
	r.now = r.now.Add(2 * copied)
	r.block(2, 512, "wait")
	r.block(3, 512, "take wait")
	r.block(4, 512, "take ack 4")
}

// RFC 1350 section 6: the last ACK may be lost, so it is given once more for a while, also to a
// client that waits 5 s before it says the last block again; and then no more.
func TestReceiveDallies(t *testing.T) {
	for _, c := range []struct{ fixed, wait time.Duration }{{0, 5 * time.Second}, {8 * time.Second, 8 * time.Second}} {
		p := lockStep()
		p.Timeout = c.fixed
		r := receive(t, p, false)
		r.begin(r.now)
		r.block(1, 10, "finish ack 1")
		r.now = r.now.Add(4 * time.Second) // a slow disk: the ACK leaves now
		r.left(r.now)
		r.now = r.now.Add(c.wait)
		r.wants(r.tick(r.now), "wait")
		r.block(1, 10, "ack 1")
		r.block(2, 10, "wait")
		r.until("end received")
		if d := r.now.Sub(r.lastTx); d > 2*time.Second {
			t.Errorf("it dallies %s after the last repetition", d)
		}
	}
}

// A last block that makes less than tsize says is no end of the file: the client took another block
// size than was granted, or its file was cut short (RFC 2349).
func TestReceiveTooShort(t *testing.T) {
	r := receive(t, wire.Profile{BlockSize: 1456, WindowSize: 1}, true)
	r.told = 3000
	r.begin(r.now)
	r.block(1, 512, "end upload-too-short")
	r = receive(t, wire.Profile{BlockSize: 1456, WindowSize: 1}, true)
	r.told = 2000
	r.begin(r.now)
	r.block(1, 1456, "take ack 1")
	r.block(2, 544, "finish ack 2")
}

// A client that asked to send and sends nothing is given up early.
func TestReceiveNothing(t *testing.T) {
	r := receive(t, lockStep(), true)
	r.begin(r.now)
	began := r.now
	for r.now = r.deadline(); ; r.now = r.deadline() {
		if o := r.tick(r.now); o.end != "" {
			r.wants(o, "end timeout")
			break
		}
	}
	if took := r.now.Sub(began); took < firstBlock || took > firstBlock+maxRTO {
		t.Errorf("given up after %s", took)
	}
}

// RFC 7440 section 4: one ACK for a window, and at once for a gap, after which a new window begins.
func TestReceiveWindows(t *testing.T) {
	r := receive(t, wire.Profile{BlockSize: 512, WindowSize: 4}, true)
	r.begin(r.now)
	for n := uint16(1); n <= 3; n++ {
		r.block(n, 512, "take wait")
	}
	r.block(4, 512, "take ack 4")
	r.block(5, 512, "take wait")
	r.block(7, 512, "ack 5") // 6 is lost
	r.block(8, 512, "wait")  // told once
	for n := uint16(6); n <= 8; n++ {
		r.block(n, 512, "take wait")
	}
	r.block(9, 512, "take ack 9")
	r.block(10, 512, "take wait")
	r.block(11, 5, "finish ack 11") // a short window at the end
}

// A window whose end is lost is acknowledged as far as it came, by the clock.
func TestReceiveWindowWithoutEnd(t *testing.T) {
	r := receive(t, wire.Profile{BlockSize: 512, WindowSize: 4}, true)
	r.begin(r.now)
	r.block(1, 512, "take wait")
	r.block(2, 512, "take wait")
	r.until("ack 2")
	r.block(3, 512, "take wait")
}

// F27: block 65535 is followed by block 0.
func TestReceiveWraps(t *testing.T) {
	r := receive(t, lockStep(), false)
	r.begin(r.now)
	for n := 1; n < 65535; n++ {
		r.data(r.now, uint16(n), 512)
	}
	r.block(65535, 512, "take ack 65535")
	r.block(0, 512, "take ack 65536")
	r.now = r.now.Add(copied)
	r.block(0, 512, "ack 65536")
	r.block(1, 100, "finish ack 65537")
}

func TestReceiveTooLarge(t *testing.T) {
	r := receive(t, lockStep(), false)
	r.most = 600
	r.begin(r.now)
	r.block(1, 512, "take ack 1")
	r.block(2, 89, "end upload-too-large")
}

// A client that stops is given up, after ACKs that come less and less often.
func TestReceiveGivesUp(t *testing.T) {
	for _, fixed := range []time.Duration{0, 10 * time.Second} {
		p := lockStep()
		p.Timeout = fixed
		r := receive(t, p, false)
		r.begin(r.now)
		r.block(1, 512, "take ack 1")
		began, again := r.now, 0
		for {
			r.now = r.deadline()
			o := r.tick(r.now)
			if o.end != "" {
				r.wants(o, "end timeout")
				break
			}
			again++
		}
		if took := r.now.Sub(began); took < giveUp || took > 2*giveUp || again > 60 {
			t.Errorf("fixed %s: given up after %s and %d ACKs", fixed, took, again)
		}
	}
}

// FuzzReceiver feeds any packets at any times: it never takes a block out of turn, and always ends.
func FuzzReceiver(f *testing.F) {
	f.Add([]byte{0, 1, 255, 0, 2, 255, 9, 9, 9}, uint8(1))
	f.Add([]byte{1, 1, 0, 0, 1, 0}, uint8(16))
	f.Fuzz(func(t *testing.T, in []byte, window uint8) {
		p := wire.Profile{BlockSize: 512, WindowSize: int(window)%64 + 1}
		r := newReceiver(p, window%2 == 0, 100*512, 0)
		now := time.Unix(1000, 0)
		r.begin(now)
		var taken int64
		for ; len(in) >= 3; in = in[3:] {
			now = now.Add(time.Duration(in[0]) * time.Millisecond)
			o := r.data(now, uint16(r.got)+uint16(in[1])-100, int(in[2])*2)
			if o.take {
				taken++
			}
			if in[0]%5 == 0 && o.end == "" {
				o = r.tick(now)
			}
			if taken != r.got || r.bytes > 100*512 || o.ack > r.got {
				t.Fatalf("%d taken, %d counted, %d bytes, ack %d", taken, r.got, r.bytes, o.ack)
			}
			if o.end != "" {
				return
			}
		}
		for range 1000 {
			now = r.deadline()
			if o := r.tick(now); o.end == boot.Received || o.end == boot.Timeout {
				return
			}
		}
		t.Fatal("it does not end")
	})
}
