package rawsock

import (
	"cmp"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// MaxBatch is how many frames one system call reads or writes at most.
const MaxBatch = 64

// Batch is the memory for reading frames many at a time (recvmmsg(2)): 128 KiB. It belongs to one
// reader.
type Batch struct {
	n    int
	msgs [MaxBatch]mmsghdr
	iovs [MaxBatch]unix.Iovec
	room [MaxBatch][MaxFrame]byte
	read func(fd uintptr) bool // b.receive, made once: a new one would be an allocation a read
	err  error
}

// NewBatch returns an empty one.
func NewBatch() *Batch {
	b := new(Batch)
	b.read = b.receive
	for i := range b.msgs {
		b.iovs[i].Base = &b.room[i][0]
		b.iovs[i].SetLen(MaxFrame)
		b.msgs[i].head.Iov = &b.iovs[i]
		b.msgs[i].head.SetIovlen(1)
	}
	return b
}

// Len returns how many frames the last ReadBatch brought.
func (b *Batch) Len() int { return b.n }

// Frame returns one of them. It is overwritten by the next ReadBatch.
func (b *Batch) Frame(i int) []byte { return b.room[i][:b.msgs[i].n] }

// receive is called until it returns true, each time that there may be something to read.
func (b *Batch) receive(fd uintptr) bool {
	for {
		b.n, b.err = recvMMsg(int(fd), b.msgs[:])
		if b.err != unix.EINTR {
			return b.err != errAgain
		}
	}
}

// ReadBatch waits for a frame, and reads it with those that have come behind it. Its errors are
// those of Read.
func (p *PacketConn) ReadBatch(b *Batch) (int, error) {
	b.n, b.err = 0, nil
	if err := cmp.Or(p.plain(p.rc.Read(b.read)), b.err); err != nil {
		b.n = 0
		return 0, fmt.Errorf("read from %s: %w", p.name, err)
	}
	return b.n, nil
}

// plain strips what mdlayher/packet wraps around an error, whose text is "raw-read packet" and the
// interface's address, and gives a closed socket the error that it has elsewhere.
func (p *PacketConn) plain(err error) error {
	if err == nil {
		return nil
	}
	if p.closed.Load() {
		return net.ErrClosed
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
