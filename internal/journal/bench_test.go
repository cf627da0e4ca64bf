package journal

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"surefoot/internal/boot"
)

// downloads returns the events of n UEFI downloads, as EDK2 makes them: a question for the size,
// then the file. 500 machines take turns.
func downloads(n int) []boot.Event {
	var out []boot.Event
	at := start
	for i := range n {
		addr := netip.AddrFrom4([4]byte{10, 0, byte(i % 500 >> 8), byte(i % 500)})
		for probe := range 2 {
			ev := boot.Event{
				Node: "boot1", Role: "tftp", IP: addr, Peer: fmt.Sprintf("%s:%d", addr, 2000+i%60000), Local: "10.10.0.11:69",
				File: "snponly.efi", Transfer: uint64(2*i + probe + 1),
			}
			add := func(k boot.Kind, change func(*boot.Event)) {
				at = at.Add(50 * time.Microsecond)
				ev.Time, ev.Kind, ev.Options = at, k, ""
				change(&ev)
				out = append(out, ev)
			}
			add(boot.ReadRequest, func(ev *boot.Event) { ev.Options = "tsize=0 blksize=1468 windowsize=4" })
			ev.Size = 1042432
			add(boot.OptionsSent, func(ev *boot.Event) { ev.Options = "tsize=1042432 blksize=1468 windowsize=4" })
			add(boot.TransferEnd, func(ev *boot.Event) {
				ev.Dur = 10 * time.Millisecond
				if ev.Reason = boot.TsizeProbe; probe == 1 {
					ev.Reason, ev.Blocks, ev.Bytes, ev.FirstBlock = boot.Done, 711, 1042432, time.Millisecond
				}
			})
		}
	}
	return out
}

// BenchmarkEvent is what the journal costs for each event of a boot storm: in the role's loop
// (emit), and in the journal's own goroutine (take).
func BenchmarkEvent(b *testing.B) {
	events := downloads(5000)
	fresh := func() *Journal {
		return New(Config{Node: "boot1", Queue: 1, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	}
	b.Run("emit", func(b *testing.B) {
		j := fresh()
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			j.Emit(events[i%len(events)])
			select {
			case <-j.queue:
			default:
			}
		}
	})
	b.Run("take", func(b *testing.B) {
		j := fresh()
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			j.take(events[i%len(events)])
		}
	})
}
