package vip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"time"

	"surefoot/internal/kernel/vrrp"
)

// Server keeps the addresses that this node takes part in. Use it as New, Listen, Run.
type Server struct {
	deps  Deps
	notes notes

	mu       sync.Mutex // guards what follows
	cfg      Config
	adopt    map[string]bool // addresses that the process before kept for this one
	runners  []*runner       // in the order of the configuration; nil unless it runs
	running  bool
	finished sync.WaitGroup
}

// New checks the configuration. It opens nothing.
func New(cfg Config, d Deps) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if d.Link == nil || d.Now == nil {
		return nil, errors.New("vip: a clock or a way to see interfaces is missing")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	d.Log = d.Log.With("role", Role)
	return &Server{cfg: cfg, deps: d, notes: notes{file: cfg.Notes}}, nil
}

// Listen makes sure that the process may do all this, and takes off what a killed one left.
func (s *Server) Listen(context.Context) error {
	if slices.ContainsFunc(s.cfg.Addresses, func(a Address) bool { return !a.External }) {
		if err := vrrp.Allowed(); err != nil {
			return err
		}
	}
	if err := s.notes.load(); err != nil {
		s.deps.Log.Warn("what an earlier process left behind is known by its label only", "err", err)
	}
	kept, gone, err := s.notes.clean(s.deps.Now(), s.cfg.Addresses)
	for _, x := range gone {
		s.deps.Log.Warn("removed a service address that an earlier process left behind", "vip", x.Name, "address", x.Address, "if", x.Interface)
	}
	if err != nil {
		return fmt.Errorf("remove what an earlier process left behind: %w", err)
	}
	s.adopt = kept
	return nil
}

// Run takes part until ctx ends, and then says farewell.
func (s *Server) Run(ctx context.Context, ready func()) error {
	s.mu.Lock()
	s.running = true
	for _, a := range s.cfg.Addresses {
		s.runners = append(s.runners, s.begin(a, s.adopt[a.Name], control{}))
	}
	s.mu.Unlock()
	ready()
	<-ctx.Done()
	s.mu.Lock()
	s.running = false
	for _, r := range s.runners {
		r.stop(false)
	}
	s.mu.Unlock()
	s.finished.Wait()
	return nil
}

// begin runs one address. s.mu is held.
func (s *Server) begin(a Address, adopt bool, c control) *runner {
	r := newRunner(a, s.deps, &s.notes, s.cfg.Node)
	r.control = c
	var service []Address
	service = append(service, s.cfg.Addresses...)
	r.others = service
	s.finished.Go(func() { r.run(adopt) })
	return r
}

// Apply goes over to another configuration. An address that stays on its interface stays there.
func (s *Server) Apply(cfg Config) error {
	if err := cfg.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.runners
	s.cfg.Addresses = cfg.Addresses
	if !s.running {
		return nil
	}
	s.runners = nil
	find := func(list []*runner, name string) *runner {
		if i := slices.IndexFunc(list, func(r *runner) bool { return r.cfg.Name == name }); i >= 0 {
			return list[i]
		}
		return nil
	}
	var ended []*runner
	for _, r := range was {
		if i := slices.IndexFunc(cfg.Addresses, func(a Address) bool { return a.Name == r.cfg.Name }); i < 0 {
			r.stop(false)
			ended = append(ended, r)
		}
	}
	for _, r := range ended { // another one may take its address or its number
		<-r.done
	}
	for _, a := range cfg.Addresses {
		r := find(was, a.Name)
		switch {
		case r == nil:
			r = s.begin(a, false, control{})
		case !reflect.DeepEqual(r.cfg, a):
			stays := r.cfg.Address == a.Address && r.cfg.Interface == a.Interface && r.cfg.VRID == a.VRID
			master := r.Report().State == Master
			r.stop(stays)
			<-r.done
			r = s.begin(a, stays && master, r.control)
		}
		s.runners = append(s.runners, r)
	}
	return nil
}

// Reports are how this node stands, in the order of the site file.
func (s *Server) Reports() []Report {
	s.mu.Lock()
	list := slices.Clone(s.runners)
	s.mu.Unlock()
	out := []Report{}
	for _, r := range list {
		out = append(out, r.Report())
	}
	return out
}

// NotKept is why the notes of addresses are not written, nil if they are.
func (s *Server) NotKept() error { return s.notes.fault() }

func (s *Server) find(name string) (*runner, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return nil, errNotRunning
	}
	var have []string
	for _, r := range s.runners {
		if r.cfg.Name == name {
			return r, nil
		}
		have = append(have, r.cfg.Name)
	}
	return nil, &Refusal{Text: fmt.Sprintf("this node takes part in no vip %.80q", name), Fix: []string{fmt.Sprintf("it takes part in: %v", have)}}
}

// Move lowers the priority of the master for a while, so that the next one takes the address; to, if not
// empty, is who that has to be. A span of 0 ends it.
func (s *Server) Move(name, to string, span time.Duration, dry bool) (MoveResult, error) {
	r, err := s.find(name)
	if err != nil {
		return MoveResult{}, err
	}
	return r.move(to, span, dry)
}

// Role says what another program made of this node with an address that it moves: the master, which has it, or a
// backup. An empty name means all such addresses. It returns the names of those that it was about.
func (s *Server) Role(name string, master bool) ([]string, error) {
	s.mu.Lock()
	list := slices.Clone(s.runners)
	s.mu.Unlock()
	if name != "" {
		r, err := s.find(name)
		if err != nil {
			return nil, err
		}
		if !r.cfg.External {
			return nil, &Refusal{Text: name + " is moved by Surefoot itself (ha: vrrp)", Fix: []string{"surefoot vip move " + name, "or ha: external in the site file, if another program is to move it"}}
		}
		list = []*runner{r}
	}
	var out []string
	for _, r := range list {
		if r.cfg.External {
			r.hearRole(master)
			out = append(out, r.cfg.Name)
		}
	}
	if len(out) == 0 {
		return nil, &Refusal{Text: "no service address of this node is moved by another program", Fix: []string{"ha: external at the address in the site file, then surefoot reload"}}
	}
	return out, nil
}

// Hold makes the next stop within this time a restart: without a farewell, and the address stays.
func (s *Server) Hold(span time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return errNotRunning
	}
	for _, r := range s.runners {
		r.hold(span)
	}
	return nil
}
