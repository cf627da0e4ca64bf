package cli

import "github.com/spf13/cobra"

func newStatusCommand(env *Env) *cobra.Command {
	return &cobra.Command{Use: "status", Short: "under construction", Hidden: true}
}
