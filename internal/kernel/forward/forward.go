// Package forward looks at the settings by which the kernel forwards packets from one interface to
// another, and sets them where it is asked to. It routes nothing itself.
package forward

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
)

// Setting is one of the kernel's that is not as it has to be.
type Setting struct {
	Name string // net.ipv4.ip_forward
	Is   string
	Want string
	Why  string
}

// path is where it stands; sysctl(8) writes the dot in the name of an interface as a slash.
func (s Setting) path() string {
	return "/proc/sys/" + strings.Map(func(r rune) rune {
		switch r {
		case '.':
			return '/'
		case '/':
			return '.'
		}
		return r
	}, s.Name)
}

// String is the setting as sysctl takes it.
func (s Setting) String() string { return s.Name + "=" + s.Want }

// wanted are the settings that a service address needs to be forwarded from an interface.
func wanted(a netip.Addr, iface string) []Setting {
	if a.Is6() {
		return []Setting{{Name: "net.ipv6.conf.all.forwarding", Want: "1", Why: "packets to backends are not forwarded"}}
	}
	out := []Setting{{Name: "net.ipv4.ip_forward", Want: "1", Why: "packets to backends are not forwarded"}}
	const redirects = "backends are told of a shorter way to clients on their own network, and then answer past the node"
	out = append(out, Setting{Name: "net.ipv4.conf.all.send_redirects", Want: "0", Why: redirects})
	if iface != "" {
		out = append(out, Setting{Name: "net.ipv4.conf." + strings.ReplaceAll(iface, ".", "/") + ".send_redirects", Want: "0", Why: redirects})
	}
	return out
}

// Missing are those that are not as they have to be. One that cannot be read counts as right.
func Missing(a netip.Addr, iface string) []Setting {
	var out []Setting
	for _, s := range wanted(a, iface) {
		text, err := os.ReadFile(s.path())
		if s.Is = strings.TrimSpace(string(text)); err == nil && s.Is != s.Want {
			out = append(out, s)
		}
	}
	return out
}

// Set makes it as it has to be.
func Set(s Setting) error {
	if err := os.WriteFile(s.path(), []byte(s.Want), 0o644); err != nil {
		return fmt.Errorf("set %s: %w", s, err)
	}
	return nil
}
