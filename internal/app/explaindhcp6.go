package app

import (
	"fmt"
	"net/netip"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/lease"
	"surefoot/internal/serve/dhcp6"
	"surefoot/internal/web"
	wire "surefoot/internal/wire/dhcp6"
	"surefoot/internal/wire/pxe"
)

// Ask6 is a machine that asks by DHCPv6, and where.
type Ask6 struct {
	Client  boot.Client // its Relay is the link-address that a relay says
	DUID    wire.DUID
	IAID    uint32
	From    netip.Addr // its link-local address
	Network string
	Inform  bool // it has an address, and asks only what to boot
}

// Answer6 is what the DHCPv6 server of a node would answer.
type Answer6 struct {
	Why     boot.Reason
	Network string
	ID      lease.ID
	KnownBy string        // why it is that
	Said    *pxe.Answer6  // nil: nothing
	Addr    string        // which address, and why, in words
	Boot    boot.Decision // of the file
	Boots   bool
}

// Answer6To decides and encodes as the DHCPv6 server does. has are the leases that the machine is known to have; of all
// others nothing is known here, so that the address of a new machine is one that it may get.
func Answer6To(cfg *config.Config, q Ask6, down boot.Down, has []lease.Record, now time.Time) (Answer6, error) {
	setup := &setup{Config: cfg}
	book, err := lease.NewBook(cfg.Node.Name, pools(cfg))
	if err != nil {
		return Answer6{}, err
	}
	l := &leases{book: book} // alone, whatever the nodes share
	if err := l.configure(cfg); err != nil {
		return Answer6{}, err
	}
	for _, r := range has {
		book.Load(r)
	}
	own, unknown := readDUID(cfg.State)
	if unknown != nil {
		own = wire.OfUUID([16]byte{}) // the node is another machine
	}
	d, err := dhcp6.NewDecider(setup.dhcp6Config(own), book, down)
	if err != nil {
		return Answer6{}, err
	}
	kind := wire.Solicit
	if q.Inform {
		kind = wire.InformationRequest
	}
	b, err := pxe.Message6Of(q.Client, kind, q.DUID, q.IAID, 1)
	if err != nil {
		return Answer6{}, err
	}
	h := dhcp6.Heard{From: netip.AddrPortFrom(q.From, wire.ClientPort), To: netip.MustParseAddr("ff02::1:2"), View: new(wire.View)}
	for _, s := range cfg.DHCP.Scopes6 {
		if s.Network == q.Network {
			h.Link.Addrs = []netip.Prefix{netip.PrefixFrom(s.Subnet.Addr().Next(), s.Subnet.Bits())}
		}
	}
	if relay := q.Client.Relay; relay.IsValid() {
		if b, err = wire.Forward(nil, 0, relay, q.From, nil, b); err != nil {
			return Answer6{}, err
		}
		h.From, h.To = netip.AddrPortFrom(relay, wire.ServerPort), cfg.Node.Addr6
	}
	if err := h.View.Parse(b); err != nil {
		return Answer6{}, err
	}
	o := d.Decide(now, h)
	out := Answer6{Why: o.Reason, Network: o.Scope, Boot: o.Decision, Boots: o.Boots}
	if len(o.Bindings) > 0 {
		out.ID = o.Bindings[0].Ask.ID
		out.KnownBy = knownBy(o.Client.MAC, out.ID, h)
	}
	if o.Reply == 0 {
		return out, nil
	}
	reply, err := d.Append(nil, h, &o)
	if err != nil {
		return out, err
	}
	var v wire.View
	if err := v.Parse(reply); err != nil {
		return out, err
	}
	said := pxe.ReadAnswer6(&v)
	if unknown != nil {
		said.Server = nil
	}
	out.Said = &said
	if a, _ := o.First(); a.IsValid() {
		out.Addr = why6(cfg, o, a, has, now)
	}
	return out, nil
}

// knownBy says why a lease belongs to an identity (docs/dhcp6.md).
func knownBy(mac boot.MAC, id lease.ID, h dhcp6.Heard) string {
	of := "made of its DUID"
	client := h.From.Addr()
	if r := h.View.First(); r != nil {
		client = r.Peer
	}
	if b, ok := wire.EUI64(client); ok && boot.MAC(b) == mac {
		of = "of which its link-local address " + client.String() + " is made"
	}
	switch {
	case id == lease.Machine(h.View.ClientID()):
		return "its DUID, for which an address is reserved"
	case id.Kind == lease.KindHardware:
		return "its MAC address " + mac.String() + ", " + of
	case !mac.IsZero():
		return "DUID and IAID, since another association of its DUID has the address of " + mac.String()
	}
	return "DUID and IAID: neither a relay nor its link-local address nor its DUID says its MAC address"
}

// why6 says why it is that address.
func why6(cfg *config.Config, o dhcp6.Outcome, a netip.Addr, has []lease.Record, now time.Time) string {
	if r, ok := hosts6(cfg, o.Scope)[o.Bindings[0].Ask.ID]; ok && r.Addr6 == a {
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
	return fmt.Sprintf("%s, to which its identity leads, or the next one that is free", a)
}

// Record6 makes a record of an IPv6 lease as a node shows it; ok is false for what says nothing of what the machine gets.
func Record6(l web.Lease) (r lease.Record, ok bool) {
	r = lease.Record{
		Scope: scope6(l.Network), Addr: l.Addr, ID: l.ID, Start: l.Start, Expires: l.Expires, Node: l.Node, Serial: l.Serial,
		Circuit: l.Circuit, State: lease.Active,
	}
	if mac, err := boot.ParseMAC(l.MAC); err == nil {
		r.MAC = mac
	}
	if l.State == "released" {
		r.State = lease.Released
	}
	return r, l.Addr.Is6() && l.State != "declined" && l.State != "offered"
}
