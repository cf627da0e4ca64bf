package nat

import (
	"fmt"
	"slices"
	"strings"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/nft"
	"surefoot/internal/lb"
)

// link is where packets come in and leave.
type link struct {
	name string
	mac  [6]byte
}

// hop is a table with what a way by MAC needs besides.
type hop struct {
	lb.Table
	link link
	macs map[int][6]byte // of the backends that the link answers for, by their index
}

// alive are those with a MAC: nothing can be handed to others.
func (h hop) alive() lb.Table {
	t := h.Table
	known := func(list []int) []int {
		return slices.DeleteFunc(slices.Clone(list), func(i int) bool { _, ok := h.macs[i]; return !ok })
	}
	t.Alive, t.Drained = known(t.Alive), known(t.Drained)
	return t
}

// entry is the chain of an interface. Its name may hold what names of chains do not.
func entry(iface string) string {
	return "in/" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r) {
			return r
		}
		return '_'
	}, iface)
}

// redirection is the transaction that lets packets follow the tables of dsr.
func redirection(hops []hop, have nft.Listing) (string, error) {
	s := newScript(familyDirect, tableDirect, have)
	for _, h := range hops {
		in := entry(h.link.name)
		if s.keep["chain "+in] {
			continue
		}
		s.chain(in, fmt.Sprintf("type filter hook ingress device %s priority -500; policy accept;", nft.Quote(h.link.name)))
		s.rule(in, "ether daddr != %s accept", boot.MAC(h.link.mac)) // a switch floods, and a standby hears frames for others
	}
	for _, h := range hops {
		t := h.alive()
		svc := &t.Service
		vip, in := svc.Listen.Addr(), entry(h.link.name)
		if vip.Is6() { // who has the address is asked of its holder
			s.rule(in, "%s icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept", to(vip))
		}
		if t.Active {
			for _, ports := range dports(svc) {
				s.rule(in, "%s%s goto %s", to(vip), ports, pickChain(svc.Name))
			}
		}
		for i, b := range svc.Backends {
			chain := backendChain(svc.Name, b.Name)
			s.chain(chain, "")
			s.counter(requestCounter(svc.Name, b.Name))
			s.counter(trafficCounter(svc.Name, b.Name))
			if svc.Persist > 0 {
				s.set(keepSet(svc, b.Name), vip.Is6(), svc.Persist)
				s.rule(chain, "update @%s { %s saddr }", keepSet(svc, b.Name), ip(vip))
			}
			s.rule(chain, "udp dport %d counter name \"%s\"", tftpPort, requestCounter(svc.Name, b.Name))
			s.rule(chain, "tcp flags & (syn | ack) == syn counter name \"%s\"", requestCounter(svc.Name, b.Name))
			if mac, ok := h.macs[i]; ok {
				s.rule(chain, "counter name \"%s\" ether saddr set %s ether daddr set %s fwd to %s", trafficCounter(svc.Name, b.Name), boot.MAC(h.link.mac), boot.MAC(mac), nft.Quote(h.link.name))
			}
			s.rule(chain, "drop") // its MAC is gone: a client that hears nothing asks again, one that is refused gives up
		}
		if err := s.pick(&t); err != nil {
			return "", err
		}
	}
	return s.text(), nil
}
