package conform

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// optionChecks are about negotiation as such (RFC 2347).
func optionChecks() []check {
	return []check{
		{"option-case", "RFC 2347", must, "names of options are compared without case", func(a *attempt) {
			c := a.client()
			p := c.granted("f5000", "BlkSize", "1024")
			c.ack(0)
			if d := c.data(1); len(d.data) != 1024 {
				a.failf("%s after %s", d, p)
			}
			a.seen("%s", p)
		}},
		{"option-unknown", "RFC 2347", must, "an unknown option is left out of the OACK", func(a *attempt) {
			c := a.client()
			p := c.granted("f5000", "blksize", "1024", "x-unheard", "1")
			if _, ok := p.lookup("x-unheard"); ok {
				a.failf("%s", p)
			}
		}},
		{"option-only-unknown", "RFC 2347", must, "without any known option DATA comes at once", func(a *attempt) {
			a.client().fetchPlain("f5000", 5000, "x-unheard", "1")
		}},
		{"option-only-asked", "RFC 2347", must, "the OACK names nothing that was not asked for", func(a *attempt) {
			c := a.client()
			if p := c.granted("f5000", "blksize", "1024"); len(p.options) != 1 {
				a.failf("%s", p)
			}
		}},
		{"option-order", "RFC 2347", should, "the OACK keeps the order of the request", func(a *attempt) {
			asked := []string{"tsize", "0", "blksize", "1024", "timeout", "3", "windowsize", "4"}
			for _, words := range [][]string{asked, {"windowsize", "4", "timeout", "3", "blksize", "1024", "tsize", "0"}} {
				c := a.client()
				p := c.granted("f5000", words[0], words[1], words[2:]...)
				at := -1
				for _, o := range p.options {
					i := slices.Index(words, strings.ToLower(o.name))
					if i <= at {
						a.failf("%s, asked for %q", p, words)
					}
					at = i
				}
				a.seen("%s", p)
			}
		}},
		{"option-twice", "RFC 2347", should, "an option that was asked for twice is answered once", func(a *attempt) {
			c := a.client()
			p := c.granted("f5000", "blksize", "1024", "BLKSIZE", "2048")
			if len(p.options) != 1 {
				a.failf("%s", p)
			}
			size, _, err := profile(p)
			c.ack(0)
			if d := c.data(1); err != nil || len(d.data) != size {
				a.failf("%s after %s", d, p)
			}
			a.seen("%s", p)
		}},
		{"option-half", "RFC 2347", should, "a name without a value at the end does not spoil the request", func(a *attempt) {
			a.client().fetch(append(rrq("f5000", "octet"), "blksize\x00"...), content(5000), habits{})
		}},
		{"option-no-nul", "RFC 2347", should, "a value without its NUL does not spoil the request", func(a *attempt) {
			a.client().fetch(append(rrq("f5000", "octet"), "blksize\x001024"...), content(5000), habits{})
		}},
		{"option-padding", "RFC 2347", should, "NULs after the last option do not spoil the request", func(a *attempt) {
			a.client().fetch(append(rrq("f5000", "octet", "blksize", "1024"), make([]byte, 20)...), content(5000), habits{})
		}},
		{"option-many", "RFC 2347", info, "a request with 30 unknown options is served", func(a *attempt) {
			var words []string
			for i := range 30 {
				words = append(words, fmt.Sprintf("x%d", i), "1")
			}
			a.client().fetch(rrq("f5000", "octet", words...), content(5000), habits{limit: 4 * time.Second})
		}},
		{"option-bad", "RFC 2347", should, "a bad value costs the option, not the file", func(a *attempt) {
			for _, words := range [][]string{{"blksize", "7"}, {"blksize", "x"}, {"timeout", "0"}, {"timeout", "256"}, {"tsize", "x"}, {"windowsize", "0"}} {
				r, err := a.client().get(rrq("f5000", "octet", words...), habits{})
				if err != nil {
					a.failf("%q: %v", words, err)
				}
				a.same(r.content, content(5000))
			}
		}},
		{"oack-waits", "RFC 2347", must, "no DATA before the OACK is acknowledged", func(a *attempt) {
			c := a.client()
			c.granted("f5000", "blksize", "1024")
			for _, p := range c.collect(400 * time.Millisecond) {
				if p.op != opOACK {
					a.failf("%s before ACK 0", p)
				}
			}
		}},
		{"oack-lost", "RFC 2347", must, "an OACK that is not acknowledged comes again", func(a *attempt) {
			c := a.client()
			first := c.granted("f5000", "blksize", "1024")
			again := c.oack()
			c.ack(0)
			c.data(1)
			a.seen("again after %s", again.at.Sub(first.at).Round(10*time.Millisecond))
		}},
		{"ack0-lost", "RFC 2347", must, "when ACK 0 was lost the OACK comes again, and a late ACK 0 does no harm", func(a *attempt) {
			c := a.client()
			c.granted("f5000", "blksize", "512")
			c.oack()
			c.ack(0)
			c.data(1)
			c.ack(1)
			c.data(2)
			c.ack(0) // the one that was late
			c.blocks(200*time.Millisecond, 2, 2)
			c.ack(2)
			c.rest(3)
		}},
		{"ack0-twice", "RFC 1123 4.2.3.1", must, "ACK 0 twice does not make two transfers out of one", func(a *attempt) {
			h := habits{ackAll: true, ack: func(c *client, n int64) {
				c.ack(uint16(n))
				if n == 0 {
					c.ack(0)
				}
			}}
			r := a.client().fetch(rrq("f20480", "octet", "blksize", "512"), content(20480), h)
			if r.oack.op == 0 {
				a.lacks("blksize")
			}
			a.notDoubled(r)
		}},
		{"oack-ack1", "RFC 2347", must, "ACK 1 does not acknowledge an OACK", func(a *attempt) {
			c := a.client()
			c.granted("f5000", "blksize", "1024")
			c.ack(1)
			for _, p := range c.collect(300 * time.Millisecond) {
				if p.op == opDATA {
					a.failf("%s", p)
				}
			}
			c.ack(0)
			c.data(1)
		}},
		{"oack-refused", "RFC 2347", must, "ERROR 8 after the OACK ends the transfer in silence", func(a *attempt) {
			c := a.client()
			c.granted("f5000", "blksize", "1024")
			c.send(errorOf(8, "these options do not suit"))
			c.quietEnd()
		}},
		{"oack-reask", "F25", must, "a client that asks again instead of acknowledging the OACK is served", func(a *attempt) {
			c := a.client()
			req := rrq("f5000", "octet", "blksize", "512")
			c.ask(req)
			if p := c.next(); p.op == opDATA {
				a.lacks("blksize")
			}
			c.reask(req)
			c.oack()
			c.ack(0)
			for n := uint16(1); n <= 10; n++ {
				for {
					if p := c.next(); p.op == opDATA && p.block == n {
						c.sendTo(ackOf(n), p.from)
						break
					}
				}
			}
		}},
	}
}

// fetchPlain downloads and fails the check if there was an OACK.
func (c *client) fetchPlain(file string, size int, words ...string) {
	if r := c.fetch(rrq(file, "octet", words...), content(size), habits{}); r.oack.op != 0 {
		c.a.failf("%s", r.oack)
	}
}

// quietEnd fails the check if an ended transfer says anything more. What left before the end was
// known may still be on its way.
func (c *client) quietEnd() {
	ended := time.Now()
	for _, p := range c.collect(1300 * time.Millisecond) {
		repetition := p.op == opDATA || p.op == opOACK
		if !repetition || p.at.Sub(ended) > 100*time.Millisecond {
			c.a.failf("%s, %s after the end", p, p.at.Sub(ended).Round(10*time.Millisecond))
		}
	}
}

// value asks for an option and checks what is granted: allow says whether a number will do. The
// file must come in any case, but where -1 will do ERROR 8 will, too (RFC 2347).
func value(name, asked string, level level, says, clause string, allow func(int) bool) check {
	label := strings.NewReplacer(" ", "_", "+", "plus-").Replace(asked)
	if asked == "" {
		label = "nothing"
	}
	return check{name: name + "=" + label, clause: clause, level: level, says: says, run: func(a *attempt) {
		c := a.client()
		r, err := c.get(rrq("f5000", "octet", name, asked), habits{})
		var no *refusal
		if errors.As(err, &no) && no.code == 8 && no.after == 0 && allow(-1) {
			a.seen("refused: %s", no.packet)
			return
		}
		if err != nil {
			a.failf("%v", err)
		}
		a.same(r.content, content(5000))
		v, ok := r.oack.lookup(name)
		switch n, err := strconv.Atoi(v); {
		case r.oack.op != 0 && !ok:
			a.failf("%s", r.oack)
		case !ok && allow(-1):
			a.seen("not granted")
		case !ok:
			a.lacks(name)
		case err != nil || n < 0 || !allow(n):
			a.failf("%s=%s is granted as %s", name, asked, v)
		default:
			a.seen("granted: %d", n)
		}
	}}
}

// Sets of numbers that may be granted; -1 stands for none.
func exactly(want int) func(int) bool { return func(n int) bool { return n == want } }
func ignored(n int) bool              { return n == -1 }
func between(lo, hi int) func(int) bool {
	return func(n int) bool { return n == -1 || lo <= n && n <= hi }
}
