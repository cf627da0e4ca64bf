package cli

import "github.com/spf13/cobra"

func newLabCommand(env *Env) *cobra.Command {
	return &cobra.Command{Use: "lab", Short: "under construction", Hidden: true}
}
