package conform

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"
)

// client is a scripted TFTP client: one socket, nothing happens by itself.
type client struct {
	a    *attempt
	conn *net.UDPConn
	to   netip.AddrPort          // the server's request port
	tid  netip.AddrPort          // whence the answer to the last request came; invalid before
	past map[netip.AddrPort]bool // TIDs of requests that this client is done with
	buf  []byte
}

// open makes a client at an address; the zero one stands for the check's own.
func (a *attempt) open(local netip.AddrPort) (*client, error) {
	if !local.IsValid() {
		local = netip.AddrPortFrom(a.local, 0)
	}
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(local))
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(4 << 20)
	c := &client{a: a, conn: conn, to: a.target.addr, past: map[netip.AddrPort]bool{}, buf: make([]byte, 1<<16)}
	a.closeLater(conn)
	return c, nil
}

// client makes a client that sends from a port of its own.
func (a *attempt) client() *client { return a.clientAt(netip.AddrPort{}) }

func (a *attempt) clientAt(local netip.AddrPort) *client {
	c, err := a.open(local)
	if err != nil {
		a.cannot("open a socket: %v", err)
	}
	return c
}

func (c *client) addr() netip.AddrPort { return unmap(c.conn.LocalAddr().(*net.UDPAddr).AddrPort()) }

func (c *client) sendTo(b []byte, to netip.AddrPort) {
	if _, err := c.conn.WriteToUDPAddrPort(b, to); err != nil {
		c.a.failf("send %d bytes to %s: %v", len(b), to, err)
	}
}

// ask sends a new request; what belonged to the one before is over.
func (c *client) ask(b []byte) {
	c.forget()
	c.sendTo(b, c.to)
}

// forget ends the transfer so far. The request port is for all: refusals come from there.
func (c *client) forget() {
	if c.tid.IsValid() && c.tid.Port() != c.to.Port() {
		c.past[c.tid] = true
	}
	c.tid = netip.AddrPort{}
}

// reask sends a request again; the answer may come from where it came before, or from elsewhere.
func (c *client) reask(b []byte) {
	c.tid = netip.AddrPort{}
	c.sendTo(b, c.to)
}

func (c *client) send(b []byte)    { c.sendTo(b, c.tid) }
func (c *client) ack(block uint16) { c.send(ackOf(block)) }

var errQuiet = errors.New("nothing came")

// recv returns the next packet that belongs to the last request; errQuiet if none comes in time.
func (c *client) recv(within time.Duration) (packet, error) {
	until := time.Now().Add(within)
	for {
		p, err := c.recvAny(time.Until(until))
		if err != nil || !c.past[p.from] {
			if err == nil && !c.tid.IsValid() {
				c.tid = p.from
			}
			return p, err
		}
	}
}

func (c *client) recvAny(within time.Duration) (packet, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(within))
	n, from, err := c.conn.ReadFromUDPAddrPort(c.buf)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return packet{}, fmt.Errorf("%w for %s", errQuiet, within.Round(10*time.Millisecond))
	case err != nil:
		return packet{}, err
	}
	p, err := parse(c.buf[:n])
	p.from, p.at = unmap(from), time.Now()
	return p, err
}

// next waits for a packet and fails the check without one.
func (c *client) next() packet {
	p, err := c.recv(c.a.target.wait)
	if err != nil {
		c.a.failf("%v", err)
	}
	return p
}

// data waits for a DATA. Blocks and OACKs that were sent before may come again.
func (c *client) data(block uint16) packet {
	for {
		p := c.next()
		switch {
		case p.from != c.tid:
			c.a.failf("%s from %s in a transfer with %s", p, p.from, c.tid)
		case p.op == opOACK || p.op == opDATA && int16(p.block-block) < 0:
			continue
		case p.op != opDATA || p.block != block:
			c.a.failf("%s instead of DATA %d", p, block)
		}
		return p
	}
}

// oack waits for an OACK.
func (c *client) oack() packet {
	p := c.next()
	if p.op != opOACK {
		c.a.failf("%s instead of an OACK", p)
	}
	return p
}

// granted asks for a file with one option and returns the OACK; the check is skipped when the
// server does not offer that option.
func (c *client) granted(file, name, value string, more ...string) packet {
	c.ask(rrq(file, "octet", append([]string{name, value}, more...)...))
	p := c.next()
	if p.op == opDATA {
		c.a.lacks(name)
	}
	if p.op != opOACK {
		c.a.failf("%s instead of an OACK", p)
	}
	if _, ok := p.lookup(name); !ok {
		c.a.lacks(name)
	}
	return p
}

// refused waits for an ERROR and, if codes are given, for one of these.
func (c *client) refused(codes ...uint16) packet {
	p := c.next()
	if p.op != opERROR {
		c.a.failf("%s instead of an ERROR", p)
	}
	for _, code := range codes {
		if p.code == code {
			return p
		}
	}
	if len(codes) > 0 {
		c.a.failf("%s, expected code %d", p, codes)
	}
	return p
}

// collect returns all that comes within a time, from anywhere.
func (c *client) collect(d time.Duration) []packet {
	var out []packet
	for until := time.Now().Add(d); time.Until(until) > 0; {
		p, err := c.recvAny(time.Until(until))
		if errors.Is(err, errQuiet) {
			break
		}
		if err != nil {
			c.a.failf("%v", err)
		}
		out = append(out, p)
	}
	return out
}

// silence fails the check if anything comes.
func (c *client) silence(d time.Duration, after string) {
	if got := c.collect(d); len(got) > 0 {
		c.a.failf("%s after %s", got[0], after)
	}
}

// blocks fails the check if anything but the DATA blocks from to to comes.
func (c *client) blocks(d time.Duration, from, to uint16) map[uint16]int {
	seen := map[uint16]int{}
	for _, p := range c.collect(d) {
		if p.op == opOACK && from == 0 {
			continue
		}
		if p.op != opDATA || int16(p.block-from) < 0 || int16(to-p.block) < 0 {
			c.a.failf("%s where only blocks %d to %d belong", p, from, to)
		}
		seen[p.block]++
	}
	return seen
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
