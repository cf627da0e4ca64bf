package e2e

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netns"
)

// inside runs f in the network namespace of a host: sockets that it opens stay there.
func (l *dsrNet) inside(host string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		ns, err := netns.GetFromName(l.ns(host))
		if err == nil {
			err = netns.Set(ns)
			_ = ns.Close()
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// dsrMachine is a client as strict as EDK2's: it takes nothing but what comes from the address that it asked, asks again
// after a second, five times, and begins no download anew.
type dsrMachine struct {
	from   netip.Addr
	conn   *net.UDPConn
	began  time.Time
	ended  time.Time
	first  time.Time // of its first block
	asked  int       // requests
	got    int       // bytes
	blocks atomic.Int64
	err    error
}

// dsrStorm is many machines that download at once, each from an address of its own.
type dsrStorm struct {
	l    *dsrNet
	all  []*dsrMachine
	left sync.WaitGroup
	stop context.CancelFunc
}

// dsrClient is the address of machine i.
func dsrClient(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 1, byte(16 + i/250), byte(1 + i%250)})
}

// storm begins n downloads, spread over a time.
func (l *dsrNet) storm(t *testing.T, n int, vip, file string, want []byte, over, pause time.Duration) *dsrStorm {
	t.Helper()
	return l.stormFrom(t, 0, n, vip, file, want, over, pause)
}

// stormFrom is a storm of other machines.
func (l *dsrNet) stormFrom(t *testing.T, first, n int, vip, file string, want []byte, over, pause time.Duration) *dsrStorm {
	t.Helper()
	l.sh("cl", "ip route replace local 10.1.16.0/20 dev lo")
	l.sh("rt", "ip route replace 10.1.16.0/20 via 10.1.0.10")
	ctx, cancel := context.WithCancel(context.Background())
	s := &dsrStorm{l: l, stop: cancel}
	sum := crc32.ChecksumIEEE(want)
	err := l.inside("cl", func() error {
		for i := range n {
			m := &dsrMachine{from: dsrClient(first + i)}
			c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(m.from, 0)))
			if err != nil {
				return err
			}
			_ = c.SetReadBuffer(1 << 18)
			m.conn = c
			s.all = append(s.all, m)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range s.all {
		s.left.Go(func() {
			defer m.conn.Close()
			select {
			case <-time.After(over * time.Duration(i) / time.Duration(n)):
			case <-ctx.Done():
				m.err = ctx.Err()
				return
			}
			m.began = time.Now()
			m.err = m.download(ctx, netip.MustParseAddr(vip), file, len(want), sum, pause)
			m.ended = time.Now()
		})
	}
	t.Cleanup(func() { cancel(); s.left.Wait() })
	return s
}

const dsrBlock = 1428

func (m *dsrMachine) download(ctx context.Context, vip netip.Addr, file string, size int, sum uint32, pause time.Duration) error {
	request := append([]byte{0, 1}, file+"\x00octet\x00blksize\x001428\x00"...)
	server, ack := netip.AddrPortFrom(vip, 69), request
	next, hash, tries := uint16(1), crc32.NewIEEE(), 0
	buf := make([]byte, 2048)
	send := func() { _, _ = m.conn.WriteToUDPAddrPort(ack, server) }
	m.asked = 1
	send()
	_ = m.conn.SetReadDeadline(time.Now().Add(time.Second))
	for {
		k, from, err := m.conn.ReadFromUDPAddrPort(buf)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if tries++; tries > 5 {
				return fmt.Errorf("no answer to %d repetitions after %d bytes", tries-1, m.got)
			}
			if server.Port() == 69 {
				m.asked++
			}
			send()
			_ = m.conn.SetReadDeadline(time.Now().Add(time.Second))
			continue
		}
		if err != nil {
			return err
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if from.Addr() != vip || k < 4 || server.Port() != 69 && from.Port() != server.Port() {
			continue
		}
		block := binary.BigEndian.Uint16(buf[2:])
		switch buf[1] {
		case 6:
			block = 0
			server = from
		case 3:
			if block != next {
				continue
			}
			if next == 1 {
				server, m.first = from, time.Now()
			}
			_, _ = hash.Write(buf[4:k])
			m.got += k - 4
			next++
			m.blocks.Add(1)
			if pause > 0 {
				time.Sleep(pause) // a slow machine
			}
		default:
			return fmt.Errorf("the server says %q after %d bytes", buf[4:k], m.got)
		}
		tries = 0
		ack = binary.BigEndian.AppendUint16([]byte{0, 4}, block)
		send()
		_ = m.conn.SetReadDeadline(time.Now().Add(time.Second))
		if buf[1] == 3 && k-4 < dsrBlock {
			if m.got != size || hash.Sum32() != sum {
				return fmt.Errorf("%d bytes came, which are not those of the file", m.got)
			}
			return nil
		}
	}
}

// wait waits for the end and returns those that failed.
func (s *dsrStorm) wait() (failed []*dsrMachine) {
	s.left.Wait()
	for _, m := range s.all {
		if m.err != nil {
			failed = append(failed, m)
		}
	}
	return failed
}

// under waits until so many machines have begun to get their file.
func (s *dsrStorm) under(n int) {
	s.l.t.Helper()
	defer func() {
		if s.l.t.Failed() {
			for _, m := range s.all {
				s.l.t.Logf("%s: %d blocks, %d requests, %v", m.from, m.blocks.Load(), m.asked, m.err)
			}
		}
	}()
	s.l.await("machines download", func() bool {
		c := 0
		for _, m := range s.all {
			if m.blocks.Load() > 0 {
				c++
			}
		}
		return c >= n
	})
}

// askOnce asks who answers, and waits for it as long as nobody would mind.
func (l *dsrNet) askOnce() (time.Time, bool) {
	var conn *net.UDPConn
	err := l.inside("cl", func() (err error) {
		conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 1, 0, 10)})
		return err
	})
	if err != nil {
		return time.Time{}, false
	}
	defer conn.Close()
	vip := netip.MustParseAddr(dsrVIP)
	_, _ = conn.WriteToUDPAddrPort([]byte("\x00\x01who\x00octet\x00"), netip.AddrPortFrom(vip, 69))
	_ = conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	buf := make([]byte, 600)
	k, from, err := conn.ReadFromUDPAddrPort(buf)
	if err != nil || k < 4 || buf[1] != 3 {
		return time.Time{}, false
	}
	at := time.Now()
	_, _ = conn.WriteToUDPAddrPort([]byte{0, 4, 0, 1}, from)
	return at, true
}
