package tftp

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls of the packet path, without the allocations of x/sys/unix's forms. None of
// them sleeps but epollWait, so the others do not tell Go's scheduler of themselves.

// control is room for the control messages of a send: the address that it leaves from, and the
// size of the packets that it is cut into.
type control struct {
	room [12]uint64 // aligned as they have to be
	used int        // bytes
}

// gso is the control message that cuts one send into packets of a size (UDP_SEGMENT, udp(7)).
type gso struct {
	head unix.Cmsghdr
	size uint16
	_    [6]byte
}

// set fills in a control message that is ready (nil: none), and a cut (0: none).
func (c *control) set(from []byte, segment int) {
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(&c.room)), unsafe.Sizeof(c.room))
	c.used = copy(bytes, from)
	if segment > 0 {
		g := (*gso)(unsafe.Pointer(&bytes[c.used])) // a multiple of 8: unix.CmsgSpace
		g.head.Level, g.head.Type = unix.SOL_UDP, unix.UDP_SEGMENT
		g.head.SetLen(unix.CmsgLen(2))
		g.size = uint16(segment)
		c.used += unix.CmsgSpace(2)
	}
}

func (c *control) into(m *unix.Msghdr) {
	m.Control = nil
	if c.used > 0 {
		m.Control = (*byte)(unsafe.Pointer(&c.room))
	}
	m.SetControllen(c.used)
}

// recvFrom reads one packet; from is its source.
func recvFrom(fd int, buf []byte, from *sockaddr) (int, error) {
	from.n = uint32(len(from.b))
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)),
		unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&from.b[0])), uintptr(unsafe.Pointer(&from.n)))
	return int(n), asError(errno)
}

func sendTo(fd int, b []byte, to *sockaddr) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
		unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&to.b[0])), uintptr(to.n))
	return asError(errno)
}

func sendMsg(fd int, m *unix.Msghdr) error {
	_, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(m)), unix.MSG_DONTWAIT)
	return asError(errno)
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	head unix.Msghdr
	n    uint32
	_    [4]byte
}

func recvMMsg(fd int, ms []mmsghdr) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&ms[0])), uintptr(len(ms)),
		unix.MSG_DONTWAIT, 0, 0)
	return int(n), asError(errno)
}

// sendMMsg returns how many left; an error only where none did.
func sendMMsg(fd int, ms []mmsghdr) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&ms[0])), uintptr(len(ms)),
		unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, asError(errno)
	}
	return int(n), nil
}

// preadNow reads what is in memory already (RWF_NOWAIT, preadv2(2)); EAGAIN or EOPNOTSUPP says
// that it would have to wait for the disk.
func preadNow(fd int, dst []byte, off int64, v *unix.Iovec) (int, error) {
	v.Base = &dst[0]
	v.SetLen(len(dst))
	n, _, errno := unix.RawSyscall6(unix.SYS_PREADV2, uintptr(fd), uintptr(unsafe.Pointer(v)), 1,
		uintptr(off), 0, unix.RWF_NOWAIT)
	return int(n), asError(errno)
}

// epollNow waits without letting go of the processor that Go's scheduler gave to this thread: for
// no time, or for a nap in which the next packet is expected.
func epollNow(ep int, events []unix.EpollEvent, wait time.Duration) int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(ep), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)),
		uintptr(wait.Milliseconds()), 0, 0)
	if errno != 0 {
		return 0 // a signal
	}
	return int(n)
}

// asError is without the allocation of an interface around the number.
func asError(e unix.Errno) error {
	switch e {
	case 0:
		return nil
	case unix.EAGAIN:
		return errAgain
	}
	return e
}

var errAgain error = unix.EAGAIN
