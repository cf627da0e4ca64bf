package tftp

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/inbox"
	wire "surefoot/internal/wire/tftp"
)

// taking starts a server whose folder "in" takes uploads, and returns the folder's path.
func taking(t *testing.T, f inbox.Folder, change func(*Config)) (*site, string) {
	t.Helper()
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	if err := os.Mkdir(in, 0o755); err != nil {
		t.Fatal(err)
	}
	f.Name = "in"
	box, err := inbox.Open(dir, []inbox.Folder{f})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	return start(t, "", func(c *Config) {
		c.Uploads = box
		if change != nil {
			change(c)
		}
	}), in
}

func wrq(file, mode string, opts ...wire.Option) []byte {
	return wire.AppendRequest(nil, wire.Request{Op: wire.OpWRQ, File: file, Mode: mode, Options: opts})
}

// put uploads content block by block, as a plain client does.
func (p *peer) put(content []byte, blockSize int) {
	for n := 1; ; n++ {
		at := min(len(content), (n-1)*blockSize)
		part := content[at:min(len(content), at+blockSize)]
		p.send(wire.AppendData(nil, uint16(n), part), p.tid)
		if a := p.recv(); a.Op != wire.OpACK || a.Block != uint16(n) {
			p.t.Fatalf("block %d: %s %d %s", n, a.Op, a.Block, a.Message)
		}
		if len(part) < blockSize {
			return
		}
	}
}

func TestUpload(t *testing.T) {
	s, in := taking(t, inbox.Folder{}, nil)
	content := random(1500)
	p := dial(t, "127.0.0.1:0")
	p.send(wrq("/in/a", "octet"), s.srv.Addr())
	if a := p.recv(); a.Op != wire.OpACK || a.Block != 0 {
		t.Fatalf("%+v", a)
	}
	p.put(content, 512)
	if got, err := os.ReadFile(filepath.Join(in, "a")); err != nil || !bytes.Equal(got, content) { // it is there when it is acknowledged
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	ev := s.ended(boot.Received)
	if !ev.Upload || ev.Bytes != 1500 || ev.Blocks != 3 || ev.Size != 1500 || ev.File != "in/a" {
		t.Errorf("%+v", ev)
	}
	if ev.Dur > dally/2 {
		t.Errorf("its duration is %s: that of the time after it, too", ev.Dur)
	}
}

// Options of an upload: granted as asked, tsize echoed (RFC 2349), a window acknowledged once (RFC 7440).
func TestUploadOptions(t *testing.T) {
	s, in := taking(t, inbox.Folder{}, nil)
	content := random(10_000)
	p := dial(t, "127.0.0.1:0")
	p.send(wrq("in/w", "octet", wire.Option{Name: "BLKSIZE", Value: "1000"}, wire.Option{Name: "tsize", Value: "10000"}, wire.Option{Name: "windowsize", Value: "4"}), s.srv.Addr())
	if a := p.recv(); a.Op != wire.OpOACK || wire.FormatOptions(a.Options) != "BLKSIZE=1000 tsize=10000 windowsize=4" {
		t.Fatalf("%+v", a)
	}
	for n := 1; n <= 11; n++ {
		part := content[min(len(content), (n-1)*1000):min(len(content), n*1000)]
		p.send(wire.AppendData(nil, uint16(n), part), p.tid)
		if n%4 == 0 || n == 11 {
			if a := p.recv(); a.Op != wire.OpACK || a.Block != uint16(n) {
				t.Fatalf("block %d: %+v", n, a)
			}
		}
	}
	if got, _ := os.ReadFile(filepath.Join(in, "w")); !bytes.Equal(got, content) {
		t.Errorf("%d bytes", len(got))
	}
}

// netascii: CR LF is a line end and CR NUL a CR, also where a block parts them (RFC 764).
func TestUploadNetascii(t *testing.T) {
	s, in := taking(t, inbox.Folder{}, nil)
	text := strings.Repeat("a line\r\nanother\r\x00one\r\n", 100) + "\r"
	for _, blockSize := range []int{8, 511, 512} {
		p := dial(t, "127.0.0.1:0")
		name := fmt.Sprintf("in/t%d", blockSize)
		p.send(wrq(name, "netascii", wire.Option{Name: "blksize", Value: strconv.Itoa(blockSize)}), s.srv.Addr())
		p.recv()
		p.put([]byte(text), blockSize)
		got, _ := os.ReadFile(filepath.Join(filepath.Dir(in), name))
		if want := strings.Repeat("a line\nanother\rone\n", 100) + "\r"; string(got) != want {
			t.Errorf("blocks of %d: %d bytes, want %d", blockSize, len(got), len(want))
		}
	}
}

func TestUploadRefusals(t *testing.T) {
	s, in := taking(t, inbox.Folder{MaxSize: 1000, From: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}, nil)
	if err := os.WriteFile(filepath.Join(in, "there"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, from string
		opts       []wire.Option
		code       wire.ErrorCode
		why        boot.Reason
	}{
		{"in/there", "127.0.0.1:0", nil, wire.ErrExists, boot.UploadExists},
		{"elsewhere", "127.0.0.1:0", nil, wire.ErrAccess, boot.UploadFolder},
		{"in/../../etc/passwd", "127.0.0.1:0", nil, wire.ErrAccess, boot.UploadFolder},
		{"in/big", "127.0.0.1:0", []wire.Option{{Name: "tsize", Value: "1001"}}, wire.ErrDiskFull, boot.UploadTooLarge},
		{"in/other", "127.0.0.2:0", nil, wire.ErrAccess, boot.UploadDenied},
	} {
		p := dial(t, c.from)
		p.send(wrq(c.name, "octet", c.opts...), s.srv.Addr())
		if e := p.recv(); e.Op != wire.OpERROR || e.Code != c.code || p.tid != s.srv.Addr() {
			t.Errorf("%s: %s %s %q", c.name, e.Op, e.Code, e.Message)
		}
		if ev := s.ended(c.why); !ev.Upload {
			t.Errorf("%+v", ev)
		}
	}
	// A client that does not say the size is stopped where the limit is, and leaves nothing.
	p := dial(t, "127.0.0.1:0")
	p.send(wrq("in/long", "octet"), s.srv.Addr())
	p.recv()
	p.send(wire.AppendData(nil, 1, make([]byte, 512)), p.tid)
	p.recv()
	p.send(wire.AppendData(nil, 2, make([]byte, 512)), p.tid)
	if e := p.recv(); e.Op != wire.OpERROR || e.Code != wire.ErrDiskFull {
		t.Errorf("%s %s", e.Op, e.Code)
	}
	s.event(func(ev boot.Event) bool { return ev.Reason == boot.UploadTooLarge && ev.Bytes > 0 })
	s.emptied(in, "there")
}

// emptied waits until a folder holds these names and nothing else.
func (s *site) emptied(dir, want string) {
	s.t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			s.t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if strings.Join(names, " ") == want {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("left: %q, want %q", names, want)
		}
	}
}

// What ends an upload before its end leaves nothing behind: the client's ERROR, its closed port,
// another request from the same port, a node that stops.
func TestUploadThatEndsEarly(t *testing.T) {
	s, in := taking(t, inbox.Folder{}, func(c *Config) { c.DrainTimeout = 10 * time.Millisecond })
	begin := func() *peer {
		p := dial(t, "127.0.0.1:0")
		p.send(wrq("in/a", "octet"), s.srv.Addr())
		p.recv()
		p.send(wire.AppendData(nil, 1, make([]byte, 512)), p.tid)
		p.recv()
		return p
	}
	p := begin()
	p.send(wire.AppendError(nil, wire.ErrUndefined, "no more"), p.tid)
	if ev := s.ended(boot.ClientError); !strings.Contains(ev.Detail, "no more") {
		t.Errorf("%+v", ev)
	}
	s.emptied(in, "")
	p = begin()
	p.send(wrq("in/b", "octet"), s.srv.Addr())
	s.event(func(ev boot.Event) bool {
		return ev.Reason == boot.ClientGone && strings.Contains(ev.Detail, "another request")
	})
	p = begin()
	_ = p.c.Close()
	s.event(func(ev boot.Event) bool {
		return ev.Reason == boot.ClientGone && strings.Contains(ev.Detail, "closed (ICMP); 512 bytes")
	})
	begin()
	s.stop()
	s.ended(boot.Draining)
	s.emptied(in, "")
}

// A packet of somebody else neither ends an upload nor gets into it (RFC 1350 section 4).
func TestUploadIgnoresStrangers(t *testing.T) {
	s, in := taking(t, inbox.Folder{}, nil)
	p, stranger := dial(t, "127.0.0.1:0"), dial(t, "127.0.0.1:0")
	p.send(wrq("in/a", "octet"), s.srv.Addr())
	p.recv()
	stranger.send(wire.AppendData(nil, 1, []byte("evil")), p.tid)
	if e := stranger.recv(); e.Op != wire.OpERROR || e.Code != wire.ErrUnknownTID {
		t.Errorf("%s %s", e.Op, e.Code)
	}
	p.put([]byte("good"), 512)
	if got, _ := os.ReadFile(filepath.Join(in, "a")); string(got) != "good" {
		t.Errorf("%q", got)
	}
}

func TestTooManyUploads(t *testing.T) {
	s, _ := taking(t, inbox.Folder{}, nil)
	for i := range maxUploads {
		s.srv.desk.take(netip.AddrFrom4([4]byte{127, 0, 0, byte(i)}))
	}
	p := dial(t, "127.0.0.1:0")
	p.send(wrq("in/a", "octet"), s.srv.Addr())
	if e := p.recv(); e.Op != wire.OpERROR || !strings.Contains(e.Message, "busy") {
		t.Errorf("%s %q", e.Op, e.Message)
	}
	s.ended(boot.TooManyUploads)
}

// Real clients upload, and what arrives is what they had.
func TestRealClientsUpload(t *testing.T) {
	s, in := taking(t, inbox.Folder{}, nil)
	port := strconv.Itoa(int(s.srv.Addr().Port()))
	for _, c := range []struct {
		name, program string
		args          func(file, to string) []string
	}{
		{"tftp-hpa", "tftp", func(file, to string) []string {
			return []string{"-m", "binary", "127.0.0.1", port, "-c", "put", file, to}
		}},
		{"curl", "curl", func(file, to string) []string {
			return []string{"-sS", "-T", file, "tftp://127.0.0.1:" + port + "/" + to}
		}},
		{"curl, blksize 1456", "curl", func(file, to string) []string {
			return []string{"-sS", "--tftp-blksize", "1456", "-T", file, "tftp://127.0.0.1:" + port + "/" + to}
		}},
		{"atftp", "atftp", func(file, to string) []string {
			return []string{"-p", "-l", file, "-r", to, "127.0.0.1", port}
		}},
		{"atftp, windowsize 16, blksize 1456", "atftp", func(file, to string) []string {
			return []string{"--option", "windowsize 16", "--option", "blksize 1456", "-p", "-l", file, "-r", to, "127.0.0.1", port}
		}},
		{"atftp, windowsize 16", "atftp", func(file, to string) []string {
			return []string{"--option", "windowsize 16", "--option", "tsize", "--option", "timeout 2", "-p", "-l", file, "-r", to, "127.0.0.1", port}
		}},
		{"busybox", "busybox", func(file, to string) []string {
			return []string{"tftp", "-p", "-l", file, "-r", to, "127.0.0.1", port}
		}},
		{"busybox, blksize 1456", "busybox", func(file, to string) []string {
			return []string{"tftp", "-p", "-b", "1456", "-l", file, "-r", to, "127.0.0.1", port}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := program(t, c.program)
			dir := t.TempDir()
			// The last is 65625 blocks of 512 and one byte: the number wraps.
			for _, n := range []int{0, 1, 511, 512, 513, 1456 * 16, 300_000, 33_600_001} {
				if n > 1_000_000 && strings.Contains(c.name, "1456") {
					continue // too few blocks to wrap
				}
				file := filepath.Join(dir, "f")
				content := random(n)
				if err := os.WriteFile(file, content, 0o644); err != nil {
					t.Fatal(err)
				}
				to := fmt.Sprintf("in/%s-%d", strings.ReplaceAll(c.name, " ", ""), n)
				out, err := exec.Command(path, c.args(file, to)...).CombinedOutput()
				got, rerr := os.ReadFile(filepath.Join(filepath.Dir(in), to))
				if err != nil || rerr != nil || !bytes.Equal(got, content) {
					t.Fatalf("%d bytes: %v %s; %d bytes arrived, %v", n, err, out, len(got), rerr)
				}
			}
		})
	}
	s.event(func(ev boot.Event) bool { return ev.Reason == boot.Received && ev.Bytes == 300_000 })
}
