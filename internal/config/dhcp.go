package config

import (
	"net/netip"
	"strings"
	"time"

	"surefoot/internal/wire/dhcp4"
)

// DHCP is how the nodes hand out addresses.
type DHCP struct {
	Leases  string       // file of the leases
	Scopes  []DHCPScope  // one for each network that delivers by dhcp, in the order of the networks
	Scopes6 []DHCP6Scope // one for each network that has a section dhcp6
}

// DHCPScope is what the DHCP server gives the machines of one network.
type DHCPScope struct {
	Network string
	Subnet  netip.Prefix
	Ranges  []AddrRange // none: reservations only
	Exclude []AddrRange
	Split   []NodeRange // parts of the ranges that are one node's own; none: the nodes share a store, or there is one
	Routers []netip.Addr
	Routes  []dhcp4.Route
	Wire    string // shared with other networks; "": with none
	DHCPSettings
}

// AddrRange is two addresses and what is between them.
type AddrRange struct{ From, To netip.Addr }

// NodeRange is a part of a range that one node hands out by itself.
type NodeRange struct {
	Node string
	AddrRange
}

// DHCPSettings are what the section dhcp says for all networks, and a network's own section instead.
type DHCPSettings struct {
	Lease, MinLease, MaxLease time.Duration
	OfferTime                 time.Duration // how long an offered address waits for its request
	DeclineTime               time.Duration // how long an address rests that somebody else was found to have
	Rest                      time.Duration // how long an expired one does before another machine gets it
	Authoritative             bool
	NAKPXE                    bool // refuse a boot ROM's request too, where silence would do
	ConflictCheck             bool
	ConflictWait              time.Duration // how long an address is looked for before it is offered
	Identity                  LeaseIdentity
	Broadcast                 BroadcastMode
	Option66                  ListMode
	DNS, NTP                  []netip.Addr
	Domain                    string
	MTU                       int          // 0: machines are told none
	Options                   []DHCPOption // those of the network before those of the section dhcp
}

// DHCPOption is an option with its value as text; Data is the same in bytes.
type DHCPOption struct {
	Option string
	Code   uint8
	Value  string
	Data   []byte
	Always bool // also to clients that do not ask for it
}

// LeaseIdentity is by what a machine is known again.
type LeaseIdentity string

// BroadcastMode is when answers go to everybody.
type BroadcastMode string

// ListMode is how several servers are written into option 66.
type ListMode string

// The values of the three.
const (
	IdentityHardware LeaseIdentity = "hardware"
	IdentityClientID LeaseIdentity = "client-id"

	BroadcastAsked  BroadcastMode = "as-asked"
	BroadcastAlways BroadcastMode = "always"

	ListFirst ListMode = "first"
	ListAll   ListMode = "all"
)

func defaultDHCP() DHCPSettings {
	return DHCPSettings{
		Lease: 8 * time.Hour, MinLease: 2 * time.Minute, OfferTime: time.Minute, DeclineTime: time.Hour, Rest: time.Minute,
		ConflictCheck: true, Identity: IdentityHardware, Broadcast: BroadcastAsked, Option66: ListFirst,
	}
}

// Size is how many addresses a range has.
func (r AddrRange) Size() int { return int(number4(r.To)-number4(r.From)) + 1 }

// String writes it as the site file does.
func (r AddrRange) String() string {
	if r.From == r.To {
		return r.From.String()
	}
	return r.From.String() + "-" + r.To.String()
}

func (r AddrRange) has(a netip.Addr) bool { return !a.Less(r.From) && !r.To.Less(a) }

func (r AddrRange) overlaps(o AddrRange) bool { return !r.To.Less(o.From) && !o.To.Less(r.From) }

func number4(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// parseRange4 takes FIRST-LAST, or one address.
func parseRange4(v *value) (AddrRange, *fault) {
	first, last, two := strings.Cut(v.text, "-")
	var r AddrRange
	var f *fault
	one := func(s string) netip.Addr {
		if f != nil {
			return netip.Addr{}
		}
		var a netip.Addr
		a, f = parseAddr(&value{kind: kindText, text: strings.TrimSpace(s)})
		return a
	}
	r.From = one(first)
	r.To = r.From
	if two {
		r.To = one(last)
	}
	switch {
	case f != nil && !two:
		return r, f
	case f != nil:
		f.instead = ""
		return r, f.do("a range is FIRST-LAST, as in 10.10.1.0-10.10.3.250")
	case r.To.Less(r.From):
		return r, faultf("%s ends before it begins", v.text).write(r.To.String() + "-" + r.From.String())
	}
	return r, nil
}
