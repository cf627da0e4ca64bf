// Package phase runs the parts of a program in phases: the parts of one phase start together,
// the next phase starts when all of them are ready, and stopping goes backwards, so that what is
// announced last is withdrawn first. It knows nothing of what the parts do.
package phase

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Task is one part. Run calls ready once it serves, works until its context ends, and then
// returns nil. A task that returns by itself has failed, and takes the program down with it.
type Task struct {
	Name string
	Run  func(ctx context.Context, ready func()) error
}

// Phase is a set of tasks that start and stop together.
type Phase []Task

// ErrEnded is the error of a task that returned although nobody had asked it to.
var ErrEnded = errors.New("ended by itself")

// Run starts the phases in order and calls ready when the last is ready. When ctx ends or a task
// fails, it stops the phases in reverse order, waiting for each, and returns the first failure.
func Run(ctx context.Context, ready func(), phases ...Phase) error {
	run := &runner{failed: make(chan error, 1)}
	var err error
	for _, p := range phases {
		if err = run.start(ctx, p); err != nil {
			break
		}
	}
	if err == nil && ctx.Err() == nil {
		ready()
		select {
		case <-ctx.Done():
		case err = <-run.failed:
		}
	}
	if stopErr := run.stop(); err == nil {
		err = stopErr
	}
	return err
}

// runner holds the phases that were started, in that order.
type runner struct {
	started []*group
	failed  chan error // the first failure; holds one
}

// group is a running phase.
type group struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// start runs every task of the phase and waits until all are ready. The tasks do not see the
// end of ctx themselves: stop ends them, in its order.
func (r *runner) start(ctx context.Context, p Phase) error {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	g := &group{cancel: cancel}
	r.started = append(r.started, g)
	readies := make(chan struct{}, len(p))
	for _, t := range p {
		g.done.Go(func() {
			var once sync.Once
			err := t.Run(own, func() { once.Do(func() { readies <- struct{}{} }) })
			if err == nil && own.Err() == nil {
				err = ErrEnded
			}
			if err != nil {
				r.fail(fmt.Errorf("%s: %w", t.Name, err))
			}
		})
	}
	for range p {
		select {
		case <-readies:
		case <-ctx.Done():
			return nil
		case err := <-r.failed:
			return err
		}
	}
	return nil
}

func (r *runner) fail(err error) {
	select {
	case r.failed <- err:
	default: // an earlier failure is on its way, and it is the cause
	}
}

// stop ends the phases in reverse order and returns a failure that came while stopping.
func (r *runner) stop() error {
	for i := len(r.started) - 1; i >= 0; i-- {
		r.started[i].cancel()
		r.started[i].done.Wait()
	}
	select {
	case err := <-r.failed:
		return err
	default:
		return nil
	}
}
