package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"surefoot/internal/app"
	"surefoot/internal/boot"
	"surefoot/internal/config"
	"surefoot/internal/web"
)

const lbLong = `List the services of the load balancer and their backends.

  surefoot lb                                     as the running node knows it
  surefoot lb list --config site.yaml             as it would be, from a site file
  surefoot lb show boot                           one service, and what its backends did
  surefoot lb explain --from 10.10.1.77:2070 --to 10.10.0.20:69     whom a client gets, and why
  surefoot lb drain pvs1                          no new clients; those that it has stay for a while
  surefoot lb resume pvs1
  surefoot lb down                                take away what stands in the kernel`

const lbExplainLong = `Say which backend a client would get that asks a service now, who takes over should that one fail, and
why. It decides as the data path does, with its health and the backends that clients have, and moves no turn on.
Whose turn it is the kernel does not tell: with the schedulers by turn, services other than a relay's are
explained as far as that.

  surefoot lb explain --from 10.10.1.77:2070 --to 10.10.0.20:69
  surefoot lb explain --from 10.10.1.77 --file ARDBP32.BIN --service boot
  surefoot lb explain --from 10.10.1.77 --to 10.10.0.20 --config site.yaml --node boot1

A relay chooses for a file: --file says which. The running node is asked through its socket; with --config nobody
is asked, and of health nothing is known but whether the files are in the root of this machine.`

type lbOptions struct {
	serve   serveOptions
	socket  string
	service string

	from, to, file string
	json           bool
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
		newLBExplainCommand(env), newLBDrainCommand(env), newLBResumeCommand(env), newLBDownCommand(env),
		newLBCheckCommand(env), newLBSetupCommand(env), newLBRoleCommand(env),
	)
	return cmd
}

func newLBExplainCommand(env *Env) *cobra.Command {
	var o lbOptions
	cmd := &cobra.Command{
		Use: "explain --from IP[:PORT] --to VIP[:PORT]", Short: "which backend a client gets, and why", Long: lbExplainLong,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.explain(cmd, env) },
	}
	o.flags(cmd, env)
	f := cmd.Flags()
	f.StringVar(&o.from, "from", "", "the client: its address, with or without a port")
	f.StringVar(&o.to, "to", "", "the address that it asks, with or without a port")
	f.StringVar(&o.file, "file", "", "the file that it asks for, of a relay")
	f.StringVar(&o.service, "service", "", "the service that it asks (default: that of --to, else the first)")
	_ = cmd.MarkFlagRequired("from")
	cmd.MarkFlagsMutuallyExclusive("to", "service")
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
	} else if err := web.Dial(o.socket).Balance(cmd.Context(), web.BalanceQuery{Service: o.service}, &views); err != nil {
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
	q := web.BalanceQuery{Service: o.service, To: o.to, File: o.file}
	from, err := netip.ParseAddr(o.from)
	if err != nil {
		ap, err := netip.ParseAddrPort(o.from)
		if err != nil {
			return usageError(cmd, fmt.Errorf("--from: %q is neither an address nor address:port, as in 10.10.1.77:2070", o.from))
		}
		from = ap.Addr()
	}
	q.From = from.String()
	var c app.BalanceChoice
	if o.serve.config != "" {
		cfg, at, err := o.look(cmd, env)
		if err != nil {
			return err
		}
		defer at.close()
		if c, err = app.ExplainBalance(cfg, at.down, q); err != nil {
			return err
		}
	} else if err := web.Dial(o.socket).Balance(cmd.Context(), q, &c); err != nil {
		return o.failed(err)
	}
	if o.json {
		return json.NewEncoder(env.Out).Encode(c)
	}
	printBalanceChoice(env.Out, c)
	return nil
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
