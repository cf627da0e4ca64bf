package cli

import "github.com/spf13/cobra"

func newTFTPCommand(env *Env) *cobra.Command {
	return &cobra.Command{Use: "tftp", Short: "under construction", Hidden: true}
}
