package tftp

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	"surefoot/internal/inbox"
	wire "surefoot/internal/wire/tftp"
)

// upload is what a transfer has besides when its client sends the file. Its own goroutine has it
// and the socket until the file is kept; then they are the loop's again: see dally.go.
type upload struct {
	m    *receiver
	file *inbox.File
	buf  []byte
	from sockaddr
	kept bool // the file is on the disk, under its name

	content []byte // of the packet that came last
	text    wire.NetasciiDecoder
	plain   []byte // decoded
	said    string // the client's ERROR
}

// beginUpload opens an upload in a goroutine of its own: a folder on a disk that hangs holds none
// of the openers that downloads need.
func (l *loop) beginUpload(t *transfer) {
	from := t.ends.client.Addr()
	if !l.s.desk.take(from) {
		l.refuse(t, verdict{
			reason: boot.TooManyUploads, code: wire.ErrUndefined, text: busyText,
			detail: fmt.Sprintf("at most %d run at the same time, %d of one client address", maxUploads, uploadsOfOne),
		})
		l.drop(t)
		return
	}
	l.opening++
	l.asked = true
	go func() {
		n := note{t: t, kind: opened}
		defer func() {
			n.fault = recover()
			if t.up == nil { // else whoever receives leaves
				l.s.desk.leave(from)
			}
			l.post(n)
		}()
		if v, ok := t.openUpload(); !ok {
			t.refusal = &v
		}
	}()
}

// openUpload begins a file, agrees on the options and opens the socket.
func (t *transfer) openUpload() (verdict, bool) {
	box := t.s.uploads.Load()
	if box == nil { // a reload came in between
		return verdict{reason: boot.WriteRefused, code: wire.ErrAccess, text: "uploads are off"}, false
	}
	size := t.announced()
	file, err := box.Create(t.asked.File, t.ends.client.Addr(), size)
	if err != nil {
		return judgeUpload(err), false
	}
	p, granted := t.negotiate(size)
	t.granted, t.tale.file, t.tale.size = granted, file.Name(), max(size, 0)
	if t.fd, err = openTransfer(t.ends.local, &t.s.ports); err != nil {
		file.Abort()
		return verdict{
			reason: boot.SendFailed, detail: "open a socket for the transfer: " + err.Error(),
			code: wire.ErrUndefined, text: busyText,
		}, false
	}
	enlarge(t.fd, p)
	t.to = sockaddrOf(t.ends.client)
	told := max(size, 0)
	if t.asked.IsNetascii() { // another number of bytes travels, and some count those
		told = 0
	}
	t.up = &upload{
		m: newReceiver(p, len(granted) > 0, file.Most(), told), file: file,
		buf: make([]byte, wire.HeaderSize+p.BlockSize+1), // a longer packet shows by its last byte
	}
	return verdict{}, true
}

// announced is how many bytes the client says it has (tsize, RFC 2349), or -1.
func (t *transfer) announced() int64 {
	if v, ok := wire.Lookup(t.asked.Options, wire.OptTsize); ok {
		if n, err := strconv.ParseUint(v, 10, 63); err == nil {
			return int64(n)
		}
	}
	return -1
}

// enlarge makes room for two windows in a socket, where that is more than the system's default.
func enlarge(fd int, p wire.Profile) {
	want := 2 * p.WindowSize * (2*p.BlockSize + 1024) // the kernel counts its own overhead, too
	if have, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF); err != nil || want > have {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, want)
	}
}

// judgeUpload says what an error of the inbox means to the client and to the story.
func judgeUpload(err error) verdict {
	v := verdict{reason: boot.WriteFailed, detail: err.Error(), code: wire.ErrAccess, text: "the file cannot be written"}
	var bad *inbox.Error
	if !errors.As(err, &bad) {
		return v
	}
	switch v.reason = bad.Reason; bad.Reason {
	case boot.UploadFolder:
		v.text = "no uploads to this folder"
	case boot.UploadDenied:
		v.text = "no uploads from this address"
	case boot.UploadExists:
		v.code, v.text = wire.ErrExists, "the file exists"
	case boot.UploadTooLarge:
		v.code, v.text = wire.ErrDiskFull, "the file is too large"
	case boot.UploadFull:
		v.code, v.text = wire.ErrDiskFull, "no room"
	}
	return v
}
