package efi

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// parts are those of the program that read what comes from elsewhere, compiled for this machine under
// sanitizers: what reads or writes where it must not ends the test.
type parts struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
	err *strings.Builder
}

func newParts(t *testing.T) *parts {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	want(t, err == nil, "gcc")
	dir := t.TempDir()
	flags := []string{
		"-std=c17", "-g", "-O1", "-fshort-wchar", "-fno-builtin", "-Wall", "-Wextra", "-Werror",
		"-fsanitize=address,undefined", "-fno-sanitize-recover=all",
	}
	compile := func(args ...string) {
		if out, err := exec.Command(gcc, append(flags, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("gcc %q: %v\n%s", args, err, out)
		}
	}
	binary := filepath.Join(dir, "host")
	link := []string{"-o", binary, "testdata/host/host.c"}
	for _, unit := range []string{"dns", "tftp", "frame", "start"} {
		link = append(link, "testdata/host/"+unit+".c")
	}
	for _, unit := range []string{"settings", "text", "sha256", "options", "memory", "say", "fetch", "smbios", "nic", "child", "udp", "clock", "http"} {
		object := filepath.Join(dir, unit+".o")
		compile("-Dmemcpy=bdm_memcpy", "-Dmemset=bdm_memset", "-c", "program/"+unit+".c", "-o", object)
		link = append(link, object)
	}
	compile(link...)
	cmd := exec.Command(binary)
	p := &parts{t: t, err: &strings.Builder{}}
	cmd.Stderr = p.err
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	p.in, p.out = in, bufio.NewReaderSize(out, 1<<16)
	return p
}

// ask has a part look at bytes.
func (p *parts) ask(word string, bytes []byte) string {
	p.t.Helper()
	if _, err := fmt.Fprintf(p.in, "%s %x\n", word, bytes); err != nil {
		p.t.Fatalf("%s %x: %v", word, bytes, err)
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("%s %x: %v\n%s", word, bytes, err, p.err)
	}
	return strings.TrimSuffix(line, "\n")
}

// damage changes, cuts or lengthens bytes at random.
func damage(r *rand.Rand, b []byte) []byte {
	b = append([]byte(nil), b...)
	for range 1 + r.IntN(4) {
		switch at := r.IntN(len(b) + 1); r.IntN(4) {
		case 0:
			b = b[:at]
		case 1:
			b = append(b, byte(r.Uint32()), 0, 0xc0, 0xff)
		default:
			if at < len(b) {
				b[at] = [...]byte{0, 1, 0xff, 0xc0, ' ', '\n', '9', byte(r.Uint32())}[r.IntN(8)]
			}
		}
		if len(b) == 0 {
			b = []byte{0}
		}
	}
	return b
}
