package tftp

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/tftp"
)

// tap is a content that comes when a test lets it.
type tap struct {
	t      testing.TB
	b      []byte
	opened chan struct{}   // closed to let the request be answered; nil: at once
	refuse error           // what Open says
	closed chan struct{}   // closed by Close
	waits  chan int64      // gets what is awaited
	views  func(off int64) // called with each view; may panic

	mu     sync.Mutex // guards the rest
	known  bool       // the size is told
	have   int64
	err    error
	passed int64
	awaits func()
	ends   int
}

func newTap(t testing.TB, b []byte) *tap {
	return &tap{t: t, b: b, closed: make(chan struct{}), waits: make(chan int64, 1000)}
}

func (p *tap) Open(a Ask, opened func(Content, error)) {
	go func() {
		if p.opened != nil {
			<-p.opened
		}
		if p.refuse != nil {
			opened(nil, p.refuse)
			return
		}
		opened(p, nil)
	}()
}

func (p *tap) State() (size, have int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	size = -1
	if p.known || p.have == int64(len(p.b)) {
		size = int64(len(p.b))
	}
	return size, p.have, p.err
}

func (p *tap) View(dst []byte, off int64) []byte {
	if p.views != nil {
		p.views(off)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if off < p.passed || off+int64(len(dst)) > p.have {
		p.t.Errorf("bytes %d to %d are looked at, %d were passed and %d are there", off, off+int64(len(dst)), p.passed, p.have)
	}
	return p.b[off : off+int64(len(dst))]
}

func (p *tap) Await(off int64, f func()) {
	p.mu.Lock()
	if p.awaits != nil {
		p.t.Error("two waits at once")
	}
	now := off <= p.have || p.err != nil || p.have == int64(len(p.b))
	if !now {
		p.awaits = f
	}
	p.mu.Unlock()
	p.waits <- off
	if now {
		f()
	}
}

func (p *tap) Passed(off int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if off < p.passed {
		p.t.Errorf("passed %d after %d", off, p.passed)
	}
	p.passed = off
}

func (p *tap) Origin() string { return "tap" }

func (p *tap) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ends++; p.ends > 1 {
		p.t.Error("closed twice")
		return
	}
	close(p.closed)
}

// pour lets the content be there up to n; with an error no more comes.
func (p *tap) pour(n int64, err error) {
	p.mu.Lock()
	p.have, p.err = n, err
	f := p.awaits
	p.awaits = nil
	p.mu.Unlock()
	if f != nil {
		f()
	}
}

func (p *tap) isClosed() {
	p.t.Helper()
	select {
	case <-p.closed:
	case <-time.After(10 * time.Second):
		p.t.Error("the content was not closed")
	}
}

func pouring(t *testing.T, p *tap) *site {
	t.Helper()
	return start(t, "", func(c *Config) { c.Files, c.Source = nil, p })
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>8) ^ byte(i)*31
	}
	return b
}

// A content that comes in pieces of any length, its size known or not, is sent as if it had been there.
func TestSourceThatComesInPieces(t *testing.T) {
	for _, size := range []int{0, 1, 511, 512, 513, 4096, 5000} {
		for _, window := range []string{"", "1", "4"} {
			for _, known := range []bool{true, false} {
				p := newTap(t, pattern(size))
				p.known = known
				s := pouring(t, p)
				done := make(chan struct{})
				go func() {
					defer close(done)
					for n := int64(0); n < int64(size); {
						<-p.waits
						n = min(n+700, int64(size))
						p.pour(n, nil)
					}
				}()
				got, oack := s.fetch(t, window)
				<-done
				if !bytes.Equal(got, p.b) {
					t.Fatalf("size %d, window %q: another content of %d bytes", size, window, len(got))
				}
				if told, _ := wire.Lookup(oack, "tsize"); window != "" && (told != "") != (known || size == 0) {
					t.Errorf("size %d, known %v: told %q", size, known, told)
				}
				if ev := s.ended(boot.Done); ev.Backend != "tap" || ev.Size != int64(size) || ev.Bytes != int64(size) {
					t.Errorf("told: %+v", ev)
				}
				p.isClosed()
			}
		}
	}
}

// fetch downloads as a client with windows, or one without options.
func (s *site) fetch(t *testing.T, window string) (got []byte, oack []wire.Option) {
	t.Helper()
	c := dial(t, "127.0.0.1:0")
	var opts []wire.Option
	if window != "" {
		opts = []wire.Option{{Name: "tsize", Value: "0"}, {Name: "windowsize", Value: window}}
	}
	c.send(rrq("f", opts...), s.srv.Addr())
	n := 1
	if window == "4" {
		n = 4
	}
	for block, inWindow := uint16(0), 0; ; {
		d := c.recv()
		switch {
		case d.Op == wire.OpOACK:
			oack = d.Options
			c.send(ackOf(0), c.tid)
			continue
		case d.Op != wire.OpDATA:
			t.Fatalf("%+v", d)
		case d.Block != block+1:
			continue
		}
		block++
		got = append(got, d.Data...)
		if inWindow++; inWindow == n || len(d.Data) < 512 {
			inWindow = 0
			c.send(ackOf(block), c.tid)
		}
		if len(d.Data) < 512 {
			return got, oack
		}
	}
}

// A part of a window followed by silence is a loss to a client: a window is sent when it is whole.
func TestSourceSendsNoPartOfAWindow(t *testing.T) {
	p := newTap(t, pattern(4096))
	p.known = true
	s := pouring(t, p)
	c := dial(t, "127.0.0.1:0")
	c.send(rrq("f", wire.Option{Name: "windowsize", Value: "4"}), s.srv.Addr())
	c.recv()
	c.send(ackOf(0), c.tid)
	if off := <-p.waits; off != 4*512 {
		t.Errorf("bytes up to %d are awaited", off)
	}
	p.pour(3*512, nil)
	<-p.waits // a wake-up too early is put right
	c.silent(50 * time.Millisecond)
	p.pour(4*512, nil)
	for want := uint16(1); want <= 4; want++ {
		if d := c.recv(); d.Block != want {
			t.Fatalf("%+v", d)
		}
	}
	c.send(wire.AppendError(nil, 0, "enough"), c.tid)
	s.ended(boot.ClientError)
	p.isClosed()
}

// The wait for the content is none of the client's: it is not timed out, and nothing is sent again.
func TestSourceThatWaits(t *testing.T) {
	p := newTap(t, pattern(1000))
	s := pouring(t, p)
	c := dial(t, "127.0.0.1:0")
	c.send(rrq("f", wire.Option{Name: "timeout", Value: "1"}), s.srv.Addr())
	c.recv()
	c.send(ackOf(0), c.tid)
	<-p.waits
	c.silent(1200 * time.Millisecond) // more than the client's time-out: time is what is tested
	p.pour(1000, nil)
	c.recv()
	c.send(ackOf(1), c.tid)
	c.recv()
	c.send(ackOf(2), c.tid)
	if ev := s.ended(boot.Done); ev.Retransmits != 0 {
		t.Errorf("%d blocks were sent again", ev.Retransmits)
	}
}

// Each way in which a source fails, as the client and the story are told.
func TestSourceFails(t *testing.T) {
	open := &OpenError{Reason: boot.NoBackend, Code: wire.ErrUndefined, Text: "come back later", Detail: "all are silent", Origin: "a, b"}
	for _, c := range []struct {
		name   string
		set    func(p *tap)
		reason boot.Reason
		code   wire.ErrorCode
		text   string
	}{
		{"with a word for the client", func(p *tap) { p.refuse = open }, boot.NoBackend, wire.ErrUndefined, "come back later"},
		{"with any error", func(p *tap) { p.refuse = errors.New("secret path") }, boot.ReadFailed, wire.ErrUndefined, "the file cannot be read"},
		{"after the beginning", func(p *tap) { p.have, p.err, p.known = 600, open, true }, boot.NoBackend, wire.ErrUndefined, "come back later"},
		{"before anything came", func(p *tap) { p.err, p.known = open, true }, boot.NoBackend, wire.ErrUndefined, "come back later"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newTap(t, pattern(5000))
			c.set(p)
			s := pouring(t, p)
			cl := dial(t, "127.0.0.1:0")
			cl.send(rrq("f"), s.srv.Addr())
			d := cl.recv()
			for block := uint16(1); d.Op == wire.OpDATA; block++ { // what is there is sent first
				if d.Block != block {
					t.Fatalf("%+v", d)
				}
				cl.send(ackOf(block), cl.tid)
				d = cl.recv()
			}
			if d.Op != wire.OpERROR || d.Code != c.code || d.Message != c.text {
				t.Errorf("the client is told %+v", d)
			}
			ev := s.ended(c.reason)
			if strings.Contains(c.name, "word") && ev.Backend != "a, b" {
				t.Errorf("told: %+v", ev)
			}
			if p.refuse == nil {
				p.isClosed()
			}
		})
	}
}

// A source that comes to an answer when the client has long gone is closed all the same.
func TestSourceAnswersTooLate(t *testing.T) {
	p := newTap(t, pattern(100))
	p.opened = make(chan struct{})
	s := pouring(t, p)
	c := dial(t, "127.0.0.1:0")
	c.send(rrq("f"), s.srv.Addr())
	_ = c.c.Close()
	close(p.opened)
	p.pour(100, nil)
	s.event(func(ev boot.Event) bool { return ev.Kind == boot.TransferEnd })
	p.isClosed()
}

// A fault of a source costs its transfer, nobody else's.
func TestSourcePanics(t *testing.T) {
	p := newTap(t, pattern(2000))
	p.pour(2000, nil)
	p.views = func(off int64) {
		if off >= 512 {
			panic("a bug")
		}
	}
	s := pouring(t, p)
	c := dial(t, "127.0.0.1:0")
	c.send(rrq("f"), s.srv.Addr())
	c.recv()
	c.send(ackOf(1), c.tid)
	s.event(func(ev boot.Event) bool { return ev.Kind == boot.TransferEnd })
	p.isClosed()
	c.send(wire.AppendRequest(nil, wire.Request{Op: wire.OpWRQ, File: "f", Mode: "octet"}), s.srv.Addr())
	if d := c.recv(); d.Op != wire.OpERROR { // it lives
		t.Errorf("%+v", d)
	}
}

// The node stops while a content is awaited: the transfer ends within the drain time, and is closed.
func TestSourceWhileDraining(t *testing.T) {
	p := newTap(t, pattern(2000))
	s := start(t, "", func(c *Config) { c.Files, c.Source, c.DrainTimeout = nil, p, 50*time.Millisecond })
	c := dial(t, "127.0.0.1:0")
	c.send(rrq("f"), s.srv.Addr())
	<-p.waits
	s.stop()
	p.isClosed()
	if err := <-s.done; err != nil {
		t.Error(err)
	}
	s.done <- nil
	p.pour(2000, nil) // whoever still waits is not there any more
}
