package tftp

import (
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/tftp"
)

// lookForStop is how often an upload looks whether it is to end.
const lookForStop = 200 * time.Millisecond

// startUpload lets an upload run by itself. Its loop only counts it meanwhile.
func (l *loop) startUpload(t *transfer) {
	t.begun = true
	go func() {
		defer l.post(note{t: t, kind: uploaded})
		defer l.s.desk.leave(t.ends.client.Addr())
		defer t.containUpload()
		if len(t.granted) > 0 {
			t.tell(boot.OptionsSent, func(ev *boot.Event) { ev.Options = wire.FormatOptions(t.granted) })
		}
		why, detail := t.receive()
		t.up.file.Abort() // unless it is kept
		t.end(why, detail)
	}()
}

// containUpload keeps a fault within the upload. It is deferred.
func (t *transfer) containUpload() {
	t.up.file.Abort()
	p := recover()
	if p == nil {
		return
	}
	t.s.deps.Log.Error("fault in an upload", "role", Role, "file", t.asked.File, "panic", p, "stack", string(debug.Stack()))
	defer func() { _ = recover() }() // whoever listens to events may be the fault
	t.end(boot.Panicked, fmt.Sprint(p))
}

// receive runs an upload until its file is kept, or until it fails.
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
				t.sayError(v.code, v.text)
				return v.reason, v.detail
			}
			t.noteProgress(time.Now())
		}
		if t.acknowledge(do) {
			do.deadline = m.left(time.Now())
		}
		if t.up.kept {
			return boot.Received, ""
		}
		var gone string
		if do, gone = t.await(do.deadline); gone != "" {
			return boot.ClientGone, gone
		}
	}
}

func (t *transfer) noteProgress(now time.Time) {
	t.moved.Store(now.UnixNano())
	if t.up.m.got == 1 {
		t.s.running.heard(t)
	}
	t.progress(now)
}

// acknowledge sends what an order says, and reports whether that was anything. What is lost, or
// finds no room, the timer sends again.
func (t *transfer) acknowledge(do order) bool {
	switch {
	case do.oack:
		_ = sendTo(t.fd, wire.AppendOACK(nil, t.granted), &t.to)
	case do.ack >= 0:
		_ = sendTo(t.fd, wire.AppendACK(nil, uint16(do.ack)), &t.to)
	default:
		return false
	}
	return true
}

func (t *transfer) sayError(code wire.ErrorCode, text string) {
	_ = sendTo(t.fd, wire.AppendError(nil, code, text), &t.to)
}

func (t *transfer) endUpload(why boot.Reason) (boot.Reason, string) {
	m := t.up.m
	switch why {
	case boot.UploadTooLarge:
		t.sayError(wire.ErrDiskFull, "the file is too large")
		return why, fmt.Sprintf("more than %d bytes", m.most)
	case boot.UploadShort:
		t.sayError(wire.ErrUndefined, "fewer bytes than tsize says")
		return why, fmt.Sprintf("%d bytes came, and the client said %d (tsize); blocks have %d", m.bytes, m.told, m.profile.BlockSize)
	case boot.Draining:
		t.sayError(wire.ErrUndefined, "the server is stopping")
		return why, fmt.Sprintf("the drain timeout passed; %d bytes had come", m.bytes)
	case boot.ClientError:
		return why, fmt.Sprintf("%s; %d bytes had come", t.up.said, m.bytes)
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
	err := t.up.file.Commit()
	t.up.kept = err == nil
	return err
}

// await waits for the client's next packet, or the deadline, and says what to do. gone says why
// the client is no more there. Packets that came while the disk was slow count before the deadline,
// and the client's last words before its closed port.
func (t *transfer) await(deadline time.Time) (do order, gone string) {
	u := t.up
	closed := false
	for {
		switch interruption(t.stopped.Load()) {
		case draining:
			return finishUpload(boot.Draining), ""
		case replaced:
			return order{}, fmt.Sprintf("it began another request from the same port; %d bytes had come", u.m.bytes)
		case displaced:
			return order{}, fmt.Sprintf("nothing came for %s, and another client needed the place", silentFor)
		}
		wait := min(max(0, time.Until(deadline)), lookForStop)
		if closed {
			wait = 0
		}
		fds := []unix.PollFd{{Fd: int32(t.fd), Events: unix.POLLIN}}
		_, _ = unix.Poll(fds, int((wait+time.Millisecond-1)/time.Millisecond))
		n, err := recvFrom(t.fd, u.buf, &u.from)
		switch {
		case err == nil && u.from.same(&t.to):
			if do, ok := t.heardClient(u.buf[:n]); ok {
				return do, ""
			}
		case err == nil:
			t.stranger(u.buf[:n], &u.from)
		case err != errAgain, fds[0].Revents&unix.POLLERR != 0: // else poll says so again at once
			closed = closedPort(t.fd, &t.to) || closed
		case closed:
			return order{}, fmt.Sprintf("its port is closed (ICMP); %d bytes had come", u.m.bytes)
		}
		if now := time.Now(); !now.Before(deadline) {
			return u.m.tick(now), ""
		}
	}
}

// heardClient works on a packet of the client. What is out of place is never answered (VU#417980).
func (t *transfer) heardClient(b []byte) (order, bool) {
	u := t.up
	p, err := wire.ParsePacket(b)
	switch {
	case err == nil && p.Op == wire.OpDATA && len(p.Data) <= u.m.profile.BlockSize:
		u.content = p.Data
		return u.m.data(time.Now(), p.Block, len(p.Data)), true
	case err == nil && p.Op == wire.OpERROR:
		u.said = fmt.Sprintf("%s: %q", p.Code, p.Message)
		return finishUpload(boot.ClientError), true
	}
	return order{}, false
}
