package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	"surefoot/internal/kernel/link"
	"surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/pxe"
)

// PXEOptions say as whom to ask a boot service.
type PXEOptions struct {
	Server    string // name or address
	As        Client // ClientEDK2 or ClientPXE; ClientIPXE asks as its ROM does
	Arch      *boot.Arch
	MAC       boot.MAC
	Item      uint16 // the menu item of a ROM (43.71); default 0x8000
	Interface string // whose MAC to show; "": one made up
	File      string // that the reply has to name; "": any
}

// firstMAC is shown where nobody says which: locally administered, so nobody's.
var firstMAC = boot.MAC{0x02, 0x53, 0x46, 0x50, 0x52, 0x42}

// PXE asks a boot service on port 4011 for the file, as EDK2 does in its BINL step and a ROM after
// its menu: 4 tries after 1, 2, 3 and 4 s (F3).
func PXE(ctx context.Context, o PXEOptions) Result {
	o.As = cmp.Or(o.As, ClientEDK2)
	res := Result{Target: "pxe on " + o.Server, Kind: KindPXE, As: Style(o.As), Start: time.Now()}
	addr, f := resolve(ctx, o.Server, &res)
	if f != nil {
		res.finish(f)
		return res
	}
	b := &bootRequest{opts: o, res: &res, server: netip.AddrPortFrom(addr, dhcp4.PXEPort), start: time.Now()}
	res.Server = b.server.String()
	f = b.run(ctx)
	res.Trace = b.trace.packets()
	res.finish(f)
	return res
}

type bootRequest struct {
	opts   PXEOptions
	res    *Result
	server netip.AddrPort
	trace  trace
	start  time.Time
	stray  string
}

func (b *bootRequest) run(ctx context.Context) *Fault {
	local := func(err error) *Fault { return &Fault{Step: StepRequest, Code: LocalError, Text: err.Error()} }
	conn, err := b.open()
	if err != nil {
		return local(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	own, err := sourceFor(b.server)
	if err != nil {
		return connFault(StepRequest, b.server, err)
	}
	req, err := b.request(own)
	if err != nil {
		return local(err)
	}
	data, err := req.Encode(0)
	if err != nil {
		return local(err)
	}
	buf := make([]byte, 4096)
	for try := range 4 {
		b.trace.add(Packet{At: time.Since(b.start), Sent: true, What: fmt.Sprintf("REQUEST as %s, from port %d, ciaddr %s", b.opts.As, port(conn), own)})
		if _, err := conn.WriteToUDPAddrPort(data, b.server); err != nil {
			return b.socketFault(conn, err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(time.Duration(try+1) * time.Second)); err != nil {
			return local(err)
		}
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if ctx.Err() != nil {
				return &Fault{Step: StepRequest, Code: Interrupted, Text: "interrupted"}
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				b.res.Retransmits++
				break
			}
			if err != nil {
				return b.socketFault(conn, err)
			}
			if done, f := b.heard(buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), req.XID); done {
				return f
			}
		}
	}
	b.res.Retransmits-- // the last time-out sent nothing
	return b.silence()
}

func (b *bootRequest) silence() *Fault {
	if b.stray != "" {
		return &Fault{
			Step: StepAnswer, Code: WrongAddress, Text: fmt.Sprintf("asked %s, but the answer came from %s", b.server, b.stray),
			Hint: []string{"firmware drops an answer from another address: the service has to answer from the address that was asked"},
		}
	}
	return &Fault{
		Step: StepAnswer, Code: NoAnswer, Text: fmt.Sprintf("no answer from %s to 4 requests in %s", b.server, short(time.Since(b.start))),
		Hint: []string{
			"a client that was offered this server waits here and gives up (PXE-E55, PXE-E16): a PXE service has to listen, or the DHCP server must not send option 60 \"PXEClient\"",
			"a firewall drops UDP 4011, or the service has no answer for this architecture or MAC",
		},
	}
}

// open binds the port that the client answers on: EDK2's is 4011 (F3), a ROM's 68. Where it is taken
// on this machine another has to do; services that answer to a fixed port are not heard then.
func (b *bootRequest) open() (*net.UDPConn, error) {
	want := dhcp4.PXEPort
	if b.opts.As != ClientEDK2 {
		want = dhcp4.ClientPort
	}
	conn, err := listenPort(b.server.Addr(), want)
	if errors.Is(err, unix.EADDRINUSE) || errors.Is(err, unix.EACCES) {
		b.res.Notes = append(b.res.Notes, fmt.Sprintf("asked from another port than %d, which %s sends from: %s", want, b.opts.As, errnoText(err)))
		conn, err = listenPort(b.server.Addr(), 0)
	}
	return conn, err
}

func (b *bootRequest) request(own netip.Addr) (*dhcp4.Packet, error) {
	mac := b.opts.MAC
	if mac.IsZero() && b.opts.Interface != "" {
		l, err := link.ByName(b.opts.Interface)
		if err != nil {
			return nil, err
		}
		mac = l.MAC
	}
	if mac.IsZero() {
		mac = firstMAC
	}
	arch := b.opts.As.DefaultArch()
	if b.opts.Arch != nil {
		arch = *b.opts.Arch
	}
	p := b.opts.As.packet(dhcp4.Request, mac, arch, rand.Uint32())
	p.CIAddr = own
	if b.opts.As != ClientEDK2 { // PXE 2.1 section 2.2.4: the item that was chosen from the menu
		item := cmp.Or(b.opts.Item, pxe.ItemSurefoot)
		p.Set(dhcp4.VendorSpecific, pxe.Vendor{{Code: pxe.SubItem, Data: []byte{byte(item >> 8), byte(item), 0, 0}}}.Bytes())
	}
	return p, nil
}

// heard takes one datagram; done says that it settles the matter.
func (b *bootRequest) heard(data []byte, from netip.AddrPort, xid uint32) (done bool, f *Fault) {
	p, err := dhcp4.Decode(data)
	if err != nil || p.Op != dhcp4.OpReply || p.XID != xid {
		b.trace.add(Packet{At: time.Since(b.start), What: fmt.Sprintf("%d bytes that are no answer to us", len(data)), Peer: from.String()})
		return false, nil
	}
	o := offerOf(p, from.Addr(), boot.MAC{})
	o.After = int64(time.Since(b.start))
	b.trace.add(Packet{At: time.Since(b.start), What: fmt.Sprintf("%s %s", p.Type(), o), Peer: from.String()})
	if from.Addr() != b.server.Addr() {
		b.stray = from.String()
		return false, nil
	}
	b.res.Offers = []Offer{o}
	b.res.Response, b.res.DataFrom = time.Duration(o.After), from.String()
	return true, b.judge(p)
}

// judge asks what EDK2 asks of the reply (F3).
func (b *bootRequest) judge(p *dhcp4.Packet) *Fault {
	file := pxe.BootFile(p)
	switch {
	case p.Type() == dhcp4.NAK:
		return &Fault{Step: StepAnswer, Code: ServerError, Text: "the service refuses (NAK)"}
	case file == "" && pxe.ClassOfOffer(p) != pxe.OfferPXE10 && pxe.ClassOfOffer(p) != pxe.OfferProxyPXE10:
		return &Fault{
			Step: StepAnswer, Code: BadAnswer, Text: "the reply names no file, neither in option 67 nor in the header, and option 43 does not say how to go on",
			Hint: []string{"firmware stops here; the service lacks a file for this architecture"},
		}
	case b.opts.File != "" && file != b.opts.File:
		return &Fault{
			Step: StepContent, Code: BadAnswer, Text: fmt.Sprintf("the reply names the file %s, expected %s", quote(file), quote(b.opts.File)),
			Hint: []string{"surefoot explain shows the rule, on a node of Surefoot's"},
		}
	}
	return nil
}

func (b *bootRequest) socketFault(conn *net.UDPConn, err error) *Fault {
	if i, ok := lastICMP(conn); ok {
		if f := i.fault(StepRequest, b.server); f != nil {
			return f
		}
	}
	return connFault(StepRequest, b.server, err)
}

// sourceFor returns the address that packets to a server leave from.
func sourceFor(server netip.AddrPort) (netip.Addr, error) {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server)) // sends nothing
	if err != nil {
		return netip.Addr{}, err
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil
}

func port(c *net.UDPConn) int { return c.LocalAddr().(*net.UDPAddr).Port }
