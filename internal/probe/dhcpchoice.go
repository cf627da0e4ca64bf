package probe

import (
	"surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/pxe"
)

// StepAnswer is where dhcp, pxe and dns fail once they could ask.
const StepAnswer Step = "answer"

// choose says what UEFI firmware would make of the offers (F1, F2). What it thinks of an offer to
// another kind of client nobody knows.
func (d *discovery) choose() {
	if d.opts.As != ClientEDK2 || len(d.res.Offers) == 0 {
		return
	}
	var packets []*dhcp4.Packet
	for _, o := range d.res.Offers {
		packets = append(packets, o.packet)
	}
	c := pxe.ChooseOffer(packets)
	d.res.Choice = c.How
	if c.Address >= 0 {
		d.res.Offers[c.Address].Takes = "address"
	}
	switch {
	case c.Boot < 0:
	case c.Boot == c.Address:
		d.res.Offers[c.Boot].Takes = "both"
	default:
		d.res.Offers[c.Boot].Takes = "boot"
	}
}
