package tftp

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/tftp"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// show writes an output in a form for tables, with the wait until its deadline.
func show(now time.Time, o output) string {
	if o.end != "" {
		return "end " + string(o.end)
	}
	s := "nothing"
	switch {
	case o.oack:
		s = "OACK"
	case o.to > o.from:
		s = fmt.Sprintf("%d..%d", o.from, o.to)
	case o.to == o.from:
		s = fmt.Sprint(o.from)
	}
	return fmt.Sprintf("%s, wait %s", s, o.deadline.Sub(now))
}

func acked(b uint16) input { return input{kind: ack, block: b} }

// TestSender steps the machine through conversations. at is the time in milliseconds.
func TestSender(t *testing.T) {
	type move struct {
		at   int
		in   input
		want string
	}
	start := input{kind: begin}
	expired := input{kind: tick}
	aborted := func(c wire.ErrorCode, text string) input { return input{kind: clientError, code: c, text: text} }
	plain, window4 := wire.DefaultProfile(), wire.Profile{BlockSize: 512, WindowSize: 4}
	cases := []struct {
		name    string
		size    int64
		profile wire.Profile
		oack    bool // with tsize
		moves   []move
	}{
		{"no options", 600, plain, false, []move{
			{0, start, "1, wait 250ms"},
			{1, acked(1), "2, wait 50ms"},
			{2, acked(2), "end done"},
		}},
		{"empty file", 0, plain, false, []move{{0, start, "1, wait 250ms"}, {1, acked(1), "end done"}}},
		{"a whole number of blocks ends with an empty one", 512, plain, false, []move{
			{0, start, "1, wait 250ms"},
			{1, acked(1), "2, wait 50ms"},
			{2, acked(2), "end done"},
		}},
		{"OACK waits for ACK 0", 100, plain, true, []move{
			{0, start, "OACK, wait 250ms"},
			{1, acked(1), "nothing, wait 249ms"},
			{2, acked(0), "1, wait 50ms"},
			{3, acked(1), "end done"},
		}},
		{"waits double up to a second", 100, plain, true, []move{
			{0, start, "OACK, wait 250ms"},
			{250, expired, "OACK, wait 500ms"},
			{750, expired, "OACK, wait 1s"},
			{1750, expired, "OACK, wait 1s"},
			{1760, acked(0), "1, wait 250ms"}, // no measurement of what was sent twice (Karn)
		}},
		{"an early alarm sends nothing", 100, plain, false, []move{
			{0, start, "1, wait 250ms"},
			{100, expired, "nothing, wait 150ms"},
		}},
		{"the wait follows the round trip", 1 << 20, plain, false, []move{
			{0, start, "1, wait 250ms"},
			{100, acked(1), "2, wait 300ms"}, // 100 + 4*50
			{200, acked(2), "3, wait 250ms"}, // 100 + 4*37.5
		}},
		{"and is no longer than a second", 1 << 20, plain, false, []move{
			{0, start, "1, wait 250ms"},
			{240, acked(1), "2, wait 720ms"},
			{900, acked(2), "3, wait 1s"},
		}},
		{"half of the time-out that the client names, RFC 2349 and F27", 1000, wire.Profile{BlockSize: 512, WindowSize: 1, Timeout: time.Second}, true, []move{
			{0, start, "OACK, wait 500ms"},
			{500, expired, "OACK, wait 500ms"},
			{1000, expired, "OACK, wait 500ms"},
			{1001, acked(0), "1, wait 500ms"},
			{1011, acked(1), "2, wait 50ms"}, // the round trip is known
			{1061, expired, "2, wait 100ms"},
			{1161, expired, "2, wait 200ms"},
			{1361, expired, "2, wait 400ms"},
			{1761, expired, "2, wait 500ms"},
		}},
		{"a long time-out is no reason to wait longer than a second", 1000, wire.Profile{BlockSize: 512, WindowSize: 1, Timeout: 255 * time.Second}, true, []move{
			{0, start, "OACK, wait 1s"},
			{1000, expired, "OACK, wait 1s"},
			{39000, expired, "OACK, wait 1s"},
			{40000, expired, "end timeout"},
		}},
		{"Sorcerer's Apprentice: a repeated ACK is not answered", 2000, plain, false, []move{
			{0, start, "1, wait 250ms"},
			{1, acked(0), "nothing, wait 249ms"},
			{1, acked(1), "2, wait 50ms"},
			{2, acked(1), "nothing, wait 49ms"},
			{3, acked(2), "3, wait 50ms"},
			{40, acked(2), "nothing, wait 13ms"},
			{41, acked(1), "nothing, wait 12ms"},
		}},
		{"window", 512 * 9, window4, true, []move{
			{0, start, "OACK, wait 250ms"},
			{1, acked(0), "1..4, wait 10ms"},
			{2, acked(4), "5..8, wait 10ms"},
			{3, acked(8), "9..10, wait 10ms"},
			{4, acked(10), "end done"},
		}},
		{"an ACK within the window goes back", 512 * 9, window4, true, []move{
			{0, start, "OACK, wait 250ms"},
			{1, acked(0), "1..4, wait 10ms"},
			{2, acked(2), "3..6, wait 10ms"},
			{3, acked(6), "7..10, wait 10ms"},
		}},
		{"a gap among blocks that fill a gap", 512 * 9, window4, true, []move{
			{0, start, "OACK, wait 250ms"},
			{1, acked(0), "1..4, wait 10ms"},
			{2, acked(1), "2..5, wait 10ms"},
			{3, acked(2), "3..6, wait 10ms"},
			{4, acked(6), "7..10, wait 10ms"},
		}},
		{"the ACK of what had been sent before a repetition is no gap", 512 * 9, window4, true, []move{
			{0, start, "OACK, wait 250ms"},
			{1, acked(0), "1..4, wait 10ms"},
			{2, acked(2), "3..6, wait 10ms"}, // somebody doubled block 2
			{3, acked(4), "7..8, wait 10ms"}, // 5 and 6 are under way
			{4, acked(4), "nothing, wait 9ms"},
			{5, acked(4), "nothing, wait 8ms"},
			{6, acked(8), "9..10, wait 10ms"},
		}},
		{"nor is one that comes too early to be about the repetition", 512 * 9, window4, true, []move{
			{0, start, "OACK, wait 250ms"},
			{10, acked(0), "1..4, wait 30ms"},
			{20, acked(1), "2..5, wait 27.5ms"},
			{21, acked(2), "6, wait 27.5ms"},
			{31, acked(6), "7..10, wait 25.625ms"},
		}},
		{"the first block of a window was lost", 512 * 9, window4, true, []move{
			{0, start, "OACK, wait 250ms"},
			{10, acked(0), "1..4, wait 30ms"},
			{15, acked(0), "nothing, wait 25ms"}, // too early to be about this window
			{22, acked(0), "1..4, wait 30ms"},
			{23, acked(0), "nothing, wait 29ms"}, // blocks 3 and 4 came out of turn as well
			{24, acked(0), "nothing, wait 28ms"},
			{35, acked(0), "nothing, wait 17ms"}, // once for a window
			{36, acked(4), "5..8, wait 30ms"},
		}},
		{"the end of a window was lost", 512 * 9, window4, true, []move{
			{0, start, "OACK, wait 250ms"},
			{1, acked(0), "1..4, wait 10ms"},
			{11, expired, "4, wait 40ms"}, // once, and the wait goes on
			{12, acked(2), "3..6, wait 10ms"},
			{13, acked(6), "7..10, wait 10ms"},
			{23, expired, "10, wait 40ms"},
			{63, expired, "7..10, wait 100ms"},
			{163, expired, "7..10, wait 200ms"},
		}},
		{"the ACK of a window was lost", 512 * 9, window4, true, []move{
			{0, start, "OACK, wait 250ms"},
			{1, acked(0), "1..4, wait 10ms"},
			{11, expired, "4, wait 40ms"},
			{12, acked(4), "5..8, wait 10ms"},
			{12, acked(4), "nothing, wait 10ms"}, // the other of the two
			{13, acked(8), "9..10, wait 10ms"},
		}},
		{"an ACK of what was never sent", 512 * 9, window4, true, []move{
			{0, start, "OACK, wait 250ms"},
			{1, acked(0), "1..4, wait 10ms"},
			{2, acked(5), "nothing, wait 9ms"},
			{3, acked(65535), "nothing, wait 8ms"},
			{4, acked(4), "5..8, wait 10ms"},
		}},
		{"EDK2 asks for the size", 3904, window4, true, []move{
			{0, start, "OACK, wait 250ms"},
			{1, aborted(8, "User aborted the transfer"), "end tsize-probe"},
		}},
		{"another ROM asks for the size", 3904, plain, true, []move{
			{0, start, "OACK, wait 250ms"},
			{1, aborted(0, "TFTP Aborted"), "end tsize-probe"},
		}},
		{"a client without space", 3904, plain, true, []move{
			{0, start, "OACK, wait 250ms"},
			{1, aborted(3, "disk full"), "end client-error"},
		}},
		{"an abort in mid-transfer", 3904, plain, true, []move{
			{0, start, "OACK, wait 250ms"},
			{1, acked(0), "1, wait 50ms"},
			{2, acked(1), "2, wait 50ms"},
			{3, aborted(8, "User aborted the transfer"), "end client-error"},
		}},
		{"an abort without a size query", 3904, plain, false, []move{
			{0, start, "1, wait 250ms"},
			{1, aborted(8, "User aborted the transfer"), "end client-error"},
		}},
		{"gives up after 25 s without progress", 600, plain, false, []move{
			{0, start, "1, wait 250ms"},
			{20000, expired, "1, wait 500ms"},
			{24000, acked(1), "2, wait 250ms"},
			{48000, expired, "2, wait 500ms"},
			{49000, expired, "end timeout"},
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newSender(c.size, c.profile, c.oack, c.oack)
			for i, m := range c.moves {
				now := epoch.Add(time.Duration(m.at) * time.Millisecond)
				if got := show(now, s.step(now, m.in)); got != m.want {
					t.Fatalf("move %d at %d ms, %+v: %s, want %s", i, m.at, m.in, got, m.want)
				}
			}
		})
	}
}

func TestSenderCounts(t *testing.T) {
	s := newSender(512*9, wire.Profile{BlockSize: 512, WindowSize: 4}, true, true)
	at := func(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }
	s.step(at(0), input{kind: begin})
	s.step(at(250), input{kind: tick}) // the OACK again
	s.step(at(260), acked(0))
	s.step(at(300), acked(2)) // 3 and 4 again
	s.step(at(301), acked(40000))
	if s.retransmits != 3 || s.badBlocks != 1 || s.firstBlock != 300*time.Millisecond {
		t.Errorf("%d retransmits, %d bad blocks, first block after %s", s.retransmits, s.badBlocks, s.firstBlock)
	}
}

// The number of a block travels in 16 bits and goes on from 65535 to 0 (F27).
func TestSenderWraps(t *testing.T) {
	for _, window := range []int{1, 7, 64} {
		s := newSender(8*200000, wire.Profile{BlockSize: 8, WindowSize: window}, false, false)
		now, blocks := epoch, int64(0)
		do := s.step(now, input{kind: begin})
		for do.end == "" {
			if do.from != blocks+1 || do.to < do.from || do.to > blocks+int64(window) {
				t.Fatalf("window %d: after %d blocks it sends %d..%d", window, blocks, do.from, do.to)
			}
			blocks = do.to
			now = now.Add(time.Millisecond)
			do = s.step(now, acked(uint16(blocks)))
		}
		if do.end != boot.Done || blocks != 200001 || s.retransmits != 0 {
			t.Errorf("window %d: %s after %d blocks, %d retransmits", window, do.end, blocks, s.retransmits)
		}
	}
}

// What a sender has to know is size, profile and the block that was acknowledged last: another
// machine that is told these sends the same blocks, whatever happened to the first one before.
func TestAnyNodeCanGoOn(t *testing.T) {
	for _, p := range []wire.Profile{{BlockSize: 512, WindowSize: 1}, {BlockSize: 8, WindowSize: 7}, {BlockSize: 1456, WindowSize: 64}} {
		size := int64(p.BlockSize) * 70000
		first, now := newSender(size, p, true, true), epoch
		do := first.step(now, input{kind: begin})
		rnd := rand.New(rand.NewPCG(1, uint64(p.WindowSize)))
		for do.end == "" {
			now = now.Add(time.Duration(rnd.IntN(100)) * time.Millisecond)
			switch rnd.IntN(8) {
			case 0:
				do = first.step(now, input{kind: tick})
				continue
			case 1:
				do = first.step(now, acked(uint16(rnd.Uint32())|0x8000)) // mostly of no block that was sent
				continue
			}
			n := first.acked + 1
			if n <= first.sent {
				n += rnd.Int64N(first.sent - n + 1)
			}
			other := newSender(size, p, true, true)
			other.acked, other.sent = n, n // as if this node had just read the ACK
			want := other.window(now)
			if do = first.step(now, acked(uint16(n))); do.end != "" {
				break
			}
			// The first one may know that some of these are under way.
			if first.acked != n || do.to != want.to || do.from < want.from {
				t.Fatalf("%+v, after ACK %d: %d..%d, the other node %d..%d", p, n, do.from, do.to, want.from, want.to)
			}
		}
		if do.end != boot.Done {
			t.Errorf("%+v: %s after block %d", p, do.end, first.acked)
		}
	}
}

// A client that never acknowledges anything, as one in whose name somebody else asks, gets a bounded
// number of packets; one that answers late is served as any other.
func TestSilentClientGetsFewPackets(t *testing.T) {
	for _, oack := range []bool{true, false} {
		s := newSender(100_000, wire.Profile{BlockSize: 512, WindowSize: 64}, oack, false)
		if !oack {
			s = newSender(100_000, wire.DefaultProfile(), oack, false)
		}
		began := time.Unix(1000, 0)
		o := s.step(began, input{kind: begin})
		packets, now := 1, began
		for o.end == "" {
			now = o.deadline
			if o = s.step(now, input{kind: tick}); o.oack || o.from <= o.to {
				packets++
			}
		}
		if o.end != boot.Timeout || packets > 9 || now.Sub(began) < giveUp {
			t.Errorf("oack %t: %d packets in %s, %s", oack, packets, now.Sub(began), o.end)
		}
	}
	s := newSender(100_000, wire.DefaultProfile(), true, false)
	o := s.step(time.Unix(1000, 0), input{kind: begin})
	now := time.Unix(1000, 0)
	for range 6 {
		now = o.deadline
		o = s.step(now, input{kind: tick})
	}
	o = s.step(now.Add(time.Millisecond), input{kind: ack, block: 0})
	if o.from != 1 || o.deadline.Sub(now) > maxRTO {
		t.Errorf("after a late ACK: %+v, the next wait is %s", o, o.deadline.Sub(now))
	}
}
