package dnsboot

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"surefoot/internal/boot"
)

// Explanation is one answer with the way to it: what `surefoot dns query` prints.
type Explanation struct {
	Node    string       `json:"node"`
	Name    string       `json:"name"` // as asked, absolute
	Type    string       `json:"type"`
	From    netip.Prefix `json:"from"` // who the answer is for
	Network string       `json:"network,omitempty"`
	Zone    string       `json:"zone,omitempty"`
	Reason  boot.Reason  `json:"reason"`
	Text    string       `json:"text"` // the reason in words
	// Of a name that follows health, what it stands for.
	Steered *boot.Name       `json:"steered,omitempty"`
	Choice  *boot.Resolution `json:"choice,omitempty"`
	TTL     uint32           `json:"ttl"`
	Rcode   string           `json:"rcode"`
	Records []string         `json:"records"` // the answer section
	Message string           `json:"message"` // the whole answer, as dig prints it
}

// ParseType reads a type of record.
func ParseType(s string) (uint16, error) {
	if t, ok := dns.StringToType[strings.ToUpper(s)]; ok && t != dns.TypeNone && t != dns.TypeOPT {
		return t, nil
	}
	return 0, fmt.Errorf("%q is not a type of record (A, AAAA, SRV, NS, SOA or TXT are those that there are)", s)
}

// Explain answers as the server would, and says why. It changes nothing: rotations stay where they
// are.
func (s *Server) Explain(name string, qtype uint16, from netip.Prefix) (Explanation, error) {
	now := s.zones.Load()
	z, err := NewZones(now.site, now.set, now.node, now.down)
	if err != nil {
		return Explanation{}, err
	}
	for fqdn, e := range z.names {
		if e.name != nil && now.names[fqdn] != nil && now.names[fqdn].name != nil {
			e.name.turn.Store(now.names[fqdn].name.turn.Load())
		}
	}
	return z.Explain(name, qtype, from, s.deps.Now()), nil
}

// Explain answers a query and says why. A name without a zone of ours at its end is one below the
// first zone. A whole address asks by itself; a subnet is told by the resolver of a client.
func (z *Zones) Explain(name string, qtype uint16, from netip.Prefix, now time.Time) Explanation {
	fqdn := dns.Fqdn(name)
	if z.zoneOf(dns.CanonicalName(fqdn)) == nil && !strings.HasSuffix(name, ".") {
		if below := dns.Fqdn(name + "." + z.list[0].apex); z.names[dns.CanonicalName(below)] != nil || !strings.Contains(name, ".") {
			fqdn = below
		}
	}
	q := new(dns.Msg).SetQuestion(fqdn, qtype)
	q.RecursionDesired = false
	q.SetEdns0(maxUDP, false)
	opt := q.IsEdns0()
	opt.Option = append(opt.Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})
	if !from.IsSingleIP() {
		family, addr := uint16(1), from.Addr()
		if addr.Is6() {
			family = 2
		}
		opt.Option = append(opt.Option, &dns.EDNS0_SUBNET{
			Code: dns.EDNS0SUBNET, Family: family, SourceNetmask: uint8(from.Bits()), Address: net.IP(from.Addr().AsSlice()),
		})
	}
	o := z.Answer(q, from.Addr(), false, now)
	e := Explanation{
		Node: z.node, Name: fqdn, Type: dns.TypeToString[qtype], From: o.Client, Zone: o.Zone, Reason: o.Reason, Text: o.Reason.Text(),
		Steered: o.Name, TTL: z.ttl, Rcode: dns.RcodeToString[o.Reply.Rcode], Records: []string{}, Message: o.Reply.String(),
	}
	for _, rr := range o.Reply.Answer {
		e.Records = append(e.Records, rr.String())
	}
	if n, ok := z.site.Locate(boot.Client{Addr: from.Addr()}); ok {
		e.Network = n.Name
	}
	if o.Name != nil {
		choice := boot.Resolve(*o.Name, o.Client, o.Turn, z.site, z.down)
		e.Choice = &choice
	}
	return e
}

// Name is one of those that follow health.
type Name struct {
	boot.Name
	FQDN     string   `json:"fqdn"`
	Living   []string `json:"living"` // in the order of the site file
	FailOpen bool     `json:"fail_open,omitempty"`
}

// List lists the steered names, in the order of the site file.
func (z *Zones) List(now time.Time) []Name {
	var out []Name
	for _, n := range z.site.Names {
		for _, zn := range z.list {
			e := z.names[below(n.Name, zn.apex)]
			if e == nil || e.name == nil || e.zone != zn || e.name.Name.Name != n.Name {
				continue
			}
			l := z.live(e.name, now)
			x := Name{Name: n, FQDN: e.fqdn, FailOpen: l.FailOpen, Living: []string{}}
			for _, srv := range l.Servers {
				x.Living = append(x.Living, srv.Name)
			}
			out = append(out, x)
			if n.Absolute() {
				break
			}
		}
	}
	return out
}

// List lists the names that the server stands for now.
func (s *Server) List() []Name { return s.zones.Load().List(s.deps.Now()) }
