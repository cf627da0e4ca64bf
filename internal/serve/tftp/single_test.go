package tftp

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/tftp"
)

func single(c *Config) { c.Ports.Single = true }

// In single-port mode everything comes from the request port (F29), from the address that was
// asked, and every byte arrives, in lock-step and in windows, with and without loss.
func TestSinglePort(t *testing.T) {
	for _, c := range []struct {
		name          string
		loops, window int
		blockSize     int
		loss          float64
	}{
		{"lock-step", 1, 1, 1456, 0},
		{"lock-step, four loops, loss", 4, 1, 1456, 0.02},
		{"window, four loops", 4, 16, 1456, 0},
		{"window and loss", 2, 16, 512, 0.02},
		{"blocks longer than any device takes", 2, 4, 65464, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, "", func(cfg *Config) { single(cfg); cfg.Loops = c.loops })
			content := random(100_000)
			s.write("f", content)
			s.download("f", content, func(w *swarm) { w.window, w.blockSize, w.loss = c.window, c.blockSize, c.loss })
		})
	}
}

func TestSinglePortAnswersFromIt(t *testing.T) {
	for _, c := range []struct{ listen, ask, from string }{
		{"0.0.0.0:0", "127.0.0.1", "127.0.0.1:0"},
		{"0.0.0.0:0", "127.0.0.2", "127.0.0.1:0"},
		{"[::]:0", "::1", "[::1]:0"},
	} {
		s := start(t, c.listen, single)
		s.write("f", make([]byte, 600))
		asked := netip.AddrPortFrom(netip.MustParseAddr(c.ask), s.srv.Addr().Port())
		p := dial(t, c.from)
		p.send(rrq("f"), asked)
		for block := uint16(1); block <= 2; block++ {
			if d := p.recv(); d.Block != block || p.tid != asked {
				t.Fatalf("%+v from %s", d, p.tid)
			}
			p.send(ackOf(block), asked)
		}
	}
}

// What belongs to no transfer is not answered at the request port (VU#417980), but told of.
func TestSinglePortIgnoresStrangers(t *testing.T) {
	s := start(t, "", single)
	stranger := dial(t, "127.0.0.1:0")
	stranger.send(ackOf(7), s.srv.Addr())
	s.ignored(boot.UnknownTID)
	stranger.silent(50 * time.Millisecond)
}

// A node that stops finishes what runs, though requests and transfers share a socket, and tells a
// new client to go elsewhere.
func TestSinglePortDrains(t *testing.T) {
	s := start(t, "", single)
	s.write("f", make([]byte, 600))
	p := dial(t, "127.0.0.1:0")
	p.send(rrq("f"), s.srv.Addr())
	p.recv()
	s.stop()
	for told := false; !told; { // the first ones may be early
		late := dial(t, "127.0.0.1:0")
		late.send(rrq("f"), s.srv.Addr())
		switch d := late.recv(); d.Op {
		case wire.OpERROR:
			if told = true; !strings.Contains(d.Message, "stopping") {
				t.Errorf("%q", d.Message)
			}
		default:
			late.send(ackOf(1), late.tid)
			late.recv()
			late.send(ackOf(2), late.tid)
		}
	}
	p.send(ackOf(1), p.tid)
	if d := p.recv(); d.Block != 2 {
		t.Errorf("%+v", d)
	}
	p.send(ackOf(2), p.tid)
	if err := <-s.done; err != nil {
		t.Error(err)
	}
	s.done <- nil
}

// Where the kernel does not cut, a window leaves as many packets of one system call, and what
// had no room goes on from there.
func TestWindowWithoutSegments(t *testing.T) {
	for _, shared := range []bool{false, true} {
		l := byHand(t, nil)
		if shared {
			l.peers = map[ends]*transfer{}
		}
		p := dial(t, "127.0.0.1:0")
		content := random(7 * 512)
		x := l.add(t, p, content, wire.Profile{BlockSize: 512, WindowSize: 8}, func(x *transfer) {
			x.plain = true
			if shared {
				_ = unix.Close(x.fd)
				x.fd = -1
			}
		})
		l.until(t, func() bool { return x.begun })
		for b := uint16(1); b <= 8; b++ {
			d := p.recv()
			want := content[min(len(content), int(b-1)*512):min(len(content), int(b)*512)]
			if d.Block != b || string(d.Data) != string(want) {
				t.Fatalf("shared %t, block %d: %+v", shared, b, d)
			}
		}
		l.finish(x, boot.Done, "")
	}
}

// When the shared socket is full, those that wait for room go on when there is some.
func TestSinglePortWaitsForRoom(t *testing.T) {
	l := byHand(t, nil)
	l.peers = map[ends]*transfer{}
	var all []*transfer
	var peers []*peer
	for range 3 {
		p := dial(t, "127.0.0.1:0")
		x := l.add(t, p, make([]byte, 5000), wire.Profile{BlockSize: 512, WindowSize: 8}, func(x *transfer) {
			_ = unix.Close(x.fd)
			x.fd = -1
		})
		l.until(t, func() bool { return x.begun })
		for range 8 {
			p.recv()
		}
		x.want(output{from: 1, to: 3})
		l.awaitRoom(x, true)
		all, peers = append(all, x), append(peers, p)
	}
	l.finish(all[2], boot.ClientGone, "it ended while it waited for room")
	l.until(t, func() bool { return !all[0].writable && !all[1].writable })
	for _, p := range peers[:2] {
		for b := uint16(1); b <= 3; b++ {
			if d := p.recv(); d.Block != b {
				t.Errorf("%+v", d)
			}
		}
	}
}
