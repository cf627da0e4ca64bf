package relay

import (
	"fmt"
	"net/netip"
	"testing"

	wire "surefoot/internal/wire/tftp"
)

// BenchmarkShared downloads 4 MiB that the relay holds, over the loopback interface: beside BenchmarkTransfer of serve/tftp
// it is what a content that is no file costs.
func BenchmarkShared(b *testing.B) {
	const size = 4 << 20
	s := start(b, nil, real(b, map[string][]byte{"f": content(size)}, nil))
	for _, window := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("window%d", window), func(b *testing.B) {
			c, err := dial(netip.MustParseAddr("127.0.0.1"))
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			buf := make([]byte, 2000)
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				m := newReceiver("f", "octet", false)
				m.asked = []wire.Option{{Name: "blksize", Value: "1428"}, {Name: "windowsize", Value: fmt.Sprint(window)}}
				m.last = wire.AppendRequest(nil, wire.Request{Op: wire.OpRRQ, File: "f", Mode: "octet", Options: m.asked})
				to, reply := s.r.Addr(), m.last
				for {
					if reply != nil {
						if _, err := c.WriteToUDPAddrPort(reply, to); err != nil {
							b.Fatal(err)
						}
					}
					if m.done {
						break
					}
					n, from, err := c.ReadFromUDPAddrPort(buf)
					if err == nil {
						to = from
						reply, _, err = m.receive(buf[:n])
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
