package cli

import "github.com/spf13/cobra"

func newReloadCommand(env *Env) *cobra.Command {
	return &cobra.Command{Use: "reload", Short: "under construction", Hidden: true}
}
