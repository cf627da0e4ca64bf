package tftp

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/tftp"
)

// waiting waits for the event that a request of a client waits.
func (s *site) waiting(p *peer) boot.Event {
	s.t.Helper()
	return s.event(func(ev boot.Event) bool { return ev.Kind == boot.Waiting && ev.Peer == p.c.LocalAddr().String() })
}

// Over the limit a request waits in silence, and gets its file when its turn comes, without
// asking again.
func TestRequestWaitsForAPlace(t *testing.T) {
	s := start(t, "", func(c *Config) { c.Limits.Transfers = 1 })
	s.write("f", make([]byte, 600))
	first, second := dial(t, "127.0.0.1:0"), dial(t, "127.0.0.1:0")
	first.send(rrq("f"), s.srv.Addr())
	first.recv()
	second.send(rrq("f"), s.srv.Addr())
	ev := s.waiting(second)
	if ev.Reason != boot.TooManyTransfers || !strings.Contains(ev.Detail, "at most 1 run at the same time") {
		t.Errorf("%+v", ev)
	}
	second.send(rrq("f"), s.srv.Addr()) // as every client does after its timeout
	s.ignored(boot.DuplicateRequest)
	for _, p := range []*peer{first, second} {
		if p == second {
			if d := p.recv(); d.Op != wire.OpDATA || d.Block != 1 {
				t.Fatalf("%+v", d)
			}
		}
		p.send(ackOf(1), p.tid)
		if d := p.recv(); d.Op != wire.OpDATA || d.Block != 2 {
			t.Fatalf("%+v", d)
		}
		p.send(ackOf(2), p.tid)
	}
	s.event(func(ev boot.Event) bool { return ev.Reason == boot.Done && ev.Peer == second.c.LocalAddr().String() })
}

// Who waited too long is told so, once, in words.
func TestRequestWaitsTooLong(t *testing.T) {
	s := start(t, "", func(c *Config) { c.Limits = Limits{Transfers: 1, QueueTime: 50 * time.Millisecond} })
	s.write("f", make([]byte, 600))
	first, second := dial(t, "127.0.0.1:0"), dial(t, "127.0.0.1:0")
	first.send(rrq("f"), s.srv.Addr())
	first.recv()
	second.send(rrq("f"), s.srv.Addr())
	if e := second.recv(); e.Op != wire.OpERROR || e.Code != wire.ErrUndefined || e.Message != busyText || second.tid != s.srv.Addr() {
		t.Fatalf("%+v", e)
	}
	if ev := s.ended(boot.TooManyTransfers); !strings.Contains(ev.Detail, "it waited 50ms") || ev.Peer != second.c.LocalAddr().String() {
		t.Errorf("%+v", ev)
	}
	if n := s.srv.running.queueLength(); n != 0 {
		t.Errorf("%d wait", n)
	}
}

// A node that stops forgets who waits: asked again, its closed port sends them to the next one.
func TestDrainWithAQueue(t *testing.T) {
	s := start(t, "", func(c *Config) { c.Limits.Transfers = 1 })
	s.write("f", make([]byte, 600))
	first, second := dial(t, "127.0.0.1:0"), dial(t, "127.0.0.1:0")
	first.send(rrq("f"), s.srv.Addr())
	first.recv()
	second.send(rrq("f"), s.srv.Addr())
	s.waiting(second)
	s.stop()
	if ev := s.ended(boot.Draining); ev.Peer != second.c.LocalAddr().String() {
		t.Errorf("%+v", ev)
	}
	first.send(ackOf(1), first.tid)
	first.recv()
	first.send(ackOf(2), first.tid)
	s.ended(boot.Done)
	if err := <-s.done; err != nil {
		t.Error(err)
	}
	s.done <- nil
}

// A client that asks for something else from the same port while it waits is in the queue once.
func TestQueuedRequestIsReplaced(t *testing.T) {
	s := start(t, "", func(c *Config) { c.Limits.Transfers = 1 })
	s.write("f", make([]byte, 600))
	s.write("g", []byte("other"))
	first, second := dial(t, "127.0.0.1:0"), dial(t, "127.0.0.1:0")
	first.send(rrq("f"), s.srv.Addr())
	first.recv()
	second.send(rrq("f"), s.srv.Addr())
	s.waiting(second)
	second.send(rrq("g"), s.srv.Addr())
	s.ended(boot.ClientGone)
	first.send(ackOf(1), first.tid)
	first.recv()
	first.send(ackOf(2), first.tid)
	if d := second.recv(); string(d.Data) != "other" {
		t.Errorf("%+v", d)
	}
}

// An address that acknowledges nothing, as a forged one, gets a bounded number of packets, and
// holds nobody else up.
func TestForgedAddressIsNotFlooded(t *testing.T) {
	s := start(t, "", func(c *Config) { c.Limits = Limits{QueueTime: 50 * time.Millisecond} })
	s.write("f", random(100_000))
	forged := netip.MustParseAddr("127.9.9.9")
	for range 200 {
		p := dial(t, netip.AddrPortFrom(forged, 0).String())
		p.send(rrq("f", wire.Option{Name: "windowsize", Value: "64"}), s.srv.Addr())
	}
	refused := 0
	s.event(func(ev boot.Event) bool {
		if ev.Kind == boot.TransferEnd && ev.Reason == boot.UnprovenClient {
			refused++
		}
		return refused >= 200-maxUnproven
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	offered := 0
	for _, ev := range s.events {
		if ev.Kind == boot.OptionsSent {
			offered++
		}
	}
	if offered != maxUnproven {
		t.Errorf("%d transfers began, want %d", offered, maxUnproven)
	}
}

// Many machines behind one address that all ask before any of them could acknowledge something are
// not refused: those that find no place in the queue hear nothing, and ask again.
func TestManyBehindOneAddress(t *testing.T) {
	l := byHand(t, nil)
	ended, ignored := 0, 0
	l.s.deps.Emit = func(ev boot.Event) {
		switch {
		case ev.Kind == boot.TransferEnd:
			ended++
		case ev.Kind == boot.Ignored && ev.Reason == boot.UnprovenClient:
			ignored++
		}
	}
	const all = 3000
	l.s.open.stop()
	l.s.open = startOpener(all)
	for i := range all {
		l.packet(rrq("f"), netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(20_000+i)), netip.MustParseAddr("127.0.0.1"))
	}
	if want := all - maxUnproven - DefaultQueue/2; ended != 0 || ignored != want {
		t.Errorf("%d of %d requests were refused and %d ignored, want 0 and %d", ended, all, ignored, want)
	}
}

// One address is not told for ever that it is refused: it may be a forged one.
func TestRefusalsAreLimited(t *testing.T) {
	l := byHand(t, nil)
	p := dial(t, "127.0.0.1:0")
	to := netip.MustParseAddrPort(p.c.LocalAddr().String())
	burst := int(refusalRate().Burst)
	var silent int
	l.s.deps.Emit = func(ev boot.Event) {
		if strings.Contains(ev.Detail, "no ERROR was sent") {
			silent++
		}
	}
	for range burst + 500 {
		l.packet([]byte("\x00\x02f\x00octet\x00"), to, netip.MustParseAddr("127.0.0.1"))
	}
	if silent < 300 || silent > 500 { // some were granted meanwhile
		t.Errorf("%d of %d refusals were silent", silent, burst+500)
	}
}
