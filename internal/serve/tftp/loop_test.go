package tftp

import (
	"errors"
	"io"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	"surefoot/internal/files"
	wire "surefoot/internal/wire/tftp"
)

// byHand makes a loop that turns when the test says so.
func byHand(t *testing.T, emit boot.Emit) *loop {
	t.Helper()
	root, err := files.Open("", files.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Files: root, Loops: 1}, Deps{Emit: emit})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := newLoop(s, s.socks[0])
	if err != nil {
		t.Fatal(err)
	}
	s.loops, s.open = []*loop{l}, startOpener(10)
	t.Cleanup(func() {
		s.open.stop()
		l.close()
		_ = s.Close()
	})
	return l
}

// add makes a transfer of content to p, by the given profile, and lets it begin.
func (l *loop) add(t *testing.T, p *peer, content []byte, profile wire.Profile, change func(*transfer)) *transfer {
	t.Helper()
	local := netip.MustParseAddr("127.0.0.1")
	x := newTransfer(l, ends{unmap(netip.MustParseAddrPort(p.c.LocalAddr().String())), local}, time.Now())
	var err error
	if x.fd, err = openTransfer(local, &l.s.ports); err != nil {
		t.Fatal(err)
	}
	x.data, x.size = content, int64(len(content))
	x.m = newSender(x.size, profile, false, false)
	if change != nil {
		change(x)
	}
	if why, _ := l.s.running.admit(x, x.began); why != boot.Answered {
		t.Fatal(why)
	}
	l.live++
	l.opening++
	l.post(note{t: x, kind: opened})
	return x
}

// until turns the loop until something has happened.
func (l *loop) until(t *testing.T, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !happened(); {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen")
		}
		l.post(note{kind: interrupted, t: &transfer{slot: -1}}) // so that it never sleeps
		if err := l.once(); err != nil {
			t.Fatal(err)
		}
	}
}

// hung stands for a file on a network file system that does not answer: a read waits for a permit.
type hung struct {
	io.ReaderAt
	permit chan struct{}
}

func (h hung) ReadAt(b []byte, off int64) (int, error) {
	<-h.permit
	return h.ReaderAt.ReadAt(b, off)
}

// letters are content whose blocks can be told apart.
type letters struct{}

func (letters) ReadAt(b []byte, off int64) (int, error) {
	for i := range b {
		b[i] = byte('a' + (off+int64(i))/512%26)
	}
	return len(b), nil
}

// What is not in memory is read by a worker; the other transfers go on meanwhile.
func TestSlowDiskKeepsNobodyElseWaiting(t *testing.T) {
	l := byHand(t, nil)
	permit := make(chan struct{})
	slow, quick := dial(t, "127.0.0.1:0"), dial(t, "127.0.0.1:0")
	x := l.add(t, slow, nil, wire.DefaultProfile(), func(x *transfer) {
		x.size = 512 * 1000 // more than one chunk
		x.m = newSender(x.size, wire.DefaultProfile(), false, false)
		x.disk = &disk{f: &files.File{ReaderAt: hung{letters{}, permit}}, fd: -1}
	})
	l.until(t, func() bool { return x.slot >= 0 })
	if !x.disk.busy {
		t.Fatal("the loop has read by itself")
	}
	y := l.add(t, quick, make([]byte, 600), wire.DefaultProfile(), nil)
	l.until(t, func() bool { return y.m != nil && y.m.sent == 1 })
	if d := quick.recv(); d.Block != 1 {
		t.Fatalf("%+v", d)
	}
	quick.send(ackOf(1), quick.tid)
	l.until(t, func() bool { return y.m.acked == 1 })
	quick.recv()
	quick.send(ackOf(2), quick.tid)
	l.until(t, func() bool { return y.over })
	close(permit)
	l.until(t, func() bool { return !x.disk.busy })
	for b := uint16(1); b <= 1000; b++ {
		d := slow.recv()
		for ; d.Block < b; d = slow.recv() { // while it waited, the timer came by
		}
		if d.Block != b || len(d.Data) != 512 || d.Data[0] != byte('a'+(int(b)-1)%26) || d.Data[511] != d.Data[0] {
			t.Fatalf("block %d: %d, %.3q", b, d.Block, d.Data)
		}
		slow.send(ackOf(b), slow.tid)
		l.until(t, func() bool { return x.m.acked == int64(b) && !x.disk.busy })
	}
	slow.recv()
	slow.send(ackOf(1001), slow.tid)
	l.until(t, func() bool { return x.over })
	if l.live != 0 || l.s.running.count() != 0 || len(l.alarms) > 0 {
		t.Errorf("%d live, %d registered, %d alarms", l.live, l.s.running.count(), len(l.alarms))
	}
}

// A transfer that ends while a worker reads for it leaves the file to that worker.
func TestEndWhileReading(t *testing.T) {
	l := byHand(t, nil)
	permit := make(chan struct{})
	p := dial(t, "127.0.0.1:0")
	x := l.add(t, p, nil, wire.DefaultProfile(), func(x *transfer) {
		x.size = 600
		x.m = newSender(x.size, wire.DefaultProfile(), false, false)
		x.disk = &disk{f: &files.File{ReaderAt: hung{letters{}, permit}}, fd: -1}
	})
	l.until(t, func() bool { return x.slot >= 0 })
	x.interrupt(displaced)
	l.until(t, func() bool { return x.over })
	close(permit)
	l.until(t, func() bool { return !x.disk.busy })
}

// A window that the socket has no room for goes on when there is room, without the timer.
func TestFullSocket(t *testing.T) {
	l := byHand(t, nil)
	p := dial(t, "127.0.0.1:0")
	x := l.add(t, p, make([]byte, 5000), wire.Profile{BlockSize: 512, WindowSize: 8}, nil)
	l.until(t, func() bool { return x.slot >= 0 })
	for range 8 {
		p.recv()
	}
	if got := l.judgeSend(x, errAgain, 100, true); got != full {
		t.Fatalf("%d", got)
	}
	x.want(output{from: 1, to: 3})
	l.awaitRoom(x, true)
	l.until(t, func() bool { return !x.writable })
	for b := uint16(1); b <= 3; b++ {
		if d := p.recv(); d.Block != b {
			t.Errorf("%+v", d)
		}
	}
}

// Where a device cannot cut a window into packets, each one is sent by itself.
func TestWindowsWithoutSegments(t *testing.T) {
	var ends []boot.Event
	l := byHand(t, func(ev boot.Event) {
		if ev.Kind == boot.TransferEnd {
			ends = append(ends, ev)
		}
	})
	p := dial(t, "127.0.0.1:0")
	x := l.add(t, p, make([]byte, 5000), wire.Profile{BlockSize: 512, WindowSize: 8}, nil)
	l.until(t, func() bool { return x.slot >= 0 })
	if n := l.atOnce(x); n != 64 {
		t.Errorf("%d blocks at once", n)
	}
	for _, err := range []error{unix.EIO, unix.EINVAL, unix.EMSGSIZE} {
		x.plain = false
		if got := l.judgeSend(x, err, 4000, true); got != again || !x.plain {
			t.Errorf("%v: result %d, plain %t", err, got, x.plain)
		}
	}
	for range 8 {
		p.recv()
	}
	p.send(ackOf(8), p.tid)
	l.until(t, func() bool { return x.m.acked == 8 })
	for b := uint16(9); b <= 10; b++ {
		if d := p.recv(); d.Block != b {
			t.Errorf("%+v", d)
		}
	}
	if got := l.judgeSend(x, unix.ENOBUFS, 100, false); got != gone || !errors.Is(x.sendErr, unix.ENOBUFS) {
		t.Errorf("a lost packet: result %d", got)
	}
	if got := l.judgeSend(x, unix.EMSGSIZE, 100, false); got != ended || len(ends) != 1 || ends[0].Reason != boot.SendFailed {
		t.Errorf("a packet that never fits: result %d, %+v", got, ends)
	}
}

// What is wanted replaces what was not sent yet, unless it goes on from there.
func TestWant(t *testing.T) {
	for _, c := range []struct {
		name           string
		had, add, want output
	}{
		{"nothing", output{from: 3, to: 4}, output{to: -1}, output{from: 3, to: 4}},
		{"the next", output{from: 3, to: 4}, output{from: 5, to: 6}, output{from: 3, to: 6}},
		{"the same again", output{from: 3, to: 4}, output{from: 2, to: 5}, output{from: 2, to: 5}},
		{"after all was sent", output{from: 5, to: 4}, output{from: 5, to: 8}, output{from: 5, to: 8}},
		{"the options", output{from: 3, to: 4}, output{oack: true, to: -1}, output{oack: true, to: -1}},
		{"instead of the options", output{oack: true, to: -1}, output{from: 1, to: 2}, output{from: 1, to: 2}},
	} {
		x := &transfer{todo: c.had}
		if x.want(c.add); x.todo != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, x.todo, c.want)
		}
	}
}

// A note that comes while the loop goes to sleep wakes it.
func TestMailWakes(t *testing.T) {
	l := byHand(t, nil)
	got := make(chan struct{}, 1)
	go func() {
		for !l.closing {
			_ = l.once()
			got <- struct{}{}
		}
		close(got)
	}()
	for range 2000 {
		l.post(note{kind: interrupted, t: &transfer{slot: -1}})
		<-got
		for len(got) > 0 {
			<-got
		}
	}
	go l.post(note{kind: closeDoor})
	for range got {
	}
	l.close()
	l.post(note{kind: closeDoor}) // after the end: no descriptor of somebody else is written to
}

// A client that acknowledges the last block and closes its port at once has got all, though a
// repetition that was under way meets the closed port before its ACK is read.
func TestLastACKBeforeTheClosedPort(t *testing.T) {
	for _, acked := range []bool{true, false} {
		var ends []boot.Event
		l := byHand(t, func(ev boot.Event) {
			if ev.Kind == boot.TransferEnd {
				ends = append(ends, ev)
			}
		})
		p := dial(t, "127.0.0.1:0")
		x := l.add(t, p, make([]byte, 100), wire.DefaultProfile(), nil)
		l.until(t, func() bool { return x.begun })
		p.recv()
		if acked {
			p.send(ackOf(1), p.tid)
		}
		_ = p.c.Close()
		x.want(output{from: 1, to: 1})
		l.flush(x)
		want := boot.ClientGone
		if acked {
			want = boot.Done
		}
		l.until(t, func() bool { return x.over })
		if len(ends) != 1 || ends[0].Reason != want {
			t.Errorf("acknowledged %t: %+v", acked, ends)
		}
	}
}
