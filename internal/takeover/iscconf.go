package takeover

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// ISCReservations reads the host declarations of dhcpd.conf (dhcpd.conf(5)), wherever they stand:
// in groups, subnets, shared networks, pools and classes.
func ISCReservations(file string, data []byte) []Item {
	a := &account{file: file}
	r := &iscReader{data: data, line: 1, bad: func(line int, what string) { a.refuse(line, what, "it is not understood") }}
	c := &iscConf{a: a, left: map[string]*tally{}}
	c.walk(r.statements(0), nil, nil)
	c.tell()
	return a.items
}

type iscConf struct {
	a    *account
	left map[string]*tally
}

// walk goes through statements; around are those blocks that they stand in, and boot what these say of booting.
func (c *iscConf) walk(list []stmt, around []string, boot []string) {
	for _, s := range list { // what a group says for the hosts in it
		if s.is("filename") || s.is("next-server") || s.is("server-name") {
			boot = append(slices.Clone(boot), s.String())
		}
	}
	if len(around) == 0 {
		boot = nil // of the whole server: not a host's
	}
	for _, s := range list {
		switch {
		case s.is("host"):
			c.host(s, boot)
		case s.is("include"):
			c.a.refuse(s.line, s.String(), "what it includes is not read: name that file as well")
		case s.is("key") || s.is("zone"):
			c.count(s, s.at(0)+" declarations")
		case s.has:
			name := strings.ToLower(s.at(0))
			c.count(s, name+" declarations")
			c.walk(s.block, append(slices.Clone(around), name), boot)
		case s.is("option"):
			c.count(s, "options")
		default:
			c.count(s, "settings")
		}
	}
}

func (c *iscConf) count(s stmt, what string) {
	t := c.left[what]
	if t == nil {
		t = &tally{line: s.line, what: what}
		c.left[what] = t
	}
	t.n++
}

// tell accounts for what is no reservation, each kind in one item.
func (c *iscConf) tell() {
	for _, k := range slices.Sorted(maps.Keys(c.left)) {
		t := c.left[k]
		c.a.add(t.line, fmt.Sprintf("%d %s", t.n, t.what), Left, "no reservation; the first is in this line")
	}
}

func (c *iscConf) host(s stmt, boot []string) {
	what := s.String()
	r := Reservation{Name: s.at(1)}
	var notes []string
	var hardware, fixed bool
	for _, x := range s.block {
		switch {
		case x.is("hardware", "ethernet"):
			m, err := parseMAC(x.at(2))
			if err != nil {
				c.a.refuse(x.line, what, "%v", err)
				return
			}
			if hardware {
				notes = append(notes, "a second hardware address, "+m.String()+", is left out: write a reservation of its own for it")
				continue
			}
			hardware, r.MAC = true, m
		case x.is("hardware"):
			c.a.refuse(x.line, what, "hardware %s: machines are known by Ethernet addresses here", short(x.at(1)))
			return
		case x.is("fixed-address"):
			fixed = true
			for _, t := range x.rest(1) {
				if ip, ok := addr4(t); ok {
					r.Addrs = append(r.Addrs, ip)
				} else {
					c.a.refuse(x.line, what, "fixed-address %s is a name: write the address (getent hosts %s)", short(t), short(t))
					return
				}
			}
		case x.is("option", "host-name"):
			if x.at(2) != r.Name && x.at(2) != "" {
				notes = append(notes, fmt.Sprintf("it is called by its host-name, %s, not %s", short(x.at(2)), short(r.Name)))
				r.Name = x.at(2)
			}
		case x.is("deleted"), x.is("dynamic"), x.is("group"):
			if x.is("deleted") {
				c.a.add(s.line, what, Left, "it is deleted")
				return
			}
		case x.is("filename"), x.is("next-server"), x.is("server-name"):
			notes = append(notes, short(x.String())+" is not taken: which file a machine gets is said by boot rules, or by the column boot")
		case x.is("option", "dhcp-client-identifier"), x.is("uid"), x.is("host-identifier"), x.is("dhcp-client-identifier"):
			notes = append(notes, short(x.String())+" is not taken: machines are known by their hardware address")
		default:
			notes = append(notes, "not taken: "+short(x.String()))
		}
	}
	for _, b := range boot {
		notes = append(notes, "around it stands "+short(b)+", which is not taken: boot rules say that")
	}
	switch {
	case !hardware:
		c.a.refuse(s.line, what, "it has no hardware ethernet: machines are known by their hardware address here")
		return
	case !fixed:
		notes = append(notes, "it has no fixed-address: its name is taken alone")
	}
	c.a.reserve(s.line, what, r, notes)
}

// One is the address of a reservation that is in a network, and whether there is one.
func (r Reservation) One(in netip.Prefix) (netip.Addr, bool) {
	i := slices.IndexFunc(r.Addrs, in.Contains)
	if i < 0 {
		return netip.Addr{}, false
	}
	return r.Addrs[i], true
}
