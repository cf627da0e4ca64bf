package conform

import (
	"fmt"
	"slices"
	"time"
)

// window starts a download of f20480 with a window and acknowledges the OACK.
func (a *attempt) window(size string) *client {
	c := a.client()
	p := c.granted("f20480", "windowsize", size)
	if v, _ := p.lookup("windowsize"); v != size {
		a.failf("%s, asked for %s", p, size)
	}
	c.ack(0)
	return c
}

// full takes the blocks from to to in order.
func (c *client) full(from, to uint16) {
	for n := from; n <= to; n++ {
		c.data(n)
	}
}

// endWindow downloads the rest of f20480 from block from on, with windows of 4.
func (c *client) endWindow(from int64) {
	have := from - 1
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); {
		p := c.next()
		if p.op != opDATA || int64(p.block) != have+1 {
			continue
		}
		have++
		c.a.same(p.data, content(20480)[(have-1)*512:min(have*512, 20480)])
		if (have-from+1)%4 == 0 || len(p.data) < 512 {
			c.ack(uint16(have))
		}
		if len(p.data) < 512 {
			return
		}
	}
	c.a.failf("stuck after block %d", have)
}

// windowChecks are about windowsize (RFC 7440).
func windowChecks() []check {
	whole := func(file string, want []byte, h habits, words ...string) func(*attempt) {
		return func(a *attempt) {
			r := a.client().fetchWith("windowsize", rrq(file, "octet", words...), want, h)
			a.seen("%d blocks, %d came more than once, %s", r.blocks, r.repeated(), r.took.Round(10*time.Millisecond))
		}
	}
	loseOnce := func(place int64) habits {
		return habits{lose: func(n int64, time int) bool { return n%12 == 4+place && time == 1 }}
	}
	checks := []check{
		value("windowsize", "1", must, "a window of 1 is granted", "RFC 7440 3", exactly(1)),
		value("windowsize", "0", must, "a window of 0 is not granted", "RFC 7440 3", ignored),
		value("windowsize", "65535", must, "the largest window is granted, or a smaller one", "RFC 7440 3", func(n int) bool { return 1 <= n && n <= 65535 }),
		value("windowsize", "65536", must, "a window beyond 65535 is not granted as such", "RFC 7440 3", between(1, 65535)),
		value("windowsize", "-4", must, "a negative window is not granted", "RFC 7440 3", ignored),
		value("windowsize", "abc", must, "a window that is no number is not granted", "RFC 7440 3", ignored),
		value("windowsize", "1000", should, "no window beyond 64 is granted", "F28", between(1, 64)),
		{"window-exact", "RFC 7440 4", must, "a window has as many blocks as were agreed, and then the server waits", func(a *attempt) {
			c := a.window("4")
			c.full(1, 4)
			c.blocks(200*time.Millisecond, 1, 4)
			c.ack(4)
			c.full(5, 8)
			c.blocks(200*time.Millisecond, 5, 8)
			c.ack(8)
			c.endWindow(9)
		}},
		{"window-never-more", "RFC 7440 3", must, "never a larger window than asked for is granted", func(a *attempt) {
			for _, n := range []int{1, 2, 3, 4, 5, 7, 16, 63, 64, 65} {
				c := a.client()
				p := c.granted("f5000", "windowsize", fmt.Sprint(n))
				if _, w, err := profile(p); err != nil || w > int64(n) {
					a.failf("asked for %d: %s", n, p)
				}
				c.send(errorOf(0, "enough"))
			}
		}},
		{"window-whole-file", "RFC 7440 4", must, "a window longer than the file ends with the file", whole("f5000", content(5000), habits{}, "windowsize", "16")},
		{"window-short-last", "RFC 7440 4", must, "the last window may be shorter", whole("f30000", content(30000), habits{}, "windowsize", "8")},
		{"window-empty-last", "RFC 7440 4", must, "an empty last block may be a window of its own", whole("f2048", content(2048), habits{}, "windowsize", "4")},
		{"window-long", "RFC 7440 4", must, "a long file arrives whole", whole("f300001", content(300_001), habits{}, "windowsize", "16", "blksize", "1456")},
		{"window-wrap", "F27", must, "block 65535 is followed by block 0 inside a window", whole("big", content(big), habits{}, "windowsize", "64", "blksize", "32")},
		{"window-wrap-loss", "F27", must, "blocks 65535, 0 and 1 may be lost and are resumed", whole("big", content(big), habits{
			lose: func(n int64, time int) bool { return n >= 65535 && n <= 65537 && time == 1 },
		}, "windowsize", "16", "blksize", "32")},
		{"window-size-0", "RFC 7440 4", must, "an empty file with a window is one empty DATA", whole("f0", nil, habits{}, "windowsize", "4")},
		{"window-ack-lost", "RFC 7440 4", must, "a window whose ACK was lost comes again", func(a *attempt) {
			c := a.window("4")
			c.full(1, 4)
			for c.next().block != 1 { // its last block may come before, to ask what is the matter
			}
			c.ack(4)
			c.endWindow(5)
		}},
		{"window-lost-whole", "RFC 7440 4", must, "a window of which nothing came is sent again", whole("f20480", content(20480), habits{
			lose: func(n int64, time int) bool { return n >= 9 && n <= 12 && time == 1 },
		}, "windowsize", "4")},
		{"window-lost-twice", "RFC 7440 4", must, "a block that is lost twice comes a third time", whole("f20480", content(20480), habits{
			lose: func(n int64, time int) bool { return n == 10 && time <= 2 },
		}, "windowsize", "4")},
		{"window-back", "RFC 7440 4", must, "an ACK inside the window means: go on after this block", func(a *attempt) {
			c := a.window("4")
			c.full(1, 4)
			c.ack(2)
			for seen := map[uint16]bool{}; !seen[3] || !seen[4] || !seen[5] || !seen[6]; {
				p := c.next()
				if p.op != opDATA || p.block > 6 {
					a.failf("%s after ACK 2 of a window of 4", p)
				}
				seen[p.block] = true
			}
			c.ack(6)
			c.endWindow(7)
		}},
		{"window-at-once", "RFC 7440 4", should, "a gap that the client tells is filled without waiting for a timer", atOnce(func(n int64, time int) bool {
			return n%23 == 5 && time == 1
		})},
		{"window-gaps", "RFC 7440 4", should, "gaps among the blocks that fill a gap are filled without waiting, too", atOnce(func(n int64, time int) bool {
			return n%23 == 4 && time == 1 || n%23 == 7 && time <= 2 || n%23 == 10 && time <= 3
		})},
		{"window-ack-beyond", "RFC 7440 4", must, "an ACK of a block never sent skips nothing", func(a *attempt) {
			c := a.window("4")
			c.full(1, 4)
			c.ack(7)
			c.blocks(300*time.Millisecond, 1, 4)
			c.ack(4)
			c.endWindow(5)
		}},
		{"window-ack-old", "RFC 7440 4", must, "an ACK of an earlier window changes nothing", func(a *attempt) {
			c := a.window("4")
			c.full(1, 4)
			c.ack(4)
			c.full(5, 8)
			c.ack(8)
			c.full(9, 12)
			c.ack(4)
			c.ack(5)
			c.blocks(200*time.Millisecond, 9, 12)
			c.ack(12)
			c.endWindow(13)
		}},
		{"window-ack-twice", "RFC 1123 4.2.3.1", must, "every ACK twice does not double the windows", func(a *attempt) {
			r := a.client().fetchWith("windowsize", rrq("f100001", "octet", "windowsize", "4"), content(100_001), habits{
				ack: func(c *client, n int64) { c.ack(uint16(n)); c.ack(uint16(n)) },
			})
			a.notDoubled(r)
		}},
		{"window-duplicates", "RFC 1123 4.2.3.1", should, "a client that acknowledges each duplicate does not get all later windows twice", func(a *attempt) {
			r := a.client().fetchWith("windowsize", rrq("f100001", "octet", "windowsize", "4"), content(100_001), habits{ackDups: true, spur: 10})
			a.notDoubled(r)
		}},
		{"window-duplicates-slow", "RFC 1123 4.2.3.1", should, "nor does one that takes 3 ms for each ACK", func(a *attempt) {
			for range 3 {
				a.notDoubled(a.client().fetchWith("windowsize", rrq("f100001", "octet", "windowsize", "4"), content(100_001), habits{
					ackDups: true, spur: 10, ack: func(c *client, n int64) { time.Sleep(3 * time.Millisecond); c.ack(uint16(n)) },
				}))
			}
		}},
	}
	for place := range int64(4) {
		checks = append(checks, check{
			fmt.Sprintf("window-lost-%d-of-4", place+1), "RFC 7440 4", must,
			fmt.Sprintf("a window whose block %d of 4 was lost is resumed there", place+1),
			whole("f20480", content(20480), loseOnce(place+1), "windowsize", "4"),
		})
	}
	return checks
}

// atOnce loses blocks and checks how long it takes from the ACK that tells of a gap to the missing
// block: half of the gaps must be filled sooner than any timer would do it, in each of three
// downloads.
func atOnce(lose func(int64, int) bool) func(*attempt) {
	return func(a *attempt) {
		req := rrq("f100001", "octet", "windowsize", "16")
		for range 3 {
			gaps := a.client().fetchWith("windowsize", req, content(100_001), habits{lose: lose}).gaps
			if slices.Sort(gaps); len(gaps) == 0 {
				a.failf("no gap was told")
			}
			half := gaps[len(gaps)/2].Round(time.Millisecond)
			a.seen("%d gaps, half filled within %s", len(gaps), half)
			if half > 25*time.Millisecond {
				a.failf("%d gaps, half filled only after %s or more", len(gaps), half)
			}
		}
	}
}

// notDoubled fails the check if more than a quarter of the blocks came more than once.
func (a *attempt) notDoubled(r result) {
	a.seen("%d of %d blocks came more than once", r.repeated(), r.blocks)
	if int64(r.repeated()) > r.blocks/4 {
		a.failf("%d of %d blocks came more than once", r.repeated(), r.blocks)
	}
}
