package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"surefoot/internal/journal"
	"surefoot/internal/phase"
	"surefoot/internal/serve/tftp"
	"surefoot/internal/web"
)

// alone is what `surefoot tftp` has around its server: a journal that remembers what it did, and
// the API, if it was asked for.
type alone struct {
	env      *Env
	options  tftpOptions
	journal  *journal.Journal
	started  time.Time
	server   *tftp.Server
	printing sync.Mutex // held while a summary is written
}

func newAlone(env *Env, o tftpOptions) *alone {
	return &alone{env: env, options: o, journal: journal.New(journal.Config{Version: versionOf(), NoStories: true}), started: time.Now()}
}

// run serves until ctx ends, and says at the end what was done.
func (a *alone) run(ctx context.Context, s *tftp.Server, ready func()) error {
	a.server = s
	api, err := web.New(web.Config{Socket: a.options.socket}, web.Deps{
		Journal: a.journal, Gatherer: a.journal.Gatherer(), Ready: func() []string { return nil },
		Status: a.status, TFTPLimits: a.limits,
	})
	if err != nil {
		return err
	}
	if err := api.Listen(ctx); err != nil {
		_ = s.Close()
		return err
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	defer signal.Stop(asked)
	over := make(chan struct{})
	defer close(over)
	go func() {
		for {
			select {
			case <-asked:
				a.summary(a.env.Err)
			case <-over:
				return
			}
		}
	}()
	err = phase.Run(
		ctx, ready,
		phase.Phase{{Name: "journal", Run: a.journal.Run}},
		phase.Phase{{Name: "api", Run: api.Run}},
		phase.Phase{{Name: "tftp", Run: s.Run}},
	)
	a.summary(a.env.Err)
	return err
}

func (a *alone) limits() web.TFTPLimits {
	l := a.server.Limits()
	return web.TFTPLimits{MaxTransfers: l.Transfers, PerClient: l.PerClient, PerNetwork: l.PerNetwork, Queue: max(l.Queue, 0), QueueTime: l.QueueTime}
}

func (a *alone) status() web.Status {
	host, _ := os.Hostname()
	return web.Status{
		Node: host, Site: "surefoot tftp", Version: versionOf(), Started: a.started, Ready: true,
		Roles: []web.RoleStatus{{Name: tftp.Role, State: "ready", Listen: []string{a.options.listen}}},
	}
}

// summary says what was done so far, if anything was.
func (a *alone) summary(w io.Writer) {
	a.printing.Lock()
	defer a.printing.Unlock()
	t := web.TFTP{Report: a.journal.Transfers(journal.TransferQuery{Limit: 10, Top: 5}), Limits: a.limits()}
	fmt.Fprintln(w)
	var o transferOptions
	o.print(w, t)
}
