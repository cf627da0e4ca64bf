package proxydhcp

import (
	"errors"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/frame"
	"surefoot/internal/wire/pxe"
)

// EncodeOffer writes an Answer as the ProxyDHCP offer to a DISCOVER. self is this node, with an
// address at which it serves port 4011. It offers no address and no lease, whatever is asked.
func EncodeOffer(c boot.Client, a boot.Answer, self boot.Server, req *dhcp4.Packet) *dhcp4.Packet {
	p := reply(c, self, req, dhcp4.Offer)
	w := pxe.WhereOf(c, a, self)
	switch pxe.FormOf(c, a) {
	case pxe.FormBINL:
		p.SIAddr = self.Addr()
	case pxe.FormDiscover:
		p.Set(dhcp4.VendorSpecific, pxe.Discovery(a, self).Bytes())
	case pxe.FormHTTP:
		w.Write(p, c)
	case pxe.FormRaspberry:
		p.Set(dhcp4.VendorSpecific, pxe.RaspberryMenu().Bytes())
		w.Write(p, c)
	case pxe.FormDirect:
		p.Set(dhcp4.VendorSpecific, pxe.Vendor{pxe.Control(pxe.TakeBootFile)}.Bytes())
		w.Write(p, c)
	}
	return closing(p, req)
}

// EncodeBoot writes an Answer as the reply to a request on port 4011: the file and the server,
// for every family. The menu item that the client chose (43.71) is given back, as PXE asks.
func EncodeBoot(c boot.Client, a boot.Answer, self boot.Server, req *dhcp4.Packet) *dhcp4.Packet {
	p := reply(c, self, req, dhcp4.ACK)
	p.CIAddr = req.CIAddr
	if b, ok := req.Get(dhcp4.VendorSpecific); ok {
		if v, err := pxe.ParseVendor(b); err == nil {
			if item, ok := v.Get(pxe.SubItem); ok && len(item) == 4 {
				p.Set(dhcp4.VendorSpecific, pxe.Vendor{{Code: pxe.SubItem, Data: item}}.Bytes())
			}
		}
	}
	pxe.WhereOf(c, a, self).Write(p, c)
	return closing(p, req)
}

// reply begins a reply: what every one has in common. Hops, flags and giaddr stay as they came,
// since the relay agent goes by them (F15; RFC 1542 section 4.1.2), with one exception.
func reply(c boot.Client, self boot.Server, req *dhcp4.Packet, t dhcp4.MessageType) *dhcp4.Packet {
	p := &dhcp4.Packet{
		Op: dhcp4.OpReply, HType: req.HType, HLen: req.HLen, CHAddr: req.CHAddr,
		XID: req.XID, Hops: req.Hops, Flags: req.Flags, GIAddr: req.GIAddr,
	}
	if c.Relay.IsValid() && !c.Addr.IsValid() {
		// Without the flag the relay agent sends to yiaddr, and an offer of ours has none: ISC's
		// dhcrelay then sends to 0.0.0.0, which only iPXE happens to take.
		p.Flags |= dhcp4.FlagBroadcast
	}
	p.SetType(t)
	p.SetAddr(dhcp4.ServerID, self.Addr())
	class := pxe.PXEClient
	if c.Firmware == boot.FirmwareUEFIHTTP {
		class = pxe.HTTPClient
	}
	p.SetText(dhcp4.VendorClass, class)
	if b, ok := req.Get(dhcp4.ClientUUID); ok {
		if echo, ok := pxe.EchoUUID(b); ok {
			p.Set(dhcp4.ClientUUID, echo)
		}
	}
	return p
}

// closing ends a reply: option 82 as it came, last (RFC 3046 section 2.2), and no more than the
// client takes. What goes first is option 67, where the field file says the same; then option 82,
// which the relay agent can do without: it knows the client by chaddr and broadcasts.
func closing(p, req *dhcp4.Packet) *dhcp4.Packet {
	relayed, ok := req.Get(dhcp4.RelayAgentInfo)
	if ok {
		p.Set(dhcp4.RelayAgentInfo, relayed)
	}
	limit := req.MaxSize() - frame.Overhead
	if tooLarge(p, limit) && p.File != "" {
		p.Del(dhcp4.BootFileName)
	}
	if ok && tooLarge(p, limit) {
		p.Del(dhcp4.RelayAgentInfo)
	}
	return p
}

func tooLarge(p *dhcp4.Packet, limit int) bool {
	_, err := p.Encode(limit)
	return errors.Is(err, dhcp4.ErrTooLarge)
}
