package app

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/lease"
	"surefoot/internal/serve/dhcp6"
	"surefoot/internal/web"
	wire "surefoot/internal/wire/dhcp6"
)

// LeaseFilter makes a test of what a query asks for.
func LeaseFilter(cfg *config.Config, q web.LeaseQuery, now time.Time) (func(lease.Record) bool, error) {
	states := []string{"", "active", "expired", "offered", "released", "declined"}
	if !slices.Contains(states, q.State) {
		return nil, fmt.Errorf("there is no state %q: they are %s", q.State, strings.Join(states[1:], ", "))
	}
	text := strings.ToLower(q.Text)
	if mac, err := boot.ParseMAC(q.Text); err == nil {
		text = mac.String()
	}
	return func(r lease.Record) bool {
		switch {
		case q.Network != "" && networkOf(r.Scope) != q.Network, r.State == lease.Free:
			return false
		case q.State != "" && LeaseState(r, now) != q.State:
			return false
		case text == "":
			return true
		}
		res, _ := reservedFor(cfg, r)
		name := res.Name
		return strings.Contains(r.Addr.String(), text) || strings.Contains(r.MAC.String(), text) || strings.Contains(r.ID.String(), text) ||
			networkOf(r.Scope) != r.Scope && strings.Contains(r.Circuit, text) || // its DUID
			strings.Contains(strings.ToLower(r.Host), text) || strings.Contains(strings.ToLower(name), text)
	}, nil
}

// LeaseOf makes a test whether a record is of an address, a MAC address, an identity or a name.
func LeaseOf(cfg *config.Config, who string) func(lease.Record) bool {
	if a, err := netip.ParseAddr(who); err == nil {
		return func(r lease.Record) bool { return r.Addr == a }
	}
	if mac, err := boot.ParseMAC(who); err == nil {
		return func(r lease.Record) bool { return r.MAC == mac || r.ID == lease.Hardware(1, mac[:]) }
	}
	if id, err := lease.ParseID(who); err == nil && !id.IsZero() {
		return func(r lease.Record) bool { return r.ID == id }
	}
	duid, err := wire.ParseDUID(strings.NewReplacer(":", "", "-", "").Replace(strings.ToLower(who)))
	return func(r lease.Record) bool {
		if err == nil && networkOf(r.Scope) != r.Scope && dhcp6.Holds(r, duid) {
			return true
		}
		res, _ := reservedFor(cfg, r)
		name := res.Name
		return who != "" && (strings.EqualFold(r.Host, who) || strings.EqualFold(name, who))
	}
}

// reservedFor is what the site file says of the machine of a record.
func reservedFor(cfg *config.Config, r lease.Record) (boot.Reservation, bool) {
	if cfg == nil {
		return boot.Reservation{}, false
	}
	network := networkOf(r.Scope)
	if res, ok := reservations(cfg, network)[r.MAC]; ok && !r.MAC.IsZero() {
		return res, true
	}
	if network == r.Scope {
		return boot.Reservation{}, false
	}
	res, ok := hosts6(cfg, network)[r.ID]
	return res, ok
}

// ReservedFor is the same of a configuration.
func ReservedFor(cfg *config.Config, who string) []web.ReservedAddr {
	out := []web.ReservedAddr{}
	if cfg == nil || who == "" {
		return out
	}
	addr, _ := netip.ParseAddr(who)
	mac, _ := boot.ParseMAC(who)
	duid := strings.NewReplacer(":", "", "-", "").Replace(strings.ToLower(who))
	is := func(r boot.Reservation) bool {
		return addr.IsValid() && (r.Addr == addr || r.Addr6 == addr) || strings.EqualFold(r.Name, who)
	}
	for _, n := range cfg.Site.Networks {
		for m, r := range n.Reservations {
			if m == mac || is(r) {
				x := web.ReservedAddr{Network: n.Name, MAC: m.String(), Addr: r.Addr, Addr6: r.Addr6, Boot: r.Rule}
				if r.Name != x.MAC {
					x.Name = r.Name
				}
				out = append(out, x)
			}
		}
		for id, r := range n.ByDUID {
			if id == duid || is(r) {
				x := web.ReservedAddr{Network: n.Name, DUID: id, Addr6: r.Addr6}
				if r.Name != id {
					x.Name = r.Name
				}
				out = append(out, x)
			}
		}
	}
	slices.SortFunc(out, func(a, b web.ReservedAddr) int {
		return strings.Compare(a.Network+a.MAC+a.DUID, b.Network+b.MAC+b.DUID)
	})
	return out
}
