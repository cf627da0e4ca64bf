package tftp

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	"surefoot/internal/files"
	wire "surefoot/internal/wire/tftp"
)

// site is a server that runs over a temporary root, and what it told.
type site struct {
	t    testing.TB
	root string
	srv  *Server
	stop context.CancelFunc
	done chan error

	mu     sync.Mutex // guards events and fault
	events []boot.Event
	fault  func(boot.Event) // called with each event, if there is one
	news   chan struct{}    // gets a value, if it is empty, with each event
}

// start runs a server at listen ("" for 127.0.0.1:0).
func start(t testing.TB, listen string, change func(*Config)) *site {
	t.Helper()
	s := &site{t: t, root: t.TempDir(), news: make(chan struct{}, 1), done: make(chan error, 1)}
	root, err := files.Open(s.root, files.Options{Fold: true})
	if err != nil {
		t.Fatal(err)
	}
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	cfg := Config{Node: "n1", Listen: netip.MustParseAddrPort(listen), Files: root}
	if change != nil {
		change(&cfg)
	}
	if s.srv, err = New(cfg, Deps{Emit: s.emit}); err != nil {
		t.Fatal(err)
	}
	if err := s.srv.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() { s.done <- s.srv.Run(ctx, nil) }()
	t.Cleanup(func() {
		cancel()
		s.srv.running.interruptAll(draining)
		if err := <-s.done; err != nil {
			t.Errorf("Run: %v", err)
		}
		_ = root.Close()
	})
	return s
}

func (s *site) emit(ev boot.Event) {
	s.mu.Lock()
	s.events = append(s.events, ev)
	fault := s.fault
	s.mu.Unlock()
	if fault != nil {
		fault(ev)
	}
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// event waits for the first event that fits.
func (s *site) event(fits func(boot.Event) bool) boot.Event {
	s.t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		s.mu.Lock()
		for _, ev := range s.events {
			if fits(ev) {
				s.mu.Unlock()
				return ev
			}
		}
		s.mu.Unlock()
		select {
		case <-s.news:
		case <-timeout:
			s.t.Fatalf("no such event; there were:\n%s", s.story())
		}
	}
}

func (s *site) ended(why boot.Reason) boot.Event {
	s.t.Helper()
	return s.event(func(ev boot.Event) bool { return ev.Kind == boot.TransferEnd && ev.Reason == why })
}

func (s *site) ignored(why boot.Reason) boot.Event {
	s.t.Helper()
	return s.event(func(ev boot.Event) bool { return ev.Kind == boot.Ignored && ev.Reason == why })
}

func (s *site) story() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, ev := range s.events {
		fmt.Fprintf(&b, "%s %s %d %s %q %q %s\n", ev.Kind, ev.Peer, ev.Transfer, ev.Reason, ev.File, ev.Options, ev.Detail)
	}
	return b.String()
}

func (s *site) write(name string, content []byte) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.root, name), content, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// peer is a client's socket.
type peer struct {
	t   testing.TB
	c   *net.UDPConn
	tid netip.AddrPort // where the last packet came from
}

func dial(t testing.TB, local string) *peer {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(local)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &peer{t: t, c: c}
}

func (p *peer) send(b []byte, to netip.AddrPort) {
	p.t.Helper()
	if _, err := p.c.WriteToUDPAddrPort(b, to); err != nil {
		p.t.Fatal(err)
	}
}

// recv waits for a packet.
func (p *peer) recv() wire.Packet {
	p.t.Helper()
	buf := make([]byte, 70000)
	_ = p.c.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, from, err := p.c.ReadFromUDPAddrPort(buf)
	if err != nil {
		p.t.Fatalf("no packet: %v", err)
	}
	p.tid = unmap(from)
	pk, err := wire.ParsePacket(buf[:n])
	if err != nil {
		p.t.Fatalf("%x: %v", buf[:n], err)
	}
	return pk
}

// silent checks that nothing comes for d.
func (p *peer) silent(d time.Duration) {
	p.t.Helper()
	buf := make([]byte, 2000)
	_ = p.c.SetReadDeadline(time.Now().Add(d))
	if n, from, err := p.c.ReadFromUDPAddrPort(buf); err == nil {
		p.t.Fatalf("%x from %s where silence belongs", buf[:n], from)
	}
}

func rrq(file string, opts ...wire.Option) []byte {
	return wire.AppendRequest(nil, wire.Request{Op: wire.OpRRQ, File: file, Mode: "octet", Options: opts})
}

func ackOf(block uint16) []byte { return wire.AppendACK(nil, block) }

func TestDownloadEvents(t *testing.T) {
	s := start(t, "", nil)
	content := bytes.Repeat([]byte("0123456789"), 200)
	s.write("Boot.BIN", content)
	p := dial(t, "127.0.0.1:0")
	p.send(rrq(`\boot.bin`, wire.Option{Name: "TSize", Value: "0"}, wire.Option{Name: "blksize", Value: "1000"}), s.srv.Addr())
	if got := p.recv(); got.Op != wire.OpOACK || wire.FormatOptions(got.Options) != "TSize=2000 blksize=1000" {
		t.Fatalf("%+v", got)
	}
	if p.tid == s.srv.Addr() || p.tid.Addr() != s.srv.Addr().Addr() {
		t.Errorf("answered from %s, not from a port of its own", p.tid)
	}
	var got []byte
	p.send(ackOf(0), p.tid)
	for b := uint16(1); ; b++ {
		d := p.recv()
		if d.Op != wire.OpDATA || d.Block != b {
			t.Fatalf("%+v", d)
		}
		got = append(got, d.Data...)
		p.send(ackOf(b), p.tid)
		if len(d.Data) < 1000 {
			break
		}
	}
	if !bytes.Equal(got, content) {
		t.Error("other content")
	}
	end := s.ended(boot.Done)
	if end.File != "Boot.BIN" || end.Bytes != 2000 || end.Size != 2000 || end.Blocks != 3 || end.Transfer != 1 ||
		end.Retransmits != 0 || end.FirstBlock <= 0 || end.Dur < end.FirstBlock || end.Node != "n1" || end.Role != "tftp" {
		t.Errorf("%+v", end)
	}
	asked := s.event(func(ev boot.Event) bool { return ev.Kind == boot.ReadRequest })
	if asked.File != `\boot.bin` || asked.Options != "TSize=0 blksize=1000" || asked.Local != s.srv.Addr().String() ||
		asked.Peer != p.c.LocalAddr().String() || asked.IP.String() != "127.0.0.1" || asked.Transfer != 1 {
		t.Errorf("%+v", asked)
	}
	if oack := s.event(func(ev boot.Event) bool { return ev.Kind == boot.OptionsSent }); oack.Options != "TSize=2000 blksize=1000" {
		t.Errorf("%+v", oack)
	}
}

// As captured from OVMF: a request with tsize, ERROR 8, and the request again from the next port.
func TestEDK2(t *testing.T) {
	s := start(t, "", nil)
	s.write("nbp.efi", make([]byte, 3904))
	opts := []wire.Option{{Name: "tsize", Value: "0"}, {Name: "blksize", Value: "1468"}, {Name: "windowsize", Value: "4"}}
	first := dial(t, "127.0.0.1:0")
	first.send(rrq("nbp.efi", opts...), s.srv.Addr())
	if got := first.recv(); wire.FormatOptions(got.Options) != "tsize=3904 blksize=1468 windowsize=4" {
		t.Fatalf("%+v", got)
	}
	first.send(wire.AppendError(nil, wire.ErrNegotiation, "User aborted the transfer"), first.tid)
	if end := s.ended(boot.TsizeProbe); !end.Reason.Good() || end.Size != 3904 {
		t.Errorf("%+v", end)
	}
	second := dial(t, "127.0.0.1:0")
	second.send(rrq("nbp.efi", opts[1:]...), s.srv.Addr())
	second.recv()
	second.send(ackOf(0), second.tid)
	for b := uint16(1); b <= 3; b++ {
		if d := second.recv(); d.Block != b {
			t.Fatalf("%+v", d)
		}
	}
	second.send(ackOf(3), second.tid)
	if end := s.ended(boot.Done); end.Transfer != 2 || end.Bytes != 3904 {
		t.Errorf("%+v", end)
	}
}

// A service address on the loopback interface: the answer comes from the address that was asked,
// since EDK2 and PXELINUX take none from another (F8).
func TestAnswersFromTheAddressAsked(t *testing.T) {
	for _, c := range []struct{ listen, ask, from string }{
		{"0.0.0.0:0", "127.0.0.2", "127.0.0.1:0"},
		{"0.0.0.0:0", "127.0.0.1", "127.0.0.1:0"},
		{"[::]:0", "::1", "[::1]:0"},
	} {
		t.Run(c.ask, func(t *testing.T) {
			s := start(t, c.listen, nil)
			s.write("f", []byte("x"))
			ask := netip.AddrPortFrom(netip.MustParseAddr(c.ask), s.srv.Addr().Port())
			p := dial(t, c.from)
			p.send(rrq("f"), ask)
			if d := p.recv(); string(d.Data) != "x" || p.tid.Addr() != ask.Addr() {
				t.Errorf("%+v from %s", d, p.tid)
			}
			p.send(ackOf(1), p.tid)
			s.ended(boot.Done)
			p.send(rrq("missing"), ask)
			if e := p.recv(); e.Code != wire.ErrNotFound || p.tid != ask {
				t.Errorf("%+v from %s", e, p.tid)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	s := start(t, "", nil)
	s.write("ARDBP32.BIN", []byte("x"))
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		os.Symlink(outside, filepath.Join(s.root, "link")),
		unix.Mkfifo(filepath.Join(s.root, "pipe"), 0o644),
		os.Mkdir(filepath.Join(s.root, "dir"), 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	with := func(op wire.Op, file, mode string) []byte {
		return wire.AppendRequest(nil, wire.Request{Op: op, File: file, Mode: mode})
	}
	for _, c := range []struct {
		name   string
		packet []byte
		code   wire.ErrorCode
		text   string
		why    boot.Reason
		detail string
	}{
		{"missing", rrq("ARDBP33.BIN"), wire.ErrNotFound, "no such file: ARDBP33.BIN", boot.FileMissing, "ARDBP32.BIN"},
		{"name with control characters", rrq("a\x1b[2J"), wire.ErrNotFound, "no such file: a?[2J", boot.FileMissing, ""},
		{"upload", with(wire.OpWRQ, "x", "octet"), wire.ErrAccess, "uploads are off", boot.WriteRefused, ""},
		{"mode", with(wire.OpRRQ, "ARDBP32.BIN", "mail"), wire.ErrIllegal, "octet or netascii", boot.BadMode, "mail"},
		{"link out of the root", rrq("link"), wire.ErrAccess, "access denied", boot.AccessDenied, "link"},
		{"up", rrq("../secret"), wire.ErrAccess, "access denied", boot.AccessDenied, ""},
		{"pipe", rrq("pipe"), wire.ErrAccess, "not a regular file", boot.NotAFile, ""},
		{"directory", rrq("dir"), wire.ErrAccess, "not a regular file", boot.NotAFile, ""},
		{"no name", rrq(""), wire.ErrAccess, "not a regular file", boot.NotAFile, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := dial(t, "127.0.0.1:0")
			p.send(c.packet, s.srv.Addr())
			got := p.recv()
			if got.Op != wire.OpERROR || got.Code != c.code || !strings.Contains(got.Message, c.text) {
				t.Fatalf("%+v", got)
			}
			ev := s.event(func(ev boot.Event) bool { return ev.Kind == boot.TransferEnd && ev.Peer == p.c.LocalAddr().String() })
			if ev.Reason != c.why || !strings.Contains(ev.Detail, c.detail) || ev.Transfer == 0 {
				t.Errorf("%+v", ev)
			}
		})
	}
	p := dial(t, "127.0.0.1:0") // the pipe hangs nobody
	p.send(rrq("ardbp32.bin"), s.srv.Addr())
	if d := p.recv(); string(d.Data) != "x" {
		t.Errorf("%+v", d)
	}
}

// What is no request gets no answer, whatever it is (VU#417980).
func TestSilence(t *testing.T) {
	s := start(t, "", nil)
	s.write("f", []byte("x"))
	p := dial(t, "127.0.0.1:0")
	for _, c := range []struct {
		packet []byte
		why    boot.Reason
	}{
		{nil, boot.Malformed},
		{[]byte{0}, boot.Malformed},
		{[]byte{0, 1}, boot.BadRequest},
		{[]byte("\x00\x01f"), boot.BadRequest},
		{[]byte("\x00\x01f\x00octet"), boot.BadRequest},
		{wire.AppendError(nil, wire.ErrUndefined, "x"), boot.UnexpectedOpcode},
		{wire.AppendACK(nil, 1), boot.UnexpectedOpcode},
		{wire.AppendData(nil, 1, []byte("x")), boot.UnexpectedOpcode},
		{wire.AppendOACK(nil, nil), boot.UnexpectedOpcode},
		{[]byte("\x01\x01f\x00octet\x00"), boot.UnexpectedOpcode},
		{rrq(strings.Repeat("x", 5000)), boot.BadRequest},
	} {
		s.mu.Lock()
		s.events = nil
		s.mu.Unlock()
		p.send(c.packet, s.srv.Addr())
		s.ignored(c.why)
	}
	p.silent(100 * time.Millisecond)
}

func TestForeignerIsToldAndTheTransferGoesOn(t *testing.T) {
	s := start(t, "", nil)
	s.write("f", make([]byte, 600))
	p, foreigner := dial(t, "127.0.0.1:0"), dial(t, "127.0.0.3:0")
	p.send(rrq("f"), s.srv.Addr())
	p.recv()
	foreigner.send(ackOf(1), p.tid)
	if e := foreigner.recv(); e.Op != wire.OpERROR || e.Code != wire.ErrUnknownTID {
		t.Fatalf("%+v", e)
	}
	if ev := s.ignored(boot.UnknownTID); ev.IP.String() != "127.0.0.3" {
		t.Errorf("%+v", ev)
	}
	foreigner.send(wire.AppendError(nil, 5, "no"), p.tid)
	foreigner.silent(50 * time.Millisecond)
	_ = foreigner.c.Close() // an ICMP about the foreigner's port is not about the client
	for range 3 {
		f := dial(t, "127.0.0.3:0")
		f.send(ackOf(1), p.tid)
		_ = f.c.Close()
	}
	p.send(ackOf(1), p.tid)
	for {
		d := p.recv()
		if d.Block == 2 {
			break
		}
	}
	p.send(ackOf(2), p.tid)
	s.ended(boot.Done)
}

func TestClosedPort(t *testing.T) {
	s := start(t, "", nil)
	s.write("f", make([]byte, 6000))
	p := dial(t, "127.0.0.1:0")
	p.send(rrq("f"), s.srv.Addr())
	p.recv()
	p.send(ackOf(1), p.tid)
	p.recv()
	_ = p.c.Close()
	ev := s.ended(boot.ClientGone)
	if !strings.Contains(ev.Detail, "1 of 12 blocks") || ev.Dur > 5*time.Second {
		t.Errorf("%+v", ev)
	}
}

func TestRepeatedRequests(t *testing.T) {
	s := start(t, "", nil)
	s.write("one", make([]byte, 600))
	s.write("two", []byte("2"))
	p := dial(t, "127.0.0.1:0")
	p.send(rrq("one"), s.srv.Addr())
	p.recv()
	one := p.tid
	p.send(rrq("one"), s.srv.Addr())
	if ev := s.ignored(boot.DuplicateRequest); ev.File != "one" {
		t.Errorf("%+v", ev)
	}
	p.send(rrq("two"), s.srv.Addr()) // lpxelinux: the next file from the same port
	for d := p.recv(); string(d.Data) != "2"; d = p.recv() {
	}
	if p.tid == one {
		t.Error("the second transfer has the port of the first")
	}
	if ev := s.ended(boot.ClientGone); ev.File != "one" || !strings.Contains(ev.Detail, "another request") {
		t.Errorf("%+v", ev)
	}
	p.send(ackOf(1), p.tid)
	if ev := s.ended(boot.Done); ev.File != "two" {
		t.Errorf("%+v", ev)
	}
}

// The last ACK of one file and the request of the next, in one breath from one port: the first
// file was delivered.
func TestNextFileRightAfterTheLastACK(t *testing.T) {
	s := start(t, "", nil)
	for i := range 50 {
		s.write(fmt.Sprint(i), []byte{byte(i)})
	}
	p := dial(t, "127.0.0.1:0")
	for i := range 50 {
		p.send(rrq(fmt.Sprint(i)), s.srv.Addr())
		if d := p.recv(); len(d.Data) != 1 || d.Data[0] != byte(i) {
			t.Fatalf("%d: %+v", i, d)
		}
		p.send(ackOf(1), p.tid)
	}
	for i := range 50 {
		ev := s.event(func(ev boot.Event) bool { return ev.Kind == boot.TransferEnd && ev.File == fmt.Sprint(i) })
		if ev.Reason != boot.Done {
			t.Fatalf("%+v", ev)
		}
	}
}

// The same file again and again from the same port, as a program does that measures: a request
// right behind the last ACK is no copy.
func TestSameFileAgain(t *testing.T) {
	s := start(t, "", nil)
	s.write("f", []byte("x"))
	p := dial(t, "127.0.0.1:0")
	for range 200 {
		begun := time.Now()
		p.send(rrq("f"), s.srv.Addr())
		if d := p.recv(); d.Op != wire.OpDATA {
			t.Fatalf("%+v", d)
		}
		if took := time.Since(begun); took > time.Second {
			t.Fatalf("answered after %s", took)
		}
		p.send(ackOf(1), p.tid)
	}
}

// A ROM that was reset comes back from the same port with the same request.
func TestResetClient(t *testing.T) {
	now := time.Now()
	r := registry{limits: Limits{Transfers: 10}.withDefaults(), clock: time.Now}
	old := &transfer{request: "same"}
	old.moved.Store(now.UnixNano())
	r.admit(old, now)
	if why, _ := r.admit(&transfer{request: "same"}, now.Add(staleAfter/2)); why != boot.DuplicateRequest {
		t.Errorf("a copy: %s", why)
	}
	if why, _ := r.admit(&transfer{request: "same"}, now.Add(staleAfter)); why != boot.Answered || old.stopped.Load() != int32(replaced) {
		t.Errorf("after a reset: %s", why)
	}
	r.remove(old)
	if r.count() != 1 {
		t.Error("the old transfer's end removed the new one")
	}
}

func TestTooManyTransfers(t *testing.T) {
	s := start(t, "", func(c *Config) { c.Limits = Limits{Transfers: 2, Queue: -1} })
	s.write("f", make([]byte, 600))
	var ps [3]*peer
	for i := range ps {
		ps[i] = dial(t, "127.0.0.1:0")
		ps[i].send(rrq("f"), s.srv.Addr())
		got := ps[i].recv()
		if i < 2 && got.Op != wire.OpDATA || i == 2 && (got.Op != wire.OpERROR || !strings.Contains(got.Message, "busy")) {
			t.Fatalf("client %d: %+v", i, got)
		}
	}
	s.ended(boot.TooManyTransfers)
	ps[0].send(ackOf(1), ps[0].tid)
	ps[0].recv()
	ps[0].send(ackOf(2), ps[0].tid)
	s.ended(boot.Done)
	for s.srv.running.count() > 1 { // the end is told just before the place is free
		time.Sleep(time.Millisecond)
	}
	ps[2].send(rrq("f"), s.srv.Addr())
	if got := ps[2].recv(); got.Op != wire.OpDATA {
		t.Errorf("%+v", got)
	}
}

func TestFileBecomesShorter(t *testing.T) {
	s := start(t, "", nil)
	s.write("f", make([]byte, 6000))
	p := dial(t, "127.0.0.1:0")
	p.send(rrq("f"), s.srv.Addr())
	p.recv()
	if err := os.Truncate(filepath.Join(s.root, "f"), 700); err != nil {
		t.Fatal(err)
	}
	p.send(ackOf(1), p.tid)
	if e := p.recv(); e.Op != wire.OpERROR || e.Code != wire.ErrUndefined {
		t.Errorf("%+v", e)
	}
	if ev := s.ended(boot.ReadFailed); !strings.Contains(ev.Detail, "became shorter") || !strings.Contains(ev.Detail, "block 2 of 12") {
		t.Errorf("%+v", ev)
	}
}

func TestApply(t *testing.T) {
	s := start(t, "", nil)
	other, err := files.Open("", files.Options{Builtin: map[string][]byte{"new": []byte("n")}})
	if err != nil {
		t.Fatal(err)
	}
	s.srv.Apply(other, nil)
	p := dial(t, "127.0.0.1:0")
	p.send(rrq("new"), s.srv.Addr())
	if d := p.recv(); string(d.Data) != "n" {
		t.Errorf("%+v", d)
	}
}
