package e2e

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	wire "surefoot/internal/wire/tftp"
)

// ownServer is a TFTP server as those of BSD's inetd are: it answers every request from its own address,
// whichever it was asked at, and its socket of the transfer takes packets at that address only.
func (l *dsrNet) ownServer(t *testing.T, host string, own netip.Addr) {
	t.Helper()
	var c *net.UDPConn
	err := l.inside(host, func() (err error) {
		c, err = net.ListenUDP("udp4", &net.UDPAddr{Port: 69})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			req, err := wire.ParseRequest(buf[:n])
			if err != nil || req.Op != wire.OpRRQ {
				continue
			}
			var d *net.UDPConn
			err = l.inside(host, func() (err error) {
				d, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(own, 0)))
				return err
			})
			if err != nil {
				continue
			}
			go func() {
				defer d.Close()
				content, err := os.ReadFile(l.path(host + "/" + req.File))
				if err != nil {
					_, _ = d.WriteToUDPAddrPort(wire.AppendError(nil, wire.ErrNotFound, "no such file"), from)
					return
				}
				serveOwn(d, from, req, content)
			}()
		}
	}()
}

// serveOwn sends a file, one block at a time.
func serveOwn(d *net.UDPConn, to netip.AddrPort, req wire.Request, content []byte) {
	p, granted := wire.Negotiate(req.Options, wire.Limits{WindowSize: 1}, int64(len(content)))
	buf := make([]byte, 2048)
	exchange := func(packet []byte, block uint16) bool {
		for range 4 {
			if _, err := d.WriteToUDPAddrPort(packet, to); err != nil {
				return false
			}
			_ = d.SetReadDeadline(time.Now().Add(time.Second))
			for {
				n, from, err := d.ReadFromUDPAddrPort(buf)
				if errors.Is(err, os.ErrDeadlineExceeded) {
					break
				}
				if err != nil {
					return false
				}
				if from != to {
					continue
				}
				if a, err := wire.ParsePacket(buf[:n]); err == nil && a.Op == wire.OpERROR {
					return false
				} else if err == nil && a.Op == wire.OpACK && a.Block == block {
					return true
				}
			}
		}
		return false
	}
	if len(granted) > 0 && !exchange(wire.AppendOACK(nil, granted), 0) {
		return
	}
	for block := 1; ; block++ {
		part := content[min((block-1)*p.BlockSize, len(content)):min(block*p.BlockSize, len(content))]
		if !exchange(wire.AppendData(nil, uint16(block), part), uint16(block)) || len(part) < p.BlockSize {
			return
		}
	}
}
