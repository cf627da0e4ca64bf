package e2e

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"surefoot/internal/wire/tftp"
)

// stutter answers HTTP with the beginning of a file, and then ends the connection or says no more.
func (s *stage) stutter(part, addr string, ends bool) {
	s.t.Helper()
	var l net.Listener
	err := s.Inside(part, func() (err error) {
		l, err = net.Listen("tcp4", addr)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\ncontent-Length:  8192\r\n\r\n"+strings.Repeat("x", 100))
			}
			if ends {
				_ = c.Close()
				continue
			}
			s.t.Cleanup(func() { _ = c.Close() })
		}
	}()
}

// crooked is a TFTP server that grants a window of four blocks, and of what it sends loses one packet
// in seven, sends one in five twice and swaps some with the next.
func (s *stage) crooked(part, addr string, content []byte) {
	s.t.Helper()
	listen, answer := s.socket(part, addr+":69"), s.socket(part, addr+":4069")
	go func() {
		const blksize, window = 1468, 4
		buf := make([]byte, 2048)
		_, to, err := listen.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		var held []byte
		sent := 0
		send := func(b []byte) {
			sent++
			switch {
			case sent%7 == 0:
			case sent%11 == 0:
				held = bytes.Clone(b)
				return
			default:
				_, _ = answer.WriteToUDPAddrPort(b, to)
				if sent%5 == 0 {
					_, _ = answer.WriteToUDPAddrPort(b, to)
				}
			}
			if held != nil {
				_, _ = answer.WriteToUDPAddrPort(held, to)
				held = nil
			}
		}
		again := func() {
			send(tftp.AppendOACK(nil, []tftp.Option{{Name: "blksize", Value: "1468"}, {Name: "windowsize", Value: "4"}}))
		}
		again()
		for {
			_ = answer.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			n, _, err := answer.ReadFromUDPAddrPort(buf)
			if err == nil {
				p, err := tftp.ParsePacket(buf[:n])
				if err != nil || p.Op != tftp.OpACK {
					return
				}
				from := int(p.Block)
				again = func() {
					for i := from; i < from+window && i*blksize <= len(content); i++ {
						send(tftp.AppendData(nil, uint16(i+1), content[i*blksize:min(len(content), (i+1)*blksize)]))
					}
				}
			} else if ne, ok := err.(net.Error); !ok || !ne.Timeout() {
				return
			}
			again()
		}
	}()
}

// resolver answers every question for an address with these, by a name that points elsewhere first.
func (s *stage) resolver(part, addr string, is ...netip.Addr) *lookups {
	s.t.Helper()
	c, seen := s.socket(part, addr+":53"), &lookups{}
	go func() {
		buf := make([]byte, 1500)
		for {
			n, to, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			seen.add(buf[12 : n-4])
			b := bytes.Clone(buf[:n])
			b[2], b[3], b[7] = 0x85, 0x80, byte(1+len(is)) // an answer of so many records
			b = append(b, 0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 6, 4, 'r', 'e', 'a', 'l', 0)
			at := byte(len(b) - 6)
			for _, a := range is {
				b = append(append(b, 0xc0, at, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4), a.AsSlice()...)
			}
			_, _ = c.WriteToUDPAddrPort(b, to)
		}
	}()
	return seen
}

type lookups struct {
	mu    sync.Mutex // guards names
	names []string
}

func (l *lookups) add(name []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names = append(l.names, string(name))
}

// has fails the test unless the name was asked for.
func (l *lookups) has(t *testing.T, name string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var wire []byte
	for label := range strings.SplitSeq(name, ".") {
		wire = append(append(wire, byte(len(label))), label...)
	}
	for _, n := range l.names {
		if n == string(wire)+"\x00" {
			return
		}
	}
	t.Errorf("nobody asked for %s, but for %q", name, l.names)
}
