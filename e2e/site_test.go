package e2e

import (
	"fmt"
	"strings"

	"surefoot/internal/lab"
)

// site makes the site file of a scenario.
type site struct {
	root     string
	rules    string // items of boot:; "" is the test bootstrap for everyone, as a plain ROM for lab.BIOS
	networks string // more items of networks:
	bios     string // style of the offer for BIOS machines
	quiet    bool   // the nodes answer no DHCP
}

func (o site) text(nodes int) string {
	var b strings.Builder
	b.WriteString("site: e2e\n")
	if o.root != "" {
		fmt.Fprintf(&b, "root: %s\n", o.root)
	}
	b.WriteString("nodes:\n")
	for i := range nodes {
		fmt.Fprintf(&b, "  n%d: {address: %s}\n", i+1, lab.NodeAddr(i))
	}
	if o.rules == "" {
		o.rules = fmt.Sprintf("  - {name: plain-pxe, when: {mac: [%q]}, file: surefoot-test, ipxe: file}\n", lab.MACPrefix(lab.BIOS)) +
			"  - {name: any, file: surefoot-test}\n"
	}
	bios := ""
	if o.quiet {
		bios = ", deliver: none"
	}
	if o.bios != "" {
		bios = ", bios: " + o.bios
	}
	fmt.Fprintf(&b, "boot:\n%snetworks:\n  lab: {subnet: %s%s}\n%s", o.rules, lab.Subnet, bios, o.networks)
	return b.String()
}
