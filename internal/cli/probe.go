package cli

import "github.com/spf13/cobra"

func newProbeCommand(env *Env) *cobra.Command {
	return &cobra.Command{Use: "probe", Short: "under construction", Hidden: true}
}
