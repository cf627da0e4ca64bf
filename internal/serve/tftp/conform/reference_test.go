package conform

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fault is one thing that a faulty server does wrong; its text stands in faults().
type fault string

// reference is a plain TFTP server that passes the suite, and that can be given one fault at a
// time: the proof that each check can be passed and can fail. It is not ours, and shares nothing
// with it but the RFCs.
type reference struct {
	root  *os.Root
	dir   string
	fault fault
	conn  *net.UDPConn

	mu      sync.Mutex                  // guards running, cache
	running map[netip.AddrPort]*sending // by client
	cache   map[string][]byte           // for the fault "stale"
}

// faulty runs a reference server with a fault ("" for none).
func faulty(t testing.TB, dir string, f fault) target {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := conn.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1) })
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadBuffer(4 << 20)
	s := &reference{root: root, dir: dir, fault: f, conn: conn, running: map[netip.AddrPort]*sending{}, cache: map[string][]byte{}}
	go s.serve()
	t.Cleanup(func() {
		_ = conn.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, x := range s.running {
			_ = x.conn.Close()
		}
		_ = root.Close()
	})
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(conn.LocalAddr().(*net.UDPAddr).Port))
	return target{addr: at, root: dir, wait: 3 * time.Second}
}

func (s *reference) has(f fault) bool { return s.fault == f }

func (s *reference) serve() {
	buf, oob := make([]byte, 1<<16), make([]byte, 128)
	for {
		n, oobn, _, from, err := s.conn.ReadMsgUDPAddrPort(buf, oob)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if n < 4 && s.has("dies") {
			_ = s.conn.Close()
			return
		}
		b := bytes.Clone(buf[:n])
		local, everybody := askedAt(oob[:oobn])
		if everybody && !s.has("broadcast") {
			continue
		}
		s.packet(b, unmap(from), local)
	}
}

// askedAt is the address that a request went to, and whether that was everybody's.
func askedAt(oob []byte) (netip.Addr, bool) {
	_, data, _, err := unix.ParseOneSocketControlMessage(oob)
	if err != nil || len(data) < 12 {
		return netip.Addr{}, true
	}
	ours, dst := netip.AddrFrom4([4]byte(data[4:8])), netip.AddrFrom4([4]byte(data[8:12]))
	return ours, ours != dst
}

// reply answers from the request port, at the address that was asked.
func (s *reference) reply(b []byte, to netip.AddrPort, local netip.Addr) {
	if s.has("wrong-address") {
		local = netip.MustParseAddr("127.0.0.1")
	}
	if s.has("error-no-nul") {
		b = b[:len(b)-1]
	}
	oob := unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: local.As4()})
	_, _, _ = s.conn.WriteMsgUDPAddrPort(b, oob, to)
	if s.has("error-again") {
		time.AfterFunc(500*time.Millisecond, func() { _, _, _ = s.conn.WriteMsgUDPAddrPort(b, oob, to) })
	}
}

func (s *reference) packet(b []byte, from netip.AddrPort, local netip.Addr) {
	if len(b) < 2 || from.Port() == 0 {
		return
	}
	op := binary.BigEndian.Uint16(b)
	if s.has("low-byte") {
		op &= 0xff
	}
	switch {
	case op == opRRQ, op == opWRQ:
	case op == opERROR && s.has("answers-error"), op != opERROR && s.has("answers-junk"):
		s.reply(errorOf(4, "illegal"), from, local)
		return
	default:
		return
	}
	words := strings.Split(string(b[2:]), "\x00")
	switch {
	case len(words) == 1 && s.has("no-nul"), len(words) == 2 && s.has("no-mode"):
		words = []string{words[0], "octet", ""}
	case len(words) == 2 && s.has("mode-no-nul"):
		words = append(words, "")
	case len(words) < 3:
		return
	}
	if op == opWRQ {
		if s.has("takes-writes") {
			_ = os.WriteFile(filepath.Join(s.dir, filepath.Base(words[0])), nil, 0o644)
			s.reply(ackOf(0), from, local)
			return
		}
		s.reply(errorOf(2, "no uploads"), from, local)
		return
	}
	x := &sending{s: s, client: from, local: local, request: string(b)}
	x.mode = strings.ToLower(words[1])
	if s.has("mode-case") {
		x.mode = words[1]
	}
	if x.mode != "octet" && x.mode != "netascii" {
		if !s.has("any-mode") {
			s.reply(errorOf(4, "no such mode"), from, local)
			return
		}
		x.mode = "octet"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.running[from]; old != nil && !s.has("twice") {
		if old.request == x.request && old.acked <= 0 && !old.ended || s.has("one-per-port") {
			return
		}
		_ = old.conn.Close()
	}
	if s.has("one-at-a-time") && len(s.running) > 0 {
		return
	}
	content, err := s.open(words[0])
	switch {
	case errors.Is(err, errSilent):
		return
	case errors.Is(err, fs.ErrNotExist):
		code := uint16(1)
		if s.has("missing-code") {
			code = 0
		}
		s.reply(errorOf(code, "no such file"), from, local)
		return
	case err != nil:
		s.reply(errorOf(2, "access denied"), from, local)
		return
	}
	x.path = words[0]
	x.begin(content, words[2:])
}

var errSilent = errors.New("no answer")

// open reads a file below the root, in any case and with any slashes.
func (s *reference) open(name string) ([]byte, error) {
	switch {
	case s.has("dots") && strings.Contains(name, ".."):
		return os.ReadFile(filepath.Join(s.dir, name))
	case s.has("absolute") && strings.HasPrefix(name, "/etc"):
		return os.ReadFile(name)
	case s.has("slash") && strings.HasPrefix(name, "/"):
		return nil, fs.ErrNotExist
	case s.has("empty-name") && name == "":
		return nil, nil
	case s.has("links"):
		if b, err := os.ReadFile(filepath.Join(s.dir, path.Clean("/"+name))); err == nil {
			return b, nil
		}
	case s.has("percent"):
		name = strings.ReplaceAll(strings.ReplaceAll(name, "%2f", "/"), "%2e", ".")
		if strings.Contains(name, "..") {
			return os.ReadFile(path.Clean("/" + name))
		}
	case s.has("single-pass"):
		if cut := strings.ReplaceAll(name, "../", ""); strings.Contains(cut, "..") {
			return os.ReadFile(path.Clean("/" + cut))
		}
	}
	if b, ok := s.cache[name]; ok && s.has("stale") {
		return b, nil
	}
	if !s.has("no-backslash") {
		name = strings.ReplaceAll(name, `\`, "/")
	}
	f, err := s.find(strings.TrimLeft(name, "/"))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && s.has("missing-silent") {
			return nil, errSilent
		}
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir() && s.has("directory"):
		return nil, nil
	case info.Mode().Type() == fs.ModeNamedPipe && s.has("pipe"):
		unblocked, _ := os.Open(filepath.Join(s.dir, "fifo")) // hangs
		_ = unblocked.Close()
		return nil, errSilent
	case !info.Mode().IsRegular():
		return nil, fs.ErrPermission
	}
	b, err := io.ReadAll(f)
	s.cache[name] = b
	return b, err
}

// find opens a name as it is, else one that differs in case only.
func (s *reference) find(name string) (*os.File, error) {
	const flags = os.O_RDONLY | syscall.O_NONBLOCK
	f, err := s.root.OpenFile(path.Clean(name), flags, 0)
	if err == nil || s.has("case") || !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	at := "."
	for _, part := range strings.Split(path.Clean(name), "/") {
		entries, derr := fs.ReadDir(s.root.FS(), at)
		if derr != nil {
			return nil, err
		}
		found := ""
		for _, e := range entries {
			if strings.EqualFold(e.Name(), part) {
				found = e.Name()
			}
		}
		if found == "" {
			return nil, err
		}
		at = path.Join(at, found)
	}
	return s.root.OpenFile(at, flags, 0)
}

// negotiate answers options; pairs is what stands after the mode.
func (x *sending) negotiate(pairs []string) (oack []byte) {
	s := x.s
	x.size, x.window = 512, 1
	x.first, x.ceiling = 250*time.Millisecond, time.Second
	seen := map[string]bool{}
	var answers []string
	for ; len(pairs) >= 3; pairs = pairs[2:] { // the last word is what follows the last NUL
		name, asked := strings.ToLower(pairs[0]), pairs[1]
		if s.has("option-case") {
			name = pairs[0]
		}
		if pairs[0] == "" {
			break
		}
		n, err := strconv.ParseUint(asked, 10, 63)
		if strings.HasPrefix(asked, "+") || err != nil {
			if s.has("not-a-number") && (name == "blksize" || name == "timeout") {
				answers = append(answers, pairs[0], asked)
			}
			if s.has("not-a-number-silent") {
				return []byte("silent")
			}
			if !s.has("spaces") {
				continue
			}
			if n, err = strconv.ParseUint(strings.TrimRight(strings.TrimSpace(asked), "x"), 10, 63); err != nil {
				continue
			}
		}
		if seen[name] && !s.has("option-twice") {
			continue
		}
		switch {
		case name == "blksize" && (n >= 8 || s.has("blksize-7") && n == 7 || s.has("blksize-0") && n == 0):
			if n > 65464 && !s.has("blksize-huge") {
				n = 65464
			}
			if s.has("blksize-more") {
				n = max(n, 512)
			}
			if s.has("blksize-least") {
				n = max(n, 16)
			}
			if x.size = int(min(max(n, 1), 65464)); s.has("blksize-unused") {
				x.size = 512
			}
		case name == "timeout" && (n >= 1 || s.has("timeout-0")) && (n <= 255 || s.has("timeout-256")):
			if s.has("timeout-changed") {
				n = min(n, 60)
			}
			if !s.has("timeout-unused") {
				x.first, x.ceiling = time.Duration(n)*time.Second/2, time.Duration(n)*time.Second/2
			}
			if s.has("timeout-long") {
				x.first, x.ceiling = time.Duration(n)*2*time.Second, time.Duration(n)*2*time.Second
			}
			if s.has("timeout-whole") {
				x.first, x.ceiling = time.Duration(n)*time.Second, time.Duration(n)*time.Second
			}
		case name == "tsize":
			n = uint64(len(x.content))
			if s.has("tsize-0") {
				n = 0
			}
			if s.has("tsize-blocks") {
				n = (n + 511) / 512 * 512
			}
			if s.has("tsize-source") {
				n = uint64(x.sourceSize)
			}
		case name == "windowsize" && !s.has("no-windowsize") && (n >= 1 || s.has("window-0")):
			if n > 64 && !s.has("window-huge") {
				n = 64
			}
			if s.has("window-more") {
				n = max(n, 4)
			}
			x.window = max(int64(n), 1)
		case s.has("unknown-granted"):
		default:
			continue
		}
		seen[name] = true
		answers = append(answers, pairs[0], strconv.FormatUint(n, 10))
	}
	if s.has("all-options") && len(answers) > 0 && !seen["tsize"] {
		answers = append(answers, "tsize", strconv.Itoa(len(x.content)))
	}
	if s.has("reversed") {
		for i, j := 0, len(answers)-2; i < j; i, j = i+2, j-2 {
			answers[i], answers[i+1], answers[j], answers[j+1] = answers[j], answers[j+1], answers[i], answers[i+1]
		}
	}
	if len(answers) == 0 && !(s.has("empty-oack") && len(seen) == 0) {
		return nil
	}
	return append([]byte{0, opOACK}, strings.Join(append(answers, ""), "\x00")...)
}
