package conform

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// content is n bytes that look random, are the same in every run, and begin differently for
// another n.
func content(n int) []byte { return noise()[n%1021:][:n:n] }

var noise = sync.OnceValue(func() []byte {
	b := make([]byte, big+1021)
	rnd := rand.NewChaCha8([32]byte{})
	_, _ = rnd.Read(b)
	return b
})

// sized are files named for their length.
func sized() []int {
	return []int{0, 1, 7, 8, 511, 512, 513, 1456, 1536, 2048, 3 * 1456, 5000, 20480, 30000, 100_001, 300_001}
}

// big is long enough for its blocks of 32 bytes to pass number 65535. (Blocks of 8 would do, but
// not every server combines those with windows.)
const big = 32*65540 + 3

// Texts for netascii. In cut the pair that a line end becomes is parted by the end of block 1; in
// cutCR it is the pair of a bare CR.
var texts = map[string]string{
	"lf.txt":    "one\ntwo\n\nthree\n",
	"cr.txt":    "one\rtwo\r\rthree",
	"crlf.txt":  "one\r\ntwo\r\n",
	"cut.txt":   strings.Repeat("x", 511) + "\nafter the cut",
	"cutcr.txt": strings.Repeat("x", 511) + "\rafter the cut",
	"even.txt":  strings.Repeat("x", 510) + "\n",
	"menu.txt":  strings.Repeat("a line of a menu\n\rand\r\n", 700),
}

// netascii is what a text is on the wire (RFC 1350 section 1, RFC 764): LF becomes CR LF, CR
// becomes CR NUL.
func netascii(text string) []byte {
	return []byte(strings.NewReplacer("\n", "\r\n", "\r", "\r\x00").Replace(text))
}

// longName is the longest name that a file may have.
func longName() string { return strings.Repeat("n", 255) }

// secret is the content of the file outside of the root.
const secret = "this lies outside of the root\n"

// fill makes the files that the checks ask for. outside gets a file that nobody may be served.
func fill(root, outside string) error {
	put := func(name string, b []byte) error {
		path := filepath.Join(root, name)
		if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, b) {
			return nil
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return os.WriteFile(path, b, 0o644)
	}
	files := map[string][]byte{
		"big": content(big), longName(): content(600), "dir/inside": content(700), "with space": content(800),
		"ARDBP32.BIN": content(1900), "Dir2/Boot/Mixed.efi": content(901), "grün.bin": content(902),
	}
	for _, n := range sized() {
		files[fmt.Sprintf("f%d", n)] = content(n)
	}
	for name, text := range texts {
		files[name] = []byte(text)
	}
	for name, b := range files {
		if err := put(name, b); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte(secret), 0o644); err != nil {
		return err
	}
	if err := syscall.Mkfifo(filepath.Join(root, "fifo"), 0o644); err != nil && !os.IsExist(err) {
		return err
	}
	relative, err := filepath.Rel(root, filepath.Join(outside, "secret"))
	if err != nil {
		return err
	}
	for name, to := range map[string]string{
		"link-in": "f513", "link-out": relative, "link-absolute": filepath.Join(outside, "secret"), "link-up": "..", "link-loop": "link-loop",
	} {
		path := filepath.Join(root, name)
		_ = os.Remove(path)
		if err := os.Symlink(to, path); err != nil {
			return err
		}
	}
	return nil
}
