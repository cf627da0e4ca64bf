package config

import (
	"cmp"
	"slices"

	"surefoot/internal/boot"
)

// checkNetworks looks for networks that claim the same clients and reservations that name no rule.
func (d *decoder) checkNetworks(f *file) {
	var open, subnets []*fileNetwork
	for i := range f.networks {
		n := &f.networks[i]
		if n.open {
			open = append(open, n)
		}
		if n.subnet != nil {
			subnets = append(subnets, n)
		}
		d.checkReservations(f, n)
	}
	for _, n := range open[min(1, len(open)):] {
		d.report(n.at, faultf("a second network without a subnet: %s, in line %d, takes those clients already", open[0].name, open[0].line).write("subnet: 10.10.0.0/22"))
	}
	d.checkOverlaps(subnets)
}

// checkOverlaps reports subnets that share addresses. Of two that do, one holds the other: sorted
// by first address, the wider first, it is enough to compare each with those still open.
func (d *decoder) checkOverlaps(list []*fileNetwork) {
	slices.SortStableFunc(list, func(a, b *fileNetwork) int {
		return cmp.Or(a.subnet.v.Addr().Compare(b.subnet.v.Addr()), cmp.Compare(a.subnet.v.Bits(), b.subnet.v.Bits()))
	})
	var around []*fileNetwork
	for _, n := range list {
		for len(around) > 0 && !around[len(around)-1].subnet.v.Overlaps(n.subnet.v) {
			around = around[:len(around)-1]
		}
		if len(around) > 0 {
			a, b := around[len(around)-1], n
			if a.subnet.line > b.subnet.line {
				a, b = b, a
			}
			d.report(b.subnet.at, faultf("%s overlaps with %s of network %s, in line %d", b.subnet.v, a.subnet.v, a.name, a.subnet.line).do("give each network subnets that no other has"))
		}
		around = append(around, n)
	}
}

func (d *decoder) checkReservations(f *file, n *fileNetwork) {
	rules := map[string]bool{}
	var names []string
	for _, r := range f.rules {
		if r.name != nil {
			rules[r.name.v] = true
			names = append(names, r.name.v)
		}
	}
	first, duids := map[boot.MAC]*fileReservation{}, map[string]*fileReservation{}
	for i := range n.reservations {
		r := &n.reservations[i]
		if d.full() {
			return
		}
		if r.boot != nil && f.rulesKnown && !rules[r.boot.v] {
			d.reportIn(r.src, r.boot.at, faultf("there is no rule %s", quote(r.boot.v)).do("%s", didYouMean(r.boot.v, names)))
		}
		if r.duid != nil {
			d.checkDUID(r, duids)
		}
		if r.mac == nil {
			continue
		}
		if was := first[r.mac.v]; was != nil {
			d.reportIn(r.src, r.mac.at, faultf("%s has a reservation in this network already, %s", r.mac.v, d.inLine(was.src, r.src, was.mac.line)).do("delete one of the two"))
			continue
		}
		first[r.mac.v] = r
	}
}

// checkDUID looks at a reservation by DUID: over IPv4 nobody says that, and what a machine boots goes by its MAC address.
func (d *decoder) checkDUID(r *fileReservation, first map[string]*fileReservation) {
	was := first[r.duid.v]
	switch {
	case r.mac != nil:
		d.reportIn(r.src, r.duid.at, faultf("the reservation is for %s already, by its MAC address", r.mac.v).do("say mac or duid: mac, where the machine's MAC address can be known"))
	case r.ip != nil:
		d.reportIn(r.src, r.ip.at, faultf("an IPv4 address needs a MAC address: over DHCPv4 nobody says a DUID").do("write mac instead of duid, or leave ip out"))
	case r.boot != nil:
		d.reportIn(r.src, r.boot.at, faultf("a rule is bound to a MAC address").do("write mac instead of duid, or leave boot out"))
	case r.ip6 == nil:
		d.reportIn(r.src, r.duid.at, faultf("nothing is reserved here").do("write ip6 beside it"))
	case was != nil:
		d.reportIn(r.src, r.duid.at, faultf("%s has a reservation in this network already, %s", r.duid.v, d.inLine(was.src, r.src, was.duid.line)).do("delete one of the two"))
	default:
		first[r.duid.v] = r
	}
}
