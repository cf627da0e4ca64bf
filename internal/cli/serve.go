package cli

import "github.com/spf13/cobra"

func newServeCommand(env *Env) *cobra.Command {
	return &cobra.Command{Use: "serve", Short: "under construction", Hidden: true}
}
