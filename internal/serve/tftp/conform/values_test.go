package conform

import (
	"fmt"
	"strconv"
	"time"
)

// valueChecks are about the values of options, in range and out of it (RFC 2348, 2349).
func valueChecks() []check {
	checks := []check{
		value("blksize", "8", must, "the smallest block size is granted", "RFC 2348", exactly(8)),
		value("blksize", "7", must, "a block size below 8 is not granted", "RFC 2348", ignored),
		value("blksize", "0", must, "block size 0 is not granted", "RFC 2348", ignored),
		value("blksize", "-1", must, "a negative block size is not granted", "RFC 2348", ignored),
		value("blksize", "abc", must, "a block size that is no number is not granted", "RFC 2348", ignored),
		value("blksize", "", must, "an empty block size is not granted", "RFC 2348", ignored),
		value("blksize", " 1024", should, "a block size with a space is not granted", "RFC 2348", ignored),
		value("blksize", "1024x", should, "a block size with a letter after it is not granted", "RFC 2348", ignored),
		value("blksize", "+1024", info, "a block size with a plus sign is not granted, or means what it says", "RFC 2348", between(1024, 1024)),
		value("blksize", "01024", info, "a block size with a zero before it means what it says", "RFC 2348", between(1024, 1024)),
		value("blksize", "512", must, "block size 512 is granted like any other", "RFC 2348", exactly(512)),
		value("blksize", "65465", must, "a block size beyond 65464 is not granted as such", "RFC 2348", between(8, 65464)),
		value("blksize", "99999999999999999999", must, "a block size beyond all bounds is not granted as such", "RFC 2348", between(8, 65464)),
		{"blksize-never-more", "RFC 2348", must, "never more than asked for is granted", func(a *attempt) {
			for _, n := range []int{9, 100, 511, 513, 1000, 1432, 1468, 8192, 65464} {
				c := a.client()
				p := c.granted("f5000", "blksize", strconv.Itoa(n))
				if size, _, err := profile(p); err != nil || size > n || size < 8 {
					a.failf("asked for %d: %s", n, p)
				}
				c.send(errorOf(0, "enough"))
			}
		}},
		{"blksize-used", "RFC 2348", must, "blocks have the size of the OACK, and the last is shorter", func(a *attempt) {
			for _, n := range []int{8, 511, 1000, 1428, 1468, 4096} {
				r := a.client().fetch(rrq("f30000", "octet", "blksize", strconv.Itoa(n)), content(30000), habits{})
				size, _, err := profile(r.oack)
				if err != nil || r.oack.op == 0 || r.blocks != int64(30000/size+1) {
					a.failf("%s, %d blocks, %v", r.oack, r.blocks, err)
				}
			}
		}},
		{"blksize-65464", "RFC 2348", should, "the largest block size works", func(a *attempt) {
			r := a.client().fetch(rrq("f100001", "octet", "blksize", "65464"), content(100_001), habits{})
			v, ok := r.oack.lookup("blksize")
			if !ok {
				a.lacks("blksize")
			}
			a.seen("granted %s, %d blocks", v, r.blocks)
		}},

		value("timeout", "1", must, "timeout 1 is granted as it is", "RFC 2349", exactly(1)),
		value("timeout", "255", must, "timeout 255 is granted as it is", "RFC 2349", exactly(255)),
		value("timeout", "0", must, "timeout 0 is not granted", "RFC 2349", ignored),
		value("timeout", "256", must, "timeout 256 is not granted", "RFC 2349", ignored),
		value("timeout", "x", must, "a timeout that is no number is not granted", "RFC 2349", ignored),
		{"timeout-kept", "RFC 2349", should, "with a granted timeout of 2 s the next try comes within it", func(a *attempt) {
			c := a.client()
			first := c.granted("f5000", "timeout", "2")
			wait := c.oack().at.Sub(first.at)
			a.seen("again after %s", wait.Round(10*time.Millisecond))
			if wait > 2500*time.Millisecond {
				a.failf("again after %s", wait.Round(10*time.Millisecond))
			}
		}},
		{"timeout-half", "F27", should, "with a granted timeout of 4 s the next try comes within half of it, before the client's own", func(a *attempt) {
			c := a.client()
			first := c.granted("f5000", "timeout", "4")
			wait := c.oack().at.Sub(first.at)
			a.seen("again after %s", wait.Round(10*time.Millisecond))
			if wait > 2500*time.Millisecond {
				a.failf("again after %s", wait.Round(10*time.Millisecond))
			}
		}},
		{"timeout-1-kept", "F27", should, "with a timeout of 1 s a lost DATA comes again within it", func(a *attempt) {
			c := a.client()
			c.granted("f5000", "timeout", "1")
			c.ack(0)
			first := c.data(1)
			wait := c.data(1).at.Sub(first.at)
			a.seen("again after %s", wait.Round(10*time.Millisecond))
			if wait > 1400*time.Millisecond {
				a.failf("again after %s", wait.Round(10*time.Millisecond))
			}
		}},

		{"tsize", "RFC 2349", must, "tsize is the size of the file", func(a *attempt) {
			for _, n := range []int{1, 512, 5000, 300_001} {
				c := a.client()
				p := c.granted(fmt.Sprintf("f%d", n), "tsize", "0")
				if v, _ := p.lookup("tsize"); v != strconv.Itoa(n) {
					a.failf("%s for %d bytes", p, n)
				}
				c.send(errorOf(0, "enough"))
			}
		}},
		{"tsize-empty", "RFC 2349", must, "tsize of an empty file is 0", func(a *attempt) {
			r := a.client().fetch(rrq("f0", "octet", "tsize", "0"), nil, habits{})
			if v, ok := r.oack.lookup("tsize"); ok && v != "0" {
				a.failf("%s", r.oack)
			}
		}},
		{"tsize-not-0", "RFC 2349", should, "a request with another tsize than 0 is told the real size, too", func(a *attempt) {
			c := a.client()
			if p := c.granted("f5000", "tsize", "1234"); p.options[0].value != "5000" {
				a.failf("%s", p)
			}
		}},
		{"tsize-blksize", "RFC 2349", must, "tsize counts bytes whatever the block size", func(a *attempt) {
			c := a.client()
			p := c.granted("f5000", "blksize", "1468", "tsize", "0")
			if v, _ := p.lookup("tsize"); v != "5000" {
				a.failf("%s", p)
			}
		}},
		{"options-missing-file", "RFC 2347", must, "a missing file is refused before any option is", func(a *attempt) {
			c := a.client()
			c.ask(rrq("missing", "octet", "tsize", "0", "blksize", "1468"))
			a.seen("%s", c.refused(1))
		}},
	}
	return checks
}
