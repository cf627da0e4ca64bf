package tftp

import (
	"net/netip"
	"testing"
)

func TestSockaddr(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{"10.0.0.1:69", "10.0.0.1:69"},
		{"[::ffff:10.0.0.1]:69", "10.0.0.1:69"},
		{"[2001:db8::1]:65535", "[2001:db8::1]:65535"},
		{"[fe80::1%7]:69", "[fe80::1%7]:69"},
		{"[fe80::1%lo]:69", "[fe80::1%1]:69"},
		{"[2001:db8::1%7]:69", "[2001:db8::1]:69"},
	} {
		s := sockaddrOf(netip.MustParseAddrPort(c.in))
		if got := s.addrPort().String(); got != c.out {
			t.Errorf("%s: %s, want %s", c.in, got, c.out)
		}
	}
	var none sockaddr
	if none.addrPort().IsValid() {
		t.Error("no family is an address")
	}
}

func TestSockaddrSame(t *testing.T) {
	all := []string{
		"10.0.0.1:69", "10.0.0.1:70", "10.0.0.2:69", "[2001:db8::1]:69", "[2001:db8::2]:69",
		"[fe80::1%7]:69", "[fe80::1%8]:69",
	}
	for i, a := range all {
		for j, b := range all {
			x, y := sockaddrOf(netip.MustParseAddrPort(a)), sockaddrOf(netip.MustParseAddrPort(b))
			y.b[27], x.b[27] = 0, 0 // the top byte of a zone
			if x.n == 16 {
				x.b[20], y.b[20] = 1, 2 // what the kernel leaves behind an IPv4 address
			}
			if got := x.same(&y); got != (i == j) && x.n == y.n {
				t.Errorf("%s and %s: same is %v", a, b, got)
			}
		}
	}
}
