package cli

import "github.com/spf13/cobra"

func newExplainCommand(env *Env) *cobra.Command {
	return &cobra.Command{Use: "explain", Short: "under construction", Hidden: true}
}
