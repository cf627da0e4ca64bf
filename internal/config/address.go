package config

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"surefoot/internal/boot"
)

// parseAddr takes an IPv4 address that a machine can have.
func parseAddr(v *value) (netip.Addr, *fault) {
	a, err := netip.ParseAddr(v.text)
	if err == nil {
		return a, usable(a)
	}
	if p, err := netip.ParsePrefix(v.text); err == nil {
		return a, faultf("%s is a subnet, and one address is wanted", v.text).write(p.Addr().String())
	}
	if p, err := netip.ParseAddrPort(v.text); err == nil {
		return a, faultf("%s has a port, and the address alone is wanted", v.text).write(p.Addr().String())
	}
	return a, notAddress(v.text)
}

func notAddress(s string) *fault {
	f := faultf("%s is not an IPv4 address", quote(s)).do("four numbers from 0 to 255, as in 10.10.0.11")
	if looksLikeName.MatchString(s) {
		return faultf("%s is a name, and boot clients resolve no names: the address is wanted", quote(s)).do("getent hosts %s prints it", s)
	}
	return f
}

// looksLikeName matches what may be a host name: a letter somewhere, and nothing that none has.
var looksLikeName = regexp.MustCompile(`^[A-Za-z0-9.-]*[A-Za-z][A-Za-z0-9.-]*$`)

// usable says why an address cannot be that of a machine.
func usable(a netip.Addr) *fault {
	switch {
	case !a.Is4():
		return faultf("%s is an IPv6 address, and this version boots over IPv4 only", a).do("write the IPv4 address")
	case a.IsUnspecified():
		return faultf("%s is no machine's address", a).do("write the one that clients reach it by")
	case a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return faultf("%s is not one machine's address", a).do("write the one that clients reach it by")
	}
	return nil
}

// parseEndpoint takes an address, or address:port, of a server.
func parseEndpoint(port uint16) func(*value) (netip.AddrPort, *fault) {
	return func(v *value) (netip.AddrPort, *fault) {
		ap, f := addrPort(v.text, port)
		if f == nil {
			f = usable(ap.Addr())
		}
		return ap, f
	}
}

// parseListen takes an address, or address:port, to listen on: 0.0.0.0 is every one of the machine.
func parseListen(port uint16, only4 bool) func(*value) (netip.AddrPort, *fault) {
	return func(v *value) (netip.AddrPort, *fault) {
		if p, ok := strings.CutPrefix(v.text, ":"); ok {
			return netip.AddrPort{}, faultf("%s has no address", quote(v.text)).write("0.0.0.0:" + p)
		}
		if v.kind == kindNumber && decimalRegexp.MatchString(v.text) {
			return netip.AddrPort{}, faultf("%s is a port without an address", v.text).write("0.0.0.0:" + v.text)
		}
		if p, ok := strings.CutPrefix(v.text, "localhost"); ok {
			return netip.AddrPort{}, faultf("%s is a name, and an address is wanted", quote(v.text)).write("127.0.0.1" + p)
		}
		ap, f := addrPort(v.text, port)
		if f == nil && only4 && !ap.Addr().Is4() {
			f = faultf("%s is an IPv6 address, and this version boots over IPv4 only", ap.Addr()).write("0.0.0.0:" + strconv.Itoa(int(ap.Port())))
		}
		return ap, f
	}
}

func addrPort(s string, port uint16) (netip.AddrPort, *fault) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(a, port), nil
	}
	ap, err := netip.ParseAddrPort(s)
	switch {
	case err == nil && ap.Port() == 0:
		return ap, faultf("port 0 in %s: clients have to know the port", quote(s)).write(ap.Addr().String())
	case err == nil:
		return ap, nil
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return ap, faultf("%s is a subnet, and one address is wanted", s).write(p.Addr().String())
	}
	if _, rest, ok := strings.Cut(s, "://"); ok {
		host, _, _ := strings.Cut(rest, "/")
		return ap, faultf("%s is a URL, and an address, or address:port, is wanted", quote(s)).write(host)
	}
	if host, p, ok := strings.Cut(s, ":"); ok {
		if _, err := netip.ParseAddr(host); err == nil {
			return ap, faultf("%s in %s is not a port (1 to 65535)", quote(p), quote(s)).write(host)
		}
		return ap, notAddress(host)
	}
	return ap, notAddress(s)
}

func parseSubnet(v *value) (netip.Prefix, *fault) {
	p, err := netip.ParsePrefix(v.text)
	switch {
	case err == nil && !p.Addr().Is4():
		return p, faultf("%s is an IPv6 subnet, and this version boots over IPv4 only", p).do("write the IPv4 subnet")
	case err == nil && p != p.Masked():
		return p, faultf("%s is an address within a subnet, and the subnet is wanted", p).write(p.Masked().String())
	case err == nil:
		return p, nil
	}
	if a, err := netip.ParseAddr(v.text); err == nil && a.Is4() {
		guess, _ := a.Prefix(24)
		return p, faultf("%s has no prefix length", v.text).write(guess.String()).do("as long as the network's mask says")
	}
	return p, faultf("%s is not an IPv4 subnet (address/length)", quote(v.text)).write("10.10.0.0/22")
}

// parseArch takes a class name or a number, and keeps every number it stands for as one string,
// so that a list can find what is in it twice.
func parseArch(v *value) (string, *fault) {
	if _, err := boot.ParseArchs(v.text); err != nil {
		var names []string
		for _, c := range boot.ArchClasses() {
			names = append(names, string(c))
		}
		f := faultf("%s", strings.Replace(err.Error(), strconv.Quote(v.text), quote(v.text), 1))
		if s := archSynonyms[strings.ToLower(v.text)]; s != "" {
			return "", f.do("did you mean %s?", s)
		}
		if near := nearest(v.text, names); len(near) > 0 {
			f.do("did you mean %s?", near[0])
		}
		return "", f
	}
	return v.text, nil
}

// archSynonyms are what other programs call the architectures.
var archSynonyms = map[string]string{
	"x64": "uefi-x64", "x86_64": "uefi-x64", "x86-64": "uefi-x64", "amd64": "uefi-x64", "efi": "uefi-x64", "uefi": "uefi-x64", "uefi64": "uefi-x64", "uefi-x86_64": "uefi-x64",
	"x86": "bios", "x86pc": "bios", "pc": "bios", "legacy": "bios", "i386": "bios", "pcbios": "bios",
	"arm64": "uefi-arm64", "aarch64": "uefi-arm64", "arm": "uefi-arm32", "ia32": "uefi-ia32",
}
