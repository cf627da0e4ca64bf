package dhcp

import (
	"net/netip"
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/dhcp4"
)

// state is where a machine is.
type state uint8

const (
	idle       state = iota
	selecting        // sent DISCOVER
	requesting       // sent REQUEST
	served
	refused // heard NAK
	gaveUp
)

// machine is one of them.
type machine struct {
	state        state
	tries        uint8
	round        uint32
	first, sent  time.Duration // since the begin: the first packet of the round, and the last one
	want, server [4]byte
}

// crowd is the machines and what became of them. It knows no socket and no clock.
type crowd struct {
	cfg   *Config
	kinds map[wire.MessageType]*kind
	base  uint64 // the first MAC as a number
	all   []machine
	at    map[uint64]int // by MAC, for Again

	next    int     // who begins next
	open    int     // how many wait
	retries [][]due // by attempt, each in the order of time
	owner   map[netip.Addr]boot.MAC
	res     Result
}

// due is a machine that asks again.
type due struct {
	at, sent time.Duration // sent: the packet that it is about
	i        int
	round    uint32
}

func newCrowd(cfg *Config, own, server boot.MAC) *crowd {
	c := &crowd{
		cfg: cfg, kinds: cfg.messages(own, server), base: number(cfg.First), all: make([]machine, cfg.Machines),
		retries: make([][]due, len(cfg.Retries)+1), owner: map[netip.Addr]boot.MAC{},
	}
	if cfg.What == Again {
		c.at = map[uint64]int{}
		for i, h := range cfg.Had {
			c.at[number(h.MAC)] = i
			c.all[i].want = h.Addr.As4()
		}
	}
	c.res.What, c.res.Machines = cfg.What, cfg.Machines
	return c
}

func (c *crowd) mac(i int) boot.MAC {
	if c.at != nil {
		return c.cfg.Had[i].MAC
	}
	return macOf(c.base + uint64(i))
}

func (c *crowd) index(m boot.MAC) (int, bool) {
	if c.at != nil {
		i, ok := c.at[number(m)]
		return i, ok
	}
	i := number(m) - c.base
	return int(i), i < uint64(len(c.all))
}

// xid is the number of a machine's exchange: another one in each round.
func xid(i int, round uint32) uint32 { return uint32(i)<<8 ^ round ^ 0x5f000000 }

// begin lets machine i begin, and writes its first packet at the end of b.
func (c *crowd) begin(b []byte, now time.Duration, i int) []byte {
	m := &c.all[i]
	if m.state == idle || m.state == served || m.state == refused || m.state == gaveUp {
		c.open++
	}
	m.state, m.tries, m.first = selecting, 0, now
	m.round++
	if c.cfg.What == Again {
		m.state = requesting
	}
	c.res.Begun++
	return c.send(b, now, i)
}

// send writes what the machine says in its state.
func (c *crowd) send(b []byte, now time.Duration, i int) []byte {
	m := &c.all[i]
	m.sent = now
	t := wire.Discover
	if m.state == requesting {
		t = wire.Request
	}
	c.res.Sent++
	attempt := int(m.tries)
	wait := c.cfg.Patience
	if attempt < len(c.cfg.Retries) {
		wait = c.cfg.Retries[attempt]
		if attempt > 0 {
			wait -= c.cfg.Retries[attempt-1]
		}
	}
	c.retries[attempt] = append(c.retries[attempt], due{now + wait, now, i, m.round})
	return c.kinds[t].append(b, c.fill(now, i), !c.cfg.Relay.IsValid())
}

func (c *crowd) fill(now time.Duration, i int) fill {
	m := &c.all[i]
	return fill{mac: c.mac(i), xid: xid(i, m.round), secs: c.cfg.Secs.of(now - m.first), want: m.want, server: m.server}
}

// again calls yield for each machine whose answer is overdue, which asks again or gives up.
func (c *crowd) again(now time.Duration, limit int, yield func(i int)) {
	for attempt := range c.retries {
		list := c.retries[attempt]
		for len(list) > 0 && list[0].at <= now && limit > 0 {
			d := list[0]
			list = list[1:]
			m := &c.all[d.i]
			if m.round != d.round || m.sent != d.sent || int(m.tries) != attempt || m.state != selecting && m.state != requesting {
				continue
			}
			if attempt == len(c.cfg.Retries) {
				m.state = gaveUp
				c.open--
				c.res.Failed++
				continue
			}
			m.tries++
			limit--
			c.retries[attempt] = list
			yield(d.i)
			list = c.retries[attempt]
		}
		c.retries[attempt] = list
	}
}

// hear takes a reply; it returns the machine that now has a REQUEST to send, -1 if none.
func (c *crowd) hear(now time.Duration, v *wire.View) (send int) {
	mac, ok := v.MAC()
	if !ok || v.Op() != wire.OpReply {
		return -1
	}
	i, ours := c.index(mac)
	if !ours || v.XID() != xid(i, c.all[i].round) {
		c.res.Strange++
		return -1
	}
	m := &c.all[i]
	switch t := v.Type(); {
	case t == wire.Offer:
		c.res.Offers++
		if m.state != selecting || !v.YIAddr().IsValid() {
			return -1
		}
		c.res.offer.add(now - m.sent)
		m.want = v.YIAddr().As4()
		if id := v.Addr(wire.ServerID); id.Is4() {
			m.server = id.As4()
		}
		c.res.Offered++
		c.answered(m, now)
		if c.cfg.What == Offer {
			m.state = served
			c.open--
			return -1
		}
		m.state = requesting
		return i
	case t == wire.ACK && m.state == requesting:
		c.res.ack.add(now - m.sent)
		c.got(i, now, v.YIAddr())
	case t == wire.NAK && m.state == requesting:
		c.res.Refused++
		if c.cfg.What == Lease { // it begins anew (RFC 2131 figure 5), when its REQUEST would have been due again
			m.state = selecting
			return -1
		}
		m.state = refused
		c.open--
	}
	return -1
}

// answered counts at which of its packets a machine was answered.
func (c *crowd) answered(m *machine, now time.Duration) {
	for len(c.res.ByTry) <= int(m.tries) {
		c.res.ByTry = append(c.res.ByTry, 0)
	}
	c.res.ByTry[m.tries]++
	c.res.Slowest = max(c.res.Slowest, now-m.first)
}

// got notes an address.
func (c *crowd) got(i int, now time.Duration, a netip.Addr) {
	m := &c.all[i]
	if c.cfg.What == Again {
		c.answered(m, now)
		if a.As4() != m.want {
			c.res.Changed++
		}
	}
	m.state = served
	c.open--
	c.res.Leases++
	h := Had{c.mac(i), a}
	if other, taken := c.owner[a]; taken && other != h.MAC {
		c.res.Twice = append(c.res.Twice, a.String()+" was given to "+other.String()+" and to "+h.MAC.String())
	}
	c.owner[a] = h.MAC
	if c.cfg.Each != nil {
		c.cfg.Each(h)
	}
}
