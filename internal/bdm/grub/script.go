package grub

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"surefoot/internal/bdm"
)

// ScriptSize is the size of the script in an image: fixed, so that it can be changed in place.
const ScriptSize = 4096

// Script makes GRUB's script: an address, every server in order, for ever.
func Script(s bdm.Settings) ([]byte, error) {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	switch {
	case s.File == "":
		return nil, fmt.Errorf("GRUB is for UEFI machines, and the image names no file for them")
	case s.VLAN != 0:
		return nil, fmt.Errorf("GRUB knows no VLANs: leave it to the switch, or use --loader efi")
	}
	line("echo BDM: Surefoot boot medium %s, image %s, built %s", s.Version, s.ID, s.Built)
	line("while true; do")
	if s.Static.IsValid() {
		line("  net_add_addr own efinet0 %s", s.Static.Addr())
		line("  net_add_route net %s own", s.Static.Masked())
		if s.Gateway.IsValid() {
			line("  net_add_route default 0.0.0.0/0 gw %s", s.Gateway)
		}
	} else {
		line("  if net_bootp; then echo BDM: address by DHCP; else echo BDM: E-DHCP no address; fi")
	}
	for _, d := range s.DNS {
		line("  net_add_dns %s", d)
	}
	for _, server := range s.Servers {
		u, err := url.Parse(server)
		if err != nil {
			return nil, err
		}
		if u.Scheme != "tftp" {
			return nil, fmt.Errorf("%s: the signed GRUB of Debian has no HTTP: use --loader efi", server)
		}
		if u.Port() != "" {
			return nil, fmt.Errorf("GRUB asks for TFTP on port 69 only, and %s has another: use --loader efi", server)
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil && !a.Is4() {
			return nil, fmt.Errorf("%s is no IPv4 address", a)
		}
		line("  echo BDM: asking for %s%s", server, s.File)
		line("  if chainloader (tftp,%s)%s%s; then boot; echo BDM: E-START the bootstrap came back; else echo BDM: E-TFTP-ERROR %s; fi", u.Hostname(), u.Path, s.File, server)
	}
	line("  echo BDM: no server delivered %s: all over again in %d s", s.File, s.Wait)
	line("  sleep %d", s.Wait)
	line("done")
	if b.Len() > ScriptSize {
		return nil, fmt.Errorf("the script for GRUB needs %d bytes, and an image has room for %d: fewer servers or shorter names", b.Len(), ScriptSize)
	}
	return append([]byte(b.String()), strings.Repeat("\n", ScriptSize-b.Len())...), nil
}
