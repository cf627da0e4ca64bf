package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/lb/relay"
	"surefoot/internal/serve/tftp"
)

// balancer is the role lb as far as it relays; what travels in the kernel is the business of dataPaths.
type balancer struct{ relays []*relay.Relay }

func (b *balancer) Listen(ctx context.Context) error {
	for i, r := range b.relays {
		if err := r.Listen(ctx); err != nil {
			for _, open := range b.relays[:i] {
				_ = open.Close()
			}
			return fmt.Errorf("service %s: %w", r.Service().Name, err)
		}
	}
	return nil
}

func (b *balancer) Close() error {
	var err error
	for _, r := range b.relays {
		err = errors.Join(err, r.Close())
	}
	return err
}

// Run is ready when all services are. One that ends by itself ends all.
func (b *balancer) Run(ctx context.Context, ready func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(b.relays))
	var all, started sync.WaitGroup
	started.Add(len(b.relays))
	for i, r := range b.relays {
		all.Go(func() {
			defer cancel()
			once := sync.OnceFunc(started.Done)
			defer once()
			errs[i] = r.Run(ctx, once)
		})
	}
	started.Wait()
	if ready != nil {
		ready()
	}
	all.Wait()
	return errors.Join(errs...)
}

// Shut is closed when no service begins anything new.
func (b *balancer) Shut() <-chan struct{} {
	all := make(chan struct{})
	go func() {
		for _, r := range b.relays {
			<-r.Shut()
		}
		close(all)
	}()
	return all
}

// numberStep keeps the numbers of transfers of several servers in one process apart, and within what
// JSON's readers count exactly.
const numberStep = 1 << 40

func (a *App) lbSlot() *slot {
	return &slot{
		name: roleLB,
		make: func(cfg *setup) (server, error) {
			relayed := cfg.relayed()
			if len(relayed) == 0 {
				return nil, nil
			}
			offer, networks := cfg.offers()
			out := &balancer{}
			for i, b := range relayed {
				r, err := relay.New(
					relay.Config{
						Node: cfg.Node.Name, Service: service(cfg.Config, b), Cache: b.Cache, Fresh: b.Fresh,
						Limits: cfg.limits(), Ports: tftp.Ports(cfg.Serving.Ports), DrainTimeout: cfg.DrainTimeout, BusyPoll: cfg.Serving.BusyPoll,
						Offer: offer, Networks: networks, FirstNumber: uint64(i+1) * numberStep,
					},
					relay.Deps{Log: a.log, Now: a.now, Emit: a.emit, Down: a.backendDown, Network: a.networkOf},
				)
				if err != nil {
					return nil, fmt.Errorf("service %s: %w", b.Name, err)
				}
				out.relays = append(out.relays, r)
			}
			return out, nil
		},
		same: func(was, is *setup) bool {
			return was.has(roleLB) == is.has(roleLB) && was.MaxTransfers == is.MaxTransfers && was.Serving == is.Serving &&
				was.DrainTimeout == is.DrainTimeout && slices.EqualFunc(was.relayed(), is.relayed(), func(x, y config.Balance) bool {
				return x.Name == y.Name && x.Listen == y.Listen && x.Cache == y.Cache && x.Fresh == y.Fresh
			})
		},
		apply: func(s server, cfg *setup) {
			offer, networks := cfg.offers()
			relayed := cfg.relayed()
			for i, r := range s.(*balancer).relays {
				r.Apply(service(cfg.Config, relayed[i]), offer, networks)
			}
		},
	}
}

// backendDown is the one health set as a balancer asks it: for any file, also one of which nothing is
// known. A server of which every file that is tested looks dead counts as dead for the others too.
func (a *App) backendDown(server, file string) bool {
	return deadFor(a.setup().Config, a.health.down, server, file)
}

func deadFor(cfg *config.Config, down boot.Down, server, file string) bool {
	if down(server, file, boot.ByTFTP) {
		return true
	}
	tested := 0
	for _, r := range withBackends(cfg).Rules {
		if !slices.Contains(r.From, server) {
			continue
		}
		name := testName(r.File)
		if strings.TrimLeft(name, "/") == strings.TrimLeft(file, "/") || !down(server, name, boot.ByTFTP) {
			return false
		}
		tested++
	}
	return tested > 0
}

// withBackends is the site with the backends of each service as servers of the files that machines are
// sent to the service for: so the monitor tests them, and drains know who is left.
func withBackends(cfg *config.Config) *boot.Site {
	if len(cfg.Balances) == 0 {
		return &cfg.Site
	}
	site := cfg.Site
	site.Rules = slices.Clone(site.Rules)
	for _, b := range cfg.Balances {
		var names []string
		for _, w := range b.Backends {
			names = append(names, w.Name)
		}
		for _, r := range cfg.Site.Rules {
			if slices.ContainsFunc(r.From, func(s string) bool { return cfg.Site.Servers[s].TFTP == b.Listen }) {
				r.From, r.When = names, boot.Match{Firmware: []boot.Firmware{boot.FirmwarePXE}}
				site.Rules = append(site.Rules, r)
			}
		}
	}
	return &site
}

// balanced says where the services are asked, but for those without.
func (s *setup) balanced(without func(config.Balance) bool) []string {
	var out []string
	for _, b := range s.Balances {
		if without != nil && without(b) {
			continue
		}
		var names []string
		for _, w := range b.Backends {
			names = append(names, w.Name)
		}
		at := "udp " + b.Listen.String()
		if b.InKernel() {
			at = b.Address.String() + " " + strings.Join(b.Ports, " ")
			if len(b.Ports) == 0 {
				at = b.Address.String() + " every port"
			}
		}
		out = append(out, fmt.Sprintf("%s: %s, %s to %s", b.Name, at, b.Mode, strings.Join(names, ", ")))
	}
	return out
}
