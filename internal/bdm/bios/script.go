package bios

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"surefoot/internal/bdm"
)

// ScriptSize is the size of the script in an image: fixed, so that it can be changed in place.
const ScriptSize = 3 * 2048

// Script makes the script that iPXE runs: an address on one card after the other, every server in
// order, for ever, each step on the screen with the codes that docs/troubleshoot.md explains. iPXE
// can compare no hash without a signature, so the hash of the Settings is not heeded here.
func Script(s bdm.Settings) ([]byte, error) {
	w := &writer{}
	w.line("#!ipxe")
	w.line("echo BDM: Surefoot boot media %s, image %s, built %s", s.Version, s.ID, s.Built)
	w.line("set user-class Surefoot-BDM id=%s v=%s", s.ID, s.Version)
	if s.FileBIOS == "" {
		w.line("echo BDM: E-CFG this image names no file for BIOS machines")
		w.line("shell")
		return w.bytes()
	}
	w.line("set f %s", s.FileBIOS)
	w.network(s)
	for i, server := range s.Servers {
		next := "none"
		if i+1 < len(s.Servers) {
			next = fmt.Sprintf("s%d", i+2)
		}
		w.line(":s%d", i+1)
		w.line("set u %s", server)
		w.line("set next %s", next)
		w.address(server)
		if strings.HasPrefix(server, "http:") {
			w.line("set e E-HTTP")
		} else {
			w.line("set e E-TFTP-ERROR")
		}
		w.line("goto try")
	}
	// goto takes a variable: that is iPXE's way to come back.
	w.line(":try")
	w.line("echo BDM: asking for ${u}${f}")
	w.line("isset ${a} || goto fetch")
	// What the bootstrap asks of PXE (cached packets) is to name the server that it came from, not one
	// that DHCP or ProxyDHCP spoke of. iPXE makes its answer from these two blocks.
	for _, block := range []string{"${d}", "proxydhcp"} {
		w.line("set %s/next-server ${a} ||", block)
		w.line("set %s/filename ${f} ||", block)
	}
	w.line(":fetch")
	w.line("chain --autofree --timeout %d ${u}${f} && goto back ||", s.Tries*s.Timeout*1000)
	w.line("iseq ${errno} %s && set e E-TFTP-TIMEOUT ||", timedOut)
	w.line("echo BDM: ${e} ${u}${f}: iPXE error ${errno}")
	w.line("goto ${next}")
	w.line(":back")
	w.line("echo BDM: E-START the bootstrap gave the machine back; next server")
	w.line("goto ${next}")
	w.line(":none")
	w.line("echo BDM: no server delivered ${f}; all over again in %d s", s.Wait)
	w.line("sleep %d", s.Wait)
	w.line("goto nextnic")
	return w.bytes()
}

// timedOut is what --timeout comes to in Debian's iPXE. In others the number is another, and the
// code is the wider one: iPXE says the reason in words in the line above.
const timedOut = "0x4c072035"

// network gets an address on a network card. Each round over the servers goes on to the next card,
// and asks for the address again: meanwhile somebody may have plugged a cable elsewhere.
func (w *writer) network(s bdm.Settings) {
	w.line(":net")
	w.line("set n:int32 0")
	w.line("isset ${net0/mac} && goto nic ||")
	w.line("echo BDM: E-NIC iPXE finds no network card; once more in 5 s")
	w.line("sleep 5")
	w.line("goto net")
	w.line(":nic")
	w.line("isset ${net${n}/mac} || goto net")
	w.line("set d net${n}")
	w.line("echo BDM: network card ${d}, ${${d}/mac}")
	if s.VLAN != 0 {
		w.line("vcreate --tag %d ${d} ||", s.VLAN) // fails where it is there from the round before, too
		w.line("set d net${n}-%d", s.VLAN)
		w.line("isset ${${d}/mac} && goto vlan ||")
		w.line("echo BDM: E-NIC no VLAN %d on net${n}: this iPXE knows none, or not there; next card", s.VLAN)
		w.line("sleep 5")
		w.line("goto nextnic")
		w.line(":vlan")
	}
	if s.Static.IsValid() {
		w.line("ifopen ${d} ||")
		w.line("set ${d}/ip %s", s.Static.Addr())
		w.line("set ${d}/netmask %s", mask(s.Static))
		if s.Gateway.IsValid() {
			w.line("set ${d}/gateway %s", s.Gateway)
		}
	} else {
		w.line("ifconf --configurator dhcp ${d} && goto up ||")
		w.line("echo BDM: E-DHCP no address for ${d} (iPXE error ${errno}), whose state is")
		w.line("ifstat ${d} ||")
		w.line("sleep 1")
		w.line("goto nextnic")
	}
	w.line(":up")
	if len(s.DNS) > 0 {
		w.line("set ${d}/dns %s", s.DNS[0]) // this iPXE asks one
	}
	w.line("echo BDM: address ${${d}/ip} of ${d}")
	w.line("goto s1")
	w.line(":nextnic")
	w.line("inc n")
	w.line("goto nic")
}

// address sets a to the server's address.
func (w *writer) address(server string) {
	u, err := url.Parse(server)
	if err != nil { // the Settings were checked
		return
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		w.line("set a %s", a)
		return
	}
	w.line("clear a")
	w.line("nslookup a %s ||", u.Hostname()) // Debian's iPXE has no such command; it resolves the name of a URL all the same
}

func mask(p netip.Prefix) string {
	return net.IP(net.CIDRMask(p.Bits(), 32)).String()
}

type writer struct{ b strings.Builder }

func (w *writer) line(format string, args ...any) { fmt.Fprintf(&w.b, format+"\n", args...) }

// bytes fills the script up with empty lines.
func (w *writer) bytes() ([]byte, error) {
	if n := w.b.Len(); n > ScriptSize {
		return nil, fmt.Errorf("the script for BIOS machines needs %d bytes, and an image has room for %d: fewer servers or shorter names", n, ScriptSize)
	}
	return append([]byte(w.b.String()), strings.Repeat("\n", ScriptSize-w.b.Len())...), nil
}
