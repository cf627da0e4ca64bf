package journal

import (
	"net/netip"

	"surefoot/internal/boot"
)

// Who returns the newest story of a machine, without its steps: by its MAC address or, if that is
// zero, by its IP address. ok is false if nothing is known of it.
func (j *Journal) Who(ip netip.Addr, mac boot.MAC) (s Story, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	m := j.tell.byMAC[mac]
	if mac.IsZero() {
		m = j.tell.byIP[ip]
	}
	if m == nil || m.current() == nil {
		return Story{}, false
	}
	s = m.current().snapshot(false)
	s.MAC = m.mac
	return s, true
}
