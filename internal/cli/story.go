package cli

import "github.com/spf13/cobra"

func newStoryCommand(env *Env) *cobra.Command {
	return &cobra.Command{Use: "story", Short: "under construction", Hidden: true}
}
