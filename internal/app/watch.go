package app

import (
	"context"
	"time"
)

// watchEvery is how often the world is compared with what the roles go by.
const watchEvery = 2 * time.Second

// watch is a task: it follows the root, and says whether the node is ready, until ctx ends.
func (a *App) watch(ctx context.Context, ready func()) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	ready()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			a.followRoot(ctx)
			a.followVersion()
			a.monitor.Refresh()
			a.tellReady()
		}
	}
}

// tellReady sets the metric to what notReady says now.
func (a *App) tellReady() {
	a.telling.Lock()
	defer a.telling.Unlock()
	a.journal.SetReady(len(a.notReady()) == 0)
}

// followRoot goes over to the directory that stands at the root now, if it is another one than
// was opened: files are often published by a rename or a mount. Whatever cannot be opened is not
// gone over to.
func (a *App) followRoot(ctx context.Context) {
	if !a.setup().files.Moved() {
		a.noteRoot(nil)
		return
	}
	a.reloading.Lock()
	defer a.reloading.Unlock()
	was := a.setup()
	if !was.files.Moved() {
		return // a reload came first
	}
	is, err := newSetup(was.Config)
	if err == nil {
		if err = a.change(ctx, was, is); err != nil {
			is.close()
		}
	}
	first := a.noteRoot(err)
	switch {
	case err == nil:
		was.retire()
		a.log.Info("another directory stands at the root, and is served from now on", "root", is.Root)
	case first:
		a.log.Warn("another directory stands at the root and cannot be served, the one before goes on", "root", was.Root, "err", err)
	}
}

// noteRoot keeps why the root is not followed, and reports whether that is new.
func (a *App) noteRoot(err error) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	first := a.rootErr == nil
	a.rootErr = err
	return first
}
