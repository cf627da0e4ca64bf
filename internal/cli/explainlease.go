package cli

import (
	"context"
	"errors"
	"time"

	"surefoot/internal/app"
	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/lease"
	"surefoot/internal/web"
)

// askLeases asks the node, if it runs here, which addresses the machine has.
func (v *view) askLeases(ctx context.Context, socket, mac string) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	shown, err := web.Dial(socket).Lease(ctx, mac)
	var none *web.NotFoundError
	if v.asked = (err == nil && shown.Node == v.node) || errors.As(err, &none); v.asked {
		v.leases = shown.Leases
	}
}

// explainDHCP says what the DHCP server of the network offers.
func (e *explanation) explainDHCP(c boot.Client, d boot.Decision, cfg *config.Config, at view) {
	var has []lease.Record
	for _, l := range at.leases {
		r := lease.Record{Scope: l.Network, Addr: l.Addr, ID: l.ID, MAC: c.MAC, Start: l.Start, Expires: l.Expires, Node: l.Node, Serial: l.Serial, State: lease.Active}
		if l.State == "released" {
			r.State = lease.Released
		}
		if l.State != "declined" && l.State != "offered" && l.Addr.Is4() {
			has = append(has, r)
		}
	}
	o, err := app.OfferTo(cfg, c, d.Answer.Network, at.down, has, time.Now())
	switch {
	case err != nil:
		e.Address = "not known: " + err.Error()
		return
	case o.Packet == nil:
		e.Address = "none: " + o.Why.Text()
		return
	}
	e.Address = o.Addr
	if !at.asked {
		e.Address += "; the node was not asked which lease it has"
	}
	e.DHCPOffer = packetLines(o.Packet)
}
