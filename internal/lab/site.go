package lab

import (
	"fmt"
	"strings"
)

// DefaultSite is the site file of a lab: every machine gets the built-in test bootstrap, from
// whichever node answers. QEMU's BIOS machines have iPXE as their network ROM; those whose MAC
// says "bios" are treated as the plain PXE ROM that a real PC has, and get the file by TFTP
// instead of an iPXE script.
func DefaultSite(nodes int, root string) string {
	var b strings.Builder
	fmt.Fprintln(&b, "site: lab")
	if root != "" {
		fmt.Fprintf(&b, "root: %s\n", root)
	}
	fmt.Fprintln(&b, "nodes:")
	var names []string
	for i := range nodes {
		fmt.Fprintf(&b, "  %s: {address: %s}\n", nodeName(i), NodeAddr(i))
		names = append(names, nodeName(i))
	}
	from := strings.Join(names, ", ")
	fmt.Fprintf(&b, `boot:
  - {name: plain-pxe, when: {mac: [%q]}, file: surefoot-test, ipxe: file, from: [%s]}
  - {name: any, file: surefoot-test, from: [%s]}
networks:
  lab: {subnet: %s, deliver: proxy}
`, MACPrefix(BIOS), from, from, Subnet)
	return b.String()
}
