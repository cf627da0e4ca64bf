package proxydhcp

import (
	"fmt"
	"net/netip"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/pxe"
)

// Heard is a packet together with the way on which it came.
type Heard struct {
	Packet   *dhcp4.Packet
	From, To netip.AddrPort // of the IP header; the port of To is 67 or 4011
	Link     Link           // the interface
}

// Link is what an answer needs to know of an interface.
type Link struct {
	Name  string
	MAC   boot.MAC
	Addrs []netip.Prefix // the primary address first; none: nobody is answered
}

// Outcome is what is to be done about a packet. It is complete: whoever carries it out decides
// nothing.
type Outcome struct {
	Reason   boot.Reason   // Answered, or why there is no reply
	Seen     boot.Kind     // what the packet is in a boot's story; "" if it is part of none
	Client   boot.Client   // as far as the packet tells
	Decision boot.Decision // meaningful if boot.Decide was asked, so if its Reason is not ""
	Reply    *dhcp4.Packet // nil without an answer
	Route    Route
	Foreign  bool // another role's business: nothing is told of it
}

// Decide says what is to be done about a packet. It has no clock, no socket and no logger.
func Decide(h Heard, s *boot.Site, down boot.Down) Outcome {
	c, reason := pxe.ClientOf(h.Packet)
	if len(h.Link.Addrs) > 0 {
		c.Link = h.Link.Addrs[0]
	}
	o := Outcome{Client: c, Reason: reason}
	if reason != boot.Answered {
		return o
	}
	if len(h.Link.Addrs) == 0 {
		return o.nameless(h)
	}
	if !dhcp4.Sane(c.Addr, h.Link.Addrs) || !dhcp4.Sane(c.Relay, h.Link.Addrs) {
		o.Reason = boot.Malformed
		return o
	}
	if h.To.Port() == dhcp4.PXEPort {
		return o.bootRequest(h, s, down)
	}
	if n, ok := s.Locate(c); ok && n.Deliver == boot.DeliverDHCP {
		// Our DHCP server names the bootstrap with the address. An offer of ours besides would be a
		// second answer to the same question; the machine may still be sent to port 4011.
		o.Reason, o.Foreign = boot.OtherMessage, true
		return o
	}
	switch h.Packet.Type() {
	case dhcp4.Discover:
		return o.discover(h, s, down)
	case dhcp4.Request:
		// The address server answers it. Its address joins what TFTP and HTTP see, which know
		// addresses only, with what is seen here, which is a MAC.
		o.Seen = boot.RequestSeen
		if a := h.Packet.Addr(dhcp4.RequestedAddress); a.IsValid() {
			o.Client.Addr = a
		}
	}
	o.Reason = boot.OtherMessage
	return o
}

// nameless is silent: an answer names the node that gives it.
func (o Outcome) nameless(h Heard) Outcome {
	o.Reason = boot.OtherMessage
	switch t := h.Packet.Type(); {
	case h.To.Port() == dhcp4.PXEPort:
		o.Seen, o.Reason = boot.BootRequestSeen, boot.NoOwnAddress
	case t == dhcp4.Discover:
		o.Seen, o.Reason = boot.DiscoverSeen, boot.NoOwnAddress
	}
	return o
}

// discover answers the DHCPDISCOVER of a network boot on port 67 with an offer.
func (o Outcome) discover(h Heard, s *boot.Site, down boot.Down) Outcome {
	o.Seen = boot.DiscoverSeen
	if o.decide(s, down); o.Reason != boot.Answered {
		return o
	}
	self := nodeAt(s, h.ownAddr())
	o.Reply = EncodeOffer(o.Client, o.Decision.Answer, self, h.Packet)
	o.Route = routeOffer(h.Packet, o.Client, h.Link, self.Addr())
	return o
}

// bootRequest answers a request on port 4011 (F3; PXE 2.1 section 2.2.4).
func (o Outcome) bootRequest(h Heard, s *boot.Site, down boot.Down) Outcome {
	if t := h.Packet.Type(); t != dhcp4.Request && t != dhcp4.Inform {
		o.Reason = boot.OtherMessage
		return o
	}
	o.Seen = boot.BootRequestSeen
	own := h.ownAddr()
	if a := h.Packet.Addr(dhcp4.ServerID); a.IsValid() && a != own && !h.Link.has(a) && a != s.Servers[s.Self].Addr() {
		o.Reason = boot.OtherServer
		return o
	}
	from := h.From.Addr()
	if !from.IsValid() || from.IsUnspecified() || !dhcp4.Sane(from, h.Link.Addrs) {
		o.Reason = boot.NoAddress
		return o
	}
	o.Client.Addr = from
	if o.decide(s, down); o.Reason != boot.Answered {
		return o
	}
	self := nodeAt(s, own)
	o.Reply = EncodeBoot(o.Client, o.Decision.Answer, self, h.Packet)
	// To the port that the client sent from: EDK2 listens on 4011, iPXE on 68 (F3).
	o.Route = Route{Kind: RouteBoot, Src: netip.AddrPortFrom(own, dhcp4.PXEPort), Dst: h.From}
	return o
}

// decide asks boot.Decide. Where another DHCP server tells the machines a DNS name, an offer of ours
// would have precedence over what it says (F4).
func (o *Outcome) decide(s *boot.Site, down boot.Down) {
	o.Decision = boot.Decide(o.Client, s, down)
	o.Reason = o.Decision.Reason
	if o.Reason == boot.Answered && o.Decision.Answer.Deliver == boot.DeliverDNS {
		o.Reason = boot.ToldByDNS
	}
}

// Detail says in words what the outcome's reason rests on, for events.
func (o Outcome) Detail() string {
	switch {
	case o.Reply != nil:
		return o.Route.String()
	case o.Reason == boot.NoNetwork || o.Reason == boot.NoRule || o.Reason == boot.NoServer:
		if t := o.Decision.Trace; len(t) > 0 {
			last := t[len(t)-1]
			return fmt.Sprintf("%s: %s", last.Subject, last.Why)
		}
	case o.Reason == boot.NotPXE && o.Client.VendorClass != "":
		return fmt.Sprintf("vendor class %q", o.Client.VendorClass)
	}
	return ""
}
