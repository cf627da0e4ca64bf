package dhcp4

import (
	"net/netip"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/pxe"
)

const tftpPort = 69

// takeBootFile is the option 43 that says: server and file are in this very offer (F6, F10).
var takeBootFile = string(pxe.Vendor{pxe.Control(pxe.TakeBootFile)}.Bytes())

// noPXEDHCP is the option 175 that tells iPXE to wait for no ProxyDHCP offer: three seconds less
// (F13; BOOTLAB section 1).
const noPXEDHCP = "\xb0\x01\x01"

// boot writes server and file in every form that some client reads: siaddr, sname and file, which boot
// ROMs read, and the options 66, 67 and 150, which others do (finding 1; F19). An offer with an address
// and option 43 comes before every proxy's at EDK2 (F2), and needs no step on port 4011.
func (d *Decider) boot(w *wire.Writer, h Heard, o *Outcome) {
	c, a, v := o.Client, &o.Decision.Answer, h.View
	self := d.p.self
	self.TFTP = netip.AddrPortFrom(h.ownAddr(o.scope.Subnet), tftpPort)
	where := pxe.WhereOf(c, *a, self)
	w.SIAddr = where.Server
	field := where.Field(c)
	if field {
		w.File = where.File
	}
	if where.Named {
		w.SName = d.textOf(where.Server)
	}
	if o.PXE || where.Option || !field || v.Asks(wire.BootFileName) {
		w.PutBootFile(where.File)
	}
	if where.Named {
		d.servers(w, v, o)
	}
	if r := d.p.cfg.Rules[a.Rule]; r.RootPath != "" && (o.PXE || v.Asks(wire.RootPath)) {
		w.PutText(wire.RootPath, r.rootPath(a.Servers))
	}
	if o.PXE {
		d.class(w, v, o, self)
	}
}

// servers writes the servers' addresses where clients other than boot ROMs look for them.
func (d *Decider) servers(w *wire.Writer, v *wire.View, o *Outcome) {
	list := o.Decision.Answer.Servers
	if o.PXE || v.Asks(wire.TFTPServerName) {
		name := d.textOf(list[0].TFTP.Addr())
		if o.scope.Option66 == ListAll {
			for _, s := range list[1:] {
				name += ";" + d.textOf(s.TFTP.Addr()) // F20
			}
		}
		w.PutText(wire.TFTPServerName, name)
	}
	for _, code := range [...]wire.Code{wire.TFTPServers, wire.RLPServer} {
		if v.Asks(code) {
			var room [16]netip.Addr
			addrs := room[:0]
			for _, s := range list {
				addrs = append(addrs, s.TFTP.Addr())
			}
			w.PutAddrs(code, addrs)
		}
	}
}

// class writes what makes a boot ROM take the offer for one of a boot server. "PXEClient" is said only
// where this node answers on port 4011: firmware that asks there would find nobody (finding 4, F11).
// iPXE never hears it: it would ask on port 4011 as well, for seconds, though it knows all (BOOTLAB 5).
func (d *Decider) class(w *wire.Writer, v *wire.View, o *Outcome, self boot.Server) {
	switch {
	case o.Client.Firmware == boot.FirmwareUEFIHTTP:
		w.PutText(wire.VendorClass, pxe.HTTPClient) // F23
	case o.Client.Firmware == boot.FirmwareIPXE:
		w.PutText(wire.IPXE, noPXEDHCP)
		return
	case !d.p.cfg.BootService:
		return
	case o.Client.Firmware == boot.FirmwareRPi:
		w.PutText(wire.VendorClass, pxe.PXEClient)
		w.Put(wire.VendorSpecific, pxe.RaspberryMenu().Bytes())
	case pxe.FormOf(o.Client, o.Decision.Answer) == pxe.FormDiscover:
		w.PutText(wire.VendorClass, pxe.PXEClient)
		w.Put(wire.VendorSpecific, pxe.Discovery(o.Decision.Answer, self).Bytes())
	default:
		w.PutText(wire.VendorClass, pxe.PXEClient)
		w.PutText(wire.VendorSpecific, takeBootFile)
	}
	if b, ok := v.Get(wire.ClientUUID); ok {
		if echo, ok := pxe.EchoUUID(b); ok {
			w.Put(wire.ClientUUID, echo)
		}
	}
}
