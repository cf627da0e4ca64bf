package tftp

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/tftp"
)

// Source is where contents come from that are in no root of files. Open returns at once; it calls
// opened once, at any time and from any goroutine, with the content or the error that the client is
// told: an *OpenError, else "the file cannot be read".
type Source interface {
	Open(a Ask, opened func(Content, error))
}

// Ask is a read request.
type Ask struct {
	Request wire.Request
	Client  netip.AddrPort
	Local   netip.Addr // the address that was asked
}

// Content is what one transfer sends: bytes as they travel, so that netascii is the source's
// business. It may still be coming while its beginning is sent. Its methods are called by one
// goroutine at a time and never wait; Close comes last.
type Content interface {
	// State returns the length in bytes, -1 while it is not known, how many are there from the
	// beginning, and why no more will come, if so.
	State() (size, have int64, err error)
	// View returns the bytes from off to off+len(dst), which are there: in dst or elsewhere.
	View(dst []byte, off int64) []byte
	// Await has f called once, from any goroutine, when the bytes up to off are there, or as soon as
	// it is known that they will not be.
	Await(off int64, f func())
	// Passed says that the bytes before off are not needed any more.
	Passed(off int64)
	// Origin names who it comes from, for the story.
	Origin() string
	Close()
}

// OpenError is why a source has no content, as the client and the story are told.
type OpenError struct {
	Reason boot.Reason
	Code   wire.ErrorCode
	Text   string // to the client
	Detail string // to the story
	Origin string
}

func (e *OpenError) Error() string { return e.Detail }

// verdictOf says what an error of a source means.
func verdictOf(err error) verdict {
	var o *OpenError
	if errors.As(err, &o) {
		return verdict{reason: o.Reason, detail: o.Detail, code: o.Code, text: printable(o.Text)}
	}
	return verdict{reason: boot.ReadFailed, detail: err.Error(), code: wire.ErrUndefined, text: "the file cannot be read"}
}

// openSource has the source open what a transfer sends. A worker makes its socket as soon as it is
// known what that is.
func (l *loop) openSource(t *transfer) {
	l.opening++
	l.asked = true
	a := Ask{Request: t.asked, Client: t.ends.client, Local: t.ends.local}
	l.s.cfg.Source.Open(a, func(c Content, err error) {
		if err != nil {
			var o *OpenError
			if errors.As(err, &o) {
				t.tale.backend = o.Origin
			}
			v := verdictOf(err)
			t.refusal = &v
			l.post(note{t: t, kind: opened})
			return
		}
		t.stream = c
		if !l.s.open.submit(job{t, openStream}) {
			t.refusal = &verdict{
				reason: boot.TooManyTransfers, detail: "requests come faster than sockets can be opened",
				code: wire.ErrUndefined, text: busyText,
			}
			l.post(note{t: t, kind: opened})
		}
	})
}

// openStream is the worker's part.
func openStream(t *transfer) {
	n := note{t: t, kind: opened}
	defer func() {
		n.fault = recover()
		t.l.post(n)
	}()
	size, _, _ := t.stream.State()
	if v, ok := t.serve(size); !ok {
		t.refusal = &v
		return
	}
	t.tale.backend = t.stream.Origin()
	t.refill()
}

// refill tells the machine how much of the content is there.
func (t *transfer) refill() error {
	size, have, err := t.stream.State()
	bs := int64(t.m.profile.BlockSize)
	if t.m.have = have / bs; size >= 0 {
		t.size, t.tale.size = size, size
		if t.m.last = size/bs + 1; have >= size {
			t.m.have = t.m.last
		}
		return err
	}
	t.size, t.m.last = math.MaxInt64, unknownLast
	return err
}

// refilled goes on after more of the content came, or none will.
func (l *loop) refilled(t *transfer) {
	defer l.contain(t)
	t.awaits = false
	if t.over || !t.begun || !t.grace.IsZero() {
		return
	}
	l.step(t, time.Now(), input{kind: filled})
}

// attend asks for what the machine needs, and gives back what it has done with. A content that will
// not be complete ends the transfer when all that is there has been sent.
func (l *loop) attend(t *transfer, err error) {
	t.stream.Passed(max(t.m.acked, 0) * int64(t.m.profile.BlockSize))
	need := t.m.needs()
	switch {
	case need == 0 || t.over:
	case err != nil && t.m.starves():
		v := verdictOf(err)
		t.tale.backend = t.stream.Origin()
		_ = l.send(t, wire.AppendError(nil, v.code, v.text))
		l.finish(t, v.reason, fmt.Sprintf("%s; %s", v.detail, t.position()))
	case err == nil && !t.awaits:
		t.awaits = true
		t.stream.Await(need*int64(t.m.profile.BlockSize), func() { l.post(note{t: t, kind: refilled}) })
	}
}
