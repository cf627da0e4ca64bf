package journal

import (
	"net/netip"
	"testing"

	"surefoot/internal/boot"
)

// Who knows a machine by either address, and nobody else by them.
func TestWho(t *testing.T) {
	j := busy(t)
	for name, c := range map[string]struct {
		ip   netip.Addr
		mac  boot.MAC
		want boot.MAC
		ok   bool
	}{
		"by IP":                        {ip: ip, want: mac, ok: true},
		"by MAC":                       {mac: mac, want: mac, ok: true},
		"by MAC, at another address":   {ip: netip.MustParseAddr("192.0.2.9"), mac: mac, want: mac, ok: true},
		"a stranger":                   {ip: netip.MustParseAddr("192.0.2.9")},
		"a stranger's MAC, a known IP": {ip: ip, mac: boot.MAC{2, 9}},
		"nobody":                       {},
	} {
		s, ok := j.Who(c.ip, c.mac)
		if ok != c.ok || s.MAC != c.want || len(s.Steps) != 0 {
			t.Errorf("%s: %v, %+v", name, ok, s)
		}
	}
}
