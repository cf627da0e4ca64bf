package dnsboot

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
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

// NewZones makes the zones of a site as the node would serve them.
func NewZones(site *boot.Site, set Settings, node string, down boot.Down) (*Zones, error) {
	z := &Zones{
		site: site, set: set, node: node, down: down, ttl: uint32(set.TTL / time.Second),
		names: map[string]*entry{}, wire: map[string]*entry{},
	}
	for _, apex := range set.Zones {
		if err := z.addZone(dns.CanonicalName(apex), set); err != nil {
			return nil, err
		}
	}
	for _, n := range site.Names {
		if n.Absolute() && z.zoneOf(dns.CanonicalName(n.Name)) == nil {
			if err := z.addZone(dns.CanonicalName(n.Name), set); err != nil {
				return nil, err
			}
		}
	}
	if len(z.list) == 0 {
		return nil, errors.New("dns: no zone")
	}
	for _, n := range site.Names {
		if n.Absolute() {
			z.addName(z.zoneOf(dns.CanonicalName(n.Name)), dns.CanonicalName(n.Name), n)
			continue
		}
		for _, zone := range z.list[:len(set.Zones)] {
			z.addName(zone, dns.CanonicalName(n.Name+"."+zone.apex), n)
		}
	}
	z.addDefaults(len(set.Zones))
	z.addHosts()
	for name, e := range z.names {
		buf := make([]byte, 255)
		n, err := dns.PackDomainName(name, buf, 0, nil, false)
		if err != nil {
			return nil, fmt.Errorf("dns: the name %s: %w", name, err)
		}
		z.wire[string(buf[:n])] = e
	}
	serial := z.serial(set)
	for _, zone := range z.list {
		zone.soa.Serial = serial
		buf := make([]byte, 1024)
		end, err := dns.PackRR(zone.soa, buf, 0, nil, false)
		if err != nil {
			return nil, fmt.Errorf("dns: the zone %s: %w", zone.apex, err)
		}
		zone.apexLen, _ = dns.PackDomainName(zone.apex, make([]byte, 255), 0, nil, false)
		zone.soaTail = buf[zone.apexLen:end]
	}
	return z, nil
}

func (z *Zones) addZone(apex string, set Settings) error {
	if _, ok := dns.IsDomainName(apex); !ok || apex == "." {
		return fmt.Errorf("dns: %q cannot be a zone", apex)
	}
	zn := &zone{apex: apex}
	hdr := func(t uint16, ttl uint32) dns.RR_Header {
		return dns.RR_Header{Name: apex, Rrtype: t, Class: dns.ClassINET, Ttl: ttl}
	}
	for _, n := range set.NS {
		zn.ns = append(zn.ns, &dns.NS{Hdr: hdr(dns.TypeNS, hostTTL), Ns: below(n, apex)})
	}
	master := apex
	if len(set.NS) > 0 {
		master = below(set.NS[0], apex)
	}
	// Secondaries are none: refresh, retry and expire are there because the format has them. The
	// last field is how long "no such name" may be kept (RFC 2308 section 4).
	zn.soa = &dns.SOA{
		Hdr: hdr(dns.TypeSOA, z.ttl), Ns: master, Mbox: mailbox(set.Contact, apex),
		Refresh: 3600, Retry: 600, Expire: 86400, Minttl: z.ttl,
	}
	z.list = append(z.list, zn)
	z.at(zn, apex)
	return nil
}

// below makes a name of the zone absolute.
func below(name, apex string) string {
	if strings.HasSuffix(name, ".") {
		return dns.CanonicalName(name)
	}
	return dns.CanonicalName(name + "." + apex)
}

// mailbox writes a mail address as a name (RFC 1035 section 8).
func mailbox(contact, apex string) string {
	user, host, ok := strings.Cut(contact, "@")
	if !ok {
		return "hostmaster." + apex
	}
	return strings.ReplaceAll(user, ".", `\.`) + "." + dns.CanonicalName(host)
}

// at returns what is at a name, and makes it and the names between it and the apex exist.
func (z *Zones) at(zn *zone, fqdn string) *entry {
	e := z.names[fqdn]
	if e == nil {
		e = &entry{zone: zn, fqdn: fqdn}
		z.names[fqdn] = e
	}
	if i, end := dns.NextLabel(fqdn, 0); fqdn != zn.apex && !end {
		z.at(zn, fqdn[i:])
	}
	return e
}

// addName adds an address, the two services and the words of a name.
func (z *Zones) addName(zn *zone, fqdn string, n boot.Name) {
	if _, ok := dns.IsDomainName("_tftp._udp." + fqdn); !ok {
		return // longer than names may be
	}
	e := z.at(zn, fqdn)
	if e.name != nil {
		return // the first one counts
	}
	s := &steered{Name: n, fqdn: fqdn}
	e.name = s
	z.addServices(zn, fqdn, s)
	z.at(zn, "why."+fqdn).why = s
}

func (z *Zones) addServices(zn *zone, fqdn string, s *steered) {
	z.at(zn, "_tftp._udp."+fqdn).tftp = s
	z.at(zn, "_http._tcp."+fqdn).http = s
}

// addDefaults gives zones whose apex is no name the services of the first name.
func (z *Zones) addDefaults(own int) {
	for _, zn := range z.list[:own] {
		if z.names[zn.apex].name != nil {
			continue
		}
		for _, n := range z.site.Names {
			if e := z.names[below(n.Name, zn.apex)]; e != nil && e.name != nil {
				z.addServices(zn, zn.apex, e.name)
				break
			}
		}
	}
}

// addHosts gives every server an address under its own name, for SRV and NS records to point to.
func (z *Zones) addHosts() {
	for _, zn := range z.list {
		for _, name := range slices.Sorted(maps.Keys(z.site.Servers)) {
			addr := z.site.Servers[name].Addr()
			fqdn := below(name, zn.apex)
			if _, ok := dns.IsDomainName(fqdn); !ok || !addr.IsValid() {
				continue
			}
			if e := z.at(zn, fqdn); e.name == nil {
				e.host = addr.Unmap()
			}
		}
		for _, rr := range zn.ns {
			if e := z.names[rr.(*dns.NS).Ns]; e != nil && e.host.IsValid() {
				zn.glue = append(zn.glue, address(e.fqdn, e.host, hostTTL))
			}
		}
	}
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

// serial is made of the content: the same on every node that has the same file, and another when
// the file says something else. What is up and down at the moment is no part of it.
func (z *Zones) serial(set Settings) uint32 {
	h := fnv.New32a()
	fmt.Fprintf(h, "%q %q %q %d\n", set.Zones, set.NS, set.Contact, z.ttl)
	for _, n := range z.site.Names {
		fmt.Fprintf(h, "%+v\n", n)
	}
	for _, name := range slices.Sorted(maps.Keys(z.site.Servers)) {
		s := z.site.Servers[name]
		fmt.Fprintln(h, name, s.TFTP, s.HTTP, s.Addr())
	}
	return max(h.Sum32(), 1)
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
