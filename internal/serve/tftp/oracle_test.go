package tftp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"surefoot/internal/boot"
)

// program returns the path of a client program. Without it the test is skipped on a laptop and
// fails where everything is required.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
		t.Fatalf("%s is required: %v", name, err)
	}
	if err != nil {
		t.Skipf("no %s on this machine", name)
	}
	return path
}

func random(n int) []byte {
	b := make([]byte, n)
	rnd := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

// clients are real programs, each with the options that it can ask for.
var clients = []struct {
	name, program string
	args          func(host, port, file, out string) []string
}{
	{"tftp-hpa", "tftp", func(host, port, file, out string) []string {
		return []string{"-m", "binary", host, port, "-c", "get", file, out}
	}},
	{"curl", "curl", func(host, port, file, out string) []string {
		return []string{"-sS", "-o", out, "tftp://" + host + ":" + port + "/" + file}
	}},
	{"curl, blksize 1456", "curl", func(host, port, file, out string) []string {
		return []string{"-sS", "--tftp-blksize", "1456", "-o", out, "tftp://" + host + ":" + port + "/" + file}
	}},
	{"curl without options", "curl", func(host, port, file, out string) []string {
		return []string{"-sS", "--tftp-no-options", "-o", out, "tftp://" + host + ":" + port + "/" + file}
	}},
	{"atftp", "atftp", func(host, port, file, out string) []string {
		return []string{"-g", "-r", file, "-l", out, host, port}
	}},
	{"atftp, windowsize 8", "atftp", func(host, port, file, out string) []string {
		return []string{
			"--option", "windowsize 8", "--option", "blksize 1456", "--option", "tsize",
			"--option", "timeout 2", "-g", "-r", file, "-l", out, host, port,
		}
	}},
	{"busybox", "busybox", func(host, port, file, out string) []string {
		return []string{"tftp", "-g", "-r", file, "-l", out, host, port}
	}},
	{"busybox, blksize 1456", "busybox", func(host, port, file, out string) []string {
		return []string{"tftp", "-g", "-b", "1456", "-r", file, "-l", out, host, port}
	}},
	{"atftp, windowsize 64", "atftp", func(host, port, file, out string) []string {
		return []string{"--option", "windowsize 64", "--option", "blksize 512", "-g", "-r", file, "-l", out, host, port}
	}},
}

func TestRealClients(t *testing.T) {
	s := start(t, "", nil)
	port := strconv.Itoa(int(s.srv.Addr().Port()))
	sizes := []int{0, 1, 511, 512, 513, 1456, 1456 * 8, 1456*16 + 1, 300000}
	for _, n := range sizes {
		s.write(fmt.Sprintf("f%d.bin", n), random(n))
	}
	const big = 33_600_001 // 65625 blocks of 512 and one byte: the number wraps
	want := random(big)
	s.write("big.bin", want)
	t.Run("clients", func(t *testing.T) { // which waits for them
		for _, c := range clients {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				path := program(t, c.program)
				out := filepath.Join(t.TempDir(), "out")
				fetch := func(file string, want []byte) {
					t.Helper()
					_ = os.Remove(out)
					text, err := exec.Command(path, c.args("127.0.0.1", port, file, out)...).CombinedOutput()
					if err != nil {
						t.Fatalf("%s: %v: %s", file, err, text)
					}
					got, err := os.ReadFile(out)
					if os.IsNotExist(err) && len(want) == 0 {
						err = nil // curl makes no file of nothing
					}
					if err != nil || !bytes.Equal(got, want) {
						t.Fatalf("%s: %d bytes, %v; want %d; %s", file, len(got), err, len(want), text)
					}
				}
				for _, n := range sizes {
					if n == 0 && (c.name == "curl" || c.name == "curl, blksize 1456") {
						continue // this curl takes tsize=0 for a protocol error, from tftpd-hpa as well
					}
					fetch(fmt.Sprintf("f%d.bin", n), random(n))
				}
				fetch("big.bin", want)
			})
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ev := range s.events {
		if ev.Kind == boot.TransferEnd && (ev.Reason != boot.Done || ev.Bytes != ev.Size) {
			t.Errorf("%+v", ev)
		}
	}
}

// In netascii the client turns the line ends back into those of its system.
func TestRealClientNetascii(t *testing.T) {
	s := start(t, "", nil)
	var text []byte
	for i := range 3000 {
		text = append(text, fmt.Sprintf("line %d of a menu\n", i)...)
		if i%7 == 0 {
			text = append(text, "bare\rreturn\n\n"...)
		}
	}
	s.write("menu.txt", text)
	out := filepath.Join(t.TempDir(), "out")
	port := strconv.Itoa(int(s.srv.Addr().Port()))
	msg, err := exec.Command(program(t, "tftp"), "-m", "ascii", "127.0.0.1", port, "-c", "get", "menu.txt", out).CombinedOutput()
	got, rerr := os.ReadFile(out)
	if err != nil || rerr != nil || !bytes.Equal(got, text) {
		t.Fatalf("%v, %v: %d bytes of %d; %s", err, rerr, len(got), len(text), msg)
	}
	if ev := s.ended(boot.Done); ev.Size <= int64(len(text)) {
		t.Errorf("%+v", ev)
	}
}

func TestRealClientsSeeTheError(t *testing.T) {
	s := start(t, "", nil)
	s.write("ARDBP32.BIN", []byte("x"))
	port := strconv.Itoa(int(s.srv.Addr().Port()))
	out := filepath.Join(t.TempDir(), "out")
	text, _ := exec.Command(program(t, "tftp"), "-m", "binary", "127.0.0.1", port, "-c", "get", "ARDBP33.BIN", out).CombinedOutput()
	if !bytes.Contains(text, []byte("no such file: ARDBP33.BIN")) {
		t.Errorf("tftp-hpa: %s", text)
	}
	text, _ = exec.Command(program(t, "tftp"), "-m", "binary", "127.0.0.1", port, "-c", "put", os.Args[0], "x").CombinedOutput()
	if !bytes.Contains(text, []byte("uploads are off")) {
		t.Errorf("tftp-hpa put: %s", text)
	}
	ev := s.ended(boot.FileMissing)
	if ev.File != "ARDBP33.BIN" || ev.Detail != "near: ARDBP32.BIN" {
		t.Errorf("%+v", ev)
	}
}
