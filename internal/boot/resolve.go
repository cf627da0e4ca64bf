package boot

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// Living are the servers that a name can stand for at present, in the order of the site file.
type Living struct {
	Servers  []Server // empty: no server of the name speaks a protocol that hands out files
	FailOpen bool     // every one looks dead, so all are named
}

// Resolution is what a DNS name stands for, for one client, with the way to it. Servers are
// meaningful only if Reason is Answered.
type Resolution struct {
	Name     string   `json:"name"` // as in the site file
	Servers  []Server `json:"servers"`
	FailOpen bool     `json:"fail_open,omitempty"`
	Reason   Reason   `json:"reason"`
	Scope    int      `json:"scope"` // bits of the client's address that the answer depends on
	Trace    []Step   `json:"trace"`
}

// Resolve says what a name stands for. It is the only function that chooses servers for one: the
// DNS server takes the same two steps, Live and Arrange, and keeps the first for a moment. turn
// counts the answers before this one.
func Resolve(n Name, client netip.Prefix, turn uint64, s *Site, down Down) Resolution {
	r := Resolution{Name: n.Name}
	living := Live(n, s, down, &r.Trace)
	r.FailOpen = living.FailOpen
	if len(living.Servers) == 0 {
		r.Reason = NoServer
		return r
	}
	r.Servers, r.Scope = living.Arrange(n, client, turn, s, nil)
	r.explain(n, client, len(living.Servers))
	r.Reason = Answered
	return r
}

// Live finds the servers of a name that can hand out its file at present. All of them if every one
// is down: the rule of Decide. A nil trace costs nothing.
func Live(n Name, s *Site, down Down, trace *[]Step) Living {
	say := func(ok bool, name, format string, args ...any) {
		if trace != nil {
			*trace = append(*trace, Step{Subject: "server " + name, OK: ok, Why: fmt.Sprintf(format, args...)})
		}
	}
	var able []Server
	by := ByHTTP
	tftp := slices.ContainsFunc(n.From, func(name string) bool { return s.Servers[name].TFTP.IsValid() })
	for _, name := range n.From {
		srv, ok := s.Servers[name]
		switch {
		case !ok:
			say(false, name, "not in the site file")
		case !srv.TFTP.IsValid() && !srv.HTTP.IsValid():
			say(false, name, "hands out no files")
		case tftp && !srv.TFTP.IsValid():
			say(false, name, "has no TFTP, which the others of this name speak") // a name has one address for both
		case !srv.Node && n.File == TestBootstrap:
			say(false, name, "is not a node: it has no test bootstrap")
		default:
			able = append(able, srv)
		}
	}
	if tftp {
		by = ByTFTP
	}
	file := n.File
	if file == TestBootstrap {
		file = TestBootstrapX64 // a node has both or neither
	}
	out := Living{Servers: make([]Server, 0, len(able))}
	for _, srv := range able {
		if down != nil && down(srv.Name, file, by) {
			say(false, srv.Name, "does not hand out %s by %s at present", file, by)
			continue
		}
		say(true, srv.Name, "hands out %s by %s, as far as is known", file, by)
		out.Servers = append(out.Servers, srv)
	}
	if len(out.Servers) == 0 && len(able) > 0 {
		out.Servers, out.FailOpen = able, true
		if trace != nil {
			*trace = append(*trace, Step{Subject: "servers", OK: true, Why: "every one looks dead, so all are named: a monitor's mistake must not stop a site"})
		}
	}
	return out
}

// Arrange puts the living into the order of an answer, cut to as many as the name wants. Scope is
// how many bits of the client's address that depends on (RFC 7871 section 7.2.1): 0, or the length
// of the subnet by which clients stick. The list is made in buf, if that has room.
func (l Living) Arrange(n Name, client netip.Prefix, turn uint64, s *Site, buf []Server) (list []Server, scope int) {
	most := len(l.Servers)
	if n.Answers > 0 {
		most = min(most, n.Answers)
	}
	list = append(buf[:0], l.Servers...)
	switch {
	case n.Order == OrderSticky:
		subnet := StickySubnet(client, s)
		byWeight(list, subnet)
		scope = max(subnet.Bits(), 0)
	case n.Order == OrderRotate && len(list) > 1:
		first := int(turn % uint64(len(list)))
		list = append(append(list[:0], l.Servers[first:]...), l.Servers[:first]...)
	}
	return list[:most:most], scope
}

// StickySubnet is the subnet that a client sticks with: a /24, a /56 of IPv6, or the network of the
// site file that it is in if that is smaller. Clients behind one resolver that tells nothing of
// them are one client.
func StickySubnet(client netip.Prefix, s *Site) netip.Prefix {
	a := client.Addr()
	if !client.IsValid() {
		return netip.Prefix{}
	}
	bits := 24
	if a.Is6() {
		bits = 56
	}
	if n, ok := s.Locate(Client{Addr: a}); ok && n.Subnet.IsValid() {
		bits = max(bits, n.Subnet.Bits())
	}
	p, _ := a.Prefix(min(bits, client.Bits()))
	return p
}

// byWeight orders servers by a weight made of subnet and server (rendezvous hashing): the order is
// the same on every node, and a server that dies takes only its own clients with it.
func byWeight(list []Server, subnet netip.Prefix) {
	slices.SortStableFunc(list, func(a, b Server) int {
		return cmp.Or(cmp.Compare(weight(subnet, b.Name), weight(subnet, a.Name)), cmp.Compare(a.Name, b.Name))
	})
}

// weight is FNV-1a over both, with the finishing steps of MurmurHash3, without which names that
// differ in their last letter have weights that differ in a few bits.
func weight(subnet netip.Prefix, server string) uint64 {
	h := uint64(14695981039346656037)
	add := func(b byte) { h = (h ^ uint64(b)) * 1099511628211 }
	for _, b := range subnet.Addr().As16() {
		add(b)
	}
	add(byte(subnet.Bits()))
	for i := range len(server) {
		add(server[i])
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// explain adds to the trace why the servers stand in this order.
func (r *Resolution) explain(n Name, client netip.Prefix, living int) {
	for i, srv := range r.Servers {
		why := "as listed"
		switch {
		case living == 1:
			why = "the only one"
		case n.Order == OrderSticky && client.IsValid():
			subnet, _ := client.Addr().Prefix(r.Scope)
			why = fmt.Sprintf("by the weight of %s for the clients of %s", srv.Name, subnet)
		case n.Order == OrderRotate && i == 0:
			why = "its turn; the next answer begins with another"
		case n.Order == OrderRotate:
			why = "follows in the rotation"
		}
		r.Trace = append(r.Trace, Step{Subject: "server " + srv.Name, OK: true, Why: fmt.Sprintf("number %d, %s", i+1, why)})
	}
	if left := living - len(r.Servers); left > 0 {
		r.Trace = append(r.Trace, Step{Subject: "servers", Why: fmt.Sprintf("%d more that live are not named: answers: %s", left, AnswersText(n.Answers))})
	}
}
