package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"surefoot/internal/web"
)

const lbRoleLong = `Tell the running node what keepalived, Pacemaker or another program made of it, with a service address that
the site file leaves to it (vips.NAME.ha: external): the master, which has the address now, or a backup.

  surefoot lb role master boot
  surefoot lb role backup               all addresses that are left to others

It is for their notify scripts: docs/vip.md has one. Saying it twice does nothing.`

func newLBRoleCommand(env *Env) *cobra.Command {
	var o serverOptions
	cmd := &cobra.Command{
		Use: "role master|backup [NAME]", Short: "tell the node who another program made of it", Long: lbRoleLong, Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := web.RoleRequest{Master: args[0] == "master"}
			if !q.Master && args[0] != "backup" {
				return usageError(cmd, fmt.Errorf("%q is neither master nor backup", args[0]))
			}
			if len(args) > 1 {
				q.Name = args[1]
			}
			out, err := web.Dial(o.socket).RoleVIPs(cmd.Context(), q)
			if err != nil {
				return vipError(err)
			}
			if o.json {
				return printJSON(env.Out, out)
			}
			fmt.Fprintf(env.Out, "%s of %s\n", args[0], strings.Join(out.Names, ", "))
			return nil
		},
	}
	o.addFlags(cmd, env)
	return cmd
}
