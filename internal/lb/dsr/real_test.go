package dsr

import (
	"bytes"
	"testing"

	"surefoot/internal/lb"
)

// Real clients download from real servers behind the address, by each way of attaching, and every packet of theirs
// went through the balancer.
func TestDownloads(t *testing.T) {
	for _, way := range []lb.PlaneKind{lb.PlaneAuto, lb.PlaneXDP} {
		t.Run(string(way), func(t *testing.T) {
			l := newLab(t)
			for _, h := range []string{"sv1", "sv2"} {
				l.tftpd(h)
			}
			b := l.balancer("lb1")
			l.has("lb1")
			four, six := table(vip4, lb.Maglev, 0, 1), table(vip6, lb.Maglev, 0, 1)
			four.Service.Plane, six.Service.Plane = way, way
			b.apply(four, six)
			for _, client := range []string{"curl", "tftp-hpa", "atftp", "busybox"} {
				got, err := l.get(client, vip4, "boot.bin", "10.1.0.10")
				if err != nil || !bytes.Equal(got, l.content) {
					t.Errorf("%s: %d bytes, %v", client, len(got), err)
				}
			}
			got, err := l.get("curl", vip6, "boot.bin", "fd01::10")
			if err != nil || !bytes.Equal(got, l.content) {
				t.Errorf("IPv6: %d bytes, %v", len(got), err)
			}
			var why map[string]uint64
			b.ask("reasons", &why)
			t.Logf("%+v\n%v\n%s", b.counters(), why, l.logs())
		})
	}
}
