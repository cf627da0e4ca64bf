package tftp

import (
	"bytes"
	"strings"
	"testing"

	wire "surefoot/internal/wire/tftp"
)

func TestNetasciiBlocksCanBeSentAgain(t *testing.T) {
	src := []byte(strings.Repeat("a line\nanother one\r\n\n\r", 300))
	want := bytes.ReplaceAll(bytes.ReplaceAll(src, []byte("\r"), []byte("\r\x00")), []byte("\n"), []byte("\r\n"))
	r := bytes.NewReader(src)
	size, err := netasciiSize(r, int64(len(src)))
	if err != nil || size != int64(len(want)) {
		t.Fatalf("size %d, %v; want %d", size, err, len(want))
	}
	p := wire.Profile{BlockSize: 100, WindowSize: 4}
	c := newNetascii(r, int64(len(src)), p)
	last := size/100 + 1
	for base := int64(1); base <= last; base += 2 { // the second half of each window is sent twice
		for n := base; n < base+4 && n <= last; n++ {
			from, to := (n-1)*100, min(n*100, size)
			dst := make([]byte, to-from)
			if err := c.block(n, dst); err != nil || !bytes.Equal(dst, want[from:to]) {
				t.Fatalf("block %d: %q, %v; want %q", n, dst, err, want[from:to])
			}
		}
	}
	if err := c.block(1, make([]byte, 100)); err == nil {
		t.Error("a block that is long past was made up")
	}
}

func TestContentChangesUnderneath(t *testing.T) {
	was := bytes.Repeat([]byte("\n"), 100)
	c := newNetascii(bytes.NewReader(bytes.Repeat([]byte("x"), 100)), 100, wire.Profile{BlockSize: 512, WindowSize: 1})
	if err := c.block(1, make([]byte, wire.NetasciiSize(was))); err == nil {
		t.Error("fewer line ends than counted went unnoticed")
	}
	o := octet{bytes.NewReader(make([]byte, 700)), 512}
	if err := o.block(2, make([]byte, 188)); err != nil {
		t.Error(err)
	}
	if err := o.block(2, make([]byte, 512)); err == nil || !strings.Contains(err.Error(), "ends at byte 700") {
		t.Errorf("%v", err)
	}
	if err := o.block(3, nil); err != nil {
		t.Errorf("an empty last block: %v", err)
	}
}
