package conform

import (
	"fmt"
	"time"
)

// contentChecks are about what arrives: every byte of every size (RFC 1350).
func contentChecks() []check {
	whole := func(size int, blocks int64, words ...string) func(*attempt) {
		return func(a *attempt) {
			req := rrq(fmt.Sprintf("f%d", size), "octet", words...)
			r := a.client().fetch(req, content(size), habits{})
			if len(words) > 0 && r.oack.op == 0 {
				a.lacks(words[0])
			}
			if r.blocks != blocks {
				a.failf("%d blocks, expected %d", r.blocks, blocks)
			}
			a.seen("%d bytes in %d blocks", size, r.blocks)
		}
	}
	return []check{
		{"size-0", "RFC 1350 6", must, "an empty file is one empty DATA", whole(0, 1)},
		{"size-1", "RFC 1350 6", must, "a file of 1 byte is one short DATA, block 1", whole(1, 1)},
		{"size-511", "RFC 1350 6", must, "511 bytes are one DATA", whole(511, 1)},
		{"size-512", "RFC 1350 6", must, "512 bytes end with an empty DATA", whole(512, 2)},
		{"size-513", "RFC 1350 6", must, "513 bytes are two DATA", whole(513, 2)},
		{"size-3x512", "RFC 1350 6", must, "a multiple of the block size ends with an empty DATA", whole(1536, 4)},
		{"size-3x1456", "RFC 2348", must, "the same with another block size", whole(3*1456, 4, "blksize", "1456")},
		{"lockstep", "RFC 1350 2", must, "a long file arrives whole, block by block", whole(300_001, 586)},
		{"block-1", "RFC 1350 2", must, "the first DATA has number 1 and comes without an OACK", func(a *attempt) {
			c := a.client()
			c.ask(rrq("f5000", "octet"))
			if p := c.next(); p.op != opDATA || p.block != 1 || len(p.data) != 512 {
				a.failf("%s", p)
			}
		}},
		{"waits-for-ack", "RFC 1350 2", must, "no block leaves before the one before it is acknowledged", func(a *attempt) {
			c := a.client()
			c.ask(rrq("f5000", "octet"))
			c.data(1)
			c.ack(1)
			c.data(2)
			c.blocks(300*time.Millisecond, 1, 2)
		}},
		{"wrap", "F27", must, "block 65535 is followed by block 0, in lock-step", func(a *attempt) {
			r := a.client().fetch(rrq("big", "octet", "blksize", "32"), content(big), habits{limit: 60 * time.Second})
			if r.oack.op == 0 {
				a.lacks("blksize")
			}
			a.seen("%d blocks", r.blocks)
		}},
		{"end-silent", "RFC 1350 6", must, "after the last ACK nothing more comes", func(a *attempt) {
			c := a.client()
			c.ask(rrq("f513", "octet"))
			c.data(1)
			c.ack(1)
			c.data(2)
			c.ack(2)
			c.quietEnd()
		}},
		{"last-ack-lost", "RFC 1350 6", must, "the last DATA comes again until it is acknowledged", func(a *attempt) {
			c := a.client()
			c.ask(rrq("f513", "octet"))
			c.data(1)
			c.ack(1)
			c.data(2)
			if p := c.data(2); len(p.data) != 1 {
				a.failf("%s", p)
			}
			c.ack(2)
		}},
		{"last-empty-lost", "RFC 1350 6", must, "an empty last DATA that was lost comes again", func(a *attempt) {
			c := a.client()
			lose := func(n int64, time int) bool { return n == 2 && time == 1 }
			c.fetch(rrq("f512", "octet"), content(512), habits{lose: lose})
		}},
	}
}
