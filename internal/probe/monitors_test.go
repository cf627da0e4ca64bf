package probe

import (
	"testing"

	"surefoot/internal/boot"
)

// TestMonitors: a node's monitor asks from one address of its own that no maker gives out, and what it
// sends can be told from every machine.
func TestMonitors(t *testing.T) {
	m := MonitorMAC("hq", "boot1", "eth1")
	if m != MonitorMAC("hq", "boot1", "eth1") {
		t.Error("it is not the same each time")
	}
	for _, other := range []boot.MAC{MonitorMAC("hq", "boot2", "eth1"), MonitorMAC("hq", "boot1", "eth2"), MonitorMAC("lab", "boot1", "eth1")} {
		if other == m {
			t.Errorf("two have %s", m)
		}
	}
	if m[0]&2 == 0 || m[0]&1 != 0 { // IEEE 802, clause 8.2: locally administered, not a group
		t.Errorf("%s is no locally administered address of one machine", m)
	}
	if b := monitorUUID(m); len(b) != 17 || b[0] != 0 || !Monitors(boot.UUID(b[1:])) {
		t.Errorf("%x", b)
	}
	if Monitors(boot.UUID{}) || Monitors(boot.UUID{0x44, 0x33}) {
		t.Error("a machine counts as a monitor")
	}
}
