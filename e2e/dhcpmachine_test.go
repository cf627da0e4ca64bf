package e2e

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// dhcpPolicy is how a machine asks: everything that an answer must not depend on.
type dhcpPolicy struct {
	name      string
	secs      func(since time.Duration) uint16
	broadcast bool
	clientID  bool
}

// firmwarePolicies are those of firmware that is in use (what each sends: storm/dhcp).
func firmwarePolicies() []dhcpPolicy {
	seconds := func(d time.Duration) uint16 { return uint16(d / time.Second) }
	zero := func(time.Duration) uint16 { return 0 }
	four := func(d time.Duration) uint16 { return 4 + seconds(d) }
	swapped := func(d time.Duration) uint16 { return seconds(d)<<8 | seconds(d)>>8 }
	return []dhcpPolicy{
		{"secs 0, flags 0", zero, false, false},
		{"secs 0, flags 0x8000", zero, true, false},
		{"secs real, flags 0", seconds, false, false},
		{"secs real, flags 0x8000", seconds, true, false},
		{"first secs 4", four, true, false},
		{"secs swapped", swapped, false, false},
		{"secs 0, option 61", zero, false, true},
	}
}

// dhcpMachine is one that asks for addresses, in an encoding that is not ours.
type dhcpMachine struct {
	g      *ground
	mac    net.HardwareAddr
	policy dhcpPolicy
	in     chan heardReply
	xid    dhcpv4.TransactionID

	addr, server netip.Addr // of its lease
	next         net.HardwareAddr
	until        time.Time
}

// heardReply is a reply together with its way.
type heardReply struct {
	at   time.Time // when it came to the interface
	from net.HardwareAddr
	*dhcpv4.DHCPv4
}

// outcome is what became of asking.
type outcome struct {
	tries      int // at which of its DISCOVERs it was answered; 0: never
	offer, ack time.Duration
	server     netip.Addr
	addr       netip.Addr
	refused    bool // a NAK
	why        string
}

func (o outcome) atOnce() bool { return o.tries == 1 && o.offer <= soon }

// message is what a machine sends.
func (m *dhcpMachine) message(t dhcpv4.MessageType, since time.Duration, more ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	mods := []dhcpv4.Modifier{
		dhcpv4.WithTransactionID(m.xid), dhcpv4.WithHwAddr(m.mac), dhcpv4.WithMessageType(t), dhcpv4.WithBroadcast(m.policy.broadcast),
		dhcpv4.WithRequestedOptions(dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter, dhcpv4.OptionTFTPServerName, dhcpv4.OptionBootfileName),
	}
	if m.policy.clientID {
		mods = append(mods, dhcpv4.WithOption(dhcpv4.OptClientIdentifier(append([]byte{1}, m.mac...))))
	}
	p, err := dhcpv4.New(append(mods, more...)...)
	if err != nil {
		panic(err) // of constants
	}
	p.NumSeconds = m.policy.secs(since)
	return p
}

func (m *dhcpMachine) newExchange() {
	binary.BigEndian.PutUint32(m.xid[:], rand.Uint32())
	for len(m.in) > 0 {
		<-m.in
	}
}

// hear waits for replies to the present exchange until f takes one, or a time.
func (m *dhcpMachine) hear(ctx context.Context, until time.Time, f func(heardReply) bool) bool {
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	for {
		select {
		case r := <-m.in:
			if r.TransactionID == m.xid && f(r) {
				return true
			}
		case <-t.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// boot asks for an address as boot ROMs do: it takes the first OFFER. waits are for how long each
// DISCOVER is waited for.
func (m *dhcpMachine) boot(ctx context.Context, waits ...time.Duration) (o outcome) {
	m.newExchange()
	first := time.Now()
	var offer heardReply
	for i, wait := range waits {
		sent := time.Now()
		m.g.send(m.mac, everybody, netip.IPv4Unspecified(), limitedBroadcast, m.message(dhcpv4.MessageTypeDiscover, sent.Sub(first)))
		if m.hear(ctx, sent.Add(wait), func(r heardReply) bool {
			offer = r
			return r.MessageType() == dhcpv4.MessageTypeOffer && !r.YourIPAddr.IsUnspecified()
		}) {
			o.tries, o.offer = i+1, offer.at.Sub(sent)
			break
		}
	}
	if o.tries == 0 {
		return o
	}
	m.g.record.offered(m.mac, addrOf(offer.YourIPAddr))
	o.server = addrOf(offer.ServerIdentifier())
	m.request(ctx, &o, everybody, netip.IPv4Unspecified(), limitedBroadcast, first,
		dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(offer.YourIPAddr)), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(offer.ServerIdentifier())))
	return o
}

// requestWaits are for how long a machine waits for an ACK.
func requestWaits() []time.Duration { return []time.Duration{2 * time.Second, 4 * time.Second} }

// request asks for one address and takes what it gets.
func (m *dhcpMachine) request(ctx context.Context, o *outcome, to net.HardwareAddr, src, dst netip.Addr, first time.Time, mods ...dhcpv4.Modifier) {
	begun := time.Now()
	for _, wait := range requestWaits() {
		sent := time.Now()
		m.g.send(m.mac, to, src, dst, m.message(dhcpv4.MessageTypeRequest, sent.Sub(first), mods...))
		if m.hear(ctx, sent.Add(wait), func(r heardReply) bool {
			switch r.MessageType() {
			case dhcpv4.MessageTypeNak:
				o.server = addrOf(r.ServerIdentifier())
				o.refused, o.why = true, fmt.Sprintf("%v says %q", addrOf(r.ServerIdentifier()), r.Message())
				return true
			case dhcpv4.MessageTypeAck:
				o.addr, o.ack = addrOf(r.YourIPAddr), r.at.Sub(begun)
				m.addr, m.next, m.server = o.addr, r.from, addrOf(r.ServerIdentifier())
				m.until = sent.Add(r.IPAddressLeaseTime(0)) // it counts from the request (RFC 2131 4.4.1)
				m.g.record.got(m.mac, m.addr, m.server, sent, m.until)
				return true
			}
			return false
		}) {
			break
		}
	}
	if o.refused {
		m.forget()
	}
}

// renew prolongs the lease: of the server alone, or of anybody (rebinding).
func (m *dhcpMachine) renew(ctx context.Context, anybody bool) (o outcome) {
	m.newExchange()
	to, dst := m.next, m.server
	if anybody {
		to, dst = everybody, limitedBroadcast
	}
	m.request(ctx, &o, to, m.addr, dst, time.Now(), dhcpv4.WithClientIP(m.addr.AsSlice()))
	return o
}

// again asks for the address that it has, as a machine does that was switched off and on (INIT-REBOOT).
func (m *dhcpMachine) again(ctx context.Context) (o outcome) {
	m.newExchange()
	m.request(ctx, &o, everybody, netip.IPv4Unspecified(), limitedBroadcast, time.Now(), dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(m.addr.AsSlice())))
	return o
}

// release gives the address back.
func (m *dhcpMachine) release() {
	m.newExchange()
	m.g.record.ended(m.mac)
	m.g.send(m.mac, m.next, m.addr, m.server, m.message(dhcpv4.MessageTypeRelease, 0,
		dhcpv4.WithClientIP(m.addr.AsSlice()), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(m.server.AsSlice()))))
	m.forget()
}

// forget makes it a machine without a lease.
func (m *dhcpMachine) forget() { m.addr, m.until = netip.Addr{}, time.Time{} }

func addrOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip.To4())
	return a
}
