package app

import (
	"context"
	"errors"
	"fmt"
)

// Reload reads the configuration again and changes over to it. On any error the old one goes
// on as it was; the error is returned, logged and shown by status.
func (a *App) Reload(ctx context.Context) error {
	a.reloading.Lock() // one at a time
	defer a.reloading.Unlock()
	a.tell(a.notify.Reloading())
	err := a.reload(ctx)
	a.journal.ConfigLoaded(a.now(), err == nil)
	a.noteLoad(err)
	if err != nil {
		a.log.Error("reload refused, the old configuration goes on", "err", err)
	} else {
		a.log.Info("reloaded", "path", a.setup().Path)
	}
	a.tell(a.notify.Ready(a.summary()))
	return err
}

func (a *App) reload(ctx context.Context) error {
	cfg, err := LoadConfig(a.opts)
	if err != nil {
		return err
	}
	was := a.setup()
	if cfg.Socket != was.Socket || cfg.Status != was.Status {
		return errors.New("status.listen and status.socket cannot change while running: restart surefoot for that")
	}
	if cfg.History != was.History {
		return errors.New("history cannot change while running: restart surefoot for that")
	}
	if err := sameLeases(was.Config, cfg); err != nil {
		return err
	}
	if err := sameStore(was.Config, cfg); err != nil {
		return err
	}
	if cfg.Node.Name != was.Node.Name {
		return fmt.Errorf("this node would become %s instead of %s: restart surefoot for that", cfg.Node.Name, was.Node.Name)
	}
	is, err := newSetup(cfg)
	if err != nil {
		return err
	}
	if err := a.change(ctx, was, is); err != nil {
		is.close()
		return err
	}
	was.retire()
	return nil
}

// change moves every slot from one setup to the other: all of them, or none.
func (a *App) change(ctx context.Context, was, is *setup) error {
	next := make([]server, len(a.slots))
	for i, s := range a.slots { // what can be refused without touching anything comes first
		if s.same(was, is) {
			continue
		}
		srv, err := s.make(is)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		next[i] = srv
	}
	for i, s := range a.slots {
		if s.same(was, is) {
			continue
		}
		if err := s.reload(ctx, was, is, next[i]); err != nil {
			for _, back := range a.slots[:i] {
				if back.same(was, is) {
					continue
				}
				if srv, makeErr := back.make(was); makeErr == nil {
					err = errors.Join(err, back.reload(ctx, is, was, srv))
				}
			}
			return err
		}
	}
	a.use(is)
	a.monitor.Apply(watchConfig(is.Config))
	a.discoverer.Apply(discovery(is))
	a.alerting.apply(is.Config)
	for _, s := range a.slots {
		if srv, _ := s.get(); srv != nil {
			s.apply(srv, is)
		}
	}
	if len(was.inKernel()) > 0 && len(is.inKernel()) == 0 {
		return a.paths.Remove()
	}
	return nil
}
