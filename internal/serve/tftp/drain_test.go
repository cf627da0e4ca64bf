package tftp

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/files"
	wire "surefoot/internal/wire/tftp"
)

func TestDrainFinishesWhatRuns(t *testing.T) {
	s := start(t, "", nil)
	s.write("f", make([]byte, 600))
	p := dial(t, "127.0.0.1:0")
	p.send(rrq("f"), s.srv.Addr())
	p.recv()
	s.stop()
	select {
	case err := <-s.done:
		t.Fatalf("Run returned %v while a transfer is running", err)
	case <-time.After(50 * time.Millisecond):
	}
	p.send(ackOf(1), p.tid)
	for d := p.recv(); d.Block != 2; d = p.recv() {
	}
	p.send(ackOf(2), p.tid)
	if err := <-s.done; err != nil {
		t.Error(err)
	}
	s.done <- nil // for the cleanup
	s.ended(boot.Done)
}

func TestDrainEnds(t *testing.T) {
	s := start(t, "", func(c *Config) { c.DrainTimeout = 50 * time.Millisecond })
	s.write("f", make([]byte, 600))
	p := dial(t, "127.0.0.1:0")
	p.send(rrq("f"), s.srv.Addr())
	p.recv()
	s.stop()
	if e := p.recv(); e.Op != wire.OpERROR || !strings.Contains(e.Message, "stopping") {
		t.Errorf("%+v", e)
	}
	if err := <-s.done; err != nil {
		t.Error(err)
	}
	s.done <- nil
	if ev := s.ended(boot.Draining); !strings.Contains(ev.Detail, "0 of 2 blocks") {
		t.Errorf("%+v", ev)
	}
}

func TestPortTaken(t *testing.T) {
	s := start(t, "", nil)
	again, err := New(Config{Listen: s.srv.Addr(), Files: s.srv.cfg.Files}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	err = again.Listen(t.Context())
	if err == nil || !strings.Contains(err.Error(), "already in use") || !strings.Contains(err.Error(), "pid") {
		t.Errorf("%v", err)
	}
	if err := again.Run(t.Context(), nil); err == nil {
		t.Error("Run without Listen")
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestNewChecks(t *testing.T) {
	root, err := files.Open("", files.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Files: root}, Deps{}); err == nil {
		t.Error("no address")
	}
	if _, err := New(Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")}, Deps{}); err == nil {
		t.Error("no files")
	}
	s, err := New(Config{Files: root, Listen: netip.MustParseAddrPort("127.0.0.1:0")}, Deps{})
	if err != nil || s.cfg.Limits.Transfers != DefaultMaxTransfers || s.cfg.DrainTimeout != DefaultDrainTimeout {
		t.Errorf("%+v, %v", s, err)
	}
}

// A fault in whoever listens to the events costs that client its transfer and nobody else.
func TestPanicIsContained(t *testing.T) {
	s := start(t, "", nil)
	s.write("f", []byte("x"))
	s.mu.Lock()
	s.fault = func(ev boot.Event) {
		if ev.Kind == boot.ReadRequest && ev.File == "bad" || ev.Kind == boot.OptionsSent {
			panic("fault")
		}
	}
	s.mu.Unlock()
	p := dial(t, "127.0.0.1:0")
	p.send(rrq("bad"), s.srv.Addr())
	s.ignored(boot.Panicked)
	o := dial(t, "127.0.0.1:0")
	o.send(rrq("f", wire.Option{Name: "tsize", Value: "0"}), s.srv.Addr())
	s.ended(boot.Panicked)
	q := dial(t, "127.0.0.1:0")
	q.send(rrq("f"), s.srv.Addr())
	if d := q.recv(); string(d.Data) != "x" {
		t.Errorf("%+v", d)
	}
	q.send(ackOf(1), q.tid)
	s.ended(boot.Done)
	for deadline := time.Now().Add(5 * time.Second); s.srv.running.count() > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%d transfers are still counted", s.srv.running.count())
		}
		time.Sleep(time.Millisecond)
	}
}

func TestProgressAtMostFourASecond(t *testing.T) {
	s := start(t, "", nil)
	s.write("f", make([]byte, 512*700))
	p := dial(t, "127.0.0.1:0")
	p.send(rrq("f"), s.srv.Addr())
	begun := time.Now()
	for b := uint16(1); b <= 700; b++ {
		for d := p.recv(); d.Block != b; d = p.recv() {
		}
		time.Sleep(time.Millisecond) // a slow ROM
		p.send(ackOf(b), p.tid)
	}
	p.recv()
	p.send(ackOf(701), p.tid)
	s.ended(boot.Done)
	seen := 0
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ev := range s.events {
		if ev.Kind == boot.Progress {
			seen++
			if ev.Bytes <= 0 || ev.Size != 512*700 || ev.Bytes != ev.Blocks*512 {
				t.Errorf("%+v", ev)
			}
		}
	}
	if most := int(time.Since(begun)/progressEvery) + 1; seen < 1 || seen > most {
		t.Errorf("%d events of progress in %s", seen, time.Since(begun))
	}
}

func TestWhereItGotStuck(t *testing.T) {
	machine := newSender(512*689+1, wire.DefaultProfile(), true, true)
	tr := &transfer{m: machine, size: 512*689 + 1}
	now := epoch
	machine.step(now, input{kind: begin})
	if got := tr.stuck(now.Add(25 * time.Second)); !strings.HasPrefix(got, "no ACK of the options for 25s (") {
		t.Error(got)
	}
	for b := range uint16(17) {
		machine.step(now, acked(b))
	}
	if got := tr.stuck(now.Add(20 * time.Second)); got != "no ACK of block 17 of 690 for 20s" {
		t.Error(got)
	}
}
