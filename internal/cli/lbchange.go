package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"surefoot/internal/app"
	"surefoot/internal/web"
)

func newLBDrainCommand(env *Env) *cobra.Command {
	cmd := newServerDrainCommand(env)
	cmd.Use = "drain BACKEND [--for 2h] [--reason TEXT]"
	cmd.Short = "no new clients for a backend"
	cmd.Long = `Give a backend no new clients on this node, at once, until it is resumed or for a while: it is the same as surefoot
server drain, and holds for all services and answers. Clients that it has stay with it (persistence) until
drain of the service is over; what is running goes on. A restart does not forget it. If nobody else is alive
behind a service, its clients still go there.`
	return cmd
}

func newLBResumeCommand(env *Env) *cobra.Command {
	cmd := newServerResumeCommand(env)
	cmd.Use = "resume BACKEND"
	cmd.Short = "end the drain of a backend"
	return cmd
}

type lbDownOptions struct {
	socket string
	dry    bool
	json   bool
}

func newLBDownCommand(env *Env) *cobra.Command {
	var o lbDownOptions
	cmd := &cobra.Command{
		Use: "down", Short: "take away what data paths left in the kernel", Args: cobra.NoArgs,
		Long: `Take the data paths of Surefoot out of the kernel: its nftables tables, and its BPF programs and maps, also those
that a process left that was killed. A stop leaves them, so that packets flow on while Surefoot is restarted;
this is for a node that is not to balance any more. Nothing of others is touched. It needs
CAP_NET_ADMIN, and a node that runs is not interfered with: stop it first.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd, env) },
	}
	socketFlag(cmd, env, &o.socket)
	cmd.Flags().BoolVar(&o.dry, "dry-run", false, "say what there is, and change nothing")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (o *lbDownOptions) run(cmd *cobra.Command, env *Env) error {
	var views []app.BalanceView
	if err := web.Dial(o.socket).Balance(cmd.Context(), web.BalanceQuery{}, &views); err == nil && !o.dry {
		for _, v := range views {
			if v.Role != "" {
				return &Error{
					Code: ExitFailed, Machine: "running", Err: fmt.Errorf("a node runs, and would make the data path of service %s anew", v.Name),
					Hints: []string{"stop it first: systemctl stop surefoot", "or take its services out of the site file, and surefoot reload: that takes their data paths away"},
				}
			}
		}
	}
	left, err := app.LBLeft(cmd.Context(), !o.dry)
	if err != nil {
		return &Error{Code: codeOf(err), Err: err}
	}
	if o.json {
		if left == nil {
			left = []string{}
		}
		return printJSON(env.Out, map[string]any{"found": left, "dry_run": o.dry})
	}
	if len(left) == 0 {
		fmt.Fprintln(env.Out, "there is nothing of ours in the kernel")
	}
	for _, x := range left {
		if o.dry {
			fmt.Fprintf(env.Out, "there is the %s\n", x)
		} else {
			fmt.Fprintf(env.Out, "removed the %s\n", x)
		}
	}
	return nil
}
