package dhcp4

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/dhcp4"
)

// plan is a Config in the form that packets are decided by. It is never changed after it was made.
type plan struct {
	cfg    Config
	scopes []*scope // by the first address of their subnets
	self   boot.Server
}

// scope is a Scope with its options as bytes.
type scope struct {
	Scope
	options [256][]byte
	peers   []*scope    // the scopes on the same wire, this one first
	rest    []wire.Code // what a client without a parameter list is told
}

func newPlan(cfg Config) (*plan, error) {
	p := &plan{cfg: cfg}
	p.self = cfg.Site.Servers[cfg.Site.Self]
	p.self.Name, p.self.Node = cfg.Site.Self, true
	for i := range cfg.Scopes {
		s, err := newScope(cfg.Scopes[i])
		if err != nil {
			return nil, err
		}
		p.scopes = append(p.scopes, s)
	}
	slices.SortFunc(p.scopes, func(a, b *scope) int { return a.Subnet.Addr().Compare(b.Subnet.Addr()) })
	for i, s := range p.scopes {
		if i > 0 && p.scopes[i-1].Subnet.Overlaps(s.Subnet) {
			return nil, fmt.Errorf("dhcp4: the subnets of %s and %s overlap", p.scopes[i-1].Name, s.Name)
		}
		for _, other := range p.scopes {
			if other != s && s.Link != "" && other.Link == s.Link {
				s.peers = append(s.peers, other)
			}
		}
	}
	return p, nil
}

func newScope(cfg Scope) (*scope, error) {
	if !cfg.Subnet.IsValid() || !cfg.Subnet.Addr().Is4() {
		return nil, fmt.Errorf("dhcp4: scope %s: %q is not an IPv4 subnet", cfg.Name, cfg.Subnet)
	}
	cfg.Subnet = cfg.Subnet.Masked()
	cfg.Renew, cfg.Rebind = cmp.Or(cfg.Renew, 0.5), cmp.Or(cfg.Rebind, 0.875)
	s := &scope{Scope: cfg}
	s.peers = []*scope{s}
	put := func(c wire.Code, data []byte) {
		if len(data) > 0 && s.options[c] == nil {
			s.options[c] = data
		}
	}
	for _, o := range cfg.Options {
		if o.Code == wire.Pad || o.Code == wire.End || ours(o.Code) {
			return nil, fmt.Errorf("dhcp4: scope %s: %s is not for the site file to say", cfg.Name, o.Code)
		}
		put(o.Code, o.Data)
	}
	put(wire.SubnetMask, maskOf(cfg.Subnet))
	put(wire.BroadcastAddress, addrBytes(wire.LastOf(cfg.Subnet)))
	put(wire.Router, addrBytes(cfg.Routers...))
	put(wire.DNSServer, addrBytes(cfg.DNS...))
	put(wire.NTPServers, addrBytes(cfg.NTP...))
	put(wire.DomainName, []byte(cfg.Domain))
	if cfg.MTU > 0 {
		put(wire.InterfaceMTU, []byte{byte(cfg.MTU >> 8), byte(cfg.MTU)})
	}
	if len(cfg.Routes) > 0 {
		put(wire.ClasslessRoutes, wire.AppendRoutes(nil, cfg.Routes))
		put(wire.MicrosoftRoutes, wire.AppendRoutes(nil, cfg.Routes))
	}
	// Who takes option 121 does not look at option 3 (RFC 3442): the default route has to be in both.
	for _, c := range [...]wire.Code{wire.ClasslessRoutes, wire.MicrosoftRoutes} {
		if r := addrBytes(cfg.Routers...); s.options[c] != nil && len(r) > 0 && !hasDefault(s.options[c]) {
			s.options[c] = append(append(slices.Clip(s.options[c]), 0), r[:4]...)
		}
	}
	for _, c := range []wire.Code{wire.Router, wire.DNSServer, wire.DomainName, wire.BroadcastAddress} {
		if s.options[c] != nil {
			s.rest = append(s.rest, c)
		}
	}
	return s, nil
}

// hasDefault reports whether the value of option 121 has a default route, or cannot be read: then it is
// nobody's to change.
func hasDefault(b []byte) bool {
	routes, err := wire.ParseRoutes(b)
	return err != nil || slices.ContainsFunc(routes, func(r wire.Route) bool { return r.To.Bits() == 0 })
}

// ours are options that the protocol itself needs: a value from the site file would break it.
func ours(c wire.Code) bool {
	switch c {
	case wire.MessageTypeOption, wire.ServerID, wire.RequestedAddress, wire.LeaseTime, wire.Overload,
		wire.ParameterList, wire.MaxMessageSize, wire.ClientID, wire.RelayAgentInfo:
		return true
	}
	return false
}

// scopeAt returns the scope of an address, nil if there is none.
func (p *plan) scopeAt(a netip.Addr) *scope {
	i, _ := slices.BinarySearchFunc(p.scopes, a, func(s *scope, a netip.Addr) int {
		if s.Subnet.Addr().Compare(a) <= 0 {
			return -1
		}
		return 1
	})
	if i > 0 && p.scopes[i-1].Subnet.Contains(a) {
		return p.scopes[i-1]
	}
	return nil
}

func addrBytes(list ...netip.Addr) []byte {
	var out []byte
	for _, a := range list {
		if a.Is4() {
			b := a.As4()
			out = append(out, b[:]...)
		}
	}
	return out
}

func maskOf(p netip.Prefix) []byte {
	m := ^uint32(0)
	if n := p.Bits(); n < 32 {
		m = ^(m >> n)
	}
	return []byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)}
}

// rootPath writes a rule's option 17.
func (r Rule) rootPath(servers []boot.Server) string {
	if !strings.Contains(r.RootPath, "{") {
		return r.RootPath
	}
	var all []string
	for _, s := range servers {
		all = append(all, s.Addr().String())
	}
	return strings.NewReplacer("{server}", all[0], "{servers}", strings.Join(all, ",")).Replace(r.RootPath)
}
