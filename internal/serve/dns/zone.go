package dnsboot

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"surefoot/internal/boot"
)

const (
	// hostTTL is that of records that depend on the site file alone: name servers and hosts.
	hostTTL = 300
	// fresh is how long the living servers of a name are kept, since whether a file is there is a
	// question to the disk. It is added to the time that a dead server stays in the answers.
	fresh = 200 * time.Millisecond
)

// Zones is everything that the server stands for. It never changes but for counters and what is
// kept for a moment.
type Zones struct {
	site  *boot.Site
	set   Settings
	node  string // the one that answers
	down  boot.Down
	ttl   uint32
	list  []*zone
	names map[string]*entry // by lower-case absolute name, empty non-terminals as well
	wire  map[string]*entry // the same, by the name's lower-case wire form
}

// zone is one of the subtrees that are ours.
type zone struct {
	apex string
	soa  *dns.SOA
	ns   []dns.RR
	glue []dns.RR
	// For quick: how long the apex is in wire form, and the SOA record without its owner.
	apexLen int
	soaTail []byte
}

// entry is what there is at one name. All fields but zone and fqdn may be empty: the name then
// exists because of names below it (RFC 8020).
type entry struct {
	zone *zone
	fqdn string
	host netip.Addr // of a server, whatever its health
	name *steered   // A and AAAA
	tftp *steered   // SRV
	http *steered
	why  *steered // TXT
}

// steered is a name whose answers follow health.
type steered struct {
	boot.Name
	fqdn   string
	turn   atomic.Uint64
	living atomic.Pointer[living]
}

// living is what was found when one looked last.
type living struct {
	boot.Living
	at    time.Time
	only4 bool // all have IPv4 addresses
}

// zoneOf finds the zone that a name is in: the longest of those that fit.
func (z *Zones) zoneOf(fqdn string) *zone {
	var best *zone
	for _, zn := range z.list {
		if dns.IsSubDomain(zn.apex, fqdn) && (best == nil || len(zn.apex) > len(best.apex)) {
			best = zn
		}
	}
	return best
}

// live returns the servers of a name that live, as they were found a moment ago at most.
func (z *Zones) live(s *steered, now time.Time) *living {
	l := s.living.Load()
	if l == nil || now.Sub(l.at) > fresh || now.Before(l.at) {
		l = &living{Living: boot.Live(s.Name, z.site, z.down, nil), at: now, only4: true}
		for _, srv := range l.Servers {
			l.only4 = l.only4 && srv.Addr().Is4()
		}
		s.living.Store(l)
	}
	return l
}

// address is an A or AAAA record.
func address(name string, a netip.Addr, ttl uint32) dns.RR {
	h := dns.RR_Header{Name: name, Class: dns.ClassINET, Ttl: ttl}
	if a.Is4() {
		h.Rrtype = dns.TypeA
		return &dns.A{Hdr: h, A: net.IP(a.AsSlice())}
	}
	h.Rrtype = dns.TypeAAAA
	return &dns.AAAA{Hdr: h, AAAA: net.IP(a.AsSlice())}
}
