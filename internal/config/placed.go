package config

import (
	"net/netip"

	"surefoot/internal/boot"
)

// Placed is a reservation with the place where it stands.
type Placed struct {
	Network string     `json:"network"`
	MAC     boot.MAC   `json:"mac,omitzero"`
	DUID    string     `json:"duid,omitempty"` // instead
	Addr    netip.Addr `json:"ip,omitzero"`
	Addr6   netip.Addr `json:"ip6,omitzero"`
	Name    string     `json:"name,omitempty"`
	Boot    string     `json:"boot,omitempty"`
	File    string     `json:"file"`
	Line    int        `json:"line"`
}

// PlacedIn are the reservations of a site, and its networks.
type PlacedIn struct {
	Networks     []PlacedNetwork
	Reservations []Placed // in the order of the files
}

// PlacedNetwork is a network with the file of its reservations, "" if it has none.
type PlacedNetwork struct {
	Name    string
	Subnet  netip.Prefix
	Subnet6 netip.Prefix
	Table   string
	DHCP    bool // its addresses are ours to give
}

// Who is the machine, as it is written.
func (p Placed) Who() string {
	if p.DUID != "" {
		return p.DUID
	}
	return p.MAC.String()
}

// Reservations lists what is reserved in a site, as far as it can be read: what is wrong with the files
// is the business of Check.
func Reservations(name string, data []byte, o Options) PlacedIn {
	var out PlacedIn
	d, f := decode(name, data)
	if f == nil {
		return out
	}
	d.tables(f, o.Read)
	for i := range f.networks {
		n := &f.networks[i]
		out.Networks = append(out.Networks, PlacedNetwork{Name: n.name, Subnet: n.subnet.or(netip.Prefix{}), Subnet6: n.subnet6.or(netip.Prefix{}), Table: n.reservationsFile.or(""), DHCP: n.byDHCP()})
		for _, r := range n.reservations {
			if r.mac == nil && r.duid == nil {
				continue
			}
			p := Placed{
				Network: n.name, MAC: r.mac.or(boot.MAC{}), DUID: r.duid.or(""), Addr: r.ip.or(netip.Addr{}), Addr6: r.ip6.or(netip.Addr{}),
				Name: r.name.or(""), Boot: r.boot.or(""), File: name,
			}
			if p.Line = spot(r.mac).line; r.mac == nil {
				p.Line = r.duid.line
			}
			if r.src != nil {
				p.File = r.src.name
			}
			out.Reservations = append(out.Reservations, p)
		}
	}
	return out
}
