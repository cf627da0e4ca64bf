package tftp

import (
	"errors"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	"surefoot/internal/files"
	wire "surefoot/internal/wire/tftp"
)

// download runs a swarm against a site and checks that everything came.
func (s *site) download(file string, content []byte, change func(*swarm)) outcome {
	s.t.Helper()
	w := &swarm{
		at: s.srv.Addr(), file: file, content: content, clients: 20, downloads: 60, blockSize: 1456, window: 1, seed: 1,
	}
	change(w)
	o, err := w.run()
	if err != nil || len(o.took) != w.downloads || len(o.failed) > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, ev := range s.events {
			if ev.Kind == boot.Ignored || ev.Kind == boot.TransferEnd && ev.Reason != boot.Done {
				s.t.Logf("%s %s %s %s: %s", ev.Peer, ev.Local, ev.Kind, ev.Reason, ev.Detail)
			}
		}
		s.t.Fatalf("%v, %d of %d downloads: %s", err, len(o.took), w.downloads, o)
	}
	return o
}

// Several loops share the clients of one port, and everything arrives whole over a network that
// loses packets.
func TestSwarm(t *testing.T) {
	for _, c := range []struct {
		name          string
		loops, window int
		blockSize     int
		loss          float64
		poll          time.Duration
	}{
		{"lock-step, one loop", 1, 1, 1456, 0, 0},
		{"lock-step, four loops", 4, 1, 1456, 0, 0},
		{"window, four loops", 4, 16, 1456, 0, 0},
		{"window and loss", 2, 16, 512, 0.02, 0},
		{"lock-step and loss", 2, 1, 1456, 0.02, 0},
		{"polling", 2, 4, 1456, 0, 100 * time.Microsecond},
		{"window of 64 small blocks", 1, 64, 8, 0, 0},
		{"blocks longer than any device takes", 1, 4, 65464, 0, 0},
		{"two blocks for each send", 1, 5, 30000, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, "", func(cfg *Config) { cfg.Loops, cfg.BusyPoll = c.loops, c.poll })
			content := random(100_000)
			s.write("f", content)
			s.download("f", content, func(w *swarm) { w.window, w.blockSize, w.loss = c.window, c.blockSize, c.loss })
			for deadline := time.Now().Add(5 * time.Second); s.srv.running.count() > 0; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%d transfers are still counted", s.srv.running.count())
				}
			}
		})
	}
}

// Two servers never share a port in silence, whatever address either names.
func TestPortIsOurs(t *testing.T) {
	for _, pair := range [][2]string{
		{"127.0.0.1", "127.0.0.1"}, {"0.0.0.0", "127.0.0.1"}, {"127.0.0.1", "0.0.0.0"}, {"0.0.0.0", "0.0.0.0"}, {"::1", "::"},
	} {
		t.Run(pair[0]+" then "+pair[1], func(t *testing.T) {
			s := start(t, netip.AddrPortFrom(netip.MustParseAddr(pair[0]), 0).String(), func(c *Config) { c.Loops = 3 })
			at := netip.AddrPortFrom(netip.MustParseAddr(pair[1]), s.srv.Addr().Port())
			again, err := New(Config{Listen: at, Files: s.srv.cfg.Files, Loops: 3}, Deps{})
			if err != nil {
				t.Fatal(err)
			}
			if err := again.Listen(t.Context()); !errors.Is(err, unix.EADDRINUSE) {
				t.Fatalf("%v", err)
			}
			if again.socks != nil {
				t.Error("sockets are left open")
			}
		})
	}
}

func TestPortsOfARange(t *testing.T) {
	if _, err := New(Config{Ports: Ports{Low: 5, High: 4}, Listen: netip.MustParseAddrPort("127.0.0.1:0"), Files: new(files.Root)}, Deps{}); err == nil {
		t.Error("an empty range")
	}
	s := start(t, "", func(c *Config) { c.Ports, c.Limits.Queue = Ports{Low: 41200, High: 41201}, -1 })
	s.write("f", make([]byte, 600))
	seen := map[uint16]bool{}
	for range 2 {
		p := dial(t, "127.0.0.1:0")
		p.send(rrq("f"), s.srv.Addr())
		p.recv()
		seen[p.tid.Port()] = true
	}
	if !seen[41200] || !seen[41201] {
		t.Errorf("%v", seen)
	}
	p := dial(t, "127.0.0.1:0")
	p.send(rrq("f"), s.srv.Addr())
	if e := p.recv(); e.Op != wire.OpERROR || !strings.Contains(e.Message, "busy") {
		t.Errorf("%+v", e)
	}
	if ev := s.ended(boot.TooManyTransfers); !strings.Contains(ev.Detail, "at most 2 run") {
		t.Errorf("%+v", ev)
	}
	// Somebody else may hold one of them.
	ports := portRange{low: 41200, high: 41201}
	fd, err := openTransfer(netip.MustParseAddr("127.0.0.1"), &ports)
	if err == nil {
		_ = unix.Close(fd)
	}
	if !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), "all ports from 41200 to 41201 are taken") {
		t.Errorf("%v", err)
	}
}

// A transfer that waits for its client takes little memory, so that ten thousand may.
func TestWaitingTransfersAreSmall(t *testing.T) {
	const n, most = 1000, 3 << 10 // bytes each
	s := start(t, "", func(c *Config) { c.Loops, c.Limits.Transfers = 1, 16*n })
	s.write("f", random(100_000))
	memory := func() uint64 {
		s.mu.Lock()
		s.events = nil
		s.mu.Unlock()
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what the first one's finalizers hold
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	p := dial(t, "127.0.0.1:0")
	p.send(rrq("f"), s.srv.Addr())
	p.recv()
	p.send(ackOf(1), p.tid) // this address is no forgery, so that it may have many transfers
	p.recv()
	before, to := memory(), sockaddrOf(s.srv.Addr())
	packet := rrq("f", wire.Option{Name: "blksize", Value: "1456"}, wire.Option{Name: "tsize", Value: "0"})
	for range n {
		fd, err := openTransfer(netip.MustParseAddr("127.0.0.1"), new(portRange))
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if err := sendTo(fd, packet, &to); err != nil {
			t.Fatal(err)
		}
	}
	for told := 0; told < n; {
		select {
		case <-s.news:
		case <-time.After(10 * time.Second):
			t.Fatalf("%d of %d transfers began", told, n)
		}
		told = 0
		s.mu.Lock()
		for _, ev := range s.events {
			if ev.Kind == boot.OptionsSent {
				told++
			}
		}
		s.mu.Unlock()
	}
	if each := int64(memory()-before) / n; each > most {
		t.Errorf("%d bytes for each transfer, want at most %d", each, most)
	} else {
		t.Logf("%d bytes for each transfer", each)
	}
}
