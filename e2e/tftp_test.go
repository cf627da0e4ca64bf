package e2e

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"surefoot/internal/lab"
)

// download is a TFTP client that takes block by block as slowly as a scenario wants
// (RFC 1350, blocks of 512 bytes).
type download struct {
	conn *net.UDPConn
	peer netip.AddrPort // zero until the first block
	next uint16
	done bool
}

// udpSocket opens a UDP socket in a part of the lab.
func (s *stage) udpSocket(part string) *net.UDPConn {
	s.t.Helper()
	var c *net.UDPConn
	err := s.Inside(part, func() (err error) {
		c, err = net.ListenUDP("udp4", nil)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

// download asks a node for a file, from the DHCP server's namespace.
func (s *stage) download(n *lab.Node, name string) *download {
	s.t.Helper()
	d := &download{conn: s.udpSocket("dhcp"), next: 1}
	to := netip.AddrPortFrom(netip.MustParseAddr(n.Addr), 69)
	if _, err := d.conn.WriteToUDPAddrPort([]byte("\x00\x01"+name+"\x00octet\x00"), to); err != nil {
		s.t.Fatal(err)
	}
	return d
}

// answered reports whether anything comes back within a time.
func (d *download) answered(within time.Duration) bool {
	_ = d.conn.SetReadDeadline(time.Now().Add(within))
	_, _, err := d.conn.ReadFromUDPAddrPort(make([]byte, 600))
	return err == nil
}

// blocks takes so many blocks, or as many as there are, and acknowledges each.
func (d *download) blocks(t *testing.T, n int) []byte {
	t.Helper()
	var out []byte
	buf := make([]byte, 600)
	for n > 0 && !d.done {
		_ = d.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		k, from, err := d.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			t.Fatalf("waiting for block %d: %v", d.next, err)
		}
		if k < 4 || binary.BigEndian.Uint16(buf) != 3 {
			t.Fatalf("waiting for block %d: got %q", d.next, buf[:k])
		}
		block := binary.BigEndian.Uint16(buf[2:])
		if block != d.next {
			continue // sent again
		}
		d.peer = from
		out = append(out, buf[4:k]...)
		ack := []byte{0, 4, buf[2], buf[3]}
		if _, err := d.conn.WriteToUDPAddrPort(ack, d.peer); err != nil {
			t.Fatal(err)
		}
		d.next++
		d.done = k < 4+512
		n--
	}
	return out
}

// awaitLog waits until a node's log holds a text.
func (s *stage) awaitLog(n *lab.Node, text string) {
	s.t.Helper()
	for s.ctx.Err() == nil {
		b, err := os.ReadFile(n.Log)
		if err != nil {
			s.t.Fatal(err)
		}
		if strings.Contains(string(b), text) {
			return
		}
		time.Sleep(5 * time.Millisecond) // a file tells nobody that it grew
	}
	s.t.Fatalf("the log of node %s never said %q", n.Name, text)
}
