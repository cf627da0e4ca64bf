package cli

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/wire/tftp"
)

// standalone runs "surefoot tftp" and returns where it serves, its stdout, and a function that
// stops it and returns the exit code.
func standalone(t *testing.T, args ...string) (at string, stdout func() string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	outR, outW := io.Pipe()
	errR, errW := io.Pipe()
	code := make(chan int, 1)
	go func() {
		c := Main(ctx, append([]string{"tftp"}, args...), Env{In: strings.NewReader(""), Out: outW, Err: errW, Getenv: func(string) string { return "" }})
		_, _ = outW.Close(), errW.Close()
		code <- c
	}()
	buf := make([]byte, 1000)
	n, _ := errR.Read(buf)
	m := regexp.MustCompile(` at (\S+) `).FindSubmatch(buf[:n])
	if m == nil {
		t.Fatalf("it says %q", buf[:n])
	}
	go func() { _, _ = io.Copy(io.Discard, errR) }()
	line := func() string {
		b := make([]byte, 4000)
		n, err := outR.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	return string(m[1]), line, func() int { cancel(); return <-code }
}

// fetch downloads a file of one block.
func fetch(t *testing.T, at, file string) tftp.Packet {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	to, err := net.ResolveUDPAddr("udp4", at)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.WriteTo(tftp.AppendRequest(nil, tftp.Request{Op: tftp.OpRRQ, File: file, Mode: "octet"}), to); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1000)
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, from, err := c.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	p, err := tftp.ParsePacket(buf[:n])
	if err != nil {
		t.Fatal(err)
	}
	if p.Op == tftp.OpDATA {
		_, _ = c.WriteTo(tftp.AppendACK(nil, p.Block), from)
	}
	return p
}

func TestTFTPCommand(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ARDBP32.BIN"), []byte("bootstrap"), 0o644); err != nil {
		t.Fatal(err)
	}
	at, line, stop := standalone(t, "--root", dir, "--listen", "127.0.0.1:0")
	if p := fetch(t, at, `\ardbp32.bin`); string(p.Data) != "bootstrap" {
		t.Fatalf("%+v", p)
	}
	if l := line(); !regexp.MustCompile(`^\d\d:\d\d:\d\d 127\.0\.0\.1:\d+ "ARDBP32\.BIN" delivered completely: 9 bytes in \S+s\n$`).MatchString(l) {
		t.Errorf("%q", l)
	}
	fetch(t, at, "ARDBP33.BIN")
	if l := line(); !strings.Contains(l, `"ARDBP33.BIN" no such file: near: ARDBP32.BIN`) {
		t.Errorf("%q", l)
	}
	if code := stop(); code != ExitOK {
		t.Errorf("exit %d", code)
	}

	at, line, stop = standalone(t, "--root", dir, "--listen", "127.0.0.1:0", "--no-fold", "--json")
	if p := fetch(t, at, "ardbp32.bin"); p.Code != tftp.ErrNotFound {
		t.Errorf("%+v", p)
	}
	var ev boot.Event
	if l := line(); json.Unmarshal([]byte(l), &ev) != nil || ev.Reason != boot.FileMissing || ev.Kind != boot.TransferEnd {
		t.Errorf("%s", l)
	}
	if code := stop(); code != ExitOK {
		t.Errorf("exit %d", code)
	}
}

func TestTFTPCommandRefuses(t *testing.T) {
	taken, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct {
		args []string
		code int
		text string
	}{
		{nil, ExitUsage, "--root is missing"},
		{[]string{"--root", ".", "--upload", ""}, ExitUsage, "names no folder"},
		{[]string{"--root", ".", "--upload", "a:replace"}, ExitUsage, "create or overwrite"},
		{[]string{"--root", ".", "--upload", "a", "--upload-max", "10"}, ExitUsage, "size with its unit"},
		{[]string{"--root", ".", "--upload", "../a"}, ExitFailed, "not below the root"},
		{[]string{"--root", ".", "--upload", "none"}, ExitFailed, "there is no such folder\nhint: create the folder"},
		{[]string{"--root", ".", "--listen", "nowhere"}, ExitUsage, "is not ADDRESS:PORT"},
		{[]string{"--root", "/no/such/folder"}, ExitFailed, "hint: create the directory"},
		{[]string{"--root", ".", "--listen", taken.LocalAddr().String()}, ExitFailed, "already in use, held by"},
		{[]string{"--root", ".", "--listen", "192.0.2.1:69"}, ExitFailed, "no interface of this machine has the address 192.0.2.1"},
	} {
		_, stderr, code := invoke(t, append([]string{"tftp"}, c.args...)...)
		if code != c.code || !strings.Contains(stderr, c.text) {
			t.Errorf("%q: exit %d: %s", c.args, code, stderr)
		}
	}
}

func TestTransferLine(t *testing.T) {
	ev := boot.Event{
		Time: time.Date(2026, 1, 1, 10, 4, 5, 0, time.UTC), Peer: "10.0.0.7:2070", File: "a",
		Reason: boot.Timeout, Detail: "no ACK of block 17 of 690 for 25s", Retransmits: 27,
	}
	want := `10:04:05 10.0.0.7:2070 "a" the client stopped acknowledging: no ACK of block 17 of 690 for 25s (27 blocks sent again)`
	if got := transferLine(ev); got != want {
		t.Error(got)
	}
}
