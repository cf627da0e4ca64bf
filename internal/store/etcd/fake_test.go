package etcd

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// fake is a store in memory: one history, and transactions that compare before they write.
type fake struct {
	mu        sync.Mutex
	rev       int64
	values    map[string]kv
	log       []kv
	compacted int64
	moved     chan struct{}
	id        uint64
}

func newFake() *fake { return &fake{values: map[string]kv{}, moved: make(chan struct{}), id: 1} }

// wire is one node's connection to it, which can be cut and can be slow.
type wire struct {
	f    *fake
	cut  atomic.Bool
	slow atomic.Int64 // nanoseconds, before and after each call
	eats atomic.Bool  // the store does what it is asked, and the answer is lost
}

var errCut = errors.New("no route to host")

// way is the way of a message; a cut one loses it.
func (w *wire) way(ctx context.Context) error {
	if d := time.Duration(w.slow.Load()); d > 0 {
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if w.cut.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	return ctx.Err()
}

func (w *wire) Cluster() uint64 { w.f.mu.Lock(); defer w.f.mu.Unlock(); return w.f.id }

func (w *wire) Commit(ctx context.Context, list ...txn) ([]commit, error) {
	if err := w.way(ctx); err != nil {
		return nil, err
	}
	out := w.f.commit(list)
	if w.eats.Load() {
		<-ctx.Done()
	}
	return out, w.way(ctx)
}

func (f *fake) commit(list []txn) []commit {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []commit
	rev := f.rev + 1
	for _, x := range list {
		r := commit{done: true}
		for _, c := range x.conds {
			v := f.values[c.key]
			r.done = r.done && v.rev == c.rev
			r.have = append(r.have, v)
		}
		if r.done {
			f.rev = rev
			for _, w := range x.writes {
				v := kv{w.key, slices.Clone(w.value), rev}
				f.values[w.key] = v
				if w.value == nil {
					delete(f.values, w.key)
				}
				f.log = append(f.log, v)
			}
		}
		out = append(out, r)
	}
	for i := range out {
		out[i].rev = f.rev
	}
	close(f.moved)
	f.moved = make(chan struct{})
	return out
}

func (w *wire) Read(ctx context.Context, key string) (kv, int64, error) {
	if err := w.way(ctx); err != nil {
		return kv{}, 0, err
	}
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	return w.f.values[key], w.f.rev, nil
}

func (w *wire) List(ctx context.Context, prefix, from string, most int, at int64) ([]kv, bool, int64, error) {
	if err := w.way(ctx); err != nil {
		return nil, false, 0, err
	}
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	if at != 0 && at < w.f.compacted {
		return nil, false, 0, errCompacted
	}
	if at == 0 {
		at = w.f.rev
	}
	was := map[string]kv{}
	for _, v := range w.f.log {
		if v.rev <= at {
			was[v.key] = v
		}
	}
	var out []kv
	for k, v := range was {
		if strings.HasPrefix(k, prefix) && k >= from && v.value != nil {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b kv) int { return strings.Compare(a.key, b.key) })
	more := len(out) > most
	return out[:min(len(out), most)], more, at, nil
}

func (w *wire) Watch(ctx context.Context, prefix string, from int64, f func([]kv)) error {
	for {
		w.f.mu.Lock()
		if from <= w.f.compacted {
			w.f.mu.Unlock()
			return errCompacted
		}
		var list []kv
		for _, v := range w.f.log {
			if v.rev >= from && strings.HasPrefix(v.key, prefix) {
				list = append(list, v)
			}
		}
		from = w.f.rev + 1
		moved := w.f.moved
		w.f.mu.Unlock()
		if err := w.way(ctx); err != nil {
			return err
		}
		if len(list) > 0 {
			f(list)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		}
	}
}

// compact forgets the past, as etcd does when it is told to.
func (f *fake) compact() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.compacted = f.rev
}

func (w *wire) dial(ctx context.Context) (db, string, func(), error) {
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if _, _, err := w.Read(ctx, ""); err != nil {
		return nil, "", nil, errors.Join(errCut, err)
	}
	return w, "fake", func() {}, nil
}
