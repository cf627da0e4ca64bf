package tftp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	wire "surefoot/internal/wire/tftp"
)

// Offer says which options are granted, and how much. It is the administrator's remedy for a ROM
// that asks for what it cannot do: some choke on blocks that travel in fragments, some on an OACK
// (F26).
type Offer struct {
	Refuse     []string // options that are left out as if they were unknown (RFC 2347), in lower case
	BlockSize  int      // the largest; 0: that of RFC 2348
	WindowSize int      // the largest; 0: maxWindow
}

// NetworkOffer is the offer to the clients of a subnet.
type NetworkOffer struct {
	Name   string
	Subnet netip.Prefix // the zero value: every client
	Offer
}

// offers are those of a server. They are never changed after they were made.
type offers struct {
	general  Offer
	networks []NetworkOffer // the first that contains the client counts
}

// to returns the offer to a client, and whose it is.
func (o *offers) to(client netip.Addr) (offer Offer, whose string) {
	for _, n := range o.networks {
		if !n.Subnet.IsValid() || n.Subnet.Contains(client) {
			return n.Offer, "site file, network " + n.Name
		}
	}
	return o.general, "site file"
}

// limits are the offer as the negotiation has it.
func (o Offer) limits() wire.Limits {
	l := wire.Limits{BlockSize: o.BlockSize, WindowSize: o.WindowSize, Refuse: o.Refuse}
	if l.WindowSize == 0 {
		l.WindowSize = maxWindow
	}
	return l
}

// negotiate answers the client's options for a file of size bytes (< 0: not known), and notes for the story what is peculiar about it and what
// the site file keeps from it.
func (t *transfer) negotiate(size int64) (wire.Profile, []wire.Option) {
	offer, whose := t.s.offers.Load().to(t.ends.client.Addr())
	p, granted := wire.Negotiate(t.asked.Options, offer.limits(), size)
	notes := mannersFor(t.asked).names
	if w := offer.withheld(whose, t.asked.Options, granted); w != "" {
		notes = append(notes, w)
	}
	t.tale.quirk = strings.Join(notes, "; ")
	return p, granted
}

// withheld says which of the options asked for the offer cut or left out, as in "windowsize refused,
// blksize at most 1428 (site file, network old)"; "" if none.
func (o Offer) withheld(whose string, asked, granted []wire.Option) string {
	var what []string
	for _, a := range asked {
		name := strings.ToLower(a.Name)
		got, ok := wire.Lookup(granted, a.Name)
		switch {
		case slices.Contains(o.Refuse, name):
			what = append(what, name+" refused")
		case ok && got != a.Value && name == wire.OptBlockSize && o.BlockSize > 0:
			what = append(what, fmt.Sprintf("blksize at most %d", o.BlockSize))
		case ok && got != a.Value && name == wire.OptWindowSize && o.WindowSize > 0:
			what = append(what, fmt.Sprintf("windowsize at most %d", o.WindowSize))
		}
	}
	if len(what) == 0 {
		return ""
	}
	return fmt.Sprintf("%s (%s)", strings.Join(slices.Compact(what), ", "), whose)
}
