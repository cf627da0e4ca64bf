package cli

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"surefoot/internal/web"
)

func newReloadCommand(env *Env) *cobra.Command {
	var socket string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "make the node read its configuration again",
		Long: `Make the running node read its configuration again. On any error the old configuration goes on
unchanged, and the error is shown here, by status, in the log and as a metric.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := web.Dial(socket).Reload(cmd.Context())
			var refused *web.ReloadError
			if errors.As(err, &refused) {
				return &Error{
					Err:     fmt.Errorf("reload refused, the old configuration goes on:\n%s", refused.Text),
					Hints:   []string{"surefoot config check shows the same without touching the node"},
					Machine: "refused",
				}
			}
			if err != nil {
				return daemonError(err)
			}
			if asJSON {
				return json.NewEncoder(env.Out).Encode(st)
			}
			_, err = fmt.Fprintf(env.Out, "reloaded: %d rules, %d networks, %d warnings\n", len(st.Rules), len(st.Networks), len(st.Warnings))
			return err
		},
	}
	socketFlag(cmd, env, &socket)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the status after it as JSON")
	return cmd
}
