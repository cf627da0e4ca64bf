package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/link"
	"surefoot/internal/kernel/rawsock"
	"surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/frame"
)

// DHCPOptions say as whom to ask a segment, and who may answer.
type DHCPOptions struct {
	Interface string
	As        Client
	Arch      *boot.Arch    // nil: what such a client usually is
	MAC       boot.MAC      // zero: the interface's own
	Broadcast []bool        // one DISCOVER each, with the flag or without; none: as the client does
	Wait      time.Duration // for offers; default 4 s, as EDK2 collects them
	Expect    []netip.Addr  // servers that have to answer; anybody else is a fault; none: whoever
	Monitor   bool          // say in option 97 that a monitor asks, and no machine (Monitors)
}

// defaultWait is how long EDK2 collects offers (F7).
const defaultWait = 4 * time.Second

// DHCP sends a DISCOVER and reports every offer. It takes none: no REQUEST follows, so that the
// servers forget the address that they held back. Sending needs CAP_NET_RAW.
func DHCP(ctx context.Context, o DHCPOptions) Result {
	o.As = cmp.Or(o.As, ClientEDK2)
	o.Wait = cmp.Or(o.Wait, defaultWait)
	if len(o.Broadcast) == 0 {
		o.Broadcast = []bool{o.As.broadcast()}
	}
	d := &discovery{opts: o, start: time.Now(), asked: map[uint32]bool{}}
	d.res = Result{Target: "dhcp on " + o.Interface, Kind: KindDHCP, As: Style(o.As), Start: d.start}
	f := d.run(ctx)
	if f == nil {
		d.choose()
		f = d.judge()
	}
	d.res.Trace = d.trace.packets()
	d.res.finish(f)
	return d.res
}

type discovery struct {
	opts  DHCPOptions
	res   Result
	trace trace
	start time.Time
	mac   boot.MAC
	asked map[uint32]bool // transaction → with the broadcast flag
}

func (d *discovery) run(ctx context.Context) *Fault {
	local := func(err error) *Fault {
		f := &Fault{Step: StepRequest, Code: LocalError, Text: err.Error(), Err: err}
		var h interface{ Hint() []string }
		if errors.As(err, &h) {
			f.Hint = h.Hint()
		}
		return f
	}
	l, err := link.ByName(d.opts.Interface)
	if err != nil {
		return local(err)
	}
	switch {
	case l.MAC.IsZero():
		return local(fmt.Errorf("interface %s: is not an Ethernet", l.Name))
	case !l.Up:
		return local(fmt.Errorf("interface %s: is down (ip link set %s up)", l.Name, l.Name))
	case l.Cut:
		return local(fmt.Errorf("interface %s: has no carrier: no cable, or its other end is down", l.Name))
	}
	if d.mac = d.opts.MAC; d.mac.IsZero() {
		d.mac = l.MAC
	}
	conn, err := d.listen(l)
	if err != nil {
		return local(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	if err := conn.SetReadDeadline(d.start.Add(d.opts.Wait)); err != nil {
		return local(err)
	}
	for _, broadcast := range d.opts.Broadcast {
		if err := d.send(conn, broadcast); err != nil {
			return local(err)
		}
	}
	buf := make([]byte, rawsock.MaxFrame)
	for {
		n, err := conn.Read(buf)
		switch {
		case ctx.Err() != nil:
			return &Fault{Step: StepRequest, Code: Interrupted, Text: "interrupted"}
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return local(err)
		}
		d.heard(buf[:n])
	}
}

// listen opens the socket that offers come to.
func (d *discovery) listen(l link.Link) (*rawsock.PacketConn, error) {
	if d.mac == l.MAC {
		return rawsock.ListenPacket(l.Name, l.Index, l.MAC, dhcp4.ClientPort)
	}
	return rawsock.ListenForeign(l.Name, l.Index, l.MAC, dhcp4.ClientPort, d.mac)
}

// flagText writes the flags of a DISCOVER.
func flagText(broadcast bool) string {
	if broadcast {
		return "0x8000"
	}
	return "0"
}

func (d *discovery) send(conn *rawsock.PacketConn, broadcast bool) error {
	arch := d.opts.As.DefaultArch()
	if d.opts.Arch != nil {
		arch = *d.opts.Arch
	}
	p := d.opts.As.packet(dhcp4.Discover, d.mac, arch, rand.Uint32())
	if broadcast {
		p.Flags = dhcp4.FlagBroadcast
	}
	if d.opts.Monitor {
		p.Set(dhcp4.ClientUUID, monitorUUID(d.mac))
	}
	b, err := p.Encode(0)
	if err != nil {
		return err
	}
	d.asked[p.XID] = broadcast
	d.trace.add(Packet{At: time.Since(d.start), Sent: true, What: fmt.Sprintf("DISCOVER as %s, %s, flags %s, secs 0", d.opts.As, d.mac, flagText(broadcast))})
	return conn.Write(frame.Datagram{
		SrcMAC: d.mac, DstMAC: frame.Broadcast, Payload: b,
		Src: netip.AddrPortFrom(netip.IPv4Unspecified(), dhcp4.ClientPort),
		Dst: netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), dhcp4.ServerPort),
	}.Frame())
}

// heard takes one frame.
func (d *discovery) heard(b []byte) {
	dg, err := frame.Parse(b)
	if err != nil || dg.DstMAC != d.mac && dg.DstMAC != frame.Broadcast {
		return
	}
	p, err := dhcp4.Decode(dg.Payload)
	if err != nil || p.Op != dhcp4.OpReply {
		return
	}
	broadcast, ours := d.asked[p.XID]
	if !ours || p.Type() != dhcp4.Offer && p.Type() != 0 {
		return
	}
	o := offerOf(p, dg.Src.Addr(), dg.SrcMAC)
	o.After = int64(time.Since(d.start))
	if len(d.asked) > 1 {
		o.Flags = flagText(broadcast)
	}
	d.trace.add(Packet{At: time.Since(d.start), What: "OFFER " + o.String(), Peer: dg.Src.String()})
	for i := range d.res.Offers {
		if d.res.Offers[i].same(o) {
			d.res.Offers[i].Again++
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

// servers lists who offered something, in the order of their answers.
func (d *discovery) servers() []string {
	var out []string
	for _, o := range d.res.Offers {
		if !slices.Contains(out, o.Server) {
			out = append(out, o.Server)
		}
	}
	return out
}

// judge says what is wrong with the answers, the worst first.
func (d *discovery) judge() *Fault {
	all := d.servers()
	var strangers, absent []string
	for _, e := range d.opts.Expect {
		if !slices.Contains(all, e.String()) {
			absent = append(absent, e.String())
		}
	}
	for _, o := range d.res.Offers {
		a, _ := netip.ParseAddr(o.Server)
		if len(d.opts.Expect) > 0 && !slices.Contains(d.opts.Expect, a) {
			strangers = append(strangers, fmt.Sprintf("%s (%s, MAC %s)", o.Server, o.Class.Text(), o.MAC))
		}
	}
	silent := ""
	if len(absent) > 0 {
		silent = "; expected, and does not answer: " + strings.Join(absent, ", ")
	}
	switch {
	case len(strangers) > 0:
		return &Fault{
			Step: StepAnswer, Code: OtherServer, Text: fmt.Sprintf("not expected, and answers: %s%s", strings.Join(strangers, "; "), silent),
			Hint: []string{"find it by its MAC in the switch's table; a second DHCP or PXE service decides boots by chance"},
		}
	case len(all) == 0:
		return &Fault{
			Step: StepAnswer, Code: NoAnswer,
			Text: fmt.Sprintf("no offer on %s in %s to %s as %s", d.opts.Interface, short(d.opts.Wait), plural(len(d.asked), "DISCOVER"), d.opts.As),
			Hint: []string{
				"no DHCP server on this segment and no relay, or the switch holds packets back: spanning tree without portfast, DHCP snooping, a port that allows one MAC only",
				"--as bdm and --flags both show whether the servers mind the kind of client or the broadcast flag",
			},
		}
	case len(absent) > 0:
		return &Fault{
			Step: StepAnswer, Code: MissingServer, Text: fmt.Sprintf("expected, and does not answer: %s; answered: %s", strings.Join(absent, ", "), strings.Join(all, ", ")),
			Hint: []string{"its service is down or does not know this segment; a server of a pair may leave this MAC to its partner (--mac asks as another)"},
		}
	}
	return d.flagsMatter()
}

// flagsMatter finds a server that answers a DISCOVER with the broadcast flag and not one without, or
// the other way round: then machines of one kind start and those of another do not.
func (d *discovery) flagsMatter() *Fault {
	if len(d.asked) < 2 {
		return nil
	}
	by := map[string]map[string]bool{}
	for _, o := range d.res.Offers {
		if by[o.Server] == nil {
			by[o.Server] = map[string]bool{}
		}
		by[o.Server][o.Flags] = true
	}
	for _, s := range d.servers() {
		if len(by[s]) > 1 {
			continue
		}
		got, not := "0", "0x8000"
		if by[s]["0x8000"] {
			got, not = not, got
		}
		return &Fault{
			Step: StepAnswer, Code: FlagMatters,
			Text: fmt.Sprintf("%s answers a DISCOVER with flags %s and none with flags %s", s, got, not),
			Hint: []string{"flags 0 is what Citrix' boot device manager and iPXE send, 0x8000 what UEFI firmware and Windows PE send; the answer to flags 0 goes to the client's MAC by unicast: a relay, a bridge or a failover partner may lose it"},
		}
	}
	return nil
}
