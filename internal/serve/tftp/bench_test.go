package tftp

import (
	"fmt"
	"net"
	"testing"

	wire "surefoot/internal/wire/tftp"
)

// BenchmarkTransfer downloads 4 MiB over the loopback interface with a client that does the least.
func BenchmarkTransfer(b *testing.B) {
	for _, window := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("window%d", window), func(b *testing.B) {
			s := start(b, "", nil)
			const size = 4 << 20
			s.write("f", make([]byte, size))
			c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			_ = c.SetReadBuffer(4 << 20)
			ask := rrq("f", wire.Option{Name: "blksize", Value: "1456"}, wire.Option{Name: "windowsize", Value: fmt.Sprint(window)})
			buf := make([]byte, 2000)
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				download(b, c, s, ask, buf, window)
			}
		})
	}
}

func download(b *testing.B, c *net.UDPConn, s *site, ask, buf []byte, window int) {
	if _, err := c.WriteToUDPAddrPort(ask, s.srv.Addr()); err != nil {
		b.Fatal(err)
	}
	out := make([]byte, 0, 4)
	for have, inWindow := uint16(0), 0; ; {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			b.Fatal(err)
		}
		op, _ := wire.PeekOp(buf[:n])
		block := uint16(buf[2])<<8 | uint16(buf[3])
		switch {
		case op == wire.OpOACK:
			have, inWindow = 0, window
		case op == wire.OpDATA && block == have+1:
			have++
			inWindow++
		default:
			continue
		}
		last := op == wire.OpDATA && n < 4+1456
		if last || inWindow >= window {
			inWindow = 0
			if _, err := c.WriteToUDPAddrPort(wire.AppendACK(out, have), from); err != nil {
				b.Fatal(err)
			}
		}
		if last {
			return
		}
	}
}

// BenchmarkStep is the machine alone.
func BenchmarkStep(b *testing.B) {
	p := wire.Profile{BlockSize: 1456, WindowSize: 1}
	s := newSender(1<<50, p, false, false)
	now := epoch
	s.step(now, input{kind: begin})
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(1000)
		s.step(now, acked(uint16(s.sent)))
	}
}
