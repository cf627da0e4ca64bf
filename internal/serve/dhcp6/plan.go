package dhcp6

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/dhcp6"
)

// plan is a Config in the form that packets are decided by. It is never changed after it was made.
type plan struct {
	cfg    Config
	scopes []*scope
	self   boot.Server // this node as clients reach it over IPv6
}

// scope is a Scope with its options as bytes.
type scope struct {
	Scope
	options []option
}

type option struct {
	code wire.Code
	data []byte
}

func newPlan(cfg Config) (*plan, error) {
	if cfg.Site == nil {
		return nil, errors.New("dhcp6: no site")
	}
	if !cfg.DUID.Valid() {
		return nil, errors.New("dhcp6: no DUID of the node")
	}
	p := &plan{cfg: cfg, self: cfg.Site.Servers[cfg.Site.Self].Over6()}
	p.self.Name = cfg.Site.Self
	for _, c := range cfg.Scopes {
		s, err := newScope(c)
		if err != nil {
			return nil, err
		}
		for _, other := range p.scopes {
			if other.Subnet.Overlaps(s.Subnet) {
				return nil, fmt.Errorf("dhcp6: the subnets of %s and %s overlap", other.Name, s.Name)
			}
		}
		p.scopes = append(p.scopes, s)
	}
	return p, nil
}

func newScope(cfg Scope) (*scope, error) {
	if !cfg.Subnet.IsValid() || !cfg.Subnet.Addr().Is6() {
		return nil, fmt.Errorf("dhcp6: scope %s: %q is not an IPv6 subnet", cfg.Name, cfg.Subnet)
	}
	cfg.Subnet = cfg.Subnet.Masked()
	cfg.Renew, cfg.Rebind = cmp.Or(cfg.Renew, 0.5), cmp.Or(cfg.Rebind, 0.8)
	s := &scope{Scope: cfg}
	put := func(c wire.Code, data []byte) {
		if len(data) > 0 {
			s.options = append(s.options, option{c, data})
		}
	}
	put(wire.DNSServers, addrBytes(cfg.DNS))
	search, err := wire.AppendDomains(nil, cfg.Search...)
	if err != nil {
		return nil, fmt.Errorf("dhcp6: scope %s: %w", cfg.Name, err)
	}
	put(wire.DomainSearch, search)
	put(wire.SNTPServers, addrBytes(cfg.NTP))
	put(wire.NTPServer, wire.AppendNTP(nil, cfg.NTP...))
	return s, nil
}

func addrBytes(list []netip.Addr) []byte {
	var out []byte
	for _, a := range list {
		b := a.As16()
		out = append(out, b[:]...)
	}
	return out
}

// scopesOf are the scopes of the client's link; none: no link of ours. A relay says an address of it (RFC 8415
// section 13.1), and otherwise it is the link on which the packet was heard.
func (p *plan) scopesOf(h Heard) []*scope {
	at := h.View.Link()
	var out []*scope
	for _, s := range p.scopes {
		switch {
		case at.IsValid() && s.Subnet.Contains(at), !at.IsValid() && h.Link.within(s.Subnet):
			out = append(out, s)
		}
	}
	return out
}
