package relay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/files"
	"surefoot/internal/lb"
	"surefoot/internal/probe"
	"surefoot/internal/serve/tftp"
	wire "surefoot/internal/wire/tftp"
)

func content(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)})
	_, _ = r.Read(b)
	return b
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// real runs our own server as a backend.
func real(t testing.TB, contents map[string][]byte, change func(*tftp.Config)) netip.AddrPort {
	t.Helper()
	dir := t.TempDir()
	for name, b := range contents {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := files.Open(dir, files.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := tftp.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Files: root, DrainTimeout: time.Millisecond, Loops: 1}
	if change != nil {
		change(&cfg)
	}
	srv, err := tftp.New(cfg, tftp.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	run(t, srv.Run)
	return srv.Addr()
}

func run(t testing.TB, f func(context.Context, func()) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// scripted is a backend that sends a content by itself: as it should, and then as a test wants.
type scripted struct {
	conn     *net.UDPConn
	content  []byte
	options  bool          // answers tsize, blksize and windowsize; else nothing
	limits   wire.Limits   // of these
	grant    []wire.Option // answers exactly these instead
	refuse   wire.ErrorCode
	text     string
	stopAt   int64         // sends no block from this one on; 0: sends all
	slow     time.Duration // before each answer to a request
	pause    time.Duration // before each window
	stopped  chan struct{} // closed when stopAt is reached
	once     sync.Once
	mu       sync.Mutex
	requests []wire.Request
}

func (s *scripted) start(t testing.TB) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s.conn, s.stopped = conn, make(chan struct{})
	t.Cleanup(func() { _ = conn.Close() })
	go s.serve()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func (s *scripted) asked() []wire.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]wire.Request(nil), s.requests...)
}

// serve answers from its one port, for one client at a time.
func (s *scripted) serve() {
	buf := make([]byte, 2048)
	var p wire.Profile
	var acked int64
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		send := func(b []byte) { _, _ = s.conn.WriteToUDPAddrPort(b, from) }
		switch op, _ := wire.PeekOp(buf[:n]); op {
		case wire.OpRRQ:
			req, _ := wire.ParseRequest(buf[:n])
			s.mu.Lock()
			s.requests = append(s.requests, req)
			s.mu.Unlock()
			time.Sleep(s.slow)
			var oack []wire.Option
			acked, p = 0, wire.DefaultProfile()
			if s.options && len(req.Options) > 0 {
				p, oack = wire.Negotiate(req.Options, s.limits, int64(len(s.content)))
			}
			if s.grant != nil {
				oack = s.grant
			}
			switch {
			case s.refuse != 0 || s.text != "":
				send(wire.AppendError(nil, s.refuse, s.text))
			case len(oack) > 0:
				send(wire.AppendOACK(nil, oack))
			default:
				s.window(send, p, 0)
			}
		case wire.OpACK:
			pk, _ := wire.ParsePacket(buf[:n])
			acked += int64(int16(pk.Block - uint16(acked)))
			time.Sleep(s.pause)
			s.window(send, p, acked)
		}
	}
}

// window sends what follows the block that was acknowledged.
func (s *scripted) window(send func([]byte), p wire.Profile, acked int64) {
	bs := int64(p.BlockSize)
	for i := acked + 1; i <= acked+int64(p.WindowSize); i++ {
		if s.stopAt > 0 && i >= s.stopAt {
			s.once.Do(func() { close(s.stopped) })
			return
		}
		off := (i - 1) * bs
		if off > int64(len(s.content)) {
			return
		}
		send(wire.AppendData(nil, uint16(i), s.content[off:min(off+bs, int64(len(s.content)))]))
	}
}

// site is a relay that runs before backends, and what it told.
type site struct {
	t testing.TB
	r *Relay

	mu     sync.Mutex // guards events and down
	down   string     // the backend that is
	events []boot.Event
	news   chan struct{} // gets a value, if it is empty, with each event
}

func start(t testing.TB, change func(*Config), backends ...netip.AddrPort) *site {
	t.Helper()
	return startAt(t, usualPace(), change, backends...)
}

func startAt(t testing.TB, p pace, change func(*Config), backends ...netip.AddrPort) *site {
	t.Helper()
	s := &site{t: t, news: make(chan struct{}, 1)}
	cfg := Config{Node: "n1", Cache: DefaultCache, DrainTimeout: 10 * time.Millisecond, Service: lb.Service{
		Name: "boot", Mode: lb.Relay, Listen: netip.MustParseAddrPort("127.0.0.1:0"),
	}}
	for i, at := range backends {
		cfg.Service.Backends = append(cfg.Service.Backends, lb.Backend{Name: fmt.Sprintf("b%d", i+1), TFTP: at, Weight: 1})
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if s.r, err = New(cfg, Deps{Emit: s.emit, Down: s.isDown}); err != nil {
		t.Fatal(err)
	}
	s.r.pace = p
	if err := s.r.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	run(t, s.r.Run)
	return s
}

// hasty gives a backend as much time to answer first as usual, so that a busy machine is no dead backend, but
// gives up sooner on those that never will.
func hasty() pace {
	p := usualPace()
	p.patience[1], p.patience[2] = p.patience[0], p.patience[0]
	p.sorryAfter, p.roundTime = 2*time.Second, 50*time.Millisecond
	return p
}

// patient waits so long that no busy machine makes a backend look dead.
func patient() pace {
	p := usualPace()
	p.patience = [...]time.Duration{time.Second, 5 * time.Second, 20 * time.Second}
	p.slowest, p.sorryAfter = 5*time.Second, time.Minute
	return p
}

// TestMain lets more tests wait at the same time than there are cores: they wait for silence.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func (s *site) isDown(server, _ string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return server == s.down
}

func (s *site) emit(ev boot.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, ev)
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// ends waits for so many transfers to end, and returns how.
func (s *site) ends(n int) []boot.Event {
	s.t.Helper()
	late := time.After(time.Minute)
	for {
		s.mu.Lock()
		var out []boot.Event
		for _, ev := range s.events {
			if ev.Kind == boot.TransferEnd && ev.Reason != boot.TsizeProbe {
				out = append(out, ev)
			}
		}
		s.mu.Unlock()
		if len(out) >= n {
			return out
		}
		select {
		case <-s.news:
		case <-late:
			s.t.Fatalf("%d transfers ended of %d", len(out), n)
		}
	}
}

func (s *site) get(file string, as probe.Style) probe.Result {
	at := s.r.Addr()
	return probe.TFTP(s.t.Context(), probe.Target{Scheme: "tftp", Host: at.Addr().String(), Port: at.Port(), File: file},
		probe.Options{As: as, Timeout: time.Minute})
}

// want downloads and compares.
func (s *site) want(file string, as probe.Style, b []byte) {
	s.t.Helper()
	res := s.get(file, as)
	if res.Fault != nil {
		s.t.Fatalf("%s as %s: %s", file, as, res.Fault.Text)
	}
	if res.SHA256 != hashOf(b) {
		s.t.Fatalf("%s as %s: another content of %d bytes, want %d", file, as, res.Size, len(b))
	}
}

// wantFault downloads in vain.
func (s *site) wantFault(file string) string {
	s.t.Helper()
	res := s.get(file, probe.IPXE)
	if res.Fault == nil {
		s.t.Fatalf("%s was delivered", file)
	}
	return res.Fault.Text
}

func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}
