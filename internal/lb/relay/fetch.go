package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lb"
	"surefoot/internal/serve/tftp"
	wire "surefoot/internal/wire/tftp"
)

var errReused = errors.New("an older content is still right")

// failure is what became of the last try of one backend.
type failure struct {
	backend string
	err     error
	final   bool // to ask again is no use
}

// run downloads until the content is complete, or nobody has it.
func (f *flight) run(ctx context.Context) {
	p := f.r.pace
	c := f.r.choose(f.ask.Client.Addr(), f.key.file)
	queue := c.Backends
	var failures []failure
	moved := time.Now() // the last progress
	for round := 0; ; {
		began := time.Now()
		again := false
		for _, b := range queue {
			if i := slices.IndexFunc(failures, func(x failure) bool { return x.backend == b.Name }); i >= 0 && failures[i].final {
				continue
			}
			had := f.held()
			left := p.sorryAfter - time.Since(moved)
			if left <= 0 {
				break
			}
			err := f.try(ctx, b, min(p.patience[round], left))
			if err == nil {
				f.launch()
				return
			}
			if errors.Is(err, errReused) {
				return
			}
			if ctx.Err() != nil {
				f.fail(errNoReader)
				return
			}
			failures = note(failures, b.Name, err)
			f.r.failed(f, b, err)
			if f.held() > had {
				moved, again = time.Now(), true
				queue = append(slices.DeleteFunc(slices.Clone(queue), func(x lb.Backend) bool { return x.Name == b.Name }), b)
				break
			}
		}
		if again {
			round = 0
			continue
		}
		round++
		if round == len(p.patience) || hopeless(failures, len(queue)) || f.held() == 0 && slices.ContainsFunc(failures, missing) || time.Since(moved) >= p.sorryAfter {
			f.fail(f.verdict(failures))
			return
		}
		if !pause(ctx, time.Until(began.Add(p.roundTime))) {
			f.fail(errNoReader)
			return
		}
	}
}

func (f *flight) held() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.have
}

// note keeps the last failure of each backend, the latest at the end.
func note(all []failure, backend string, err error) []failure {
	all = slices.DeleteFunc(all, func(x failure) bool { return x.backend == backend })
	var e *said
	final := errors.Is(err, errDiffers) || errors.As(err, &e) && (e.code == wire.ErrNotFound || e.code == wire.ErrAccess)
	return append(all, failure{backend, err, final})
}

func missing(x failure) bool {
	var e *said
	return errors.As(x.err, &e) && e.code == wire.ErrNotFound
}

func hopeless(all []failure, of int) bool {
	return len(all) == of && !slices.ContainsFunc(all, func(x failure) bool { return !x.final })
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// verdict says what the failures mean to the client and to the story. What a backend answered counts
// more than that others were silent: the client is to learn that the file is not there.
func (f *flight) verdict(all []failure) error {
	var names, details []string
	for _, x := range all {
		names = append(names, x.backend)
		details = append(details, x.backend+": "+x.err.Error())
	}
	out := &tftp.OpenError{
		Reason: boot.NoBackend, Code: wire.ErrUndefined, Text: f.sorry(),
		Detail: strings.Join(details, "; "), Origin: strings.Join(names, ", "),
	}
	if f.held() > 0 {
		out.Detail = fmt.Sprintf("after %d bytes nobody went on: %s", f.held(), out.Detail)
	}
	for _, x := range all {
		var e *said
		switch {
		case errors.Is(x.err, errDiffers):
			out.Reason, out.Text = boot.BackendDiffers, "the servers have different files of this name"
			return out
		case missing(x) && f.held() == 0:
			errors.As(x.err, &e)
			out.Reason, out.Code, out.Text = boot.FileMissing, e.code, e.text
		case errors.As(x.err, &e) && out.Reason != boot.FileMissing && f.held() == 0:
			out.Reason, out.Code, out.Text = boot.BackendRefused, e.code, e.text
		}
	}
	return out
}

func (f *flight) sorry() string {
	s := f.r.service.Load()
	if s.Sorry != "" {
		return s.Sorry
	}
	return "no server behind " + s.Name + " answers, try again later"
}
