package dhcp4

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/rawsock"
	"surefoot/internal/wire/frame"
)

// answerTime is how long somebody who has an address may take to say so.
const answerTime = 3 * time.Second

// Bounds of what is asked. What is beyond them is offered unchecked: in a storm of new machines the check
// must not cost what the answers need, nor fill the neighbour table of this host.
const (
	maxSuspects = 4096                   // addresses that are asked about at a time
	maxWaiting  = 64                     // questions that wait to be sent
	askPause    = 2 * time.Millisecond   // between two of them
	sweepEvery  = 100 * time.Millisecond // how often what nobody answered is forgotten
)

// checker asks the network whether an address that is new to a machine is somebody's already (RFC 2131
// section 3.1 step 2): by ARP on the wire (RFC 5227), by ICMP echo behind a relay. The OFFER does not wait
// for it, but for the scope's ConflictWait: who answers before the REQUEST keeps the address, and the
// machine gets another one for its next DISCOVER.
type checker struct {
	s    *Server
	echo net.PacketConn // ICMP

	questions chan question

	mu    sync.Mutex // guards all below
	asked map[netip.Addr]suspect
	swept time.Time
}

// question is an address to ask about, and where.
type question struct {
	addr netip.Addr
	port *port // nil: by ICMP
	own  boot.MAC
}

// suspect is an address that was asked about.
type suspect struct {
	scope string
	mac   boot.MAC // of the machine that it was offered to: that it answers is no conflict
	port  string
	until time.Time
}

func newChecker(s *Server) *checker {
	return &checker{s: s, asked: map[netip.Addr]suspect{}, questions: make(chan question, maxWaiting)}
}

// ask begins a check of the address of an offer. It reports whether one is under way.
func (c *checker) ask(now time.Time, p *port, h Heard, o *Outcome) bool {
	if o.scope.ConflictWait == 0 && len(c.questions) == cap(c.questions) {
		return false // nor does anybody wait for one
	}
	a := o.Reply.YIAddr
	q := question{addr: a, own: h.Link.MAC}
	if !h.View.GIAddr().IsValid() {
		q.port = p
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	was, known := c.asked[a]
	underWay := known && now.Before(was.until) && was.mac == o.Ask.MAC
	if underWay || !c.room(now) {
		return underWay
	}
	select {
	case c.questions <- q:
	default:
		return false
	}
	c.asked[a] = suspect{
		scope: o.Scope, mac: o.Ask.MAC, port: p.name, until: now.Add(max(answerTime, o.scope.ConflictWait+time.Second)),
	}
	return true
}

// room reports whether one more address may be asked about, and forgets now and then what nobody answered.
func (c *checker) room(now time.Time) bool {
	if len(c.asked) >= maxSuspects && now.Sub(c.swept) >= sweepEvery {
		c.swept = now
		for a, s := range c.asked {
			if !now.Before(s.until) {
				delete(c.asked, a)
			}
		}
	}
	return len(c.asked) < maxSuspects
}

// send sends the questions, until ctx ends. A question that cannot be sent is an address that is not checked.
func (c *checker) send(ctx context.Context) {
	pause := time.NewTicker(askPause)
	defer pause.Stop()
	for n := uint16(1); ; n++ {
		select {
		case q := <-c.questions:
			switch {
			case q.port == nil && c.echo != nil:
				_, _ = c.echo.WriteTo(echoRequest(n), &net.IPAddr{IP: q.addr.AsSlice()})
			case q.port != nil && q.port.arp != nil:
				_ = q.port.arp.Write(frame.AppendProbe(nil, q.own, q.addr))
			}
		case <-ctx.Done():
			return
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
	}
}

// forget ends the check of an address: its machine has it now, and may answer for it.
func (c *checker) forget(a netip.Addr) {
	c.mu.Lock()
	delete(c.asked, a)
	c.mu.Unlock()
}

// free reports whether nobody has answered for an address of an offer to a machine.
func (c *checker) free(a netip.Addr, mac boot.MAC) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.asked[a]
	return ok && s.mac == mac
}

// answered takes the address out of use if it was asked about: somebody has it. mac is his, zero behind a
// relay.
func (c *checker) answered(a netip.Addr, mac boot.MAC) {
	now := c.s.d.Now()
	c.mu.Lock()
	s, ok := c.asked[a]
	if !ok || !now.Before(s.until) || mac == s.mac {
		c.mu.Unlock()
		return
	}
	delete(c.asked, a)
	c.mu.Unlock()
	r := c.s.d.Book.Busy(now, s.scope, a)
	if r.Addr.IsValid() {
		c.s.keep(r)
	}
	ev := boot.Event{
		Kind: boot.AddressInUse, MAC: mac, IP: a, If: s.port, Network: s.scope, Reason: boot.AddressDeclined,
		Detail: "offered to " + s.mac.String() + ", and not any more",
	}
	c.s.emit(&ev)
}

// readARP takes the replies that come to one interface, until the socket is interrupted.
func (c *checker) readARP(ctx context.Context, p *port) {
	b := make([]byte, rawsock.MaxFrame)
	for {
		n, err := p.arp.Read(b)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !rawsock.Down(err):
			c.s.d.Log.Warn("addresses are not checked any more", "role", Role, "if", p.name, "err", err)
			return
		case err != nil:
			select {
			case <-ctx.Done():
				return
			case <-time.After(downPause):
			}
			continue
		}
		if a, err := frame.ParseARP(b[:n]); err == nil && a.Op == frame.ARPReply {
			c.answered(a.Sender, a.SenderMAC)
		}
	}
}

// readEcho takes ICMP echo replies.
func (c *checker) readEcho() {
	b := make([]byte, 1500)
	for {
		n, from, err := c.echo.ReadFrom(b)
		if err != nil {
			return
		}
		ip, ok := from.(*net.IPAddr)
		if !ok || n < 8 || b[0] != 0 { // RFC 792: echo reply
			continue
		}
		if a, ok := netip.AddrFromSlice(ip.IP); ok {
			c.answered(a.Unmap(), boot.MAC{})
		}
	}
}

// echoRequest is an ICMP echo request (RFC 792).
func echoRequest(n uint16) []byte {
	b := []byte{8, 0, 0, 0, 0x5f, 0x67, byte(n >> 8), byte(n)}
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	sum = sum>>16 + sum&0xffff
	sum += sum >> 16
	b[2], b[3] = ^byte(sum>>8), ^byte(sum)
	return b
}
