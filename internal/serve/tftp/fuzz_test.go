package tftp

import (
	"testing"
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/tftp"
)

// FuzzACKs gives the machine any ACKs, ERRORs and ticks at any time: two bytes of time and kind, two of
// the block. It never sends beyond window or file, never goes back behind what was acknowledged,
// never sets a deadline in the past, and one input makes it send one window at most: nobody can have
// it talk more than it is talked to, but for its timer.
func FuzzACKs(f *testing.F) {
	f.Add(uint32(5000), uint8(4), true, []byte{0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 4})                   // ACK 0, 2, 4
	f.Add(uint32(5000), uint8(1), false, []byte{0, 0, 0, 1, 0, 0, 0, 1, 4, 0, 0, 0})                  // ACK 1 twice, a tick
	f.Add(uint32(600000), uint8(64), true, []byte{0, 0, 0, 0, 0x40, 0, 0, 0, 8, 0, 0, 1})             // ticks and an ERROR
	f.Add(uint32(600000), uint8(16), false, []byte{0, 9, 0, 3, 0, 9, 0, 5, 0, 9, 0, 16, 0, 9, 0, 16}) // gaps and echoes
	f.Fuzz(func(t *testing.T, size uint32, window uint8, oack bool, script []byte) {
		p := wire.Profile{BlockSize: 8, WindowSize: int(window)%64 + 1}
		s := newSender(int64(size%(1<<24)), p, oack, oack)
		now := epoch
		do := s.step(now, input{kind: begin})
		for len(script) >= 4 && do.end == "" {
			wait := time.Duration(script[1]) * time.Millisecond
			in := input{kind: ack, block: uint16(script[2])<<8 | uint16(script[3])}
			switch script[0] >> 2 & 3 {
			case 1:
				in = input{kind: tick}
			case 2:
				in = input{kind: clientError, code: wire.ErrorCode(script[3] % 9), text: "text"}
			case 3: // a block near the ones under way
				in.block = uint16(s.acked + int64(int8(script[3])))
			}
			if script[0]&0x40 != 0 {
				wait = max(do.deadline.Sub(now), 0) // exactly when it is due
			}
			script, now = script[4:], now.Add(wait)
			acked, sent := s.acked, s.sent
			do = s.step(now, in)
			switch {
			case s.acked < acked || s.acked > sent || s.sent < sent || s.sent > s.acked+int64(p.WindowSize) && s.sent != sent || s.sent > s.last:
				t.Fatalf("acked %d to %d, sent %d to %d of %d, window %d", acked, s.acked, sent, s.sent, s.last, p.WindowSize)
			case do.to >= do.from && (do.from <= s.acked || do.to > s.sent || do.to-do.from >= int64(p.WindowSize)):
				t.Fatalf("sends %d..%d, acked %d, window %d", do.from, do.to, s.acked, p.WindowSize)
			case do.oack && s.acked >= 0:
				t.Fatal("an OACK after it was acknowledged")
			case do.end == boot.Done && s.acked != s.last:
				t.Fatalf("done at %d of %d", s.acked, s.last)
			case do.end == "" && in.kind == tick && !now.Before(do.deadline):
				t.Fatal("a tick leaves the deadline in the past: the driver would spin")
			case do.end == "" && do.deadline.Sub(now) > maxRTO && (s.acked >= s.first || do.deadline.Sub(now) > maxSilentRTO):
				t.Fatalf("waits %s", do.deadline.Sub(now))
			case len(s.ends) > 64:
				t.Fatalf("remembers %d repetitions", len(s.ends))
			}
		}
	})
}

// FuzzManners takes any request: what is granted lies within what was asked and what is offered, and
// no wait is longer than F27 allows.
func FuzzManners(f *testing.F) {
	f.Add([]byte("\x00\x01f\x00octet\x00tsize\x000\x00blksize\x001468\x00windowsize\x004\x00"))
	f.Add([]byte("\x00\x01f\x00octet\x00timeout\x001\x00BLKSIZE\x0099999\x00"))
	f.Fuzz(func(t *testing.T, packet []byte) {
		v := judge(packet, false)
		if v.reason != boot.Answered {
			return
		}
		offer := Offer{Refuse: []string{"tsize"}, BlockSize: 1428, WindowSize: 16}
		p, granted := wire.Negotiate(v.req.Options, offer.limits(), 5000)
		if p.BlockSize > 1428 || p.BlockSize < 8 || p.WindowSize > 16 || p.WindowSize < 1 {
			t.Fatalf("%+v", p)
		}
		if _, ok := wire.Lookup(granted, "tsize"); ok {
			t.Fatal("a refused option is granted")
		}
		for _, g := range granted {
			if _, ok := wire.Lookup(v.req.Options, g.Name); !ok {
				t.Fatalf("%s was not asked for", g.Name)
			}
		}
		_ = offer.withheld("x", v.req.Options, granted)
		s := newSender(5000, p, len(granted) > 0, false)
		s.mind(mannersFor(v.req))
		if w := s.step(epoch, input{kind: begin}).deadline.Sub(epoch); w > time.Second || p.Timeout > 0 && w > p.Timeout/2 || w < minRTO {
			t.Fatalf("first wait %s", w)
		}
	})
}
