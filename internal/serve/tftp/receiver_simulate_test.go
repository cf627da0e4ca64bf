package tftp

import (
	"bytes"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/tftp"
)

// letter is a packet under way between a client that uploads and the receiver.
type letter struct {
	at       time.Time
	order    int
	toServer bool
	block    uint16
	data     []byte // of a DATA
	oack     bool
}

type post []letter

func (p post) Len() int { return len(p) }
func (p post) Less(i, j int) bool {
	return p[i].at.Before(p[j].at) || p[i].at.Equal(p[j].at) && p[i].order < p[j].order
}
func (p post) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *post) Push(x any)   { *p = append(*p, x.(letter)) }
func (p *post) Pop() any     { l := *p; x := l[len(l)-1]; *p = l[:len(l)-1]; return x }

// upstream is one course of an upload over a bad network.
type upstream struct {
	seed      uint64
	size      int
	profile   wire.Profile
	oack      bool
	naive     bool          // the client answers every ACK, repeated ones as well (the Sorcerer's Apprentice)
	patience  time.Duration // of the client, before it says something again; default 1 s
	dies      int64         // it falls silent after this block; 0: never
	loss, dup float64
	jitter    time.Duration
	disk      time.Duration // how long the slowest write takes
}

// world is the state of a simulation: the receiver with what it took, the client, and the network.
type world struct {
	upstream
	rnd   *rand.Rand
	now   time.Time
	post  post
	count int

	r        *receiver
	deadline time.Time
	busy     time.Time // the disk is until then
	got      []byte
	kept     bool
	ended    boot.Reason

	content  []byte
	last     int64
	acked    int64 // -1: not even the request
	sent     int64
	jumped   bool
	rings    time.Time
	fails    int
	closed   bool // the client is done, or has given up
	sentData int
}

func (w *world) send(l letter) {
	copies := 1
	if w.rnd.Float64() < w.dup {
		copies = 2
	}
	for range copies {
		if w.rnd.Float64() < w.loss {
			continue
		}
		l.at = w.now.Add(200 * time.Microsecond)
		if w.rnd.IntN(20) == 0 {
			l.at = l.at.Add(time.Duration(w.rnd.Int64N(int64(w.jitter) + 1)))
		}
		w.count++
		l.order = w.count
		heap.Push(&w.post, l)
	}
}

func (w *world) block(n int64) []byte {
	from := min(int64(len(w.content)), (n-1)*int64(w.profile.BlockSize))
	return w.content[from:min(int64(len(w.content)), n*int64(w.profile.BlockSize))]
}

// window sends what the client has not sent of its window, or all of it once more.
func (w *world) window(again bool) {
	w.rings = w.now.Add(w.patience)
	from, to := w.acked+1, min(w.acked+int64(w.profile.WindowSize), w.last)
	if !again {
		from = max(from, w.sent+1)
	}
	for n := from; n <= to; n++ {
		if w.dies > 0 && n > w.dies {
			w.closed = true
			return
		}
		w.sentData++
		w.send(letter{toServer: true, block: uint16(n), data: w.block(n)})
	}
	w.sent = max(w.sent, to)
}

// acknowledged is the client on an ACK or OACK (RFC 1350, 1123 4.2.3.1, 7440).
func (w *world) acknowledged(l letter) {
	if w.closed {
		return
	}
	n := max(w.acked, 0) + int64(int16(l.block-uint16(max(w.acked, 0))))
	switch {
	case n < w.acked || n > max(w.sent, 0):
		return
	case n == w.acked:
		if w.naive || w.profile.WindowSize > 1 && !w.jumped {
			w.jumped = true
			w.window(true)
		}
		return
	}
	again := n < w.sent // RFC 7440: go back to what follows
	w.acked, w.jumped, w.fails = n, false, 0
	if w.closed = n == w.last; w.closed {
		return
	}
	w.window(again)
}

// ring is the client's timeout. It gives up after 8.
func (w *world) ring() {
	if w.fails++; w.fails > 8 {
		w.closed = true
		return
	}
	w.rings = w.now.Add(w.patience)
	if w.acked >= 0 {
		w.window(true)
	}
}

// do carries out what the receiver says.
func (w *world) do(o order, data []byte) error {
	w.deadline = o.deadline
	if o.end != "" {
		w.ended = o.end
		return nil
	}
	if o.take {
		w.got = append(w.got, data...)
		if w.disk > 0 && w.rnd.IntN(20) == 0 {
			w.busy = w.now.Add(time.Duration(w.rnd.Int64N(int64(w.disk))))
		}
		if o.last {
			w.kept = true
			if !bytes.Equal(w.got, w.content) {
				return fmt.Errorf("a wrong file was kept: %d of %d bytes", len(w.got), len(w.content))
			}
		}
	}
	if o.ack < 0 && !o.oack {
		return nil
	}
	then := w.now
	w.now = maxTime(w.now, w.busy) // the ACK waits for the disk
	w.send(letter{block: uint16(max(o.ack, 0)), oack: o.oack})
	if o.take {
		w.deadline = w.r.left(w.now)
	}
	w.now = then
	return nil
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// upload runs a course of events to its end.
func (u upstream) upload() (*world, error) {
	if u.patience == 0 {
		u.patience = time.Second
	}
	w := &world{upstream: u, rnd: rand.New(rand.NewPCG(u.seed, 2)), now: epoch, acked: -1}
	w.content = make([]byte, u.size)
	for i := range w.content {
		w.content[i] = byte(w.rnd.Uint32())
	}
	w.last = int64(u.size/u.profile.BlockSize) + 1
	w.r = newReceiver(u.profile, u.oack, int64(u.size), int64(u.size))
	w.rings = w.now.Add(u.patience)
	if err := w.do(w.r.begin(w.now), nil); err != nil {
		return w, err
	}
	for limit := epoch.Add(2 * time.Hour); w.ended == ""; {
		if w.now.After(limit) {
			return w, fmt.Errorf("no end: block %d of %d", w.r.got, w.last)
		}
		if err := w.next(); err != nil {
			return w, err
		}
	}
	return w, nil
}

// next lets the next thing happen.
func (w *world) next() error {
	at, who := maxTime(w.deadline, w.busy), "receiver"
	if !w.closed && w.rings.Before(at) {
		at, who = w.rings, "client"
	}
	if len(w.post) > 0 && !w.post[0].at.After(at) {
		at, who = w.post[0].at, "post"
	}
	w.now = maxTime(w.now, at)
	switch who {
	case "receiver":
		o := w.r.tick(w.now)
		if o.end == "" && !o.deadline.After(w.now) {
			return fmt.Errorf("the deadline stays in the past: it would spin")
		}
		return w.do(o, nil)
	case "client":
		w.ring()
	case "post":
		l := heap.Pop(&w.post).(letter)
		switch {
		case !l.toServer:
			w.acknowledged(l)
		case l.at.Before(w.busy): // it waits in the socket
			l.at = w.busy
			heap.Push(&w.post, l)
		default:
			return w.do(w.r.data(w.now, l.block, len(l.data)), l.data)
		}
	}
	return nil
}

// checkUpload runs a course: the bytes that were sent are kept, or nothing is.
func checkUpload(t *testing.T, u upstream) *world {
	t.Helper()
	w, err := u.upload()
	switch all := w.acked == w.last; {
	case err != nil:
		t.Fatalf("%+v: %v", u, err)
	case all && !w.kept:
		t.Fatalf("%+v: the client believes that all is kept, and it is not: %s", u, w.ended)
	case w.kept != (w.ended == boot.Received), !w.kept && w.ended != boot.Timeout:
		t.Fatalf("%+v: kept %t, and it ended with %s", u, w.kept, w.ended)
	case u.dies == 0 && u.loss <= 0.2 && u.patience == 0 && !w.kept:
		t.Fatalf("%+v: it failed (%s) at block %d of %d", u, w.ended, w.r.got, w.last)
	}
	return w
}

func TestReceiverOverABadNetwork(t *testing.T) {
	failed := 0
	for _, window := range []int{1, 2, 4, 16, 64} {
		for seed := range uint64(60) {
			u := upstream{
				seed: seed, size: int(seed * 57), profile: wire.Profile{BlockSize: 8, WindowSize: window}, oack: seed%2 == 0 || window > 1,
				naive: seed%3 == 0, loss: float64(seed%5) * 0.05, dup: float64(seed%4) * 0.1, jitter: time.Duration(seed%3) * 20 * time.Millisecond,
				disk: time.Duration(seed%7/5) * 600 * time.Millisecond,
			}
			if seed%10 == 9 { // nobody gets through
				u.loss = 0.9
			}
			if seed%10 == 8 {
				u.dies = int64(seed)
			}
			if w := checkUpload(t, u); !w.kept {
				failed++
			}
		}
	}
	if failed < 10 {
		t.Errorf("only %d uploads failed: the bad networks are not bad", failed)
	}
}

// Numbers wrap after 65535 (F27), and what is late or double does not come again one turn later.
func TestReceiverWrapsOverABadNetwork(t *testing.T) {
	for _, window := range []int{1, 64} {
		checkUpload(t, upstream{
			seed: 11, size: 8*70000 + 3, profile: wire.Profile{BlockSize: 8, WindowSize: window}, oack: true,
			loss: 0.002, dup: 0.01, jitter: time.Millisecond,
		})
	}
}

// A network that doubles packets does not make the upload double, not even with a client that
// answers every ACK (RFC 1123 4.2.3.1).
func TestReceiverIsNoApprentice(t *testing.T) {
	for _, naive := range []bool{false, true} {
		w := checkUpload(t, upstream{seed: 3, size: 8 * 500, profile: lockStepOf(8), naive: naive, dup: 0.05})
		if w.sentData > 600 || w.r.repeats > 0 {
			t.Errorf("naive %t: %d DATA for %d blocks, %d ACKs repeated", naive, w.sentData, w.last, w.r.repeats)
		}
	}
}

func lockStepOf(blockSize int) wire.Profile { return wire.Profile{BlockSize: blockSize, WindowSize: 1} }

// 1 % loss each way costs an upload of 720 blocks seconds at most, though the client waits one before
// it says anything again: a lost ACK is made good by the receiver's own timer.
func TestLossCostsAnUploadLittle(t *testing.T) {
	for _, window := range []int{1, 16} {
		w := checkUpload(t, upstream{seed: 7, size: 8 * 720, profile: wire.Profile{BlockSize: 8, WindowSize: window}, oack: true, loss: 0.01})
		if took := w.r.heard.Sub(epoch); took > 10*time.Second {
			t.Errorf("window %d: %s", window, took)
		}
	}
}

// A client with the patience of tftp-hpa and atftp learns that all is kept, though its last ACK was
// lost: in 200 courses with one packet in five lost, hardly any is left in doubt.
func TestReceiverTellsTheEnd(t *testing.T) {
	doubt := 0
	for seed := range uint64(200) {
		w := checkUpload(t, upstream{seed: seed, size: 3, profile: lockStepOf(8), loss: 0.2, patience: 5 * time.Second})
		if w.acked != w.last {
			doubt++
		}
	}
	if doubt > 30 { // a fifth loses the last ACK, and of these two fifths the next block or ACK
		t.Errorf("%d of 200 clients do not know", doubt)
	}
}

func FuzzUpload(f *testing.F) {
	f.Add(uint64(1), uint16(0), uint8(0), uint8(0), uint8(0), uint8(0), false, uint16(0))
	f.Add(uint64(2), uint16(4000), uint8(3), uint8(20), uint8(20), uint8(10), true, uint16(0))
	f.Add(uint64(3), uint16(9000), uint8(63), uint8(10), uint8(100), uint8(50), false, uint16(300))
	f.Fuzz(func(t *testing.T, seed uint64, size uint16, window, loss, dup, jitter uint8, naive bool, dies uint16) {
		checkUpload(t, upstream{
			seed: seed, size: int(size % 10000), profile: wire.Profile{BlockSize: 8 << (seed % 4), WindowSize: int(window%64) + 1},
			oack: window > 0, naive: naive, loss: float64(loss%20) / 100, dup: float64(dup%100) / 100,
			jitter: time.Duration(jitter%60) * time.Millisecond, disk: time.Duration(seed%3) * 100 * time.Millisecond, dies: int64(dies),
		})
	})
}
