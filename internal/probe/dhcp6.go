package probe

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/bind"
	"surefoot/internal/kernel/link"
	"surefoot/internal/wire/dhcp6"
	"surefoot/internal/wire/pxe"
)

// DHCP6Options say as whom to ask a segment by DHCPv6, and who may answer.
type DHCP6Options struct {
	Interface string
	Clients   []boot.Client // a SOLICIT of each; none: UEFI firmware that boots by PXE, and by HTTP
	NoAddress bool          // the segment gives none: only INFORMATION-REQUESTs are sent
	MAC       boot.MAC      // of the DUID; zero: the interface's own
	Wait      time.Duration // for answers; default 4 s
	Expect    []netip.Addr  // servers that have to answer, by their own address or that in their URL; anybody else is a fault
	Monitor   bool          // say in the DUID that a monitor asks, and no machine (Monitors)
}

// DHCP6 sends SOLICITs, and an INFORMATION-REQUEST for machines that have an address, and reports every answer. It takes no
// address: no REQUEST follows. Its own link-local address is the client's, so that servers take it for this machine.
func DHCP6(ctx context.Context, o DHCP6Options) Result {
	if len(o.Clients) == 0 {
		o.Clients = []boot.Client{
			{Arch: boot.ArchX64, Firmware: boot.FirmwareEDK2},
			{Arch: archHTTPx64, Firmware: boot.FirmwareUEFIHTTP},
		}
	}
	if o.Wait <= 0 {
		o.Wait = defaultWait
	}
	d := &solicitation{opts: o, start: time.Now(), asked: map[uint32]string{}}
	d.res = Result{Target: "dhcp6 on " + o.Interface, Kind: KindDHCP6, Start: d.start}
	f := d.run(ctx)
	if f == nil {
		f = d.judge()
	}
	d.res.Trace = d.trace.packets()
	d.res.finish(f)
	return d.res
}

// archHTTPx64 is UEFI HTTP boot on x64 (RFC 4578 registry).
const archHTTPx64 boot.Arch = 16

type solicitation struct {
	opts  DHCP6Options
	res   Result
	trace trace
	start time.Time
	duid  dhcp6.DUID
	asked map[uint32]string // transaction → as what
}

var everyServer = netip.MustParseAddr("ff02::1:2") // and relay (RFC 8415 section 7.1)

func (d *solicitation) run(ctx context.Context) *Fault {
	conn, mac, err := d.listen(ctx)
	if err != nil {
		f := &Fault{Step: StepRequest, Code: LocalError, Text: err.Error(), Err: err}
		var h interface{ Hint() []string }
		if errors.As(err, &h) {
			f.Hint = h.Hint()
		}
		return f
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	if d.duid = dhcp6.LL(mac); d.opts.Monitor {
		d.duid = dhcp6.OfUUID([16]byte(monitorUUID(mac)[1:]))
	}
	local := func(err error) *Fault {
		return &Fault{Step: StepRequest, Code: LocalError, Text: err.Error(), Err: err}
	}
	if err := conn.SetReadDeadline(d.start.Add(d.opts.Wait)); err != nil {
		return local(err)
	}
	for i, c := range d.opts.Clients {
		if !d.opts.NoAddress {
			if err := d.send(conn, dhcp6.Solicit, c); err != nil {
				return local(err)
			}
		}
		if i == 0 || d.opts.NoAddress {
			if err := d.send(conn, dhcp6.InformationRequest, c); err != nil {
				return local(err)
			}
		}
	}
	buf := make([]byte, 1<<16)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		switch {
		case ctx.Err() != nil:
			return &Fault{Step: StepRequest, Code: Interrupted, Text: "interrupted"}
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return local(err)
		}
		d.heard(buf[:n], from)
	}
}

// listen opens the socket that answers come to, once the interface can send.
func (d *solicitation) listen(ctx context.Context) (*net.UDPConn, boot.MAC, error) {
	name := d.opts.Interface
	l, err := link.ByName(name)
	if err != nil {
		return nil, l.MAC, err
	}
	addrs, err := link.Addrs6(name)
	switch {
	case err != nil:
		return nil, l.MAC, err
	case !l.Up:
		return nil, l.MAC, fmt.Errorf("interface %s: is down (ip link set %s up)", name, name)
	case l.Cut:
		return nil, l.MAC, fmt.Errorf("interface %s: has no carrier: no cable, or its other end is down", name)
	case !slices.ContainsFunc(addrs, func(p netip.Prefix) bool { return p.Addr().IsLinkLocalUnicast() }):
		return nil, l.MAC, fmt.Errorf("interface %s: has no link-local address, so that it cannot ask by DHCPv6 (sysctl net.ipv6.conf.%s.disable_ipv6)", name, name)
	}
	c, err := bind.UDP(ctx, "udp6", netip.AddrPortFrom(netip.IPv6Unspecified(), dhcp6.ClientPort), name)
	if err != nil {
		return nil, l.MAC, err
	}
	mac := d.opts.MAC
	if mac.IsZero() {
		mac = l.MAC
	}
	return c, mac, nil
}

func (d *solicitation) send(conn *net.UDPConn, t dhcp6.MessageType, c boot.Client) error {
	xid := rand.Uint32() & (1<<24 - 1)
	b, err := pxe.Message6Of(c, t, d.duid, 1, xid)
	if err != nil {
		return err
	}
	d.asked[xid] = fmt.Sprintf("%s as %s %s", t, c.Firmware, c.Arch)
	d.trace.add(Packet{At: time.Since(d.start), Sent: true, What: d.asked[xid] + ", DUID " + d.duid.String()})
	_, err = conn.WriteToUDPAddrPort(b, netip.AddrPortFrom(everyServer.WithZone(d.opts.Interface), dhcp6.ServerPort))
	return err
}

// heard takes one packet.
func (d *solicitation) heard(b []byte, from netip.AddrPort) {
	var v dhcp6.View
	if v.Parse(b) != nil || v.First() != nil || v.Type() != dhcp6.Advertise && v.Type() != dhcp6.Reply {
		return
	}
	asked, ours := d.asked[v.XID()]
	if !ours || string(v.ClientID()) != string(d.duid) {
		return
	}
	a := pxe.ReadAnswer6(&v)
	o := offer6(a, from.Addr().WithZone(""))
	o.After, o.Asked = int64(time.Since(d.start)), asked
	d.trace.add(Packet{At: time.Since(d.start), What: fmt.Sprintf("%s %s, to the %s", a.Type, o.String(), asked), Peer: from.String()})
	for i := range d.res.Offers {
		if p := &d.res.Offers[i]; p.same(o) && p.DUID == o.DUID && p.Asked == o.Asked && p.File == o.File {
			p.Again++
			return
		}
	}
	if len(d.res.Offers) == 0 {
		d.res.Response = time.Duration(o.After)
	}
	const most = 64
	if len(d.res.Offers) < most {
		d.res.Offers = append(d.res.Offers, o)
	}
}

// offer6 is an answer as an Offer.
func offer6(a pxe.Answer6, from netip.Addr) Offer {
	o := Offer{Server: from.String(), From: from.String(), DUID: a.Server.String(), File: a.URL, Class: pxe.OfferUseless}
	if b, ok := dhcp6.EUI64(from); ok {
		o.MAC = boot.MAC(b).String()
	}
	if len(a.Addrs) > 0 {
		o.Address, o.Class = a.Addrs[0].Addr.String(), pxe.OfferDHCPOnly
	}
	if a.HTTP {
		o.Class = pxe.OfferHTTP
	}
	for _, l := range a.Lines()[1:] {
		name, text, _ := strings.Cut(l, ": ")
		code := 0
		if i := strings.LastIndex(name, " ("); i > 0 {
			_, _ = fmt.Sscanf(name[i:], " (%d)", &code)
			name = name[:i]
		}
		o.Options = append(o.Options, OfferOption{Code: uint8(code), Name: name, Text: clip(text)})
	}
	return o
}

// Host6 is the address in the URL of an answer by DHCPv6; not valid if that is a name, or if there is none.
func (o Offer) Host6() netip.Addr {
	u, err := url.Parse(o.File)
	if err != nil {
		return netip.Addr{}
	}
	a, _ := netip.ParseAddr(u.Hostname())
	return a
}

// judge says what is wrong with the answers, the worst first.
func (d *solicitation) judge() *Fault {
	var strangers, absent, all []string
	address := false
	is := func(o Offer, e netip.Addr) bool { return o.From == e.String() || o.Host6() == e }
	for _, o := range d.res.Offers {
		address = address || o.Address != ""
		if !slices.Contains(all, o.Server) {
			all = append(all, o.Server)
		}
		if len(d.opts.Expect) > 0 && !slices.ContainsFunc(d.opts.Expect, func(e netip.Addr) bool { return is(o, e) }) && o.File != "" {
			strangers = append(strangers, fmt.Sprintf("%s (MAC %s, DUID %s) with %s", o.Server, orNone(o.MAC), o.DUID, o.File))
		}
	}
	for _, e := range d.opts.Expect {
		if !slices.ContainsFunc(d.res.Offers, func(o Offer) bool { return is(o, e) }) {
			absent = append(absent, e.String())
		}
	}
	hint := []string{
		"no DHCPv6 server on this segment and no relay, or the switch holds packets back (DHCPv6 guard, multicast snooping without a querier)",
		"a server that knows the segment answers whatever the routers announce; machines ask only where these say M or O (rdisc6 " + d.opts.Interface + ")",
	}
	switch {
	case len(strangers) > 0:
		return &Fault{
			Step: StepAnswer, Code: OtherServer, Text: "not expected, and says what to boot: " + strings.Join(strangers, "; "),
			Hint: []string{"find it by its MAC in the switch's table; a second DHCPv6 service decides boots by chance"},
		}
	case len(all) == 0:
		return &Fault{
			Step: StepAnswer, Code: NoAnswer, Hint: hint,
			Text: fmt.Sprintf("no answer on %s in %s to %s by DHCPv6", d.opts.Interface, short(d.opts.Wait), plural(len(d.asked), "message")),
		}
	case len(absent) > 0:
		return &Fault{
			Step: StepAnswer, Code: MissingServer, Text: fmt.Sprintf("expected, and does not answer: %s; answered: %s", strings.Join(absent, ", "), strings.Join(all, ", ")),
			Hint: []string{"its service is down or does not know this segment"},
		}
	case !address && !d.opts.NoAddress:
		return &Fault{
			Step: StepAnswer, Code: NoAnswer, Hint: []string{"look at the pool of the server (is it exhausted?); where machines have an address from elsewhere, --inform asks for the rest alone"},
			Text: fmt.Sprintf("no address is offered on %s: %s answered, without one", d.opts.Interface, strings.Join(all, ", ")),
		}
	}
	return nil
}

func orNone(s string) string {
	if s == "" {
		return "not known"
	}
	return s
}
