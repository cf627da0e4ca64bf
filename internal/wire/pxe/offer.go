package pxe

import (
	"strings"

	"surefoot/internal/wire/dhcp4"
)

// OfferClass is how EDK2 sorts an offer before it chooses (F1; PxeBcDhcp4.c).
type OfferClass string

// The classes. A proxy offers no address.
const (
	OfferPXE10      OfferClass = "dhcp+pxe10"
	OfferWfM11a     OfferClass = "dhcp+wfm1.1a"
	OfferBINL       OfferClass = "dhcp+binl"
	OfferDHCPOnly   OfferClass = "dhcp-only"
	OfferProxyPXE10 OfferClass = "proxy-pxe10"
	OfferProxyWfM   OfferClass = "proxy-wfm1.1a"
	OfferProxyBINL  OfferClass = "proxy-binl"
	OfferBOOTP      OfferClass = "bootp"
	OfferHTTP       OfferClass = "http-boot"
	OfferUseless    OfferClass = "useless" // neither an address nor anything of PXE
)

// Text says in words what the class means for the boot.
func (c OfferClass) Text() string {
	switch c {
	case OfferPXE10:
		return "an address and, in option 43, how to boot"
	case OfferWfM11a:
		return "an address and WfM 1.1a, which EDK2 passes over"
	case OfferBINL:
		return "an address, and \"ask me on port 4011\""
	case OfferDHCPOnly:
		return "an address"
	case OfferProxyPXE10:
		return "no address; option 43 says how to boot"
	case OfferProxyWfM:
		return "no address; WfM 1.1a, which EDK2 passes over"
	case OfferProxyBINL:
		return "no address; \"ask me on port 4011\""
	case OfferBOOTP:
		return "BOOTP, not DHCP"
	case OfferHTTP:
		return "for UEFI HTTP boot"
	}
	return "neither an address nor anything to boot"
}

// ClassOfOffer sorts an offer as EDK2 does (F1).
func ClassOfOffer(p *dhcp4.Packet) OfferClass {
	address := p.YIAddr.IsValid()
	class := p.Text(dhcp4.VendorClass)
	switch {
	case p.Type() == 0:
		return OfferBOOTP
	case strings.HasPrefix(class, HTTPClient):
		return OfferHTTP
	case !strings.HasPrefix(class, PXEClient) && address:
		return OfferDHCPOnly
	case !strings.HasPrefix(class, PXEClient):
		return OfferUseless
	}
	kind := OfferBINL
	switch v := vendorOf(p); {
	case v.hasAny(SubControl, SubMulticast, SubServers, SubMenu, SubPrompt):
		kind = OfferPXE10
	case v.hasAll(1, 2, 3, 4, 5):
		kind = OfferWfM11a
	}
	if address {
		return kind
	}
	switch kind {
	case OfferPXE10:
		return OfferProxyPXE10
	case OfferWfM11a:
		return OfferProxyWfM
	}
	return OfferProxyBINL
}

func vendorOf(p *dhcp4.Packet) Vendor {
	b, _ := p.Get(dhcp4.VendorSpecific)
	v, _ := ParseVendor(b)
	return v
}

func (v Vendor) hasAny(codes ...Sub) bool {
	for _, c := range codes {
		if _, ok := v.Get(c); ok {
			return true
		}
	}
	return false
}

func (v Vendor) hasAll(codes ...Sub) bool {
	for _, c := range codes {
		if _, ok := v.Get(c); !ok {
			return false
		}
	}
	return true
}

// BootFile returns the file that a reply names: option 67 before the header field (F4).
func BootFile(p *dhcp4.Packet) string {
	if s := p.Text(dhcp4.BootFileName); s != "" {
		return s
	}
	return p.File
}

// Choice is what EDK2 makes of the offers that it collected.
type Choice struct {
	Address int    // index of the offer whose address it takes, -1: none
	Boot    int    // index of the offer by which it boots, -1: none; with BINL, the first that it asks
	How     string // in words
}

// ChooseOffer takes the offers in the order of their arrival and chooses as EDK2 does (F2). Of
// proxies with option 43 only the first counts; of those without, each is asked on port 4011.
func ChooseOffer(offers []*dhcp4.Packet) Choice {
	first := map[OfferClass]int{}
	withFile := -1
	for i, p := range offers {
		c := ClassOfOffer(p)
		if _, seen := first[c]; !seen {
			first[c] = i
		}
		if c == OfferDHCPOnly && BootFile(p) != "" && withFile < 0 {
			withFile = i
		}
	}
	at := func(c OfferClass) int {
		if i, ok := first[c]; ok {
			return i
		}
		return -1
	}
	only, pxe10, binl := at(OfferDHCPOnly), at(OfferProxyPXE10), at(OfferProxyBINL)
	switch {
	case at(OfferPXE10) >= 0:
		return Choice{at(OfferPXE10), at(OfferPXE10), "the DHCP server's own option 43 comes before every proxy"}
	case only >= 0 && pxe10 >= 0:
		return Choice{only, pxe10, "a proxy's option 43 comes before all offers without one, and the first such proxy is the only one asked"}
	case at(OfferBINL) >= 0:
		return Choice{at(OfferBINL), at(OfferBINL), "the DHCP server says PXEClient without option 43: it is asked on port 4011, and the boot ends there if nobody answers"}
	case only >= 0 && binl >= 0:
		return Choice{only, binl, "proxies without option 43 are asked on port 4011, one after the other"}
	case withFile >= 0:
		return Choice{withFile, withFile, "no PXE service: the file of the DHCP server itself"}
	case at(OfferBOOTP) >= 0 && BootFile(offers[at(OfferBOOTP)]) != "":
		return Choice{at(OfferBOOTP), at(OfferBOOTP), "nothing but BOOTP"}
	case only >= 0:
		return Choice{only, -1, "an address, and nobody names a file"}
	}
	return Choice{-1, -1, "nobody offers an address, so the boot offers are thrown away as well"}
}
