package lab

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Options says what to build. The zero value is a lab of no nodes with a DHCP server of its own.
type Options struct {
	ID     string // "" chooses one that is free
	Dir    string // where labs keep their state; "" is DefaultDir
	Binary string // the surefoot program
	Nodes  int    // how many nodes the network has room for: n1, n2, ...
	Site   string // site file of every node; "" is DefaultSite
	Root   string // folder with boot files, named in DefaultSite; "" is the built-in test bootstrap alone
	Relay  bool   // a second client network behind a relay
	// SameHost runs the DHCP server in the namespace of node n1 instead of its own.
	SameHost bool
	// OwnDHCP leaves the addresses of all networks to the nodes, and OwnFar those behind the relay: the
	// site file has to say deliver: dhcp. The lab's DHCP server then only advertises IPv6 routers.
	OwnDHCP, OwnFar bool
	// IPv6 gives the nodes IPv6 addresses, and leaves DHCPv6 to them: nobody else answers it.
	IPv6 bool
}

// Lab is a site that runs.
type Lab struct {
	State
	options  Options
	owned    bool // built by this process, not only found
	places   map[string]*place
	dhcp     *Process
	relay    *Process
	advert   *Process // router advertisements behind the relay
	nodes    []*Node
	mu       sync.Mutex // guards machines and the saving of State
	machines []*VM
}

// Up builds the network and starts the DHCP server and the relay; the nodes are started by
// StartNode. On an error everything made so far is removed.
func Up(ctx context.Context, o Options) (*Lab, error) {
	if err := Needs(o.Relay); err != nil {
		return nil, err
	}
	if o.Dir == "" {
		o.Dir = DefaultDir
	}
	if o.ID == "" {
		var b [3]byte
		_, _ = rand.Read(b[:]) // never fails
		o.ID = hex.EncodeToString(b[:])
	}
	self, err := ownerOf(os.Getpid())
	if err != nil {
		return nil, err
	}
	l := &Lab{
		State:   State{ID: o.ID, Owner: self, Dir: filepath.Join(o.Dir, o.ID), Relay: o.Relay},
		options: o, owned: true, places: map[string]*place{},
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("folder of labs: %w", err)
	}
	if err := os.Mkdir(l.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("folder of lab %s: %w", o.ID, err)
	}
	if err := l.build(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Lab) build(ctx context.Context) error {
	// The names are on disk before the first of them exists, so that Sweep finds them all.
	parts := []string{partSwitch}
	if !l.options.SameHost {
		parts = append(parts, partDHCP)
	}
	for i := range l.options.Nodes {
		parts = append(parts, nodeName(i))
	}
	if l.Relay {
		parts = append(parts, partRelay)
	}
	for _, part := range parts {
		l.Spaces = append(l.Spaces, l.space(part))
	}
	if err := l.save(); err != nil {
		return err
	}
	if err := l.wire(ctx, parts); err != nil {
		return err
	}
	for i := range l.options.Nodes {
		if err := l.addNode(i); err != nil {
			return err
		}
	}
	if err := l.startDHCP(ctx); err != nil {
		return err
	}
	if l.Relay {
		if err := l.startRelay(ctx); err != nil {
			return err
		}
	}
	return l.save()
}

// Open finds a lab that another process runs: id "" means the only one, or the newest. Machines
// can be booted in it; Close leaves it running.
func Open(dir, id string) (*Lab, error) {
	states, err := List(dir)
	if err != nil {
		return nil, err
	}
	for i := len(states) - 1; i >= 0; i-- {
		s := states[i]
		if !s.Owner.Alive() || id != "" && s.ID != id {
			continue
		}
		l := &Lab{State: s, places: map[string]*place{}}
		if l.places[partSwitch], err = enter(s.space(partSwitch)); err != nil {
			return nil, err
		}
		return l, nil
	}
	return nil, ErrNoLab
}

// ErrNoLab says that no lab of that name runs on this machine.
var ErrNoLab = errors.New("no lab is running on this machine")

// Close ends the machines and, if this process built the lab, takes it down: nodes, servers,
// namespaces, folder. It is safe to call twice.
func (l *Lab) Close() error {
	l.mu.Lock()
	machines := l.machines
	l.machines = nil
	l.mu.Unlock()
	var errs []error
	for _, m := range machines {
		errs = append(errs, m.Stop())
	}
	if l.owned {
		for _, n := range l.nodes {
			if n.proc != nil {
				errs = append(errs, n.proc.Stop(context.Background()))
			}
			n.close()
		}
		for _, p := range []*Process{l.relay, l.advert, l.dhcp} {
			if p != nil {
				errs = append(errs, p.Stop(context.Background()))
			}
		}
	}
	for _, p := range l.places {
		p.leave()
	}
	l.places = map[string]*place{}
	if l.owned {
		errs = append(errs, l.remove(context.Background()))
	}
	return errors.Join(errs...)
}
