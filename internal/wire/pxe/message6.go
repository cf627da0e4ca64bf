package pxe

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"surefoot/internal/boot"
	"surefoot/internal/wire/dhcp6"
)

// Message6Of makes the SOLICIT, or the INFORMATION-REQUEST, that such a client sends, for explaining and probing: it
// has all that an answer depends on, and ClientOf6 reads the same client from it. Without an architecture it is a
// system, which boots nothing.
func Message6Of(c boot.Client, t dhcp6.MessageType, duid dhcp6.DUID, iaid, xid uint32) ([]byte, error) {
	var w dhcp6.Writer
	w.BeginMessage(nil, t, xid)
	w.Put(dhcp6.ClientID, duid)
	w.Put(dhcp6.ElapsedTime, []byte{0, 0})
	if t != dhcp6.InformationRequest {
		w.BeginIA(dhcp6.IA{Code: dhcp6.IANA, IAID: iaid})
		w.EndIA()
	}
	if c.Arch == boot.ArchUnknown {
		w.PutCodes(dhcp6.OptionRequest, dhcp6.DNSServers, dhcp6.DomainSearch)
		return w.End()
	}
	w.PutCodes(dhcp6.OptionRequest, dhcp6.BootFileURL, dhcp6.BootFileParam, dhcp6.VendorClass, dhcp6.DNSServers)
	w.Put(dhcp6.NetworkID, []byte{1, 3, 0})
	w.Put(dhcp6.ClientArch, binary.BigEndian.AppendUint16(nil, uint16(c.Arch)))
	w.PutClass(dhcp6.EnterprisePXE, VendorClass(c))
	if c.Firmware == boot.FirmwareIPXE {
		w.PutTexts(dhcp6.UserClass, "iPXE")
	}
	return w.End()
}

// Answer6 is what a server's message says that a boot goes by.
type Answer6 struct {
	Type       dhcp6.MessageType
	Server     dhcp6.DUID
	Preference uint8
	Addrs      []dhcp6.Address // that may be used; of the first association its times
	T1, T2     uint32
	Status     dhcp6.Status // of the whole, or of the first association
	Text       string       // what it says of that
	URL        string
	Params     []string
	HTTP       bool // its vendor class is HTTPClient, without which EDK2 takes no URL for HTTP boot
	DNS        []netip.Addr
}

// ReadAnswer6 reads a server's message.
func ReadAnswer6(v *dhcp6.View) Answer6 {
	o := v.Options()
	a := Answer6{Type: v.Type(), Server: append(dhcp6.DUID(nil), v.ServerID()...)}
	if b, _ := o.Get(dhcp6.PreferenceOpt); len(b) == 1 {
		a.Preference = b[0]
	}
	a.Status, a.Text = o.Status()
	first := true
	for ia := range o.IAs() {
		if s, text := ia.Options.Status(); a.Status == dhcp6.Success && s != dhcp6.Success {
			a.Status, a.Text = s, text
		}
		if first {
			a.T1, a.T2, first = ia.T1, ia.T2, false
		}
		for x := range ia.Addresses() {
			if x.Valid > 0 {
				x.Options = nil
				a.Addrs = append(a.Addrs, x)
			}
		}
	}
	if b, ok := o.Get(dhcp6.BootFileURL); ok {
		a.URL = printable(b)
	}
	for b, _ := o.Get(dhcp6.BootFileParam); len(b) >= 2; {
		n := int(binary.BigEndian.Uint16(b))
		if len(b)-2 < n {
			break
		}
		a.Params, b = append(a.Params, printable(b[2:2+n])), b[2+n:]
	}
	class, _ := o.Vendor(dhcp6.EnterprisePXE)
	a.HTTP = strings.HasPrefix(string(class), HTTPClient)
	for b, _ := o.Get(dhcp6.DNSServers); len(b) >= 16; b = b[16:] {
		a.DNS = append(a.DNS, netip.AddrFrom16([16]byte(b)))
	}
	a.Text = printable([]byte(a.Text))
	return a
}

// printable is text of the network as it may be shown.
func printable(b []byte) string {
	const most = 1024
	b = b[:min(len(b), most)]
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == '\ufffd' {
			return '?'
		}
		return r
	}, string(b))
}

// Lines are its options in words.
func (a Answer6) Lines() []string {
	out := []string{strings.TrimSuffix(fmt.Sprintf("%s, server %s", a.Type, a.Server), ", server ")}
	if a.Preference > 0 {
		out = append(out, fmt.Sprintf("%s: %d", dhcp6.PreferenceOpt, a.Preference))
	}
	for _, x := range a.Addrs {
		out = append(out, fmt.Sprintf("%s: %s, valid %d s, preferred %d s, T1 %d s, T2 %d s", dhcp6.IANA, x.Addr, x.Valid, x.Preferred, a.T1, a.T2))
	}
	if a.Status != dhcp6.Success {
		out = append(out, strings.TrimSuffix(fmt.Sprintf("%s: %s, %s", dhcp6.StatusCode, a.Status, a.Text), ", "))
	}
	if a.URL != "" {
		out = append(out, fmt.Sprintf("%s: %s", dhcp6.BootFileURL, a.URL))
	}
	if len(a.Params) > 0 {
		out = append(out, fmt.Sprintf("%s: %s", dhcp6.BootFileParam, strings.Join(a.Params, " ")))
	}
	if a.HTTP {
		out = append(out, fmt.Sprintf("%s: %s", dhcp6.VendorClass, HTTPClient))
	}
	for _, d := range a.DNS {
		out = append(out, fmt.Sprintf("%s: %s", dhcp6.DNSServers, d))
	}
	return out
}
