package conform

import (
	"errors"
	"time"
)

// gaps waits for n repetitions of what came and returns the waits between them.
func (c *client) gaps(n int, limit time.Duration) []time.Duration {
	var out []time.Duration
	last := time.Now()
	for begun := last; len(out) < n && time.Since(begun) < limit; {
		p, err := c.recv(limit - time.Since(begun))
		if err != nil {
			break
		}
		out = append(out, p.at.Sub(last).Round(10*time.Millisecond))
		last = p.at
	}
	return out
}

// resendChecks are about timers and what ACKs do (RFC 1350 2, 1123 4.2.3).
func resendChecks() []check {
	return []check{
		{"data-lost", "RFC 1350 2", must, "a DATA that is not acknowledged comes again", func(a *attempt) {
			c := a.begin()
			c.data(1)
			c.ack(1)
			c.rest(2)
		}},
		{"data-lost-each", "RFC 1350 2", must, "every block of a file may be lost once", func(a *attempt) {
			lose := func(_ int64, time int) bool { return time == 1 }
			r := a.client().fetch(rrq("f1536", "octet"), content(1536), habits{lose: lose, timer: 8 * time.Second, limit: 30 * time.Second})
			a.seen("%s for 4 blocks", r.took.Round(10*time.Millisecond))
		}},
		{"ack-lost", "RFC 1350 2", must, "when an ACK was lost the block comes again, and its second ACK counts", func(a *attempt) {
			lost := map[int64]bool{}
			h := habits{timer: 8 * time.Second, limit: 30 * time.Second, ack: func(c *client, n int64) {
				if lost[n] || n%2 == 0 {
					c.ack(uint16(n))
				}
				lost[n] = true
			}}
			a.client().fetch(rrq("f1536", "octet"), content(1536), h)
		}},
		{"data-within-1s", "F27", should, "the first repetition of a DATA comes within a second", func(a *attempt) {
			gap := a.begin().gaps(1, 6*time.Second)
			a.seen("%v", gap)
			if len(gap) == 0 || gap[0] > 1300*time.Millisecond {
				a.failf("waits: %v", gap)
			}
		}},
		{"oack-within-1s", "F27", should, "the first repetition of an OACK comes within a second", func(a *attempt) {
			c := a.client()
			c.granted("f5000", "blksize", "1024")
			gap := c.gaps(1, 6*time.Second)
			a.seen("%v", gap)
			if len(gap) == 0 || gap[0] > 1300*time.Millisecond {
				a.failf("waits: %v", gap)
			}
		}},
		{"backoff", "RFC 1123 4.2.3.2", should, "the waits between repetitions grow", func(a *attempt) {
			gap := a.begin().gaps(5, 9*time.Second)
			a.seen("%v", gap)
			if len(gap) < 3 || gap[len(gap)-1] < gap[0]*3/2 {
				a.failf("waits: %v", gap)
			}
		}},
		{"patience", "F25", should, "a client that was away for 5 s can go on", func(a *attempt) {
			c := a.begin()
			time.Sleep(5 * time.Second)
			c.collect(10 * time.Millisecond)
			c.ack(1)
			c.rest(2)
		}},
		{"sas", "RFC 1123 4.2.3.1", must, "one ACK twice does not double all blocks after it", func(a *attempt) {
			h := habits{ackAll: true, ack: func(c *client, n int64) {
				c.ack(uint16(n))
				if n == 3 {
					c.ack(3)
				}
			}}
			a.notDoubled(a.client().fetch(rrq("f20480", "octet"), content(20480), h))
		}},
		{"sas-all", "RFC 1123 4.2.3.1", must, "every ACK twice does not double the blocks", func(a *attempt) {
			h := habits{ack: func(c *client, n int64) { c.ack(uint16(n)); c.ack(uint16(n)) }}
			a.notDoubled(a.client().fetch(rrq("f20480", "octet"), content(20480), h))
		}},
		{"sas-late", "RFC 1123 4.2.3.1", must, "an ACK that comes late, after its successor, changes nothing", func(a *attempt) {
			h := habits{ackAll: true, ack: func(c *client, n int64) {
				c.ack(uint16(n))
				if n > 3 {
					c.ack(uint16(n - 2))
				}
			}}
			a.notDoubled(a.client().fetch(rrq("f20480", "octet"), content(20480), h))
		}},
		{"ack-beyond", "RFC 1350 2", must, "an ACK of a block never sent skips nothing", func(a *attempt) {
			c := a.begin()
			for _, n := range []uint16{2, 9, 100, 32768, 32770, 65535} {
				c.ack(n)
			}
			c.blocks(300*time.Millisecond, 1, 1)
			c.ack(1)
			c.rest(2)
		}},
		{"ack-old", "RFC 1123 4.2.3.1", must, "an ACK of a block long past changes nothing", func(a *attempt) {
			c := a.begin()
			for n := uint16(1); n < 6; n++ {
				c.ack(n)
				c.data(n + 1)
			}
			c.ack(2)
			c.ack(3)
			c.blocks(200*time.Millisecond, 6, 6)
			c.ack(6)
			c.rest(7)
		}},
		{"ack-longer", "F25", should, "an ACK with bytes after its number counts (msftwindow)", func(a *attempt) {
			c := a.begin()
			for n := uint16(1); n < 10; n++ {
				c.send(short(opACK, n, 1))
				c.data(n + 1)
			}
			c.send(short(opACK, 10, 1))
		}},
	}
}

// slowChecks take up to a minute.
func slowChecks() []check {
	return []check{
		{"gives-up", "RFC 1123 4.2.3.2", should, "a client that never acknowledges is given up within two minutes, in silence", func(a *attempt) {
			c := a.begin()
			begun, n := time.Now(), 0
			for {
				p, err := c.recv(30 * time.Second)
				if errors.Is(err, errQuiet) {
					a.seen("after %d repetitions and %s", n, (time.Since(begun) - 30*time.Second).Round(time.Second))
					return
				}
				if err != nil {
					a.failf("%v", err)
				}
				if p.op == opDATA {
					n++
				}
				if time.Since(begun) > 2*time.Minute {
					a.failf("%d repetitions, and still sending", n)
				}
			}
		}},
		{"patience-20s", "F25", should, "a client that was away for 20 s, as EDK2 waits up to 24 s, can go on", func(a *attempt) {
			c := a.begin()
			time.Sleep(20 * time.Second)
			c.collect(10 * time.Millisecond)
			c.ack(1)
			c.rest(2)
		}},
	}
}
