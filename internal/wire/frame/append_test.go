package frame

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// slowSum is RFC 1071 word by word.
func slowSum(start uint16, b []byte) uint16 {
	s := uint32(start)
	for ; len(b) > 1; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	for s > 0xffff {
		s = s&0xffff + s>>16
	}
	return uint16(s)
}

func TestSum(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range 20000 {
		b := make([]byte, rnd.IntN(40))
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		if i%3 == 0 { // many carries
			for i := range b {
				b[i] = 0xff
			}
		}
		start := uint16(rnd.Uint32())
		if i%5 == 0 {
			start = 0xffff
		}
		if got, want := sum(start, b), slowSum(start, b); got != want {
			t.Fatalf("sum(%#x, % x) = %#x, want %#x", start, b, got, want)
		}
	}
}

// TestAppend: a frame stands behind what was there, and there is no allocation where there is room.
func TestAppend(t *testing.T) {
	d := sample("payload")
	before := []byte("before")
	if got, want := d.AppendFrame(before), append([]byte("before"), d.Frame()...); !bytes.Equal(got, want) {
		t.Errorf("got % x\nwant % x", got, want)
	}
	if got, want := d.AppendIP(before), append([]byte("before"), d.IP()...); !bytes.Equal(got, want) {
		t.Errorf("got % x\nwant % x", got, want)
	}
	buf, whole := make([]byte, 0, 2048), d.Frame()
	if n := testing.AllocsPerRun(100, func() { d.AppendFrame(buf) }); n != 0 {
		t.Errorf("AppendFrame allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Parse(whole); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Parse allocates %v times", n)
	}
}

func BenchmarkAppendFrame(b *testing.B) {
	d, buf := sample(string(make([]byte, 300))), make([]byte, 0, 2048)
	b.ReportAllocs()
	for b.Loop() {
		d.AppendFrame(buf)
	}
}

func BenchmarkParse(b *testing.B) {
	d := sample(string(make([]byte, 300)))
	whole := d.Frame()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(whole); err != nil {
			b.Fatal(err)
		}
	}
}
