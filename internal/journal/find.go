package journal

import (
	"net/netip"
	"slices"
	"strings"

	"surefoot/internal/boot"
)

// is reports whether a person means this machine by a text.
func (m *machine) is(text string) bool {
	return matches(text, m.mac, m.ips)
}

// Is reports whether a person means the machine of this story by a text: its MAC address or the
// end of it, or its IP address.
func (s *Story) Is(text string) bool { return matches(text, s.MAC, []netip.Addr{s.IP}) }

func matches(text string, mac boot.MAC, ips []netip.Addr) bool {
	text = strings.ToLower(strings.TrimSpace(text))
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
