package nat

import (
	"fmt"
	"net/netip"
	"slices"

	"surefoot/internal/kernel/nft"
	"surefoot/internal/lb"
)

// tftpPort is the one whose requests have the helper.
const tftpPort = 69

func takesTFTP(s *lb.Service) bool {
	return slices.Contains(s.Ports, lb.Port{Protocol: "udp", Number: tftpPort})
}

// translation is the transaction that lets packets follow the tables of nat and snat. source is the
// node's address towards a backend, for snat.
func translation(tables []lb.Table, source map[netip.Addr]netip.Addr, have nft.Listing) (string, error) {
	s := newScript(familyNAT, tableNAT, have)
	s.chain("helper", "type filter hook prerouting priority -150; policy accept;") // after connection tracking, before the translation
	s.chain("prerouting", "type nat hook prerouting priority dstnat; policy accept;")
	s.chain("postrouting", "type nat hook postrouting priority srcnat; policy accept;")
	s.chain("traffic", "type filter hook forward priority -10; policy accept;")
	for i := range tables {
		if err := s.service(&tables[i], source); err != nil {
			return "", err
		}
	}
	return s.text(), nil
}

func (s *script) service(t *lb.Table, source map[netip.Addr]netip.Addr) error {
	svc := &t.Service
	vip := svc.Listen.Addr()
	if takesTFTP(svc) {
		helper, l3 := "tftp4", "ip"
		if vip.Is6() {
			helper, l3 = "tftp6", "ip6"
		}
		s.helper(helper, l3)
		s.rule("helper", "%s udp dport %d ct helper set \"%s\"", to(vip), tftpPort, helper)
	}
	if t.Active {
		for _, ports := range dports(svc) {
			s.rule("prerouting", "%s%s goto %s", to(vip), ports, pickChain(svc.Name))
		}
	}
	for i := range svc.Backends {
		s.backend(t, i, source)
	}
	return s.pick(t)
}

// backend is the way to one backend.
func (s *script) backend(t *lb.Table, i int, source map[netip.Addr]netip.Addr) {
	svc, b := &t.Service, t.Service.Backends[i]
	vip, at := svc.Listen.Addr(), b.TFTP.Addr()
	chain := backendChain(svc.Name, b.Name)
	s.chain(chain, "")
	for _, c := range []string{requestCounter(svc.Name, b.Name), retryCounter(svc.Name, b.Name), trafficCounter(svc.Name, b.Name)} {
		s.counter(c)
	}
	if svc.Persist > 0 {
		s.set(keepSet(svc, b.Name), vip.Is6(), svc.Persist)
		s.rule(chain, "update @%s { %s saddr }", keepSet(svc, b.Name), ip(vip)) // of its own: where the set is full, the rule ends here
	}
	s.rule(chain, "counter name \"%s\"", requestCounter(svc.Name, b.Name))
	if b.TFTP.Port() != tftpPort && takesTFTP(svc) {
		s.rule(chain, "udp dport %d dnat %s to %s", tftpPort, ip(vip), b.TFTP)
	}
	s.rule(chain, "dnat %s to %s", ip(vip), at)
	if takesTFTP(svc) { // a request with an entry was made before, and not answered: an answer comes from another port, and is an entry of its own
		s.rule("helper", "%s udp dport %d ct status confirmed ct reply %s saddr %s counter name \"%s\"", to(vip), tftpPort, ip(vip), at, retryCounter(svc.Name, b.Name))
	}
	if svc.Mode == lb.SNAT {
		if from := source[at]; from.IsValid() {
			s.rule("postrouting", "ct original %s daddr %s ct reply %s saddr %s snat %s to %s", ip(vip), vip, ip(vip), at, ip(vip), from)
		} else {
			s.rule("postrouting", "ct original %s daddr %s ct reply %s saddr %s masquerade", ip(vip), vip, ip(vip), at)
		}
	}
	// A transfer that a request led to is a connection from the backend; others are the clients' own.
	s.rule("traffic", "ct original %s saddr %s ct reply %s daddr %s counter name \"%s\"", ip(vip), at, ip(vip), vip, trafficCounter(svc.Name, b.Name))
	s.rule("traffic", "ct original %s daddr %s ct reply %s saddr %s counter name \"%s\"", ip(vip), vip, ip(vip), at, trafficCounter(svc.Name, b.Name))
}

// pick is who gets a client: whom it has, or whose turn it is.
func (s *script) pick(t *lb.Table) error {
	svc := &t.Service
	chain := pickChain(svc.Name)
	s.chain(chain, "")
	if svc.Persist > 0 {
		for i, b := range svc.Backends {
			if slices.Contains(t.Alive, i) || slices.Contains(t.Drained, i) {
				s.rule(chain, "%s saddr @%s goto %s", ip(svc.Listen.Addr()), keepSet(svc, b.Name), backendChain(svc.Name, b.Name))
			} else {
				s.forget(keepSet(svc, b.Name)) // whoever has another one meanwhile would have two when it is back
			}
		}
	}
	rule, err := pick(t)
	if err != nil {
		return fmt.Errorf("service %s: %w", svc.Name, err)
	}
	s.rule(chain, "%s", rule)
	return nil
}
