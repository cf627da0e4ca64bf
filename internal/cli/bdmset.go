package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"surefoot/internal/bdm"
	"surefoot/internal/kernel/disk"
)

func newBDMSetCommand(o *bdmOptions) *cobra.Command {
	var flags bdmFlags
	var state string
	cmd := &cobra.Command{
		Use: "set FILE|DEVICE", Short: "change servers, files and addresses of an image in place",
		Long: `Change what an image holds, in place, in any format and on a stick or disk to which one was written.
What no flag names stays as it is; so do the programs and the image's id. The settings stand in
places of fixed size, of which only these are written; then they are read back and compared.`,
		Example: "  surefoot bdm set boot.iso --servers 10.0.0.5,10.0.0.6\n  surefoot bdm set boot.vhd --ip 10.0.0.9/24,10.0.0.254 --vlan 12",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			changes := cmd.Flags().NFlag()
			for _, other := range []string{"config", "json", "state"} {
				if cmd.Flags().Changed(other) {
					changes--
				}
			}
			if changes == 0 {
				return usageError(cmd, errors.New("no flag says what to change"))
			}
			return o.set(cmd, args[0], state, &flags)
		},
	}
	flags.addFlags(cmd)
	cmd.Flags().StringVar(&state, "state", "", "state directory in which to remember it (default: that of the site file)")
	return cmd
}

func (o *bdmOptions) set(cmd *cobra.Command, path, state string, flags *bdmFlags) error {
	d, err := disk.System{}.Look(path)
	if err != nil {
		return err
	}
	if err := refuseUsed(d); err != nil {
		return err
	}
	cfg, err := o.site()
	if err != nil {
		return err
	}
	f, err := d.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	m, err := bdm.Open(f, size)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	texts := bdmTexts()
	m.CheckTexts(texts)
	s := m.Settings
	if err := flags.apply(cmd, &s, cfg); err != nil {
		return err
	}
	if err := m.Set(f, s, texts); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	again, err := bdm.Open(f, size)
	if err != nil {
		return fmt.Errorf("%s: read it back: %w", path, err)
	}
	again.CheckTexts(texts)
	if len(again.Problems) > 0 {
		return fmt.Errorf("%s: read it back: %s", path, strings.Join(again.Problems, "; "))
	}
	o.remember(cfg, state, absolute(path), again)
	return o.show(path, again, io.NewSectionReader(f, 0, size))
}

// refuseUsed is the error for a disk that somebody uses.
func refuseUsed(d *disk.Disk) error {
	if d.ReadOnly {
		return fmt.Errorf("%s is read-only", d.Path)
	}
	if used := d.InUse(); len(used) > 0 {
		return &Error{
			Err: fmt.Errorf("%s is in use: %s", d.Path, strings.Join(used, ", ")), Machine: "in-use",
			Hints: []string{"unmount it first (umount, swapoff, losetup -d), and be sure that it is the right one"},
		}
	}
	return nil
}

var _ bdm.Target = (*os.File)(nil)
