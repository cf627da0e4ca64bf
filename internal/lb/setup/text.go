package setup

import (
	"fmt"
	"net/netip"
	"strings"
)

// Linux says what a backend needs now, and for good.
func Linux(a netip.Addr) string {
	var b strings.Builder
	bits := a.BitLen()
	fmt.Fprintf(&b, "# Linux, until the machine starts again (as root):\n")
	if a.Is4() {
		fmt.Fprintf(&b, "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2\n")
	}
	fmt.Fprintf(&b, "ip address add %s/%d dev lo\n\n", a, bits)
	if a.Is4() {
		fmt.Fprintf(&b, "# for good, in /etc/sysctl.d/60-backend.conf:\n")
		fmt.Fprintf(&b, "net.ipv4.conf.all.arp_ignore = 1\nnet.ipv4.conf.all.arp_announce = 2\n\n")
	}
	fmt.Fprintf(&b, "# for good, in /etc/network/interfaces (ifupdown):\n")
	fmt.Fprintf(&b, "iface lo inet%s static\n    address %s/%d\n\n", map[bool]string{true: "6"}[a.Is6()], a, bits)
	fmt.Fprintf(&b, "# or in /etc/systemd/network/10-backend.network (systemd-networkd):\n")
	fmt.Fprintf(&b, "[Match]\nName=lo\n[Network]\nAddress=%s/%d\n", a, bits)
	return b.String()
}

// Windows says what a server like Citrix Provisioning needs. card is the name of its network connection. It is what
// makers of balancers say for direct server return since Windows Server 2008; it was not tried here.
func Windows(a netip.Addr, card string) string {
	var b strings.Builder
	family, mask := "ipv4", " 255.255.255.255"
	if a.Is6() {
		family, mask = "ipv6", "/128"
	}
	fmt.Fprintf(&b, "rem Windows (as administrator). First a loopback adapter: hdwwiz.exe, install manually, Network adapters,\n")
	fmt.Fprintf(&b, "rem Microsoft, Microsoft KM-TEST Loopback Adapter; then call the new connection \"loopback\". On it switch off\n")
	fmt.Fprintf(&b, "rem all but Internet Protocol, and the registration of its address in DNS.\n")
	fmt.Fprintf(&b, "netsh interface %s add address \"loopback\" %s%s\n", family, a, mask)
	fmt.Fprintf(&b, "netsh interface %s set interface \"loopback\" weakhostsend=enabled weakhostreceive=enabled dadtransmits=0 metric=254\n", family)
	fmt.Fprintf(&b, "netsh interface %s set interface \"%s\" weakhostreceive=enabled\n", family, card)
	fmt.Fprintf(&b, "rem The TFTP service has to listen at all addresses, and the firewall has to let UDP in at the loopback adapter's address.\n")
	fmt.Fprintf(&b, "rem To undo it:\n")
	fmt.Fprintf(&b, "netsh interface %s set interface \"%s\" weakhostreceive=disabled\n", family, card)
	fmt.Fprintf(&b, "netsh interface %s delete address \"loopback\" %s\n", family, a)
	return b.String()
}
