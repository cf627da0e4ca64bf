package dhcp6

import (
	"fmt"
	"net/netip"
	"strings"
)

// AppendDomains appends names as DNS writes them, without compression (RFC 8415 section 10). A name that DNS does
// not know is an error.
func AppendDomains(b []byte, list ...string) ([]byte, error) {
	for _, name := range list {
		start := len(b)
		for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
			if label == "" || len(label) > 63 {
				return nil, fmt.Errorf("%q is not a domain name", name)
			}
			b = append(append(b, byte(len(label))), label...)
		}
		b = append(b, 0)
		if len(b)-start > 255 {
			return nil, fmt.Errorf("%q is longer than a domain name may be", name)
		}
	}
	return b, nil
}

// AppendNTP appends servers as option 56 has them (RFC 5908 section 4.1).
func AppendNTP(b []byte, list ...netip.Addr) []byte {
	for _, a := range list {
		raw := a.As16()
		b = append(append(b, 0, 1, 0, 16), raw[:]...)
	}
	return b
}

// EUI64 returns the Ethernet address that an interface identifier was made from (RFC 4291 appendix A): firmware and
// most systems make their link-local address of it. ok is false for every other address.
func EUI64(a netip.Addr) (b [6]byte, ok bool) {
	x := a.As16()
	if !a.Is6() || x[11] != 0xff || x[12] != 0xfe {
		return b, false
	}
	return [6]byte{x[8] ^ 2, x[9], x[10], x[13], x[14], x[15]}, true
}

// Name returns the host name of a client's FQDN option (RFC 4704 section 4.1): its first label.
func (o Options) Name() string {
	b, ok := o.Get(ClientFQDN)
	if !ok || len(b) < 2 || len(b) < 2+int(b[1]) {
		return ""
	}
	label := b[2 : 2+int(b[1])]
	for _, c := range label {
		if c < 0x21 || c > 0x7e {
			return ""
		}
	}
	return string(label[:min(len(label), 63)])
}
