package etcd

import (
	"net/netip"
	"testing"

	"surefoot/internal/lease"
)

func TestCount(t *testing.T) {
	a := netip.MustParseAddr
	for _, x := range []struct {
		from, to string
		want     uint32
	}{
		{"10.0.0.1", "10.0.1.0", 256},
		{"10.0.0.1", "10.0.0.1", 1},
		{"10.0.0.2", "10.0.0.1", 0},
		{"fd00::ff00", "fd00::1:ffff", 0x10100},
		{"fd00::", "fd00::ffff:ffff", 0}, // no Book takes that
		{"fd00::", "fd00:0:0:1::", 0},
		{"10.0.0.1", "fd00::1", 0},
	} {
		if n := count(lease.Range{From: a(x.from), To: a(x.to)}); n != x.want {
			t.Errorf("%s-%s: %d, want %d", x.from, x.to, n, x.want)
		}
		if x.want > 0 && plus(a(x.from), x.want-1) != a(x.to) {
			t.Errorf("%s and %d are %s", x.from, x.want-1, plus(a(x.from), x.want-1))
		}
	}
}
