package dnsboot

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"surefoot/internal/boot"
)

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
