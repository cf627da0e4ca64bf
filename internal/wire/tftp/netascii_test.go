package tftp

import (
	"bytes"
	"testing"
)

// encodeBlocks translates src in blocks of size bytes, reading at most chunk bytes at once, and
// makes each block twice from the same position.
func encodeBlocks(t *testing.T, src []byte, size, chunk int) (out []byte) {
	var n Netascii
	pos := 0
	for {
		start, startPos := n, pos
		var first []byte
		for try := range 2 {
			n, pos = start, startPos
			block := make([]byte, size)
			have := 0
			for have < size {
				w, r := n.Encode(block[have:], src[pos:min(pos+chunk, len(src))])
				have, pos = have+w, pos+r
				if w == 0 {
					break
				}
			}
			if try == 0 {
				first = block[:have]
			} else if !bytes.Equal(first, block[:have]) {
				t.Fatalf("a block sent again differs: %q and %q", first, block[:have])
			}
		}
		out = append(out, first...)
		if len(first) < size {
			return out
		}
	}
}

func decode(b []byte) []byte {
	b = bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(b, []byte("\r\x00"), []byte("\r"))
}

func TestNetascii(t *testing.T) {
	for in, want := range map[string]string{
		"":        "",
		"a\nb\n":  "a\r\nb\r\n",
		"a\rb":    "a\r\x00b",
		"\r\n":    "\r\x00\r\n",
		"\n\n\r":  "\r\n\r\n\r\x00",
		"no ends": "no ends",
	} {
		for size := 1; size < 6; size++ {
			if got := encodeBlocks(t, []byte(in), size, 3); string(got) != want {
				t.Errorf("%q in blocks of %d: %q, want %q", in, size, got, want)
			}
		}
		if n := NetasciiSize([]byte(in)); n != int64(len(want)) {
			t.Errorf("size of %q: %d", in, n)
		}
	}
}

func FuzzNetascii(f *testing.F) {
	f.Add([]byte("line\nline\r\n\r\x00"), uint8(3), uint8(5))
	f.Add([]byte("\r\r\r\n\n\n"), uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, src []byte, size, chunk uint8) {
		out := encodeBlocks(t, src, int(size)+1, int(chunk)+1)
		if int64(len(out)) != NetasciiSize(src) {
			t.Fatalf("%d bytes, expected %d", len(out), NetasciiSize(src))
		}
		if bytes.Count(out, []byte("\r")) != bytes.Count(out, []byte("\r\n"))+bytes.Count(out, []byte("\r\x00")) {
			t.Fatalf("a bare CR in %q", out)
		}
		// CR LF in the source reads as LF CR NUL ... only if decoding is done pair by pair.
		if !bytes.Contains(src, []byte{'\r'}) && !bytes.Equal(decode(out), src) {
			t.Fatalf("%q became %q", src, out)
		}
	})
}
