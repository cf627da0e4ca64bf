package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

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
					Hints:   refusalHint(refused.Text),
					Machine: "refused",
				}
			}
			if err != nil {
				return daemonError(err)
			}
			if asJSON {
				return json.NewEncoder(env.Out).Encode(st)
			}
			_, err = fmt.Fprintf(env.Out, "reloaded: %s, %s, %s\n", plural(len(st.Rules), "rule"), plural(len(st.Networks), "network"), plural(len(st.Warnings), "warning"))
			return err
		},
	}
	socketFlag(cmd, env, &socket)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the status after it as JSON")
	return cmd
}

// refusalHint names the command that shows mistakes of the site file, if it is those that the node
// complains of. The node tells them as text: each begins with its place, FILE:LINE:COLUMN.
func refusalHint(text string) []string {
	m := regexp.MustCompile(`(?m)^(\S+):[0-9]+:[0-9]+: `).FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	return []string{fmt.Sprintf("surefoot config check %s   shows the same without touching the node", m[1])}
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
