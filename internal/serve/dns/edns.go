package dnsboot

import (
	"encoding/hex"
	"net"
	"net/netip"

	"github.com/miekg/dns"

	"surefoot/internal/boot"
)

const (
	// maxUDP is how long an answer by UDP may be: it passes every path without fragments (the
	// figure of DNS Flag Day 2020).
	maxUDP = 1232
	minUDP = 512
)

// edns is what a query's OPT record says (RFC 6891).
type edns struct {
	there   bool
	version uint8
	size    int // the longest answer that the client takes
	do      bool
	nsid    bool // RFC 5001
	subnet  *dns.EDNS0_SUBNET
	scope   int
}

// read reads the OPT record, and reports whether it is wrong.
func (e *edns) read(q *dns.Msg) (fault bool) {
	e.size = minUDP
	for _, rr := range q.Extra {
		opt, ok := rr.(*dns.OPT)
		if !ok {
			continue
		}
		if e.there || opt.Hdr.Name != "." { // RFC 6891 section 6.1.1
			return true
		}
		e.there, e.version, e.do = true, opt.Version(), opt.Do()
		e.size = min(max(int(opt.UDPSize()), minUDP), maxUDP)
		for _, o := range opt.Option {
			switch o := o.(type) {
			case *dns.EDNS0_NSID:
				e.nsid = true
			case *dns.EDNS0_SUBNET:
				if e.subnet != nil || !goodSubnet(o) {
					return true
				}
				e.subnet = o
			}
		}
	}
	return false
}

// goodSubnet reports whether a client subnet is as RFC 7871 section 6 wants it in a query: scope 0,
// and no bit set beyond its length.
func goodSubnet(o *dns.EDNS0_SUBNET) bool {
	p, ok := prefixOf(o)
	return o.SourceScope == 0 && (o.Family == 0 || ok && p == p.Masked())
}

func prefixOf(o *dns.EDNS0_SUBNET) (netip.Prefix, bool) {
	var a netip.Addr
	var ok bool
	switch o.Family {
	case 1:
		a, ok = netip.AddrFromSlice(o.Address.To4())
	case 2:
		a, ok = netip.AddrFromSlice(o.Address.To16())
	}
	return netip.PrefixFrom(a, int(o.SourceNetmask)), ok
}

// client is who the answer is for. A subnet of length 0 asks for an answer that is good for all
// (RFC 7871 section 7.1.2), which the sender's own address would not give.
func (a *asker) client() netip.Prefix {
	if s := a.edns.subnet; s != nil {
		p, _ := prefixOf(s)
		return p
	}
	return netip.PrefixFrom(a.from, a.from.BitLen())
}

// finish adds what EDNS wants in the answer, and keeps the answer within what the client takes.
func (a *asker) finish(z *Zones, o *Outcome) {
	r := o.Reply
	if a.edns.there {
		r.Extra = append(r.Extra[:len(r.Extra):len(r.Extra)], a.opt(z))
	}
	r.Compress = true
	if a.tcp {
		return
	}
	if r.Len() > a.edns.size { // what is only help goes first, and without a flag (RFC 2181 section 9)
		r.Extra = r.Extra[:0:0]
		if a.edns.there {
			r.Extra = append(r.Extra, a.opt(z))
		}
	}
	if r.Len() > a.edns.size {
		r.Truncate(a.edns.size)
		r.Compress = true
		if r.Truncated {
			o.Reason = boot.Truncated
		}
	}
}

// opt is the OPT record of the answer.
func (a *asker) opt(z *Zones) *dns.OPT {
	opt := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT}}
	opt.SetUDPSize(maxUDP)
	if a.edns.do { // RFC 3225 section 3: copied, though nothing here is signed
		opt.SetDo()
	}
	if a.edns.nsid {
		opt.Option = append(opt.Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID, Nsid: hex.EncodeToString([]byte(z.node))})
	}
	if s := a.edns.subnet; s != nil { // RFC 7871 section 7.2.1: as it was asked, with the scope
		addr := s.Address
		if s.Family == 1 {
			addr = addr.To4()
		}
		opt.Option = append(opt.Option, &dns.EDNS0_SUBNET{
			Code: dns.EDNS0SUBNET, Family: s.Family, SourceNetmask: s.SourceNetmask,
			SourceScope: uint8(a.edns.scope), Address: net.IP(addr),
		})
	}
	return opt
}
