package probe

import (
	"fmt"
	"net/netip"
	"strings"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp4"
	"surefoot/internal/wire/pxe"
)

// Offer is what one server answered to a DISCOVER, or to a request on port 4011.
type Offer struct {
	Server  string         `json:"server"`          // option 54, or where it came from
	From    string         `json:"from,omitempty"`  // IP of the packet: a relay's, where there is one
	MAC     string         `json:"mac,omitempty"`   // of the frame
	After   int64          `json:"after_ns"`        // since the question
	Flags   string         `json:"flags,omitempty"` // of the DISCOVER that it answers, where several were sent
	Address string         `json:"address,omitempty"`
	Next    string         `json:"next_server,omitempty"` // siaddr
	Relay   string         `json:"relay,omitempty"`       // giaddr
	SName   string         `json:"sname,omitempty"`
	File    string         `json:"file,omitempty"`
	Class   pxe.OfferClass `json:"class"`
	Options []OfferOption  `json:"options,omitempty"` // 43, 60, 66, 67, 150, 11, 17 and 175
	Again   int            `json:"again,omitempty"`   // how often the same came once more
	DUID    string         `json:"duid,omitempty"`    // dhcp6: what the server calls itself
	Asked   string         `json:"asked,omitempty"`   // dhcp6: what it answers
	Takes   string         `json:"takes,omitempty"`   // what UEFI firmware takes from it: address, boot, both

	packet *dhcp4.Packet
}

// OfferOption is an option that a boot goes by.
type OfferOption struct {
	Code uint8  `json:"code"`
	Name string `json:"name"`
	Text string `json:"text"`
}

func offerOf(p *dhcp4.Packet, from netip.Addr, mac boot.MAC) Offer {
	o := Offer{
		From: from.String(), Class: pxe.ClassOfOffer(p), SName: clip(p.SName), File: clip(p.File), packet: p,
		Address: text(p.YIAddr), Next: text(p.SIAddr), Relay: text(p.GIAddr),
	}
	if !mac.IsZero() {
		o.MAC = mac.String()
	}
	o.Server = text(p.Addr(dhcp4.ServerID))
	if o.Server == "" {
		o.Server = o.From
	}
	for _, c := range []dhcp4.Code{
		dhcp4.VendorClass, dhcp4.VendorSpecific, dhcp4.TFTPServerName, dhcp4.BootFileName, dhcp4.TFTPServers,
		dhcp4.RLPServer, dhcp4.RootPath, dhcp4.IPXE,
	} {
		b, ok := p.Get(c)
		if !ok {
			continue
		}
		said, known := pxe.Describe(c, b)
		if !known {
			said = dhcp4.Option{Code: c, Data: b}.Text()
		}
		o.Options = append(o.Options, OfferOption{Code: uint8(c), Name: c.Name(), Text: clip(said)})
	}
	return o
}

// same reports whether two offers say the same.
func (o Offer) same(p Offer) bool {
	return o.Server == p.Server && o.From == p.From && o.MAC == p.MAC && o.Address == p.Address && o.Flags == p.Flags && o.Class == p.Class
}

func (o Offer) String() string {
	parts := []string{fmt.Sprintf("from %s", o.Server), string(o.Class)}
	for _, f := range []struct{ name, value string }{{"address", o.Address}, {"next server", o.Next}, {"file", o.File}} {
		if f.value != "" {
			parts = append(parts, f.name+" "+f.value)
		}
	}
	return strings.Join(parts, ", ")
}

func text(a netip.Addr) string {
	if !a.IsValid() || a.IsUnspecified() {
		return ""
	}
	return a.String()
}

// clip makes a stranger's text safe to print, and keeps it as it is where it is safe.
func clip(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) || len(s) > 200 {
		if s == "" {
			return ""
		}
		return quote(s)
	}
	return s
}

// Boots reports whether it says what to boot, or whom to ask for that.
func (o Offer) Boots() bool {
	return o.Class != pxe.OfferDHCPOnly && o.Class != pxe.OfferUseless && o.Class != pxe.OfferBOOTP || o.BootFile() != ""
}

// BootFile is the file that it names, as a client would take it; "" if none.
func (o Offer) BootFile() string {
	if o.packet != nil {
		return clip(pxe.BootFile(o.packet))
	}
	return o.File
}
