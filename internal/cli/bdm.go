package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"surefoot/internal/bdm"
	"surefoot/internal/bdm/bios"
	"surefoot/internal/bdm/efi"
	"surefoot/internal/bdm/grub"
	"surefoot/internal/config"
)

const bdmLong = `Boot media: small images, attached as CD or disk or written to a partition, that hold the servers'
addresses themselves. A machine that boots from one needs no PXE and no boot option of a DHCP
server; it tries every server in order, for ever, and says on its screen what it does.

  surefoot bdm build -o boot.iso                an image with the servers and files of the site file
  surefoot bdm wizard                           the same, asking in the terminal
  surefoot bdm inspect boot.iso                 what an image or a stick holds, and whether it is whole
  surefoot bdm set boot.iso --servers A,B       other servers, in place
  surefoot bdm write boot.iso /dev/sdX          onto a stick, or into a partition beside others
  surefoot bdm list                             media seen booting, and those that are out of date
  surefoot probe bdm boot.iso                   do what a machine that boots from it would do`

// bdmOptions are the flags that all these commands have.
type bdmOptions struct {
	env    *Env
	config string
	json   bool
}

func newBDMCommand(env *Env) *cobra.Command {
	o := &bdmOptions{env: env}
	list := newBDMListCommand(o)
	cmd := &cobra.Command{Use: "bdm", Short: "boot media: build, inspect, change, write and list them", Long: bdmLong, Args: cobra.NoArgs, RunE: list.RunE}
	f := cmd.PersistentFlags()
	f.StringVarP(&o.config, "config", "c", "", "site file (default $SUREFOOT_CONFIG, else "+config.DefaultPath+" if it is there)")
	f.BoolVar(&o.json, "json", false, "print JSON")
	cmd.AddCommand(newBDMBuildCommand(o), newBDMInspectCommand(o), newBDMSetCommand(o), newBDMWriteCommand(o), newBDMWizardCommand(o), newBDMProgramCommand(o), list)
	return cmd
}

// site reads the site file; nil if there is none and nobody named one.
func (o *bdmOptions) site() (*config.Config, error) {
	path := o.config
	if path == "" {
		path = o.env.Getenv("SUREFOOT_CONFIG")
	}
	if path == "" {
		path = config.DefaultPath
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	}
	// Nothing is served here, so it does not matter on which interface: the unit may name it.
	return config.Load(path, config.Options{AnyNode: true, Interfaces: []string{"lo"}})
}

func (o *bdmOptions) printJSON(v any) error {
	e := json.NewEncoder(o.env.Out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// newBDMProgramCommand hands out the UEFI program, for those who sign it.
func newBDMProgramCommand(o *bdmOptions) *cobra.Command {
	var out string
	var force bool
	cmd := &cobra.Command{
		Use: "program -o FILE", Short: "write the UEFI program of media to a file, to be signed for Secure Boot",
		Example: "  surefoot bdm program -o surefoot-bdm.efi\n  sbsign --key db.key --cert db.pem --output signed.efi surefoot-bdm.efi\n" +
			"  surefoot bdm build -o boot.iso --root-efi signed.efi",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return usageError(cmd, errors.New("-o names the file to write"))
			}
			program := efi.Program()
			if err := bdm.Save(out, program, force); err != nil {
				return err
			}
			if o.json {
				return o.printJSON(map[string]any{"file": out, "bytes": len(program)})
			}
			fmt.Fprintf(o.env.Out, "%s: %d bytes\n", out, len(program))
			return nil
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "the file to write")
	cmd.Flags().BoolVar(&force, "force", false, "overwrite the file if it is there")
	return cmd
}

// row prints a name and what belongs to it, within the columns.
func (o *bdmOptions) row(name, format string, args ...any) {
	wrapped(o.env.Out, fmt.Sprintf("  %-10s ", name), 13, fmt.Sprintf(format, args...))
}

// bdmTexts are the texts that images derive from their settings.
func bdmTexts() bdm.Texts { return bdm.Texts{bdm.ScriptName: bios.Script, bdm.GRUBName: grub.Script} }
