package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"surefoot/internal/config"
	"surefoot/internal/files"
	"surefoot/internal/publish"
)

const fileLong = `The boot files: versions of them, published by one atomic switch, and whether every node hands out
the same bytes. A root without versions works as well: its files are served as they lie there.

  surefoot file list                        versions, and the files of the one that is served
  surefoot file publish DIR                 a copy of DIR becomes the version that is served
  surefoot file rollback                    back to the version before
  surefoot file verify --all-nodes          download everything from every node, and compare
  surefoot file show NAME --mac MAC         what such a machine gets

The root is --root, else that of the site file.`

// fileOptions are the flags that all file commands have.
type fileOptions struct {
	env    *Env
	root   string
	config string
	node   string
	json   bool
}

func newFileCommand(env *Env) *cobra.Command {
	o := &fileOptions{env: env}
	list := newFileListCommand(o)
	cmd := &cobra.Command{
		Use: "file", Short: "publish, roll back, verify and show the boot files", Long: fileLong,
		Args: cobra.NoArgs, RunE: list.RunE,
	}
	f := cmd.PersistentFlags()
	f.StringVar(&o.root, "root", "", "folder with the boot files (default: root of the site file)")
	f.StringVarP(&o.config, "config", "c", "", "site file (default $SUREFOOT_CONFIG, else "+config.DefaultPath+")")
	f.StringVar(&o.node, "node", "", "name of the node to read the site file as")
	f.BoolVar(&o.json, "json", false, "print JSON")
	cmd.AddCommand(list, newFilePublishCommand(o), newFileRollbackCommand(o), newFileVerifyCommand(o), newFileShowCommand(o))
	return cmd
}

// site reads the site file; nil if --root stands for it.
func (o *fileOptions) site(cmd *cobra.Command) (*config.Config, error) {
	if o.root != "" && o.config != "" {
		return nil, usageError(cmd, errors.New("--root and --config exclude each other: the site file names the root"))
	}
	if o.root != "" {
		return nil, nil
	}
	path := o.config
	if path == "" {
		path = o.env.Getenv("SUREFOOT_CONFIG")
	}
	if path == "" {
		path = config.DefaultPath
		if _, err := os.Stat(path); err != nil {
			return nil, usageError(cmd, fmt.Errorf("where are the files? there is no %s: --root names the folder, --config a site file", path))
		}
	}
	cfg, err := config.Load(path, config.Options{Node: o.node})
	if err != nil && o.node == "" { // perhaps only since this machine is none of the nodes
		cfg, err = config.Load(path, config.Options{AnyNode: true})
	}
	if err != nil {
		return nil, err
	}
	if cfg.Root == "" {
		return nil, &Error{Err: fmt.Errorf("%s names no root, so there are no files", path), Hints: []string{"root: /srv/boot in the site file, or --root"}}
	}
	return cfg, nil
}

// open opens the root; cfg is nil if --root names it.
func (o *fileOptions) open(cmd *cobra.Command) (*publish.Root, *config.Config, error) {
	cfg, err := o.site(cmd)
	if err != nil {
		return nil, nil, err
	}
	dir := o.root
	if cfg != nil {
		dir = cfg.Root
	}
	r, err := publish.Open(dir)
	return r, cfg, err
}

func (o *fileOptions) printJSON(v any) error {
	e := json.NewEncoder(o.env.Out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// row prints a name and what belongs to it, within the columns.
func (o *fileOptions) row(name, format string, args ...any) {
	wrapped(o.env.Out, fmt.Sprintf("  %-10s ", name), 13, fmt.Sprintf(format, args...))
}

func newFileRollbackCommand(o *fileOptions) *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "rollback [ID]",
		Short: "serve the previous version again, or the one named",
		Long: `Make the previous version the one that is served, or the one named. The next request for a file
gets it, without a reload; transfers under way keep what they began. What was served becomes the
previous version, so that rolling back twice ends where it began.`,
		Example: "  surefoot file rollback --dry-run\n  surefoot file rollback 20261122-101500 --root /srv/boot",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, _, err := o.open(cmd)
			if err != nil {
				return err
			}
			defer r.Close()
			done, err := r.Rollback(strings.Join(args, ""), dry)
			if err != nil {
				return err
			}
			if o.json {
				return o.printJSON(done)
			}
			word := "rolled back"
			if dry {
				word = "would roll back"
			}
			fmt.Fprintf(o.env.Out, "%s from %s to %s\n", word, orNone(done.From), done.To)
			o.row("served", "%s/%s -> %s/%s", r.Dir(), files.CurrentLink, files.VersionsDir, done.To)
			if done.From != "" {
				o.row("previous", "%s", done.From)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would be done, and do nothing")
	return cmd
}
