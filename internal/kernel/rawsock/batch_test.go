package rawsock

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	"surefoot/internal/wire/frame"
)

// cable returns a socket at each end of a cable.
func cable(t testing.TB, ports ...uint16) (tx, rx *PacketConn, to boot.MAC) {
	a, b := pair(t)
	if t.Failed() {
		return nil, nil, boot.MAC{}
	}
	tx, errTX := ListenPacket("a", a.Index, boot.MAC(a.HardwareAddr), ports...)
	rx, errRX := ListenPacket("b", b.Index, boot.MAC(b.HardwareAddr), ports...)
	if err := errors.Join(errTX, errRX); err != nil {
		t.Error(err)
		return nil, nil, boot.MAC{}
	}
	return tx, rx, boot.MAC(b.HardwareAddr)
}

// numbered makes room for n frames that carry a number each.
func numbered(to boot.MAC, n int) (frames [][]byte, number func(i int, x uint32)) {
	for range n {
		d := datagram(to, "10.0.0.1:67", string(make([]byte, 300)))
		frames = append(frames, d.Frame())
	}
	return frames, func(i int, x uint32) { binary.BigEndian.PutUint32(frames[i][42:], x) }
}

// TestBatches: frames arrive complete, in their order, and many in one call, while the sender is
// never further ahead than the receive buffer holds.
func TestBatches(t *testing.T) {
	onThread(t, func(t *testing.T) {
		tx, rx, to := cable(t, 67)
		if t.Failed() {
			return
		}
		defer tx.Close()
		defer rx.Close()
		const total, ahead = 100_000, 32 * MaxBatch
		room := make(chan int, total)
		read := make(chan int, 1)
		go func() {
			batch, next, calls := NewBatch(), uint32(0), 0
			defer func() { close(room); read <- calls }()
			for next < total {
				_ = rx.SetReadDeadline(time.Now().Add(10 * time.Second))
				n, err := rx.ReadBatch(batch)
				if err != nil {
					t.Errorf("after %d frames: %v", next, err)
					return
				}
				calls++
				for i := range batch.Len() {
					d, err := frame.Parse(batch.Frame(i))
					if err != nil || len(d.Payload) != 300 || binary.BigEndian.Uint32(d.Payload) != next {
						t.Errorf("frame %d: %d bytes, %v", next, len(d.Payload), err)
						return
					}
					next++
				}
				room <- n
			}
		}()
		s := NewSender()
		frames, number := numbered(to, MaxBatch)
		for sent, seen := 0, 0; sent < total; {
			for sent-seen >= ahead {
				n, ok := <-room
				if !ok {
					return
				}
				seen += n
			}
			n := min(MaxBatch, total-sent)
			for i := range n {
				number(i, uint32(sent+i))
			}
			if k, err := tx.WriteBatch(s, frames[:n]); k != n || err != nil {
				t.Errorf("WriteBatch = %d of %d, %v", k, n, err)
				return
			}
			sent += n
		}
		if calls := <-read; calls >= total { // how many come at once is the scheduler's affair
			t.Errorf("%d frames took %d reads: never two at once", total, calls)
		}
		if n := rx.Dropped(); n != 0 {
			t.Errorf("%d frames dropped", n)
		}
		if s.Stats.Sent != total || s.Stats.Lost != 0 || s.Stats.Writes > total/MaxBatch+1 {
			t.Errorf("%+v after %d frames", s.Stats, total)
		}
	})
}

// TestDropped: what the program is too slow for is counted by the kernel, and nothing else is missing.
func TestDropped(t *testing.T) {
	onThread(t, func(t *testing.T) {
		tx, rx, to := cable(t, 67)
		if t.Failed() {
			return
		}
		defer tx.Close()
		defer rx.Close()
		if err := rx.control(func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 16<<10) }); err != nil {
			t.Error(err)
		}
		const total = 10 * MaxBatch
		frames, _ := numbered(to, total)
		if n, err := tx.WriteBatch(NewSender(), frames); n != total || err != nil {
			t.Errorf("WriteBatch = %d, %v", n, err)
		}
		batch, got := NewBatch(), 0
		for {
			_ = rx.SetReadDeadline(time.Now().Add(200 * time.Millisecond)) // all is there already
			n, err := rx.ReadBatch(batch)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				t.Error(err)
				return
			}
			got += n
		}
		if d := rx.Dropped(); d == 0 || got == 0 || int(d)+got != total {
			t.Errorf("%d read and %d dropped of %d", got, d, total)
		}
		if d := rx.Dropped(); d != 0 {
			t.Errorf("%d dropped since then", d)
		}
	})
}

// TestTwoPorts: one socket reads the ports that it was opened for, and no other.
func TestTwoPorts(t *testing.T) {
	onThread(t, func(t *testing.T) {
		tx, rx, to := cable(t, 67, 4011)
		if t.Failed() {
			return
		}
		defer tx.Close()
		defer rx.Close()
		for _, at := range []string{"10.0.0.1:68", "10.0.0.1:67", "10.0.0.1:4010", "10.0.0.1:4011"} {
			d := datagram(to, at, at)
			if err := tx.Write(d.Frame()); err != nil {
				t.Error(err)
			}
		}
		for _, want := range []string{"10.0.0.1:67", "10.0.0.1:4011"} {
			if got := read(t, rx); got != want {
				t.Errorf("read %q, want %q", got, want)
			}
		}
	})
}

// TestBatchLinkDown: a link that goes down ends a batch and a read with an error that says so, and both
// work again when it is up.
func TestBatchLinkDown(t *testing.T) {
	onThread(t, func(t *testing.T) {
		tx, rx, to := cable(t, 67)
		if t.Failed() {
			return
		}
		defer tx.Close()
		defer rx.Close()
		links := map[string]netlink.Link{}
		for _, name := range []string{"a", "b"} {
			l, err := netlink.LinkByName(name)
			if err == nil {
				err = netlink.LinkSetDown(l)
			}
			if err != nil {
				t.Error(err)
				return
			}
			links[name] = l
		}
		batch, s := NewBatch(), NewSender()
		_ = rx.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := rx.ReadBatch(batch); !Down(err) {
			t.Errorf("ReadBatch on a link that is down: %v", err)
		}
		frames, _ := numbered(to, 3)
		n, err := tx.WriteBatch(s, frames)
		if n != 0 || !Down(err) || !strings.HasPrefix(err.Error(), "write to a: ") {
			t.Errorf("WriteBatch on a link that is down: %d, %v", n, err)
		}
		if s.Stats.Sent != 0 || s.Stats.Lost != 3 {
			t.Errorf("%+v", s.Stats)
		}
		for _, l := range links {
			if err := netlink.LinkSetUp(l); err != nil {
				t.Error(err)
			}
		}
		up(t, "a", "b")
		if n, err := tx.WriteBatch(s, frames); n != 3 || err != nil {
			t.Errorf("WriteBatch on a link that is up again: %d, %v", n, err)
		}
		if n, err := rx.ReadBatch(batch); n == 0 || err != nil {
			t.Errorf("ReadBatch on a link that is up again: %d, %v", n, err)
		}
	})
}

// TestBatchEnds: a deadline and Close end a read that waits.
func TestBatchEnds(t *testing.T) {
	onThread(t, func(t *testing.T) {
		tx, rx, to := cable(t, 67)
		if t.Failed() {
			return
		}
		defer tx.Close()
		batch := NewBatch()
		_ = rx.SetReadDeadline(time.Unix(1, 0))
		if _, err := rx.ReadBatch(batch); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("ReadBatch after its deadline: %v", err)
		}
		_ = rx.SetReadDeadline(time.Time{})
		ended := make(chan error)
		go func() {
			_, err := rx.ReadBatch(batch)
			ended <- err
		}()
		if err := rx.Close(); err != nil {
			t.Error(err)
		}
		select {
		case err := <-ended:
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("ReadBatch of a closed socket: %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Error("ReadBatch goes on after Close")
		}
		frames, _ := numbered(to, 1)
		if n, err := rx.WriteBatch(NewSender(), frames); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("WriteBatch to a closed socket: %d, %v", n, err)
		}
		if n, err := tx.WriteBatch(NewSender(), [][]byte{frames[0], {1, 2}}); n != 0 || err == nil {
			t.Errorf("a frame of two bytes: %d, %v", n, err)
		}
		if n, err := tx.WriteBatch(NewSender(), nil); n != 0 || err != nil {
			t.Errorf("no frames: %d, %v", n, err)
		}
	})
}

// TestOneBadFrame: the others leave all the same.
func TestOneBadFrame(t *testing.T) {
	onThread(t, func(t *testing.T) {
		tx, rx, to := cable(t, 67)
		if t.Failed() {
			return
		}
		defer tx.Close()
		defer rx.Close()
		frames, number := numbered(to, 5)
		for i := range frames {
			number(i, uint32(i))
		}
		frames[2] = append(frames[2], make([]byte, 9000)...) // longer than the link takes
		s := NewSender()
		n, err := tx.WriteBatch(s, frames)
		if n != 4 || !errors.Is(err, unix.EMSGSIZE) || s.Stats.Lost != 1 {
			t.Errorf("WriteBatch = %d, %v, %+v", n, err, s.Stats)
		}
		batch := NewBatch()
		var got []uint32
		for len(got) < 4 {
			_ = rx.SetReadDeadline(time.Now().Add(5 * time.Second))
			if _, err := rx.ReadBatch(batch); err != nil {
				t.Error(err)
				return
			}
			for i := range batch.Len() {
				got = append(got, binary.BigEndian.Uint32(batch.Frame(i)[42:]))
			}
		}
		if got[0] != 0 || got[1] != 1 || got[2] != 3 || got[3] != 4 {
			t.Errorf("arrived: %v", got)
		}
	})
}

// TestIPv4Batch: packets go to where their headers say, and one without a route does not stop those
// behind it.
func TestIPv4Batch(t *testing.T) {
	onThread(t, func(t *testing.T) {
		pair(t)
		var receivers []*net.UDPConn
		for _, ip := range []byte{2, 3} {
			c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, ip), Port: 67})
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			receivers = append(receivers, c)
		}
		c, err := DialIPv4()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		var packets [][]byte
		for _, to := range []string{"127.0.0.2:67", "203.0.113.1:67", "127.0.0.3:67"} {
			d := datagram(boot.MAC{}, to, "for "+to)
			d.Src = netip.MustParseAddrPort("127.0.0.1:67")
			packets = append(packets, d.IP())
		}
		n, err := c.WriteBatch(NewSender(), packets)
		if n != 2 || !errors.Is(err, unix.ENETUNREACH) || !strings.Contains(err.Error(), "203.0.113.1") {
			t.Errorf("WriteBatch = %d, %v", n, err)
		}
		for i, want := range []string{"for 127.0.0.2:67", "for 127.0.0.3:67"} {
			_ = receivers[i].SetReadDeadline(time.Now().Add(5 * time.Second))
			b := make([]byte, 100)
			n, from, err := receivers[i].ReadFromUDPAddrPort(b)
			if err != nil || string(b[:n]) != want || from.Port() != 67 {
				t.Errorf("received %q from %s, %v; want %q", b[:n], from, err, want)
			}
		}
		if n, err := c.WriteBatch(NewSender(), [][]byte{[]byte("short")}); n != 0 || err == nil {
			t.Errorf("a packet without a header: %d, %v", n, err)
		}
	})
}

// TestNoAllocations: neither a read nor a write allocates.
func TestNoAllocations(t *testing.T) {
	onThread(t, func(t *testing.T) {
		tx, rx, to := cable(t, 67)
		if t.Failed() {
			return
		}
		defer tx.Close()
		defer rx.Close()
		frames, _ := numbered(to, 8)
		s, batch := NewSender(), NewBatch()
		_ = rx.SetReadDeadline(time.Now().Add(10 * time.Second))
		n := testing.AllocsPerRun(200, func() {
			if _, err := tx.WriteBatch(s, frames); err != nil {
				t.Error(err)
			}
			for got := 0; got < len(frames); {
				n, err := rx.ReadBatch(batch)
				if err != nil {
					t.Error(err)
					return
				}
				got += n
			}
		})
		if n != 0 {
			t.Errorf("%v allocations for a batch there and back", n)
		}
	})
}
