package app

import (
	"fmt"
	"net/netip"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/lease"
	"surefoot/internal/serve/dhcp4"
	wire "surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/pxe"
)

// DHCPOffer is what the DHCP server of a node would offer to a machine.
type DHCPOffer struct {
	Packet *wire.Packet // nil: nothing
	Addr   string       // which address, and why, in words
	Why    boot.Reason
}

// OfferTo decides and encodes as the DHCP server does. has are the leases that the machine is known to have;
// of all others nothing is known here, so that the address of a new machine is one that it may get.
func OfferTo(cfg *config.Config, c boot.Client, network string, down boot.Down, has []lease.Record, now time.Time) (DHCPOffer, error) {
	setup := &setup{Config: cfg}
	book, err := lease.NewBook(cfg.Node.Name, pools(cfg))
	if err != nil {
		return DHCPOffer{}, err
	}
	l := &leases{book: book} // alone, whatever the nodes share
	if err := l.configure(cfg); err != nil {
		return DHCPOffer{}, err
	}
	for _, r := range has {
		l.book.Load(r)
	}
	role := setup.dhcpConfig()
	d, err := dhcp4.NewDecider(role, l.book, down)
	if err != nil {
		return DHCPOffer{}, err
	}
	req := pxe.DiscoverOf(c)
	req.CIAddr = netip.Addr{}
	if _, ok := req.Get(wire.ParameterList); !ok {
		req.Set(wire.ParameterList, usualParameters)
	}
	b, err := req.Encode(0)
	if err != nil {
		return DHCPOffer{}, err
	}
	var v wire.View
	if err := v.Parse(b); err != nil {
		return DHCPOffer{}, err
	}
	own := c.Link
	for _, s := range cfg.DHCP.Scopes {
		if s.Network == network && s.Subnet.Contains(cfg.Node.Addr) {
			own = netip.PrefixFrom(cfg.Node.Addr, s.Subnet.Bits())
		}
	}
	if !own.IsValid() {
		own = netip.PrefixFrom(cfg.Node.Addr, cfg.Node.Addr.BitLen())
	}
	h := dhcp4.Heard{
		View: &v, From: netip.AddrPortFrom(netip.IPv4Unspecified(), 68), To: netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), 67),
		Link: &dhcp4.Link{Addrs: []netip.Prefix{own}},
	}
	if c.Relay.IsValid() {
		h.From, h.To = netip.AddrPortFrom(c.Relay, 67), netip.AddrPortFrom(own.Addr(), 67)
	}
	o := d.Decide(now, h)
	out := DHCPOffer{Why: o.Reason}
	if o.Reply.Type == 0 {
		return out, nil
	}
	reply, err := d.Append(nil, h, &o)
	if err != nil {
		return out, err
	}
	if out.Packet, err = wire.Decode(reply); err != nil {
		return out, err
	}
	out.Addr = whichAddress(cfg, c, o, has, now)
	return out, nil
}

// usualParameters are what boot ROMs ask for (option 55; captures in FACTS F1 to F23).
var usualParameters = []byte{1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41, 42, 43, 50, 51, 54, 58, 59, 60, 66, 67, 97, 128, 129, 130, 131, 132, 133, 134, 135}

func whichAddress(cfg *config.Config, c boot.Client, o dhcp4.Outcome, has []lease.Record, now time.Time) string {
	a := o.Reply.YIAddr
	if r, ok := reservations(cfg, o.Scope)[c.MAC]; ok && r.Addr == a {
		return fmt.Sprintf("%s, which is reserved for it", a)
	}
	for _, r := range has {
		if r.Addr == a && r.Live(now) {
			return fmt.Sprintf("%s, which it has until %s", a, r.Expires.Local().Format(time.DateTime))
		}
		if r.Addr == a {
			return fmt.Sprintf("%s, which it had last", a)
		}
	}
	return fmt.Sprintf("one of the range: %s, or the next one that is free", a)
}
