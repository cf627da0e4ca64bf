package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"surefoot/internal/app"
	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/journal"
	"surefoot/internal/web"
)

const lbLong = `List the services of the load balancer and their backends.

  surefoot lb                                     as the running node knows it
  surefoot lb list --config site.yaml             as it would be, from a site file
  surefoot lb show boot                           one service, and what its backends did
  surefoot lb explain --from 10.10.1.77 --file ARDBP32.BIN     whom a client gets, and why

A backend is taken out by surefoot server drain NAME, and back in by surefoot server resume NAME.`

const lbExplainLong = `Say which backend a client would get that asks a service for a file now, who takes over should that one
fail, and why. It decides as the relay does, with its health, and moves no turn on.

  surefoot lb explain --from 10.10.1.77 --file ARDBP32.BIN
  surefoot lb explain --from 10.10.1.77:2070 --file ARDBP32.BIN --service boot
  surefoot lb explain --from 10.10.1.77 --file ARDBP32.BIN --config site.yaml --node boot1

The running node is asked through its socket; with --config nobody is asked, and of health nothing
is known but whether the files are in the root of this machine.`

type lbOptions struct {
	serve               serveOptions
	socket              string
	service, from, file string
	json                bool
}

func (o *lbOptions) flags(cmd *cobra.Command, env *Env) {
	socketFlag(cmd, env, &o.socket)
	f := cmd.Flags()
	f.StringVarP(&o.serve.config, "config", "c", "", "read this site file instead of asking the running node")
	f.StringVar(&o.serve.node, "node", "", "name of the node that balances, with --config (default: the host name)")
	f.BoolVar(&o.json, "json", false, "print JSON")
	cmd.MarkFlagsMutuallyExclusive("config", "socket")
}

func newLBCommand(env *Env) *cobra.Command {
	list := func(use, short string, args cobra.PositionalArgs) *cobra.Command {
		var o lbOptions
		cmd := &cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.service = args[0]
			}
			return o.list(cmd, env)
		}}
		o.flags(cmd, env)
		return cmd
	}
	cmd := list("lb", "the services of the load balancer, and whom clients get", cobra.NoArgs)
	cmd.Long = lbLong
	cmd.AddCommand(
		list("list", "list the services and their backends", cobra.NoArgs),
		list("show SERVICE", "one service, and what its backends did", cobra.ExactArgs(1)),
		newLBExplainCommand(env),
		newLBCheckCommand(env), newLBSetupCommand(env), newLBRoleCommand(env),
	)
	return cmd
}

func newLBExplainCommand(env *Env) *cobra.Command {
	var o lbOptions
	cmd := &cobra.Command{
		Use: "explain --from IP[:PORT] --file NAME", Short: "which backend a client gets, and why", Long: lbExplainLong,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.explain(cmd, env) },
	}
	o.flags(cmd, env)
	f := cmd.Flags()
	f.StringVar(&o.from, "from", "", "the client: its address, with or without a port")
	f.StringVar(&o.file, "file", "", "the file that it asks for")
	f.StringVar(&o.service, "service", "", "the service that it asks (default: the first)")
	_ = cmd.MarkFlagRequired("from")
	_ = cmd.MarkFlagRequired("file")
	return cmd
}

func (o *lbOptions) list(cmd *cobra.Command, env *Env) error {
	var views []app.BalanceView
	if o.serve.config != "" {
		cfg, at, err := o.look(cmd, env)
		if err != nil {
			return err
		}
		defer at.close()
		if views, err = app.Balances(cfg, at.down, o.service); err != nil {
			return err
		}
	} else if err := web.Dial(o.socket).Balance(cmd.Context(), o.service, "", "", &views); err != nil {
		return o.failed(err)
	}
	if o.json {
		return json.NewEncoder(env.Out).Encode(views)
	}
	for i, v := range views {
		if i > 0 {
			fmt.Fprintln(env.Out)
		}
		printBalance(env.Out, v)
	}
	return nil
}

func (o *lbOptions) explain(cmd *cobra.Command, env *Env) error {
	from, err := netip.ParseAddr(o.from)
	if err != nil {
		ap, err := netip.ParseAddrPort(o.from)
		if err != nil {
			return usageError(cmd, fmt.Errorf("--from: %q is neither an address nor address:port, as in 10.10.1.77:2070", o.from))
		}
		from = ap.Addr()
	}
	var c app.BalanceChoice
	if o.serve.config != "" {
		cfg, at, err := o.look(cmd, env)
		if err != nil {
			return err
		}
		defer at.close()
		if c, err = app.ExplainBalance(cfg, at.down, o.service, from, o.file); err != nil {
			return err
		}
	} else if err := web.Dial(o.socket).Balance(cmd.Context(), o.service, from.String(), o.file, &c); err != nil {
		return o.failed(err)
	}
	if o.json {
		return json.NewEncoder(env.Out).Encode(c)
	}
	fmt.Fprintf(env.Out, "%s asks service %s on node %s for %s\n", c.From, c.Service, c.Node, c.File)
	for _, s := range c.Trace {
		mark := "no"
		if s.OK {
			mark = "yes"
		}
		wrapped(env.Out, fmt.Sprintf("  %-3s  %-18s ", mark, s.Subject), 26, s.Why)
	}
	if b, ok := c.First(); ok {
		fmt.Fprintf(env.Out, "backend %s at %s; where a download of the file is shared, it comes from whom that began with\n", b.Name, b.TFTP)
	}
	return nil
}

func printBalance(w io.Writer, v app.BalanceView) {
	fmt.Fprintf(w, "%s  %s  mode %s  scheduler %s", v.Name, v.Listen, v.Mode, v.Scheduler)
	if v.Persist > 0 {
		fmt.Fprintf(w, "  a client keeps its backend for %s", v.Persist)
	}
	if v.Stats != nil {
		fmt.Fprintf(w, "  %s shared by %d requests", journal.Size(v.Stats.Cached), v.Stats.Shared)
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "  BACKEND\tADDRESS\tWEIGHT\tSTATE\tRUNNING\tFETCHED\tDOWNLOADS")
	for i, b := range v.Backends {
		state, st := "up", v.State[i]
		switch {
		case st.Down:
			state = "down or drained"
		case len(st.DownFor) > 0:
			state = "down for " + strings.Join(st.DownFor, " ")
		case st.Suspect:
			state = "has just failed"
		}
		running, fetched, ended := "-", "-", "-"
		if v.Stats != nil {
			s := v.Stats.Backends[b.Name]
			running, fetched, ended = fmt.Sprint(s.Running), journal.Size(s.Bytes), endedText(s.Ended)
		}
		fmt.Fprintf(t, "  %s\t%s\t%d\t%s\t%s\t%s\t%s\n", b.Name, b.TFTP, b.Weight, fit(state, 30), running, fetched, ended)
	}
	_ = t.Flush()
}

// endedText counts how downloads ended.
func endedText(by map[boot.Reason]int64) string {
	var out []string
	for _, r := range []boot.Reason{boot.Done, boot.FileMissing, boot.BackendSilent, boot.BackendRefused, boot.BackendDiffers} {
		if by[r] > 0 {
			out = append(out, fmt.Sprintf("%d %s", by[r], r))
		}
	}
	if out == nil {
		return "none"
	}
	return strings.Join(out, ", ")
}

// failed says how to do without the node that cannot be reached.
func (o *lbOptions) failed(err error) error {
	err = daemonError(err)
	var e *Error
	if errors.As(err, &e) && e.Code == ExitNoDaemon {
		e.Hints = append(e.Hints, "--config FILE decides from a site file, and asks nobody")
	}
	return err
}

func (o *lbOptions) look(cmd *cobra.Command, env *Env) (*config.Config, view, error) {
	opts, err := o.serve.options(cmd, env)
	if err != nil {
		return nil, view{}, err
	}
	cfg, err := app.LoadConfig(opts)
	if err != nil {
		return nil, view{}, err
	}
	return cfg, lookAt(cfg, false), nil
}
