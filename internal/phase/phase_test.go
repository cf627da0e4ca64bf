package phase

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// recorder notes what happened in which order.
type recorder struct {
	mu  sync.Mutex // guards log
	log []string
}

func (r *recorder) add(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, s)
}

func (r *recorder) task(name string, startup, shutdown time.Duration) Task {
	return Task{Name: name, Run: func(ctx context.Context, ready func()) error {
		time.Sleep(startup)
		r.add(name + " ready")
		ready()
		<-ctx.Done()
		time.Sleep(shutdown)
		r.add(name + " stopped")
		return nil
	}}
}

func TestRunOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		ctx, cancel := context.WithCancel(t.Context())
		err := Run(
			ctx, func() { r.add("all ready"); cancel() },
			Phase{r.task("store", 3*time.Second, 0)},
			Phase{r.task("a", 2*time.Second, 1*time.Second), r.task("b", time.Second, 2*time.Second)},
			Phase{r.task("vip", 0, 5*time.Second)},
		)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{
			"store ready", "b ready", "a ready", "vip ready", "all ready",
			"vip stopped", "a stopped", "b stopped", "store stopped",
		}
		if !slices.Equal(r.log, want) {
			t.Errorf("got  %q\nwant %q", r.log, want)
		}
	})
}

func TestRunTaskFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		boom := errors.New("boom")
		failing := Task{Name: "tftp", Run: func(_ context.Context, ready func()) error {
			ready()
			time.Sleep(time.Minute)
			return boom
		}}
		err := Run(t.Context(), func() { r.add("all ready") }, Phase{r.task("store", 0, 0)}, Phase{failing})
		if !errors.Is(err, boom) || !strings.HasPrefix(err.Error(), "tftp: ") {
			t.Errorf("err = %v, want tftp: boom", err)
		}
		if want := []string{"store ready", "all ready", "store stopped"}; !slices.Equal(r.log, want) {
			t.Errorf("got %q, want %q", r.log, want)
		}
	})
}

func TestRunTaskEndsByItself(t *testing.T) {
	quiet := Task{Name: "web", Run: func(_ context.Context, ready func()) error { ready(); return nil }}
	if err := Run(t.Context(), func() {}, Phase{quiet}); !errors.Is(err, ErrEnded) {
		t.Errorf("err = %v, want ErrEnded", err)
	}
}

func TestRunFailsBeforeReady(t *testing.T) {
	var r recorder
	never := Task{Name: "x", Run: func(context.Context, func()) error { return errors.New("no") }}
	err := Run(t.Context(), func() { t.Error("ready was called") }, Phase{never}, Phase{r.task("later", 0, 0)})
	if err == nil || len(r.log) != 0 {
		t.Errorf("err = %v, log = %q; want an error and nothing started after it", err, r.log)
	}
}

func TestRunCancelledWhileStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		slow := Task{Name: "slow", Run: func(ctx context.Context, _ func()) error { <-ctx.Done(); return nil }}
		if err := Run(ctx, func() { t.Error("ready was called") }, Phase{slow}); err != nil {
			t.Errorf("err = %v, want nil: being stopped is no failure", err)
		}
	})
}
