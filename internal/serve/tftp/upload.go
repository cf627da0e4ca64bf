package tftp

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	"surefoot/internal/inbox"
	wire "surefoot/internal/wire/tftp"
)

// maxUploads is how many uploads run at the same time. Each has a goroutine and a thread of its
// own, since it waits for the disk; there are few of them, and downloads never wait for one.
const maxUploads = 64

// lookForStop is how often an upload looks whether it is to end.
const lookForStop = 200 * time.Millisecond

// upload is what a transfer has besides when its client sends the file.
type upload struct {
	m    *receiver
	file *inbox.File
	buf  []byte
	from sockaddr

	content []byte // of the packet that came last
	text    wire.NetasciiDecoder
	plain   []byte // decoded
	said    string // the client's ERROR
}

// openUpload begins a file, agrees on the options and opens the socket.
func (t *transfer) openUpload() (verdict, bool) {
	box := t.s.uploads.Load()
	if box == nil {
		return verdict{reason: boot.WriteRefused, code: wire.ErrAccess, text: "uploads are off"}, false
	}
	if t.s.receiving.Add(1) > maxUploads {
		t.s.receiving.Add(-1)
		return verdict{reason: boot.TooManyUploads, detail: fmt.Sprintf("at most %d run at the same time", maxUploads), text: busyText}, false
	}
	size := int64(-1)
	if v, ok := wire.Lookup(t.asked.Options, wire.OptTsize); ok {
		if n, err := strconv.ParseUint(v, 10, 63); err == nil {
			size = int64(n)
		}
	}
	file, err := box.Create(t.asked.File, t.ends.client.Addr(), size)
	if err != nil {
		t.s.receiving.Add(-1)
		return judgeUpload(err), false
	}
	p, granted := t.negotiate(size)
	t.granted, t.size, t.tale.file, t.tale.size = granted, max(size, 0), file.Name(), max(size, 0)
	if t.fd, err = openTransfer(t.ends.local, &t.s.ports); err != nil {
		file.Abort()
		t.s.receiving.Add(-1)
		return verdict{reason: boot.SendFailed, detail: "open a socket for the transfer: " + err.Error(), text: busyText}, false
	}
	_ = unix.SetsockoptInt(t.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 2*p.WindowSize*(p.BlockSize+512))
	t.to = sockaddrOf(t.ends.client)
	t.up = &upload{m: newReceiver(p, len(granted) > 0, file.Most()), file: file, buf: make([]byte, wire.HeaderSize+p.BlockSize+1)}
	return verdict{}, true
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

// startUpload lets an upload run by itself. Its loop only counts it until it is over.
func (l *loop) startUpload(t *transfer) {
	t.begun = true
	if len(t.granted) > 0 {
		t.tell(boot.OptionsSent, func(ev *boot.Event) { ev.Options = wire.FormatOptions(t.granted) })
	}
	go func() {
		defer l.post(note{t: t, kind: uploaded})
		defer t.s.receiving.Add(-1)
		defer t.up.file.Abort() // unless it was finished
		defer func() {
			if p := recover(); p != nil {
				t.s.deps.Log.Error("fault in an upload", "role", Role, "file", t.asked.File, "panic", p, "stack", string(debug.Stack()))
				defer func() { _ = recover() }()
				t.end(boot.Panicked, fmt.Sprint(p))
			}
		}()
		why, detail := t.receive()
		t.end(why, detail)
	}()
}

// receive runs an upload to its end.
func (t *transfer) receive() (boot.Reason, string) {
	m := t.up.m
	do := m.begin(time.Now())
	for {
		if do.end != "" {
			return t.endUpload(do.end)
		}
		if do.take {
			if err := t.store(do.last); err != nil {
				v := judgeUpload(err)
				_ = sendTo(t.fd, wire.AppendError(nil, v.code, v.text), &t.to)
				return v.reason, v.detail
			}
			now := time.Now()
			t.moved.Store(now.UnixNano())
			if m.got == 1 {
				t.s.running.heard(t)
			}
			t.progress(now)
		}
		switch {
		case do.oack:
			_ = sendTo(t.fd, wire.AppendOACK(nil, t.granted), &t.to)
		case do.ack >= 0:
			_ = sendTo(t.fd, wire.AppendACK(nil, uint16(do.ack)), &t.to)
		}
		var gone string
		if do, gone = t.await(do.deadline); gone != "" {
			return boot.ClientGone, gone
		}
	}
}

func (t *transfer) endUpload(why boot.Reason) (boot.Reason, string) {
	switch m := t.up.m; why {
	case boot.Done:
		return boot.Received, ""
	case boot.UploadTooLarge:
		_ = sendTo(t.fd, wire.AppendError(nil, wire.ErrDiskFull, "the file is too large"), &t.to)
		return why, fmt.Sprintf("more than %d bytes", m.most)
	case boot.ClientError:
		return why, t.up.said
	case boot.Timeout:
		return why, fmt.Sprintf("no block %d for %s; %d bytes had come", m.got+1, time.Since(m.heard).Round(time.Second), m.bytes)
	}
	return why, ""
}

// store writes the block in the buffer; after the last one the file is finished: what is
// acknowledged is on the disk, under its name.
func (t *transfer) store(last bool) error {
	b := t.up.content
	if t.asked.IsNetascii() {
		t.up.plain = t.up.text.Append(t.up.plain[:0], b, last)
		b = t.up.plain
	}
	if _, err := t.up.file.Write(b); err != nil || !last {
		return err
	}
	return t.up.file.Commit()
}

// await waits for the client's next packet, or the deadline, and says what to do. gone says why
// the client is no more there.
func (t *transfer) await(deadline time.Time) (do order, gone string) {
	u := t.up
	for {
		switch why := interruption(t.stopped.Load()); {
		case why != 0 && u.m.over:
			return finishUpload(boot.Done), ""
		case why == draining:
			_ = sendTo(t.fd, wire.AppendError(nil, wire.ErrUndefined, "the server is stopping"), &t.to)
			return finishUpload(boot.Draining), ""
		case why == replaced:
			return order{}, "it began another request from the same port"
		case why == displaced:
			return order{}, "nothing came, and another client needed the place"
		}
		now := time.Now()
		if !now.Before(deadline) {
			return u.m.tick(now), ""
		}
		wait := min(deadline.Sub(now), lookForStop)
		fds := []unix.PollFd{{Fd: int32(t.fd), Events: unix.POLLIN}}
		_, _ = unix.Poll(fds, int((wait+time.Millisecond-1)/time.Millisecond))
		n, err := recvFrom(t.fd, u.buf, &u.from)
		if err != nil {
			if isRefused(err) && closedPort(t.fd, &t.to) {
				if u.m.over { // it has closed its port, as one does that got the last ACK
					return finishUpload(boot.Done), ""
				}
				return order{}, fmt.Sprintf("its port is closed (ICMP); %d bytes had come", u.m.bytes)
			}
			continue
		}
		if !u.from.same(&t.to) {
			t.foreign(u.buf[:n])
			continue
		}
		p, err := wire.ParsePacket(u.buf[:n])
		switch {
		case err == nil && p.Op == wire.OpDATA && len(p.Data) <= u.m.profile.BlockSize:
			u.content = p.Data
			return u.m.data(time.Now(), p.Block, len(p.Data)), ""
		case err == nil && p.Op == wire.OpERROR && u.m.over:
			return finishUpload(boot.Done), ""
		case err == nil && p.Op == wire.OpERROR:
			u.said = fmt.Sprintf("%s: %q", p.Code, p.Message)
			return finishUpload(boot.ClientError), ""
		}
	}
}

// foreign answers a packet of somebody whose transfer this is not (RFC 1350 section 4).
func (t *transfer) foreign(b []byte) {
	if t.strangers++; t.strangers > maxStrangers {
		return
	}
	if op, ok := wire.PeekOp(b); ok && op != wire.OpERROR {
		_ = sendTo(t.fd, wire.AppendError(nil, wire.ErrUnknownTID, "unknown transfer ID"), &t.up.from)
	}
}
