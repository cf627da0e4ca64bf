package proxydhcp

import (
	"net/netip"
	"strings"
	"testing"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/pxe"
)

func edk2() boot.Client {
	return boot.Client{MAC: boot.MAC{0x52, 0x54, 0, 0, 0, 1}, Arch: boot.ArchX64, Firmware: boot.FirmwareEDK2}
}

// discover is a DISCOVER on port 67, changed.
func discover(change func(*Heard)) Heard {
	h := Heard{
		Packet: pxe.DiscoverOf(edk2()), Link: testLink(),
		From: netip.MustParseAddrPort("0.0.0.0:68"), To: netip.MustParseAddrPort("255.255.255.255:67"),
	}
	change(&h)
	return h
}

// request is a request on port 4011, changed.
func request(change func(*Heard)) Heard {
	return discover(func(h *Heard) {
		h.Packet.SetType(dhcp4.Request)
		h.Packet.CIAddr = netip.MustParseAddr("10.77.0.100")
		h.From, h.To = netip.MustParseAddrPort("10.77.0.100:4011"), netip.MustParseAddrPort("10.77.0.2:4011")
		change(h)
	})
}

func TestDecide(t *testing.T) {
	addr := netip.MustParseAddr
	for name, c := range map[string]struct {
		h      Heard
		reason boot.Reason
		route  string // of an answer
	}{
		"broadcast":             {discover(func(*Heard) {}), boot.Answered, "by broadcast"},
		"frame":                 {discover(func(h *Heard) { h.Packet.Flags = 0 }), boot.Answered, "as a frame to 52:54:00:00:00:01"},
		"relay":                 {discover(func(h *Heard) { h.Packet.GIAddr = addr("10.77.0.1") }), boot.Answered, "to the relay 10.77.0.1"},
		"relay before ciaddr":   {discover(func(h *Heard) { h.Packet.GIAddr, h.Packet.CIAddr = addr("10.77.0.1"), addr("10.77.0.9") }), boot.Answered, "to the relay 10.77.0.1"},
		"ciaddr":                {discover(func(h *Heard) { h.Packet.CIAddr = addr("10.77.0.9") }), boot.Answered, "to 10.77.0.9:68"},
		"relay elsewhere":       {discover(func(h *Heard) { h.Packet.GIAddr = addr("10.99.0.1") }), boot.NoNetwork, ""},
		"giaddr is everyone":    {discover(func(h *Heard) { h.Packet.GIAddr = addr("255.255.255.255") }), boot.Malformed, ""},
		"giaddr is the subnet":  {discover(func(h *Heard) { h.Packet.GIAddr = addr("10.77.0.255") }), boot.Malformed, ""},
		"giaddr is a group":     {discover(func(h *Heard) { h.Packet.GIAddr = addr("224.0.0.1") }), boot.Malformed, ""},
		"ciaddr is loopback":    {discover(func(h *Heard) { h.Packet.CIAddr = addr("127.0.0.1") }), boot.Malformed, ""},
		"request on 67":         {discover(func(h *Heard) { h.Packet.SetType(dhcp4.Request) }), boot.OtherMessage, ""},
		"inform on 67":          {discover(func(h *Heard) { h.Packet.SetType(dhcp4.Inform) }), boot.OtherMessage, ""},
		"release on 67":         {discover(func(h *Heard) { h.Packet.SetType(dhcp4.Release) }), boot.OtherMessage, ""},
		"plain machine":         {discover(func(h *Heard) { h.Packet.Del(dhcp4.VendorClass) }), boot.NotPXE, ""},
		"a server's packet":     {discover(func(h *Heard) { h.Packet.Op = dhcp4.OpReply }), boot.NotRequest, ""},
		"no address of ours":    {discover(func(h *Heard) { h.Link.Addrs = nil }), boot.NoOwnAddress, ""},
		"4011, no address":      {request(func(h *Heard) { h.Link.Addrs = nil }), boot.NoOwnAddress, ""},
		"plain, no address":     {discover(func(h *Heard) { h.Link.Addrs = nil; h.Packet.Del(dhcp4.VendorClass) }), boot.NotPXE, ""},
		"on 67, no address":     {discover(func(h *Heard) { h.Link.Addrs = nil; h.Packet.SetType(dhcp4.Request) }), boot.OtherMessage, ""},
		"no rule":               {discover(func(h *Heard) { h.Packet.Set(dhcp4.ClientArch, []byte{0, 11}) }), boot.NoRule, ""},
		"4011":                  {request(func(*Heard) {}), boot.Answered, "to 10.77.0.100:4011"},
		"4011 from any port":    {request(func(h *Heard) { h.From = netip.MustParseAddrPort("10.77.0.100:68") }), boot.Answered, "to 10.77.0.100:68"},
		"4011 inform":           {request(func(h *Heard) { h.Packet.SetType(dhcp4.Inform) }), boot.Answered, "to 10.77.0.100:4011"},
		"4011 discover":         {request(func(h *Heard) { h.Packet.SetType(dhcp4.Discover) }), boot.OtherMessage, ""},
		"4011 for us":           {request(func(h *Heard) { h.Packet.SetAddr(dhcp4.ServerID, addr("10.77.0.2")) }), boot.Answered, "to 10.77.0.100:4011"},
		"4011 for another":      {request(func(h *Heard) { h.Packet.SetAddr(dhcp4.ServerID, addr("10.77.0.3")) }), boot.OtherServer, ""},
		"4011 without address":  {request(func(h *Heard) { h.From = netip.MustParseAddrPort("0.0.0.0:68") }), boot.NoAddress, ""},
		"4011 plain machine":    {request(func(h *Heard) { h.Packet.SetText(dhcp4.VendorClass, "MSFT 5.0") }), boot.NotPXE, ""},
		"4011 from a broadcast": {request(func(h *Heard) { h.From = netip.MustParseAddrPort("10.77.0.255:4011") }), boot.NoAddress, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := Decide(c.h, site(nil), nil)
			if o.Reason != c.reason || (o.Reply != nil) != (c.reason == boot.Answered) {
				t.Fatalf("reason %s, reply %v; want %s", o.Reason, o.Reply, c.reason)
			}
			if o.Reply != nil && o.Route.String() != c.route {
				t.Errorf("goes %s, want %s", o.Route, c.route)
			}
		})
	}
}

// TestAskedAddress: option 54 and the source are the address that was asked, whichever of ours.
func TestAskedAddress(t *testing.T) {
	second := netip.MustParseAddrPort("10.77.0.4:4011")
	h := request(func(h *Heard) {
		h.To = second
		h.Link.Addrs = append(h.Link.Addrs, netip.MustParsePrefix("10.77.0.4/24"))
	})
	o := Decide(h, site(nil), nil)
	if o.Route.Src != second || o.Reply.Addr(dhcp4.ServerID) != second.Addr() {
		t.Errorf("from %s, server-id %s; want %s", o.Route.Src, o.Reply.Addr(dhcp4.ServerID), second)
	}
	if o.Reply.SIAddr.String() != "10.77.0.2" {
		t.Errorf("siaddr %s, want the TFTP server of the site file", o.Reply.SIAddr)
	}
}

// TestDownServer: a server that is known to be down leaves every encoding.
func TestDownServer(t *testing.T) {
	down := func(server, _ string, _ boot.Protocol) bool { return server == "boot1" }
	o := Decide(request(func(*Heard) {}), site(nil), down)
	if o.Reply.SIAddr.String() != "10.77.0.3" || o.Reply.SName != "10.77.0.3" {
		t.Errorf("siaddr %s, sname %q; want the server that is up", o.Reply.SIAddr, o.Reply.SName)
	}
}

// class sorts an offer as EDK2 does (F1): what it does next depends on it.
func class(p *dhcp4.Packet) string {
	switch v, _ := p.Get(dhcp4.VendorSpecific); {
	case !strings.HasPrefix(p.Text(dhcp4.VendorClass), "PXEClient"):
		return "dhcp only"
	case len(v) > 0:
		return "pxe10"
	}
	return "binl"
}

// TestClassesAtEDK2: UEFI firmware keeps every BINL offer and only the first PXE10 one, so it
// must get the former, and a file only from port 4011 (F1 to F5).
func TestClassesAtEDK2(t *testing.T) {
	offer := Decide(discover(func(*Heard) {}), site(nil), nil).Reply
	if got := class(offer); got != "binl" || offer.File != "" || !offer.SIAddr.IsValid() {
		t.Errorf("the offer is %s with file %q and siaddr %s; want binl, no file, and ourselves", got, offer.File, offer.SIAddr)
	}
	ack := Decide(request(func(*Heard) {}), site(nil), nil).Reply
	if name, _ := ack.Get(dhcp4.BootFileName); class(ack) != "binl" || string(name) != "efi/nbp.efi\x00" {
		t.Errorf("the reply is %s with file %q; want binl and the file with its NUL", class(ack), name)
	}
}

// TestLongNames: a name beyond the header field goes into option 67; where both would be more
// than the client takes, the option goes.
func TestLongNames(t *testing.T) {
	for _, c := range []struct {
		length       int
		field, opt67 bool
	}{{127, true, true}, {128, false, true}, {250, false, true}} {
		name := strings.Repeat("x", c.length)
		o := Decide(request(func(*Heard) {}), site(func(s *boot.Site) { s.Rules[2].File = name }), nil)
		_, opt := o.Reply.Get(dhcp4.BootFileName)
		if (o.Reply.File != "") != c.field || opt != c.opt67 {
			t.Errorf("a name of %d bytes: field %t, option %t; want %t, %t", c.length, o.Reply.File != "", opt, c.field, c.opt67)
		}
	}
	req, p := discover(func(*Heard) {}).Packet, &dhcp4.Packet{Op: dhcp4.OpReply, File: "nbp.0"}
	p.SetBootFile("nbp.0")
	p.Set(dhcp4.VendorSpecific, make([]byte, 300))
	if _, ok := closing(p, req).Get(dhcp4.BootFileName); ok {
		t.Error("option 67 stays in a reply beyond 576 bytes, though the field says the same")
	}
}

// TestURLs: what iPXE and UEFI HTTP boot are told.
func TestURLs(t *testing.T) {
	web := netip.MustParseAddrPort("10.77.0.2:80")
	for in, want := range map[string]string{
		"nbp.efi":              "http://10.77.0.2/nbp.efi",
		"/efi/a b.efi":         "http://10.77.0.2/efi/a%20b.efi",
		"https://deb/x.efi?a=": "https://deb/x.efi?a=",
	} {
		if got := pxe.FileURL(web, in); got != want {
			t.Errorf("FileURL(%q) = %q, want %q", in, got, want)
		}
	}
	c := edk2()
	c.UUID = boot.UUID{1}
	self := boot.Server{HTTP: netip.MustParseAddrPort("203.110.100.200:58067")}
	if u := pxe.ScriptURL(self, c); len(u) > dhcp4.MaxFile {
		t.Errorf("the script's URL has %d bytes, %d fit: %s", len(u), dhcp4.MaxFile, u)
	}
	s := site(func(s *boot.Site) {
		s.Servers["boot1"] = boot.Server{Name: "boot1", Node: true, TFTP: netip.MustParseAddrPort("10.77.0.2:6969")}
	})
	c.Firmware = boot.FirmwareIPXE
	h := discover(func(h *Heard) { h.Packet = pxe.DiscoverOf(c) })
	if got := Decide(h, s, nil).Reply.File; got != "tftp://10.77.0.2:6969/efi/nbp.efi" {
		t.Errorf("iPXE is told %q of a TFTP server on another port", got)
	}
}

// Where the DHCP server tells machines a DNS name, an offer of ours would have precedence over it.
func TestDeliverDNS(t *testing.T) {
	s := site(nil)
	for i := range s.Networks {
		s.Networks[i].Deliver = boot.DeliverDNS
	}
	for what, h := range map[string]Heard{"discover": discover(func(*Heard) {}), "boot-request": request(func(*Heard) {})} {
		if o := Decide(h, s, nil); o.Reason != boot.ToldByDNS || o.Reply != nil || o.Seen == "" {
			t.Errorf("%s: %s, reply %v", what, o.Reason, o.Reply)
		}
	}
}

// Where our DHCP server hands out the addresses, it alone answers on port 67, and port 4011 is ours.
func TestDeliverDHCP(t *testing.T) {
	s := site(func(s *boot.Site) { s.Networks[0].Deliver = boot.DeliverDHCP })
	for _, h := range []Heard{
		discover(func(*Heard) {}),
		discover(func(h *Heard) { h.Packet.SetType(dhcp4.Request) }),
		discover(func(h *Heard) { h.Packet.GIAddr = netip.MustParseAddr("10.77.0.1") }),
	} {
		if o := Decide(h, s, nil); !o.Foreign || o.Reply != nil || o.Seen != "" {
			t.Errorf("on port 67: %+v", o)
		}
	}
	if o := Decide(request(func(*Heard) {}), s, nil); o.Foreign || o.Reason != boot.Answered || o.Reply.File == "" {
		t.Errorf("on port 4011: %s", o.Reason)
	}
}
