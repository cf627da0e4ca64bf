package probe

import (
	"bytes"
	"hash/fnv"

	"surefoot/internal/boot"
)

// monitorMark is what the UUID (option 97) of a monitor's DISCOVER begins with, readable in every
// capture. That a machine has such a UUID is next to impossible.
const monitorMark = "surefoot"

// monitorUUID is option 97 of a monitor's DISCOVER: type 0, the mark, and the MAC.
func monitorUUID(mac boot.MAC) []byte {
	b := make([]byte, 17)
	copy(b[1:], monitorMark)
	copy(b[11:], mac[:])
	return b
}

// Monitors reports whether a packet with this UUID was sent by a node's monitor: it is answered as
// any machine's, and is no machine's boot.
func Monitors(u boot.UUID) bool { return bytes.HasPrefix(u[:], []byte(monitorMark)) }

// MonitorMAC is the address that a node's monitor asks from on an interface: locally administered,
// always the same, with "SF" in it. Servers hold back the same address each time, and people who find it
// in a log or a switch's table can tell whose it is.
func MonitorMAC(site, node, iface string) boot.MAC {
	h := fnv.New32a()
	_, _ = h.Write([]byte(site + "\x00" + node + "\x00" + iface))
	n := h.Sum32()
	return boot.MAC{0x02, 'S', 'F', byte(n >> 16), byte(n >> 8), byte(n)}
}
