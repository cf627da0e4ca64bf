package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/kernel/bind"
)

// server is what every role is to the composition root.
type server interface {
	Listen(ctx context.Context) error
	Run(ctx context.Context, ready func()) error
}

// maker makes a role from the current configuration, or returns nil if the configuration does
// not ask for it on this node. It opens nothing.
type maker func(cfg *setup) (server, error)

// slot is the place of one role: it runs the role's present server, and a reload can put
// another one there while the program runs. A slot may be empty.
type slot struct {
	name string
	make maker
	// same reports whether a server made for the first setup can go on under the second.
	same func(was, is *setup) bool
	// apply gives the running server what has changed without a new socket.
	apply func(s server, cfg *setup)

	swaps chan swap
	// drains is called once the server was told to begin nothing new, or has ended by itself.
	drains func()

	mu    sync.Mutex // guards state and now
	state string     // "", starting, ready, draining, failed
	now   server     // nil: the slot is empty
}

// swap asks a running slot to replace its server.
type swap struct {
	next server // already listening; nil empties the slot
	// or, if the next one needs the addresses of the present one: make it listen after the
	// present one has gone, and bring back the former setup if that fails.
	remake func() (server, error)
	undo   func() (server, error)
	done   chan error
}

func (s *slot) set(now server, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now, s.state = now, state
}

// put places a server that has still to start; nil empties the slot.
func (s *slot) put(next server) {
	if next == nil {
		s.set(nil, "")
		return
	}
	s.set(next, "starting")
}

func (s *slot) get() (server, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now, s.state
}

// listen makes the role and opens its sockets.
func (s *slot) listen(ctx context.Context, cfg *setup) error {
	srv, err := s.make(cfg)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if srv == nil {
		return nil
	}
	if err := srv.Listen(ctx); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	s.set(srv, "starting")
	return nil
}

// running is one server at work.
type running struct {
	srv    server
	cancel context.CancelFunc
	done   chan error // closed after its error was sent
}

func (s *slot) begin(srv server, ready func()) *running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{srv: srv, cancel: cancel, done: make(chan error, 1)}
	go func() {
		r.done <- srv.Run(ctx, func() {
			if now, _ := s.get(); now == srv {
				s.set(srv, "ready")
			}
			ready()
		})
		close(r.done)
	}()
	return r
}

// run is the slot's task: it ends when ctx ends or when its server fails.
func (s *slot) run(ctx context.Context, ready func()) error {
	var retired sync.WaitGroup // servers that finish their last transfers
	defer retired.Wait()
	drains := sync.OnceFunc(s.drains)
	defer drains()
	cur := s.restart(ready)
	for {
		select {
		case <-ctx.Done():
			if cur == nil {
				return nil
			}
			s.set(cur.srv, "draining")
			cur.cancel()
			cur.awaitShut()
			drains()
			err := <-cur.done
			s.set(nil, "")
			return err
		case err := <-cur.ended():
			s.set(nil, "failed")
			if err == nil {
				err = errors.New("ended by itself")
			}
			return err
		case req := <-s.swaps:
			cur = s.replace(cur, req, &retired)
		}
	}
}

// shutWithin bounds the wait for a server that is told to begin nothing new.
const shutWithin = time.Second

// awaitShut waits until a server that was told to end begins nothing new, if it says when: what is
// told of a drain is then true.
func (r *running) awaitShut() {
	s, ok := r.srv.(interface{ Shut() <-chan struct{} })
	if !ok {
		return
	}
	select {
	case <-s.Shut():
	case <-time.After(shutWithin):
	}
}

// ended is the channel of the server's end, or one that never delivers for an empty slot.
func (r *running) ended() <-chan error {
	if r == nil {
		return nil
	}
	return r.done
}

// restart runs the server that is in the slot now.
func (s *slot) restart(ready func()) *running {
	srv, _ := s.get()
	if srv == nil {
		ready()
		return nil
	}
	return s.begin(srv, ready)
}

// replace puts the next server into the slot and answers the request.
func (s *slot) replace(cur *running, req swap, retired *sync.WaitGroup) *running {
	nothing := func() {}
	if req.remake == nil { // the next one listens already: no gap
		if cur != nil {
			retired.Go(func() { cur.cancel(); <-cur.done })
		}
		s.put(req.next)
		req.done <- nil
		return s.restart(nothing)
	}
	if cur != nil {
		cur.cancel()
		<-cur.done
	}
	next, err := req.remake()
	if err != nil {
		var undoErr error
		if next, undoErr = req.undo(); undoErr != nil {
			err = fmt.Errorf("%w; and the former setup does not come back: %w", err, undoErr)
		}
	}
	s.put(next)
	req.done <- err
	return s.restart(nothing)
}

// reload changes the slot from one setup to another. prepare has been called for all slots
// before, so what can fail has mostly been tried.
func (s *slot) reload(ctx context.Context, was, is *setup, next server) error {
	req := swap{next: next, done: make(chan error, 1)}
	if next != nil {
		err := next.Listen(ctx)
		switch {
		case errors.Is(err, unix.EADDRINUSE): // perhaps by ourselves
			listen := func(cfg *setup) (server, error) {
				srv, err := s.make(cfg)
				if err != nil || srv == nil {
					return nil, err
				}
				return srv, listenWhenFree(ctx, srv)
			}
			req.remake = func() (server, error) { return listen(is) }
			req.undo = func() (server, error) { return listen(was) }
		case err != nil:
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	select {
	case s.swaps <- req:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := <-req.done; err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

const (
	// freeWithin is how long a server that was told to end may take to let go of its port: a moment,
	// and longer on a machine that is busy.
	freeWithin = time.Second
	freeLook   = 10 * time.Millisecond
	// lookAgain is how often a port is tried whose holder was gone before anybody could ask for it.
	lookAgain = 5
)

// listenWhenFree opens a server's sockets. Where this process itself still holds the port, a
// server of an earlier setup is about to let go of it: that is waited for. A port that somebody
// else holds is refused at once.
func listenWhenFree(ctx context.Context, srv server) error {
	late, nobody := time.Now().Add(freeWithin), 0
	for {
		err := srv.Listen(ctx)
		var taken *bind.Error
		if err == nil || !errors.As(err, &taken) || time.Now().After(late) {
			return err
		}
		switch {
		case taken.Ours():
		case taken.Holder == "" && errors.Is(err, unix.EADDRINUSE) && nobody < lookAgain:
			nobody++
		default:
			return err
		}
		select {
		case <-time.After(freeLook):
		case <-ctx.Done():
			return err
		}
	}
}
