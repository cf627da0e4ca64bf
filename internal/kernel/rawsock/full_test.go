package rawsock

import (
	"errors"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// slow lets an interface send rate bytes a second, and keep limit bytes waiting.
func slow(t *testing.T, name string, rate, limit int) {
	t.Helper()
	const burst = 2000 // bytes
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	err = netlink.QdiscReplace(&netlink.Tbf{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: l.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT},
		Rate:       uint64(rate), Limit: uint32(limit), Buffer: uint32(netlink.TickInUsec() * 1e6 * burst / float64(rate)), // in ticks
	})
	if err != nil {
		t.Error(err)
	}
}

// TestFull: what to do when there is no room depends on whose room it is and on how long it lasts.
func TestFull(t *testing.T) {
	const total = 2 * MaxBatch // 342 bytes each
	for name, c := range map[string]struct {
		rate, limit int
		sndbuf      int
		queue       bool
		want        error
	}{
		"the card's queue, for ever":     {rate: 10_000, limit: 4000, queue: true, want: unix.ENOBUFS},
		"the card's queue, for a moment": {rate: 5_000_000, limit: 4000, queue: true},
		"the send buffer, for a moment":  {rate: 2_000_000, limit: 1 << 20, sndbuf: 4608},
		"the send buffer, for ever":      {rate: 10_000, limit: 1 << 20, sndbuf: 4608, want: unix.EAGAIN},
		"nothing: the queue has room":    {rate: 10_000, limit: 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			onThread(t, func(t *testing.T) {
				tx, rx, to := cable(t, 67)
				if t.Failed() {
					return
				}
				defer tx.Close()
				defer rx.Close()
				slow(t, "a", c.rate, c.limit)
				if c.sndbuf > 0 {
					if err := tx.control(func(fd int) error {
						return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, c.sndbuf)
					}); err != nil {
						t.Error(err)
					}
				}
				frames, _ := numbered(to, total)
				s := NewSender()
				n, err := tx.WriteBatch(s, frames)
				t.Logf("%d of %d, %v, %+v", n, total, err, s.Stats)
				if !errors.Is(err, c.want) || (c.want == nil) != (n == total) || (c.want != nil && n == 0) {
					t.Errorf("WriteBatch = %d of %d, %v; want %v", n, total, err, c.want)
				}
				if s.Stats.Sent != uint64(n) || s.Stats.Sent+s.Stats.Lost != total {
					t.Errorf("%+v", s.Stats)
				}
				if (s.Stats.Full > 0) != (c.sndbuf > 0) || (s.Stats.Queue > 0) != c.queue || s.Stats.Queue > queuePauses {
					t.Errorf("%+v", s.Stats)
				}
			})
		})
	}
}
