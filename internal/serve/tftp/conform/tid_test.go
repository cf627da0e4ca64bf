package conform

import (
	"net/netip"
	"time"
)

// secondAddress is another address of a server on this machine that listens at all of them.
func (a *attempt) secondAddress() netip.AddrPort {
	if !a.target.loopback() {
		a.cannot("the server is not on this machine's loopback interface")
	}
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), a.target.addr.Port())
	if at == a.target.addr {
		a.cannot("the server is at 127.0.0.2")
	}
	return at
}

// begin starts a transfer of 10 blocks and takes the first.
func (a *attempt) begin() *client {
	c := a.client()
	c.ask(rrq("f5000", "octet"))
	c.data(1)
	return c
}

// rest takes the blocks of f5000 from one on, which is acknowledged already up to the one before.
func (c *client) rest(from uint16) {
	for n := from; n <= 10; n++ {
		p := c.data(n)
		c.a.same(p.data, content(5000)[(int(n)-1)*512:min(int(n)*512, 5000)])
		c.ack(n)
	}
}

// tidChecks are about transfer identifiers: the two ports, and whose packets count (RFC 1350 4).
func tidChecks() []check {
	return []check{
		{"tid-own-port", "RFC 1350 4", must, "a transfer has a port of its own at the server", func(a *attempt) {
			c := a.begin()
			if c.tid.Port() == c.to.Port() {
				a.failf("DATA from the request port %d", c.to.Port())
			}
		}},
		{"tid-distinct", "RFC 1350 4", should, "two transfers have two ports", func(a *attempt) {
			if c, d := a.begin(), a.begin(); c.tid == d.tid {
				a.failf("both come from %s", c.tid)
			}
		}},
		{"tid-oack-port", "RFC 1350 4", must, "DATA comes from the port that the OACK came from", func(a *attempt) {
			c := a.client()
			c.granted("f5000", "blksize", "1024")
			c.ack(0)
			c.data(1)
		}},
		{"asked-address", "F29", must, "the answer comes from the address that was asked", func(a *attempt) {
			c := a.client()
			c.to = a.secondAddress()
			c.ask(rrq("f5000", "octet"))
			p, err := c.recv(a.target.wait)
			if err != nil {
				a.cannot("the server does not listen at %s", c.to)
			}
			if p.from.Addr() != c.to.Addr() {
				a.failf("asked %s, answered from %s", c.to.Addr(), p.from.Addr())
			}
			c.ack(1)
			c.rest(2)
		}},
		{"asked-address-error", "F29", must, "an ERROR comes from the address that was asked, too", func(a *attempt) {
			c := a.client()
			c.to = a.secondAddress()
			c.ask(rrq("missing", "octet"))
			p, err := c.recv(a.target.wait)
			if err != nil {
				a.cannot("the server does not listen at %s", c.to)
			}
			if p.op != opERROR || p.from.Addr() != c.to.Addr() {
				a.failf("asked %s: %s from %s", c.to.Addr(), p, p.from.Addr())
			}
		}},
		{"foreign-port", "RFC 1350 4", must, "an ACK from another port counts for nothing, the transfer goes on", func(a *attempt) {
			c, other := a.begin(), a.client()
			other.sendTo(ackOf(1), c.tid)
			c.blocks(200*time.Millisecond, 1, 1)
			c.ack(1)
			c.rest(2)
		}},
		{"foreign-error5", "RFC 1350 4", should, "a packet from another port is answered with ERROR 5", func(a *attempt) {
			c, other := a.begin(), a.client()
			other.sendTo(ackOf(1), c.tid)
			p, err := other.recv(2 * time.Second)
			if err != nil {
				a.failf("%v", err)
			}
			if p.op != opERROR || p.code != 5 {
				a.failf("%s", p)
			}
			c.ack(1)
			c.rest(2)
		}},
		{"foreign-ends-nothing", "VU#417980", must, "an ERROR from another port neither ends the transfer nor is answered", func(a *attempt) {
			c, other := a.begin(), a.client()
			other.sendTo(errorOf(0, "a stranger's error"), c.tid)
			other.silence(300*time.Millisecond, "an ERROR")
			c.ack(1)
			c.rest(2)
		}},
		{"foreign-address", "RFC 1350 4", must, "an ACK from the right port of another address counts for nothing", func(a *attempt) {
			if !a.target.loopback() {
				a.cannot("the server is not on this machine's loopback interface")
			}
			c := a.begin()
			other := a.clientAt(netip.AddrPortFrom(netip.MustParseAddr("127.30.0.1"), c.addr().Port()))
			other.sendTo(ackOf(1), c.tid)
			other.sendTo(errorOf(0, "a stranger's error"), c.tid)
			c.blocks(200*time.Millisecond, 1, 1)
			c.ack(1)
			c.rest(2)
		}},
		{"foreign-flood", "VU#417980", should, "200 foreign packets do not end the transfer, and not all of them are answered", func(a *attempt) {
			c, other := a.begin(), a.client()
			for range 200 {
				other.sendTo(ackOf(7), c.tid)
			}
			answers := len(other.collect(300 * time.Millisecond))
			c.ack(1)
			c.rest(2)
			a.seen("%d answers to 200 packets", answers)
			if answers > 100 {
				a.failf("%d answers to 200 packets", answers)
			}
		}},
		{"ack-to-request-port", "RFC 1350 4", must, "an ACK to the request port belongs to no transfer", func(a *attempt) {
			c := a.begin()
			c.sendTo(ackOf(1), c.to)
			for _, p := range c.collect(300 * time.Millisecond) {
				if p.from == c.tid && p.block != 1 {
					a.failf("%s", p)
				}
			}
			c.ack(1)
			c.rest(2)
		}},
		{"odd-packets", "RFC 1350 4", must, "DATA, OACK, requests and stumps at the transfer's port do not end it", func(a *attempt) {
			c := a.begin()
			for _, b := range [][]byte{
				short(opDATA, 1, 1, 2, 3),
				{0, 6, 'x', 0, 'y', 0},
				rrq("f1", "octet"), request(opWRQ, "f1", "octet"),
				{},
				{0},
				{0, 4},
				{0, 4, 0},
				short(0, 1), short(7, 1), short(0x0104, 1),
			} {
				c.send(b)
			}
			for _, p := range c.collect(300 * time.Millisecond) {
				if p.from == c.tid && p.op == opDATA && p.block != 1 {
					a.failf("%s", p)
				}
			}
			c.ack(1)
			c.rest(2)
		}},
	}
}
