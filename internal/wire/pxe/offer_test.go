package pxe

import (
	"net/netip"
	"testing"

	"surefoot/internal/wire/dhcp4"
)

// offerOf makes an offer: an address or none, an option 60, an option 43, a file.
func offerOf(address bool, class string, vendor Vendor, file string) *dhcp4.Packet {
	p := &dhcp4.Packet{Op: dhcp4.OpReply, File: file}
	p.SetType(dhcp4.Offer)
	if address {
		p.YIAddr = netip.MustParseAddr("10.0.0.9")
	}
	if class != "" {
		p.SetText(dhcp4.VendorClass, class)
	}
	if vendor != nil {
		p.Set(dhcp4.VendorSpecific, vendor.Bytes())
	}
	return p
}

func TestClassOfOffer(t *testing.T) {
	pxe10 := Vendor{Control(TakeBootFile)}
	wfm := Vendor{{1, []byte{1}}, {2, []byte{1}}, {3, []byte{1}}, {4, []byte{1}}, {5, []byte{1}}}
	bootp := offerOf(true, "", nil, "x")
	bootp.Del(dhcp4.MessageTypeOption)
	for _, c := range []struct {
		name string
		p    *dhcp4.Packet
		want OfferClass
	}{
		{"address alone", offerOf(true, "", nil, ""), OfferDHCPOnly},
		{"address and file", offerOf(true, "", nil, "x"), OfferDHCPOnly},
		{"another vendor's 43", offerOf(true, "MSFT 5.0", pxe10, ""), OfferDHCPOnly},
		{"dhcp with 43", offerOf(true, "PXEClient", pxe10, "x"), OfferPXE10},
		{"dhcp with 60 alone", offerOf(true, "PXEClient", nil, "x"), OfferBINL},
		{"proxy with 43", offerOf(false, "PXEClient", pxe10, "x"), OfferProxyPXE10},
		{"proxy with 60 alone", offerOf(false, "PXEClient", nil, ""), OfferProxyBINL},
		{"proxy with multicast parameters", offerOf(false, "PXEClient", wfm, ""), OfferProxyWfM},
		{"four of the five", offerOf(false, "PXEClient", wfm[:4], ""), OfferProxyBINL},
		{"http", offerOf(false, "HTTPClient", nil, "http://x/y"), OfferHTTP},
		{"nothing", offerOf(false, "", nil, ""), OfferUseless},
		{"bootp", bootp, OfferBOOTP},
	} {
		if got := ClassOfOffer(c.p); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestChooseOffer(t *testing.T) {
	dhcp := offerOf(true, "", nil, "")
	file := offerOf(true, "", nil, "own.efi")
	full := offerOf(true, "PXEClient", Vendor{Control(TakeBootFile)}, "own.efi")
	sixty := offerOf(true, "PXEClient", nil, "own.efi")
	proxy43 := offerOf(false, "PXEClient", Vendor{Control(TakeBootFile)}, "p.efi")
	binl := offerOf(false, "PXEClient", nil, "")
	for _, c := range []struct {
		name          string
		offers        []*dhcp4.Packet
		address, boot int
	}{
		{"none", nil, -1, -1},
		{"a proxy and no address", []*dhcp4.Packet{binl, proxy43}, -1, -1},
		{"an address alone", []*dhcp4.Packet{dhcp}, 0, -1},
		{"the DHCP server's file", []*dhcp4.Packet{dhcp, file}, 1, 1},
		{"a proxy before the file", []*dhcp4.Packet{file, binl}, 0, 1},
		{"43 before BINL, whoever was first", []*dhcp4.Packet{binl, dhcp, proxy43, proxy43}, 1, 2},
		{"the DHCP server's 43 first of all", []*dhcp4.Packet{proxy43, dhcp, full}, 2, 2},
		{"option 60 alone beats a BINL proxy", []*dhcp4.Packet{binl, sixty, dhcp}, 1, 1},
	} {
		if got := ChooseOffer(c.offers); got.Address != c.address || got.Boot != c.boot || got.How == "" {
			t.Errorf("%s: %+v, want %d and %d", c.name, got, c.address, c.boot)
		}
	}
}
