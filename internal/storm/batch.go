package storm

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batchSize = 16      // datagrams, or pieces of up to 64 KiB, read in one system call
	pieceSize = 1 << 16 // the most that UDP_GRO puts together
)

// batch reads many datagrams of one socket in one system call (recvmmsg).
type batch struct {
	msgs  [batchSize]mmsghdr
	iov   [batchSize]unix.Iovec
	names [batchSize]unix.RawSockaddrInet6
	oob   [batchSize][8]uint64 // aligned room for one control message with an int
	bufs  [batchSize][]byte
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

func newBatch() *batch {
	b := new(batch)
	all := make([]byte, batchSize*pieceSize)
	for i := range b.msgs {
		b.bufs[i] = all[i*pieceSize : (i+1)*pieceSize]
		b.iov[i].Base = &b.bufs[i][0]
		b.iov[i].SetLen(pieceSize)
		h := &b.msgs[i].hdr
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Iov = &b.iov[i]
		h.SetIovlen(1)
		h.Control = (*byte)(unsafe.Pointer(&b.oob[i]))
		b.rearm(i)
	}
	return b
}

// rearm undoes what the kernel wrote into the header of message i.
func (b *batch) rearm(i int) {
	h := &b.msgs[i].hdr
	h.Namelen = unix.SizeofSockaddrInet6
	h.SetControllen(int(unsafe.Sizeof(b.oob[i])))
	h.Flags = 0
}

// read calls f for each datagram that has come, until f returns false, and reports whether there may be
// more. The bytes are f's during the call only. An error is one of the socket's own (ICMP).
func (b *batch) read(fd int, f func(from netip.AddrPort, data []byte) bool) (more bool, err error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.msgs[0])), batchSize, unix.MSG_DONTWAIT, 0, 0)
	switch errno {
	case 0:
	case unix.EAGAIN, unix.EINTR:
		return false, nil
	default:
		return true, errno
	}
	wanted := true
	for i := range int(n) {
		data, from := b.bufs[i][:b.msgs[i].n], getAddr(&b.names[i])
		piece := b.pieceLen(i)
		if piece == 0 {
			piece = max(len(data), 1)
		}
		for wanted {
			k := min(piece, len(data))
			wanted = f(from, data[:k])
			if data = data[k:]; len(data) == 0 {
				break
			}
		}
		b.rearm(i)
	}
	return wanted && n == batchSize, nil
}

// readOne is read for a client in lock-step, to which nothing comes in pieces and mostly one datagram
// at a time: epoll tells of a second one.
func (b *batch) readOne(fd int, f func(from netip.AddrPort, data []byte) bool) (more bool, err error) {
	size := uint32(unix.SizeofSockaddrInet6)
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b.bufs[0][0])), pieceSize, unix.MSG_DONTWAIT,
		uintptr(unsafe.Pointer(&b.names[0])), uintptr(unsafe.Pointer(&size)))
	switch errno {
	case 0:
		f(getAddr(&b.names[0]), b.bufs[0][:n])
		return false, nil
	case unix.EAGAIN, unix.EINTR:
		return false, nil
	}
	return true, errno
}

// pieceLen is the length of the datagrams that came as one message, 0 if it is a single one.
func (b *batch) pieceLen(i int) int {
	if b.msgs[i].hdr.Controllen < unix.SizeofCmsghdr {
		return 0
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b.oob[i]))
	if h.Level != unix.IPPROTO_UDP || h.Type != unix.UDP_GRO {
		return 0
	}
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(&b.oob[i]), unix.CmsgLen(0))))
}
