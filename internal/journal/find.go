package journal

import (
	"net/netip"
	"slices"
	"strings"

	"surefoot/internal/boot"
)

// is reports whether a person means this machine by a text: see Story.Is.
func (m *machine) is(text string) bool {
	name := ""
	if r := m.current(); r != nil {
		name = r.Name
	}
	return matches(text, name, m.mac, m.ips)
}

// Is reports whether a person means the machine of this story by a text: its MAC address or the
// end of it, its IP address, or the name of its reservation.
func (s *Story) Is(text string) bool { return matches(text, s.Name, s.MAC, []netip.Addr{s.IP}) }

func matches(text, name string, mac boot.MAC, ips []netip.Addr) bool {
	text = strings.ToLower(strings.TrimSpace(text))
	if text != "" && strings.EqualFold(text, name) {
		return true
	}
	if ip, err := netip.ParseAddr(text); err == nil && slices.Contains(ips, ip) {
		return true
	}
	if mac.IsZero() {
		return false
	}
	plain := strings.NewReplacer(":", "", "-", "", ".", "")
	want := plain.Replace(text)
	return len(want) >= 2 && strings.HasSuffix(plain.Replace(mac.String()), want)
}
