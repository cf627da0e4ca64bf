package cli

import (
	"github.com/spf13/cobra"
)

const rootLong = `Surefoot delivers the small file that every network boot depends on, the bootstrap, from as many
servers as there are, proves that it arrives, and says why when it does not.

  surefoot serve --interface eth1 --root /srv/boot     answer PXE, UEFI and iPXE machines on eth1
  surefoot status                                      what this node does and how it went
  surefoot story                                       what each machine's last boot went through
  surefoot server list                                 which servers deliver, by downloads of this node
  surefoot probe tftp://10.0.0.5/ARDBP32.BIN           download as a machine would
  surefoot explain --mac 52:54:00:12:34:56 --arch bios which file from which server, and why`

func newRootCommand(env *Env) *cobra.Command {
	root := &cobra.Command{
		Use:           "surefoot",
		Short:         "highly available network boot",
		Long:          rootLong,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(usageError)
	root.DisableSuggestions = true // in the error's text; usageError makes hints of them
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		newServeCommand(env),
		newTFTPCommand(env),
		newConfigCommand(env),
		newExplainCommand(env),
		newDNSCommand(env),
		newLBCommand(env),
		newStatusCommand(env),
		newStoryCommand(env),
		newLeaseCommand(env),
		newReservationCommand(env),
		newServerCommand(env),
		newWatchCommand(env),
		newVIPCommand(env),
		newReloadCommand(env),
		newFileCommand(env),
		newBDMCommand(env),
		newAlertCommand(env),
		newProbeCommand(env),
		newStormCommand(env),
		newLabCommand(env),
		newVersionCommand(env),
	)
	root.SuggestionsMinimumDistance = nearby
	for _, c := range root.Commands() {
		finish(c)
	}
	return root
}

// nearby is how many letters of a command may be wrong for it to be meant.
const nearby = 2

// finish gives every command what all have in common: EXIT STATUS at the end of its help, and
// wrong arguments reported as usage errors.
func finish(c *cobra.Command) {
	c.SuggestionsMinimumDistance = nearby
	if c.Long == "" {
		c.Long = c.Short
	}
	c.Long += "\n\n" + exitHelp
	if args := c.Args; args != nil {
		c.Args = func(cmd *cobra.Command, a []string) error {
			if err := args(cmd, a); err != nil {
				return usageError(cmd, err)
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		finish(sub)
	}
}
