package cli

import "github.com/spf13/cobra"

func newConfigCommand(env *Env) *cobra.Command {
	return &cobra.Command{Use: "config", Short: "under construction", Hidden: true}
}
