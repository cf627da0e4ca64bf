package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/journal"
	"surefoot/internal/journal/transfers"
	"surefoot/internal/web"
)

const tftpStatusLong = `Show what the TFTP server of the running node does and did: transfers under way and where they
stand, the last failures with their reason, which clients and files make the most work.

  surefoot tftp status                                 the whole
  surefoot tftp status --client 34:56                  one machine's: MAC or its end, IP address, name
  surefoot tftp status --file snponly --failed         what failed or stands still, of some files
  surefoot tftp status --follow                        each transfer as it ends or stalls

What EDK2 does before each download, asking for the size and breaking off, is a size query and no
failure.`

// transferOptions are the flags of `surefoot tftp status`.
type transferOptions struct {
	socket       string
	client, file string
	failed       bool
	json, follow bool
	limit, top   int
	every        time.Duration // between two looks with --follow
}

func newTFTPStatusCommand(env *Env) *cobra.Command {
	o := transferOptions{every: time.Second}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "transfers, failures and top talkers of the running TFTP server",
		Long:  tftpStatusLong,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for name, n := range map[string]int{"limit": o.limit, "top": o.top} {
				if n < 1 || n > 10000 {
					return usageError(cmd, fmt.Errorf("--%s %d is not a number from 1 to 10000", name, n))
				}
			}
			c := web.Dial(o.socket)
			if o.follow {
				return o.runFollow(cmd.Context(), env, c)
			}
			return o.run(cmd.Context(), env, c)
		},
	}
	socketFlag(cmd, env, &o.socket)
	f := cmd.Flags()
	f.StringVar(&o.client, "client", "", "only this machine's transfers: MAC or its end, IP address, name")
	f.StringVar(&o.file, "file", "", "only files with this in their name")
	f.BoolVar(&o.failed, "failed", false, "only what failed or stands still")
	f.IntVar(&o.limit, "limit", 10, "transfers of each list at the most, from 1 to 10000")
	f.IntVar(&o.top, "top", 5, "talkers of each kind, from 1 to 10000")
	f.BoolVarP(&o.follow, "follow", "f", false, "go on with what ends and stalls, until Ctrl-C")
	f.BoolVar(&o.json, "json", false, "print JSON; with --follow the whole once a second, a line each")
	return cmd
}

func (o *transferOptions) query() journal.TransferQuery {
	return journal.TransferQuery{Client: o.client, File: o.file, Failed: o.failed, Limit: o.limit, Top: o.top}
}

func (o *transferOptions) run(ctx context.Context, env *Env, c *web.Client) error {
	t, err := c.Transfers(ctx, o.query())
	if err != nil {
		return daemonError(err)
	}
	if o.json {
		enc := json.NewEncoder(env.Out)
		enc.SetIndent("", "  ")
		return enc.Encode(t)
	}
	o.print(env.Out, t)
	return nil
}

// runFollow looks once a second. A look costs the node less than a line for each event would.
func (o *transferOptions) runFollow(ctx context.Context, env *Env, c *web.Client) error {
	tick := time.NewTicker(o.every)
	defer tick.Stop()
	q := o.query()
	if !o.json {
		q.Limit = 1000 // as many as may end between two looks
	}
	f := follow{options: o, out: env.Out}
	for {
		t, err := c.Transfers(ctx, q)
		switch {
		case errors.Is(err, context.Canceled):
			return nil // Ctrl-C is how it is meant to end
		case err != nil:
			return daemonError(err)
		case o.json:
			if err := json.NewEncoder(env.Out).Encode(t); err != nil {
				return err
			}
		default:
			f.look(t)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// seen names what was told already.
type seen struct {
	transfer uint64
	client   string
	state    transfers.State
	since    int64 // a transfer may stall again
}

func seenOf(r *transfers.Record) seen {
	s := seen{transfer: r.Transfer, client: r.Client, state: r.State}
	if r.State == transfers.Stalled {
		s.since = r.PauseAt
	}
	return s
}

// follow tells what changed between two looks.
type follow struct {
	options *transferOptions
	out     io.Writer
	told    map[seen]bool
	before  web.TFTP
}

func (f *follow) look(t web.TFTP) {
	first, told, news := f.told == nil, map[seen]bool{}, 0
	for _, list := range [][]transfers.Record{t.Last, t.Live} {
		for i := range list {
			r := &list[len(list)-1-i] // the oldest first
			if r.State == transfers.Running {
				continue
			}
			told[seenOf(r)] = true
			if first || f.told[seenOf(r)] {
				continue
			}
			if r.Reason != "" {
				news++
			}
			fmt.Fprint(f.out, recordLines(r))
		}
	}
	filtered := f.options.client != "" || f.options.file != "" || f.options.failed
	switch {
	case first && !filtered:
		printSummary(f.out, t)
	case !first && !filtered:
		f.tell(t, news)
	}
	f.told, f.before = told, t
}

// tell prints how much happened between two looks, if anything did.
func (f *follow) tell(t web.TFTP, shown int) {
	ended := func(t web.TFTP) int64 {
		return t.Totals.Done + t.Totals.Uploads + t.Totals.SizeQueries + t.Totals.Failed
	}
	n := ended(t) - ended(f.before)
	if n == 0 && t.Running == 0 {
		return
	}
	if more := int(n) - shown; more > 0 {
		fmt.Fprintf(f.out, "(%d more ended, too fast to show)\n", more)
	}
	over := max(t.Now.Sub(f.before.Now).Seconds(), 0.001)
	packets := t.Totals.Packets - f.before.Totals.Packets
	fmt.Fprintf(f.out, "%s  %s; %.1f downloads/s, %s/s, %.1f %% sent again\n", t.Now.Local().Format(time.TimeOnly), runningText(t),
		float64(t.Totals.Done-f.before.Totals.Done)/over, journal.Size(int64(float64(t.Totals.Bytes-f.before.Totals.Bytes)/over)),
		100*share(t.Totals.Retransmits-f.before.Totals.Retransmits, packets))
}
