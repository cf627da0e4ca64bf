package relay

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/serve/tftp"
	wire "surefoot/internal/wire/tftp"
)

var _ tftp.Source = (*Relay)(nil)

// Open joins the download of a file, or begins one.
func (r *Relay) Open(a tftp.Ask, opened func(tftp.Content, error)) {
	r.open(a, opened, r.cfg.Cache > 0)
}

func (r *Relay) open(a tftp.Ask, opened func(tftp.Content, error), shared bool) {
	k := key{a.Request.File, strings.ToLower(a.Request.Mode)}
	r.mu.Lock()
	var older *flight
	if shared {
		f := r.flights[k]
		if f != nil && f.fresh(time.Now(), r.cfg.Fresh) {
			r.use(f)
			r.mu.Unlock()
			r.stats.shared.Add(1)
			f.join(waiter{a, opened})
			return
		}
		older = f
	} else if r.streams.Load() >= maxStreams {
		r.mu.Unlock()
		opened(nil, &tftp.OpenError{
			Reason: boot.RelayFull, Code: wire.ErrUndefined, Text: "server busy, try again later",
			Detail: fmt.Sprintf("%d downloads that are not shared run", maxStreams),
		})
		return
	}
	f := newFlight(r, k, a)
	f.shared, f.older = shared, older
	f.streaming.Store(!shared)
	if shared {
		r.flights[k] = f
	} else {
		r.streams.Add(1)
	}
	f.waiters = append(f.waiters, waiter{a, opened})
	ctx, cancel := context.WithCancel(r.ctx)
	f.cancel = cancel
	r.running.Add(1)
	r.mu.Unlock()
	go func() {
		defer r.running.Done()
		defer cancel()
		defer r.landed(f, shared)
		f.run(ctx)
	}()
}

// landed is deferred around a download: a fault costs its clients their transfers, and nobody else.
func (r *Relay) landed(f *flight, shared bool) {
	if p := recover(); p != nil {
		r.deps.Log.Error("fault in a download", "role", "lb", "file", f.key.file, "panic", p, "stack", string(debug.Stack()))
		f.fail(fmt.Errorf("a fault: %v", p))
	}
	if !shared {
		r.streams.Add(-1)
	}
	r.release(f)
}

// fresh reports whether a content may be handed out without asking a backend about it.
func (f *flight) fresh(now time.Time, fresh time.Duration) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.done || f.err == nil && now.Sub(f.checked) < fresh && now.Sub(f.fetched) < recheck*fresh
}

// join gives a client the content, when it is known what it is.
func (f *flight) join(w waiter) {
	f.mu.Lock()
	switch {
	case errors.Is(f.err, errReused):
		f.mu.Unlock()
		f.older.join(w)
	case f.err != nil:
		err := f.err
		f.mu.Unlock()
		w.opened(nil, err)
	case f.opened && f.private(): // it turned out not to be for many
		f.mu.Unlock()
		f.r.open(w.ask, w.opened, false)
	case f.opened:
		c := f.read()
		f.mu.Unlock()
		w.opened(c, nil)
	default:
		f.waiters = append(f.waiters, w)
		f.mu.Unlock()
	}
}

// launch lets the waiting clients begin: the size is known, or will not be before the end. Of a
// content that is too large to share, only the first has this download.
func (f *flight) launch() {
	f.mu.Lock()
	if f.opened {
		f.mu.Unlock()
		return
	}
	f.opened = true
	waiters := f.waiters
	f.waiters = nil
	var contents []tftp.Content
	for i := range waiters {
		if i > 0 && f.private() {
			break
		}
		contents = append(contents, f.read())
	}
	f.mu.Unlock()
	for i, w := range waiters {
		if i < len(contents) {
			w.opened(contents[i], nil)
			continue
		}
		f.r.open(w.ask, w.opened, false)
	}
}

// reuse hands the clients over to an older content that is still right.
func (f *flight) reuse() {
	r, g := f.r, f.older
	now := time.Now()
	g.mu.Lock()
	g.checked = now
	g.mu.Unlock()
	r.mu.Lock()
	if r.flights[f.key] == f {
		r.flights[f.key] = g
	}
	r.used -= f.charged
	f.charged = 0
	r.use(g)
	r.mu.Unlock()
	f.mu.Lock()
	f.opened, f.done = true, true
	f.err = errReused
	waiters := f.waiters
	f.waiters = nil
	f.mu.Unlock()
	for _, w := range waiters {
		g.join(w)
	}
	r.release(g)
}
