package boot

import (
	"fmt"
	"slices"
	"strings"
)

// matches reports whether the condition holds, and says in words what held or what did not.
func (m Match) matches(c Client, network string) (why string, ok bool) {
	var held []string
	check := func(what string, asked bool, hold bool, is, want string) bool {
		if !asked {
			return true
		}
		if !hold {
			if is == "" {
				is = "not known"
			}
			why = fmt.Sprintf("%s is %s, the rule wants %s", what, is, want)
			return false
		}
		held = append(held, what+" is "+is)
		return true
	}
	if !check("arch", len(m.Arch) > 0, slices.Contains(m.Arch, c.Arch), c.Arch.String(), joinStrings(m.Arch)) ||
		!check("firmware", len(m.Firmware) > 0, slices.Contains(m.Firmware, c.Firmware), string(c.Firmware), joinWords(m.Firmware)) ||
		!check("MAC", len(m.MAC) > 0, hasPrefix(m.MAC, c.MAC.String()), c.MAC.String(), joinWords(m.MAC)) ||
		!check("network", len(m.Network) > 0, slices.Contains(m.Network, network), network, joinWords(m.Network)) ||
		!check("user class", len(m.UserClass) > 0, slices.Contains(m.UserClass, c.UserClass), quoted(c.UserClass), joinWords(m.UserClass)) ||
		!check("vendor class", len(m.VendorClass) > 0, hasPrefix(m.VendorClass, c.VendorClass), quoted(c.VendorClass), joinWords(m.VendorClass)) {
		return why, false
	}
	if len(held) == 0 {
		return "it has no condition", true
	}
	return strings.Join(held, ", "), true
}

// holds is matches without the words.
func (m *Match) holds(c Client, network string) bool {
	return (len(m.Arch) == 0 || slices.Contains(m.Arch, c.Arch)) &&
		(len(m.Firmware) == 0 || slices.Contains(m.Firmware, c.Firmware)) &&
		(len(m.MAC) == 0 || c.MAC.begins(m.MAC)) &&
		(len(m.Network) == 0 || slices.Contains(m.Network, network)) &&
		(len(m.UserClass) == 0 || slices.Contains(m.UserClass, c.UserClass)) &&
		(len(m.VendorClass) == 0 || hasPrefix(m.VendorClass, c.VendorClass))
}

func hasPrefix(prefixes []string, s string) bool {
	return s != "" && slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

func quoted(s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf("%q", s)
}

func joinWords[T ~string](list []T) string {
	var out []string
	for _, x := range list {
		out = append(out, string(x))
	}
	return strings.Join(out, " or ")
}

func joinStrings[T fmt.Stringer](list []T) string {
	var out []string
	for _, x := range list {
		out = append(out, x.String())
	}
	return strings.Join(out, " or ")
}

func describeAddr(c Client) string {
	switch {
	case c.Relay.IsValid() && !c.Relay.IsUnspecified():
		return fmt.Sprintf("relay %s", c.Relay)
	case c.Addr.IsValid() && !c.Addr.IsUnspecified():
		return fmt.Sprintf("client %s", c.Addr)
	case c.Link.IsValid():
		return fmt.Sprintf("the interface's address %s", c.Link.Addr())
	}
	return "a client of unknown address"
}

func describeNetwork(n Network, c Client) string {
	if n.open() {
		return "it takes every client"
	}
	if c.Over6() {
		return fmt.Sprintf("%s is in %s", describeAddr(c), n.Subnet6)
	}
	return fmt.Sprintf("%s is in %s", describeAddr(c), n.Subnet)
}
