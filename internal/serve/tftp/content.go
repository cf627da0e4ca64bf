package tftp

import (
	"errors"
	"fmt"
	"io"

	wire "surefoot/internal/wire/tftp"
)

// content is what a transfer sends, block by block. Blocks are asked for in order, or again from
// any that is not older than a window.
type content interface {
	// block fills dst with block n (the first is 1); dst has the block's length.
	block(n int64, dst []byte) error
}

// octet is a file as it is.
type octet struct {
	src       io.ReaderAt
	blockSize int64
}

func (o octet) block(n int64, dst []byte) error {
	return readFull(o.src, dst, (n-1)*o.blockSize)
}

// readFull fills dst. That the file ends early is an error: its size was promised to the client.
func readFull(src io.ReaderAt, dst []byte, off int64) error {
	if len(dst) == 0 {
		return nil
	}
	n, err := src.ReadAt(dst, off)
	if n == len(dst) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return fmt.Errorf("the file became shorter while it was sent: it ends at byte %d", off+int64(n))
	}
	return err
}

// netascii is a text file in netascii, translated while it is sent. It remembers where in the
// source each block of the window begins.
type netascii struct {
	src   io.ReaderAt
	size  int64  // of the source
	marks []mark // of block n at n modulo its length
	buf   []byte
}

// mark is where a block begins.
type mark struct {
	block int64
	state wire.Netascii
	off   int64 // in the source
}

func newNetascii(src io.ReaderAt, size int64, p wire.Profile) *netascii {
	n := &netascii{src: src, size: size, marks: make([]mark, p.WindowSize+1), buf: make([]byte, min(p.BlockSize, 4<<10))}
	n.marks[1%len(n.marks)] = mark{block: 1}
	return n
}

func (a *netascii) block(n int64, dst []byte) error {
	m := a.marks[n%int64(len(a.marks))]
	if m.block != n {
		return fmt.Errorf("block %d is not in the window", n)
	}
	for have := 0; have < len(dst); {
		src := a.buf[:min(int64(len(dst)-have), a.size-m.off)]
		if err := readFull(a.src, src, m.off); err != nil {
			return err
		}
		wrote, read := m.state.Encode(dst[have:], src)
		if wrote == 0 {
			return errors.New("the file became shorter while it was sent: fewer line ends than counted")
		}
		have, m.off = have+wrote, m.off+int64(read)
	}
	m.block = n + 1
	a.marks[m.block%int64(len(a.marks))] = m
	return nil
}

// netasciiSize reads a file once to learn its length in netascii.
func netasciiSize(src io.ReaderAt, size int64) (int64, error) {
	buf := make([]byte, min(size, 64<<10))
	var total int64
	for off := int64(0); off < size; off += int64(len(buf)) {
		part := buf[:min(int64(len(buf)), size-off)]
		if err := readFull(src, part, off); err != nil {
			return 0, err
		}
		total += wire.NetasciiSize(part)
	}
	return total, nil
}
