package dhcp4

import (
	"fmt"
	"net/netip"
)

// Route is one route of the options 121 and 249.
type Route struct {
	To  netip.Prefix // IPv4
	Via netip.Addr   // 0.0.0.0: the destination is on the link itself
}

// String writes the route as ParseValue reads it, "10.0.0.0/8 via 10.1.0.1".
func (r Route) String() string {
	if r.To.Bits() == 0 {
		return "default via " + r.Via.String()
	}
	return r.To.String() + " via " + r.Via.String()
}

// AppendRoutes writes routes as RFC 3442 has them: of each destination only the bytes that count.
func AppendRoutes(dst []byte, routes []Route) []byte {
	for _, r := range routes {
		to, via := addrBytes(r.To.Masked().Addr()), addrBytes(r.Via)
		n := r.To.Bits()
		dst = append(dst, byte(n))
		dst = append(dst, to[:(n+7)/8]...)
		dst = append(dst, via[:]...)
	}
	return dst
}

// ParseRoutes reads the value of option 121 or 249. Bits of a destination beyond its length are
// ignored, as RFC 3442 asks.
func ParseRoutes(b []byte) ([]Route, error) {
	var out []Route
	for len(b) > 0 {
		n := int(b[0])
		if n > 32 {
			return nil, fmt.Errorf("parse routes: a prefix of %d bits", n)
		}
		k := (n + 7) / 8
		if len(b) < 1+k+4 {
			return nil, fmt.Errorf("parse routes: the route to a prefix of %d bits is cut short", n)
		}
		var to [4]byte
		copy(to[:], b[1:1+k])
		out = append(out, Route{
			To:  netip.PrefixFrom(netip.AddrFrom4(to), n).Masked(),
			Via: netip.AddrFrom4([4]byte(b[1+k : 5+k])),
		})
		b = b[5+k:]
	}
	return out, nil
}
