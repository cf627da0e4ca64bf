package storm

import (
	"fmt"
	"net/netip"
	"time"

	"surefoot/internal/probe"
	"surefoot/internal/wire/tftp"
)

// client is one download as a pure machine. Step takes what happened and returns what is to be done;
// it has neither socket nor clock. Times are since the beginning of the run.
type client struct {
	p       *profile
	content *content
	rx      probe.Receiver
	sizing  bool  // in the size probe that comes before the download
	size    int64 // that the server announced, -1: none
	peer    netip.AddrPort
	stray   netip.AddrPort // the first answer from an address that was not asked
	asked   time.Duration  // when the request under way left first
	sent    time.Duration  // when something new was sent or came
	tries   int            // sendings of the packet at hand, beyond the first
	do      []action

	began   time.Duration
	first   time.Duration // from the download's request to its first block; 0: none came
	ended   time.Duration
	done    bool
	fault   *probe.Fault
	tally   tally
	granted []tftp.Option
}

// tally counts packets of one download.
type tally struct {
	requests   int // sent again
	resent     int // packets of any kind sent again
	duplicates int // blocks that came more than once or out of turn
}

// event is what happens to a client.
type event struct {
	kind eventKind
	data []byte         // packet: valid during the step only
	from netip.AddrPort // packet
	code probe.Code     // refused: what the kernel says of the server
	text string
}

type eventKind int

const (
	begin   eventKind = iota // the first request is due
	tick                     // the time that Step returned has come
	packet                   // something came in
	refused                  // the kernel reports an error
)

// action is what the driver has to do, in order.
type action struct {
	reopen bool   // from here on from a new port
	send   []byte // valid until the next step; nil: nothing
	to     netip.AddrPort
}

// Step is the machine. next is when a tick is due; it means nothing once the client is done.
func (c *client) Step(now time.Duration, ev event) (do []action, next time.Duration) {
	c.do = c.do[:0]
	switch ev.kind {
	case begin:
		c.began, c.size = now, -1
		c.content.reset()
		c.request(now, c.p.SizeProbe != nil)
	case tick:
		c.tick(now)
	case packet:
		c.packet(now, ev.data, ev.from)
	case refused:
		if !c.p.IgnoreICMP || ev.code != probe.Refused {
			c.fail(now, &probe.Fault{Step: c.step(), Code: ev.code, Text: ev.text})
		}
	}
	return c.do, c.deadline()
}

func (c *client) step() probe.Step {
	step, _ := c.rx.Silence()
	return step
}

// request begins the size probe or the download, each from a port of its own.
func (c *client) request(now time.Duration, sizing bool) {
	opts := c.p.Options
	if sizing {
		opts = c.p.SizeProbe
	}
	c.rx = probe.NewReceiver(c.p.file, opts, sizing, c.content)
	c.sizing, c.asked, c.sent, c.tries = sizing, now, now, 0
	c.peer = netip.AddrPort{}
	c.send(c.rx.Last(), c.p.server)
}

func (c *client) send(b []byte, to netip.AddrPort) {
	c.do = append(c.do, action{send: b, to: to})
}

// deadline is when the packet at hand goes again, or the client gives up.
func (c *client) deadline() time.Duration { return c.sent + c.p.Resend(c.tries) }

func (c *client) tick(now time.Duration) {
	if now < c.deadline() {
		return
	}
	if now-c.began >= maxTime {
		c.fail(now, &probe.Fault{Step: c.step(), Code: probe.TooSlow, Text: fmt.Sprintf("%d bytes in %s", c.content.at, now-c.began)})
		return
	}
	if c.tries+1 >= c.p.Tries {
		c.fail(now, c.silence(now))
		return
	}
	c.tries++
	c.tally.resent++
	c.sent = now
	to := c.peer
	if !to.IsValid() {
		to = c.p.server
		c.tally.requests++
	}
	c.send(c.rx.Last(), to)
}

func (c *client) silence(now time.Duration) *probe.Fault {
	step, code := c.rx.Silence()
	f := &probe.Fault{Step: step, Code: code, Text: fmt.Sprintf(
		"nothing new after block %d; %s sent it %d times and gave up %.1f s after its request",
		c.rx.Block(), c.p.style, c.tries+1, (now - c.asked).Seconds())}
	switch {
	case code == probe.NoAnswer && c.stray.IsValid():
		f.Code, f.Text = probe.WrongAddress, fmt.Sprintf("asked %s, but the answer came from %s", c.p.server, c.stray)
	case code == probe.NoAnswer:
		f.Text = fmt.Sprintf("no answer from %s: %s asked %d times in %.1f s", c.p.server, c.p.style, c.tries+1, (now - c.asked).Seconds())
	}
	return f
}

// packet takes one datagram from anywhere.
func (c *client) packet(now time.Duration, b []byte, from netip.AddrPort) {
	if c.peer != from {
		if c.peer.IsValid() { // RFC 1350 section 4: another transfer ID
			if op, _ := tftp.PeekOp(b); op != tftp.OpERROR {
				c.send(tftp.AppendError(nil, tftp.ErrUnknownTID, "unknown transfer ID"), from)
			}
			return
		}
		if !c.takes(b, from) {
			return
		}
		c.peer = from
	}
	block, oack := c.rx.Block(), c.rx.OACK()
	reply, f := c.rx.Receive(b)
	if c.rx.Block() != block || c.rx.OACK() != oack {
		c.sent, c.tries = now, 0
	}
	if c.first == 0 && c.rx.Block() > 0 {
		c.first = now - c.asked
	}
	if reply != nil {
		c.send(reply, c.peer)
	}
	switch {
	case f != nil:
		c.fail(now, f)
	case c.rx.Done():
		c.finish(now)
	}
}

// takes reports whether a packet can be the first answer to a request: from the address that was
// asked, for those who look, and not the end of a transfer that had this port before.
func (c *client) takes(b []byte, from netip.AddrPort) bool {
	if from.Addr() != c.p.server.Addr() && !c.p.AnyServer {
		c.stray = from
		return false
	}
	if op, _ := tftp.PeekOp(b); op == tftp.OpDATA && len(b) >= tftp.HeaderSize {
		p, _ := tftp.ParsePacket(b)
		return p.Block == 1 // an answer without options; with options it would be an OACK
	}
	return true
}

// finish ends the size probe, after which the download begins, or the download.
func (c *client) finish(now time.Duration) {
	c.tally.duplicates += c.rx.Duplicates()
	if c.sizing {
		c.size = c.rx.Size()
		c.do = append(c.do, action{reopen: true})
		c.request(now, false)
		return
	}
	if size := c.rx.Size(); size >= 0 {
		c.size = size
	}
	c.done, c.ended, c.granted = true, now, c.rx.Granted()
	c.fault = c.content.check(c.size)
}

func (c *client) fail(now time.Duration, f *probe.Fault) {
	c.done, c.ended, c.fault = true, now, f
	c.tally.duplicates += c.rx.Duplicates()
}
