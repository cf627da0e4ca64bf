package tftp

import (
	"errors"

	"golang.org/x/sys/unix"

	"surefoot/internal/files"
	wire "surefoot/internal/wire/tftp"
)

// disk is a file that is read while it is sent: too long for the cache, or too new. What the page
// cache has is read by the loop; a worker reads the rest, so that a slow disk or a network file
// system keeps nobody else waiting.
type disk struct {
	f    *files.File
	fd   int
	vec  unix.Iovec
	busy bool  // a worker owns the rest
	slow bool  // the file system cannot say what it has in memory
	off  int64 // of buf
	need int   // bytes that were asked for there
	buf  []byte
	err  error
}

const (
	// chunk is how many bytes a worker reads at a time, at most.
	chunk = 256 << 10
	// aheadInAll bounds what was read ahead for all transfers together: 10,000 machines that wait must not
	// hold 256 KiB each.
	aheadInAll = 64 << 20
)

// ahead is how many bytes a worker reads for one of so many transfers, need of which are to be sent now.
func ahead(transfers, need int) int {
	return max(need, min(chunk, aheadInAll/max(transfers, 1)))
}

// errNotHere says that a worker has to read first.
var errNotHere = errors.New("not in memory")

// view returns len(dst) bytes at off, in dst or elsewhere.
func (d *disk) view(dst []byte, off int64) ([]byte, error) {
	if len(dst) == 0 {
		return dst, nil
	}
	if d.busy {
		return nil, errNotHere
	}
	if in := off - d.off; in >= 0 && in+int64(len(dst)) <= int64(len(d.buf)) {
		return d.buf[in : in+int64(len(dst))], nil
	}
	d.buf = nil
	if !d.slow {
		n, err := preadNow(d.fd, dst, off, &d.vec)
		if err == nil && n == len(dst) {
			return dst, nil
		}
		d.slow = errors.Is(err, unix.EOPNOTSUPP)
	}
	d.off, d.need = off, len(dst)
	return nil, errNotHere
}

// read is the worker's part: on from where the loop found nothing, in a file of size bytes.
func (d *disk) read(size int64, transfers int) {
	d.buf = make([]byte, min(int64(ahead(transfers, d.need)), size-d.off))
	d.err = readFull(d.f, d.buf, d.off)
}

// readFrom makes a transfer read from an open file.
func (t *transfer) readFrom(f *files.File, p wire.Profile) {
	t.file = f
	if t.asked.IsNetascii() {
		t.content = newNetascii(f, f.Size(), p)
		return
	}
	if fder, ok := f.ReaderAt.(interface{ Fd() uintptr }); ok {
		t.disk = &disk{f: f, fd: int(fder.Fd())}
		return
	}
	t.content = octet{f, int64(p.BlockSize)}
}

func (t *transfer) closeFile() {
	if t.file != nil {
		_ = t.file.Close()
	}
	if t.stream != nil {
		t.stream.Close()
	}
}
