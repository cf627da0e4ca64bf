package dnsboot

import (
	"fmt"
	"net/netip"

	"github.com/miekg/dns"

	"surefoot/internal/boot"
)

// fill puts the records of one type into the answer.
func (z *Zones) fill(a *asker, e *entry, o *Outcome) {
	q, r := a.q.Question[0], o.Reply
	apex := e.fqdn == e.zone.apex
	switch q.Qtype {
	case dns.TypeA, dns.TypeAAAA:
		if e.name != nil {
			z.fillAddresses(a, e.name, o)
		} else if e.host.IsValid() && e.host.Is4() == (q.Qtype == dns.TypeA) {
			r.Answer = []dns.RR{address(q.Name, e.host, hostTTL)}
		}
	case dns.TypeSRV:
		switch {
		case e.tftp != nil:
			z.fillServices(a, e.zone, e.tftp, o, func(s boot.Server) netip.AddrPort { return s.TFTP })
		case e.http != nil:
			z.fillServices(a, e.zone, e.http, o, func(s boot.Server) netip.AddrPort { return s.HTTP })
		}
	case dns.TypeTXT:
		if e.why != nil {
			z.fillWhy(a, e.why, o)
		}
	case dns.TypeSOA:
		if apex {
			r.Answer, r.Ns, r.Extra = []dns.RR{e.zone.soa}, e.zone.ns, e.zone.glue
		}
	case dns.TypeNS:
		if apex {
			r.Answer, r.Extra = e.zone.ns, e.zone.glue
		}
	case dns.TypeANY: // RFC 8482 section 4.2: one small record instead of all
		r.Answer = []dns.RR{&dns.HINFO{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeHINFO, Class: dns.ClassINET, Ttl: hostTTL}, Cpu: "RFC8482"}}
	}
}

// take chooses the servers of a name for this client, in order, and notes it.
func (z *Zones) take(a *asker, n *steered, o *Outcome) []boot.Server {
	l := z.live(n, a.now)
	o.Name, o.FailOpen = &n.Name, l.FailOpen
	if n.Order == boot.OrderRotate {
		o.Turn = n.turn.Add(1) - 1
	}
	list, scope := l.Arrange(n.Name, o.Client, o.Turn, z.site, nil)
	a.edns.scope = scope
	if len(list) > 0 {
		o.Server = list[0].Name
	}
	return list
}

func (z *Zones) fillAddresses(a *asker, n *steered, o *Outcome) {
	q := a.q.Question[0]
	if !z.hasFamily(a, n, q.Qtype) {
		return // does not use up a turn
	}
	for _, srv := range z.take(a, n, o) {
		if addr := srv.Addr().Unmap(); addr.Is4() == (q.Qtype == dns.TypeA) {
			o.Reply.Answer = append(o.Reply.Answer, address(q.Name, addr, z.ttl))
		}
	}
}

func (z *Zones) hasFamily(a *asker, n *steered, qtype uint16) bool {
	for _, srv := range z.live(n, a.now).Servers {
		if srv.Addr().Unmap().Is4() == (qtype == dns.TypeA) {
			return true
		}
	}
	return false
}

// fillServices writes SRV records (RFC 2782): servers among which an answer rotates have one
// priority, so that the client shares itself out; others have the order as priorities.
func (z *Zones) fillServices(a *asker, zn *zone, n *steered, o *Outcome, port func(boot.Server) netip.AddrPort) {
	q := a.q.Question[0]
	for i, srv := range z.take(a, n, o) {
		at := port(srv)
		if !at.IsValid() {
			continue
		}
		rank := uint16(10)
		if n.Order != boot.OrderRotate {
			rank *= uint16(i + 1)
		}
		target := below(srv.Name, zn.apex)
		o.Reply.Answer = append(o.Reply.Answer, &dns.SRV{
			Hdr:      dns.RR_Header{Name: q.Name, Rrtype: dns.TypeSRV, Class: dns.ClassINET, Ttl: z.ttl},
			Priority: rank, Weight: 10, Port: at.Port(), Target: target,
		})
		o.Reply.Extra = append(o.Reply.Extra, address(target, at.Addr().Unmap(), hostTTL))
	}
}

// fillWhy writes the trace of the decision, for people with dig.
func (z *Zones) fillWhy(a *asker, n *steered, o *Outcome) {
	o.Name = &n.Name
	r := boot.Resolve(n.Name, o.Client, n.turn.Load(), z.site, z.down)
	h := dns.RR_Header{Name: a.q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET} // TTL 0
	for i, s := range r.Trace {
		text := fmt.Sprintf("%d %s: %s", i+1, s.Subject, s.Why)
		o.Reply.Answer = append(o.Reply.Answer, &dns.TXT{Hdr: h, Txt: []string{text[:min(len(text), 255)]}})
	}
}
