package tftp

import (
	"testing"
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/tftp"
)

// A client that falls silent is told once as a stall, with the block that it owes; so is its next
// pause. The longest pause stays known to the end.
func TestStallAndPause(t *testing.T) {
	s := newSender(5*512, wire.Profile{BlockSize: 512, WindowSize: 1}, true, false)
	at := func(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }
	s.step(at(0), input{kind: begin})
	s.step(at(10), acked(0))
	stalls := 0
	silence := func(from, to int) {
		for ms := from; ms < to; ms += 10 {
			if o := s.step(at(ms), input{kind: tick}); o.stalled {
				stalls++
				if waited := at(ms).Sub(s.heard); waited < stallAfter || waited > 2*stallAfter {
					t.Errorf("told after %s", waited)
				}
			}
		}
	}
	s.step(at(20), acked(1))
	silence(20, 4020) // waits for block 2
	s.step(at(4020), acked(2))
	silence(4020, 4900) // less than a stall
	s.step(at(4900), acked(3))
	if stalls != 1 {
		t.Errorf("%d stalls told, want 1", stalls)
	}
	silence(4900, 7900)
	if stalls != 2 {
		t.Errorf("%d stalls told, want 2", stalls)
	}
	s.step(at(7900), acked(4))
	if d, block := s.longestPause(at(7901)); d != 4*time.Second || block != 2 {
		t.Errorf("longest pause %s at block %d, want 4s at 2", d, block)
	}
	if d, block := s.longestPause(at(17900)); d != 10*time.Second || block != 5 {
		t.Errorf("the present pause is %s at block %d, want 10s at 5", d, block)
	}
	s.step(at(17900), acked(5))
	if o := s.step(at(17901), acked(6)); o.end != boot.Done { // the empty last one
		t.Fatalf("%+v", o)
	}
	if d, block := s.longestPause(at(99999)); d != 10*time.Second || block != 5 {
		t.Errorf("at the end the longest pause is %s at block %d", d, block)
	}
	if want := 1 + 6 + int64(s.retransmits); s.packets() != want {
		t.Errorf("%d packets, want %d: the OACK, six blocks, and what was repeated", s.packets(), want)
	}
}

// A transfer that was never begun has no pause and no packets.
func TestNoPauseBeforeTheBeginning(t *testing.T) {
	for _, oack := range []bool{true, false} {
		s := newSender(600, wire.DefaultProfile(), oack, false)
		if d, _ := s.longestPause(epoch); d != 0 || s.packets() != 0 {
			t.Errorf("pause %s, %d packets", d, s.packets())
		}
	}
}

// The server tells the stall of a real client, and what it knows when the client comes back.
func TestStallIsTold(t *testing.T) {
	s := start(t, "", nil)
	s.write("a", make([]byte, 1500))
	c := dial(t, "127.0.0.1:0")
	c.send(rrq("a"), s.srv.Addr())
	c.recv()
	ev := s.event(func(ev boot.Event) bool { return ev.Kind == boot.Stalled })
	if ev.PauseAt != 1 || ev.Pause < stallAfter || ev.Size != 1500 || ev.Transfer == 0 || ev.Retransmits == 0 {
		t.Errorf("%+v", ev)
	}
	last := ev.Packets
	for n := uint16(1); n <= 3; n++ {
		c.send(ackOf(n), c.tid)
	}
	ev = s.ended(boot.Done)
	if ev.Pause < stallAfter || ev.PauseAt != 1 || ev.Packets < last+2 || ev.RTT < 0 || ev.FirstBlock < stallAfter {
		t.Errorf("%+v", ev)
	}
}
