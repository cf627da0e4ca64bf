package rawsock

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	head unix.Msghdr
	n    uint32
	_    [4]byte
}

// recvMMsg and sendMMsg do not sleep, so they do not tell Go's scheduler of themselves.

func recvMMsg(fd int, ms []mmsghdr) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&ms[0])), uintptr(len(ms)),
		unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, asError(errno)
	}
	return int(n), nil
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

// asError is without the allocation of an interface around the number, which EAGAIN would cost after
// every batch.
func asError(e unix.Errno) error {
	if e == unix.EAGAIN {
		return errAgain
	}
	return e
}

var errAgain error = unix.EAGAIN
