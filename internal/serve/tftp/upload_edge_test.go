package tftp

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	"surefoot/internal/files"
	"surefoot/internal/inbox"
	wire "surefoot/internal/wire/tftp"
)

// upload begins one and returns the client after the answer to its request.
func (s *site) upload(name string, opts ...wire.Option) *peer {
	s.t.Helper()
	p := dial(s.t, "127.0.0.1:0")
	p.send(wrq(name, "octet", opts...), s.srv.Addr())
	if a := p.recv(); a.Op != wire.OpACK && a.Op != wire.OpOACK {
		s.t.Fatalf("%s: %s %s %s", name, a.Op, a.Code, a.Message)
	}
	return p
}

// RFC 1350 section 6: the last ACK is said again to a client that did not get it, by then without a
// goroutine and without one of the places for uploads; the story has ended, and is told once.
func TestUploadDallies(t *testing.T) {
	s, in := taking(t, inbox.Folder{}, nil)
	p := s.upload("in/a")
	p.put([]byte("all"), 512)
	s.ended(boot.Received)
	time.Sleep(copied) // what comes sooner is a copy that the network made
	for range 2 {
		p.send(wire.AppendData(nil, 1, []byte("all")), p.tid)
		if a := p.recv(); a.Op != wire.OpACK || a.Block != 1 {
			t.Fatalf("%+v", a)
		}
		time.Sleep(copied)
	}
	s.vacant()
	stranger := dial(t, "127.0.0.1:0")
	stranger.send(wire.AppendData(nil, 1, []byte("all")), p.tid)
	if e := stranger.recv(); e.Op != wire.OpERROR || e.Code != wire.ErrUnknownTID {
		t.Errorf("%+v", e)
	}
	tid := p.tid
	s.stop()
	s.srv.running.interruptAll(draining)
	if err := <-s.done; err != nil {
		t.Error(err)
	}
	s.done <- nil
	p.send(wire.AppendData(nil, 1, []byte("all")), tid)
	p.silent(100 * time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	ends := 0
	for _, ev := range s.events {
		if ev.Kind == boot.TransferEnd {
			ends++
		}
	}
	if got, _ := os.ReadFile(filepath.Join(in, "a")); ends != 1 || string(got) != "all" {
		t.Errorf("%d ends, %q", ends, got)
	}
}

// The client of an upload that is kept may begin the next one from the same port at once (lpxelinux
// and switches use one for all).
func TestUploadsFromOnePort(t *testing.T) {
	s, in := taking(t, inbox.Folder{}, nil)
	p := dial(t, "127.0.0.1:0")
	for _, name := range []string{"a", "b", "c"} {
		p.send(wrq("in/"+name, "octet"), s.srv.Addr())
		p.recv()
		p.put([]byte(name), 512)
	}
	for _, name := range []string{"a", "b", "c"} {
		if got, _ := os.ReadFile(filepath.Join(in, name)); string(got) != name {
			t.Errorf("%s holds %q", name, got)
		}
	}
	s.event(func(ev boot.Event) bool { return ev.Reason == boot.Received && ev.File == "in/c" })
}

// A file that is shorter than the client said is not kept (RFC 2349).
func TestUploadTooShort(t *testing.T) {
	s, in := taking(t, inbox.Folder{}, nil)
	p := s.upload("in/a", wire.Option{Name: "tsize", Value: "3000"}, wire.Option{Name: "blksize", Value: "1456"})
	p.send(wire.AppendData(nil, 1, make([]byte, 512)), p.tid) // as if blksize had not been granted
	if e := p.recv(); e.Op != wire.OpERROR || !strings.Contains(e.Message, "tsize") {
		t.Errorf("%+v", e)
	}
	if ev := s.ended(boot.UploadShort); !strings.Contains(ev.Detail, "512 bytes came, and the client said 3000") {
		t.Errorf("%+v", ev)
	}
	s.emptied(in, "")
	// In netascii another number of bytes travels, and 0 is what clients say that do not know.
	p = dial(t, "127.0.0.1:0")
	p.send(wrq("in/t", "netascii", wire.Option{Name: "tsize", Value: "3000"}), s.srv.Addr())
	p.recv()
	p.put([]byte("a\r\n"), 512)
	p = s.upload("in/z", wire.Option{Name: "tsize", Value: "0"})
	p.put([]byte("something"), 512)
	s.emptied(in, "t z")
}

// A reload in the middle closes the inbox that the upload began with: it is finished all the same,
// and the next one goes by the new rules.
func TestUploadOverAReload(t *testing.T) {
	s, in := taking(t, inbox.Folder{}, nil)
	p := s.upload("in/a")
	box, err := inbox.Open(filepath.Dir(in), []inbox.Folder{{Name: "in", MaxSize: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	s.srv.Apply(s.srv.files.Load(), box)
	if err := s.srv.cfg.Uploads.Close(); err != nil {
		t.Fatal(err)
	}
	p.put(make([]byte, 700), 512)
	if st, err := os.Stat(filepath.Join(in, "a")); err != nil || st.Size() != 700 {
		t.Errorf("%v", err)
	}
	p = s.upload("in/b")
	p.send(wire.AppendData(nil, 1, []byte("xx")), p.tid)
	if e := p.recv(); e.Op != wire.OpERROR || e.Code != wire.ErrDiskFull {
		t.Errorf("%+v", e)
	}
	s.srv.Apply(s.srv.files.Load(), nil)
	p = dial(t, "127.0.0.1:0")
	p.send(wrq("in/c", "octet"), s.srv.Addr())
	if e := p.recv(); e.Op != wire.OpERROR || e.Message != "uploads are off" {
		t.Errorf("%+v", e)
	}
	s.emptied(in, "a")
}

// Uploads do not wait for the openers of downloads, nor these for a folder that hangs.
func TestUploadsHaveTheirOwnOpeners(t *testing.T) {
	s, in := taking(t, inbox.Folder{}, nil)
	hangs := make(chan struct{})
	defer close(hangs)
	s.answers()
	for range openers {
		s.srv.open.submit(job{what: func(*transfer) { <-hangs }})
	}
	p := s.upload("in/a")
	p.put([]byte("a"), 512)
	s.emptied(in, "a")
}

// answers waits until the server runs.
func (s *site) answers() {
	s.t.Helper()
	p := dial(s.t, "127.0.0.1:0")
	p.send(rrq("no such file"), s.srv.Addr())
	s.ended(boot.FileMissing)
}

// vacant waits until no place for uploads is taken.
func (s *site) vacant() {
	s.t.Helper()
	for deadline := time.Now().Add(5 * time.Second); s.srv.desk.count() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%d places are taken", s.srv.desk.count())
		}
	}
}

// One client address has a share of the places.
func TestUploadsOfOneClient(t *testing.T) {
	s, _ := taking(t, inbox.Folder{}, nil)
	for i := range uploadsOfOne {
		s.upload("in/" + string(rune('a'+i)))
	}
	p := dial(t, "127.0.0.1:0")
	p.send(wrq("in/more", "octet"), s.srv.Addr())
	if e := p.recv(); e.Op != wire.OpERROR || e.Message != busyText {
		t.Errorf("%+v", e)
	}
	if ev := s.ended(boot.TooManyUploads); !strings.Contains(ev.Detail, "16 of one client") {
		t.Errorf("%+v", ev)
	}
	other := dial(t, "127.0.0.9:0")
	other.send(wrq("in/other", "octet"), s.srv.Addr())
	if a := other.recv(); a.Op != wire.OpACK {
		t.Errorf("%+v", a)
	}
}

// What runs when the node stops may finish, within the drain timeout.
func TestUploadDrains(t *testing.T) {
	s, in := taking(t, inbox.Folder{}, nil)
	p := s.upload("in/a")
	s.stop()
	p.put(make([]byte, 1000), 512)
	if ev := s.ended(boot.Received); ev.Bytes != 1000 {
		t.Errorf("%+v", ev)
	}
	s.emptied(in, "a")
}

// A fault costs the upload and nothing else: its file and its place are given back.
func TestUploadPanics(t *testing.T) {
	s, in := taking(t, inbox.Folder{}, nil)
	s.mu.Lock()
	s.fault = func(ev boot.Event) {
		if ev.Kind == boot.OptionsSent && ev.Upload || ev.Kind == boot.TransferEnd && ev.File == "in/b" && ev.Reason == boot.Received {
			panic("a fault in whoever listens")
		}
	}
	s.mu.Unlock()
	p := dial(t, "127.0.0.1:0")
	p.send(wrq("in/a", "octet", wire.Option{Name: "blksize", Value: "512"}), s.srv.Addr())
	if ev := s.ended(boot.Panicked); !ev.Upload || ev.File != "in/a" {
		t.Errorf("%+v", ev)
	}
	s.emptied(in, "")
	p = s.upload("in/b")
	p.put([]byte("b"), 512) // it is kept before the fault
	p = s.upload("in/c")
	p.put([]byte("c"), 512)
	s.ended(boot.Received)
	s.emptied(in, "b c")
	s.vacant()
}

// An ICMP error that is not about a closed port, such as "host unreachable" from a router, neither
// ends an upload nor keeps a core busy: its queue has to be read.
func TestUploadOverAnUnreachableHost(t *testing.T) {
	raw, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	if err != nil {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	defer unix.Close(raw)
	s, in := taking(t, inbox.Folder{}, nil)
	p := s.upload("in/a", wire.Option{Name: "timeout", Value: "3"})
	client := p.c.LocalAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort()
	if err := unix.Sendto(raw, unreachable(p.tid, client), 0, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	before := cpuTime(t)
	time.Sleep(600 * time.Millisecond)
	if used := cpuTime(t) - before; used > 100*time.Millisecond { // 2 ms, and 400 where it spins
		t.Errorf("%s of CPU in 600 ms", used)
	}
	p.put([]byte("all"), 512)
	s.emptied(in, "a")
}

// unreachable is an ICMP message (RFC 792: type 3, code 1) about a datagram.
func unreachable(from, to netip.AddrPort) []byte {
	b := make([]byte, 8+20+8)
	b[0], b[1] = 3, 1
	ip, udp := b[8:28], b[28:]
	ip[0], ip[8], ip[9] = 0x45, 64, unix.IPPROTO_UDP
	binary.BigEndian.PutUint16(ip[2:], 28)
	src, dst := from.Addr().As4(), to.Addr().As4()
	copy(ip[12:], src[:])
	copy(ip[16:], dst[:])
	binary.BigEndian.PutUint16(ip[10:], checksum(ip))
	binary.BigEndian.PutUint16(udp, from.Port())
	binary.BigEndian.PutUint16(udp[2:], to.Port())
	binary.BigEndian.PutUint16(udp[4:], 8)
	binary.BigEndian.PutUint16(b[2:], checksum(b))
	return b
}

// checksum is that of RFC 1071.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// What comes in is not handed out before it is complete, under no name.
func TestUploadIsNotServedBeforeItsEnd(t *testing.T) {
	s, in := taking(t, inbox.Folder{}, nil)
	root, err := files.Open(filepath.Dir(in), files.Options{Fold: true})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	s.srv.Apply(root, s.srv.uploads.Load())
	content := random(700)
	p := s.upload("in/a")
	p.send(wire.AppendData(nil, 1, content[:512]), p.tid)
	p.recv()
	entries, err := os.ReadDir(in)
	if err != nil || len(entries) != 1 || !strings.HasPrefix(entries[0].Name(), files.Incomplete) {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, name := range []string{"in/a", "in/" + entries[0].Name(), "IN/" + strings.ToUpper(entries[0].Name())} {
		reader := dial(t, "127.0.0.1:0")
		reader.send(rrq(name), s.srv.Addr())
		if e := reader.recv(); e.Op != wire.OpERROR || e.Code != wire.ErrNotFound {
			t.Errorf("%s: %+v", name, e)
		}
	}
	s.mu.Lock()
	for _, ev := range s.events {
		if strings.Contains(ev.Detail, "near") && strings.Contains(ev.Detail, files.Incomplete) {
			t.Errorf("suggested: %s", ev.Detail)
		}
	}
	s.mu.Unlock()
	p.send(wire.AppendData(nil, 2, content[512:]), p.tid)
	p.recv()
	reader := dial(t, "127.0.0.1:0")
	reader.send(rrq("in/a"), s.srv.Addr())
	if d := reader.recv(); d.Op != wire.OpDATA || !bytes.Equal(d.Data, content[:512]) {
		t.Errorf("%s %d", d.Op, len(d.Data))
	}
}
