package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"surefoot/internal/config"
)

const configLong = `The site file: one YAML file that describes the site and is the same on every node.

  surefoot config check              every mistake in it, with its place and what to write instead
  surefoot config show --effective   the file with every default filled in
  surefoot config example            a complete, commented file to start from
  surefoot config explain boot.when  what a key means
  surefoot config schema             JSON Schema, for editors and checks in CI

The file is --config, else $SUREFOOT_CONFIG, else ` + config.DefaultPath + `; - reads standard input.`

// configOptions are the flags of every config command that reads the file.
type configOptions struct {
	env  *Env
	file string
	node string

	interfaces []string
}

func newConfigCommand(env *Env) *cobra.Command {
	o := &configOptions{env: env}
	show := newConfigShowCommand(o)
	cmd := &cobra.Command{
		Use:   "config",
		Short: "check, show and explain the site file",
		Long:  configLong,
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return o.show(false) },
	}
	cmd.PersistentFlags().StringVar(&o.file, "config", "", "site file (default $SUREFOOT_CONFIG, else "+config.DefaultPath+")")
	cmd.PersistentFlags().StringVar(&o.node, "node", "", "name of the node to read it as")
	cmd.PersistentFlags().StringSliceVarP(&o.interfaces, "interface", "i", nil, "interface that serve would be started with (may be repeated)")
	cmd.AddCommand(newConfigCheckCommand(o), show, newConfigExampleCommand(o), newConfigSchemaCommand(o), newConfigExplainCommand(o))
	return cmd
}

// path is the file that is meant, by argument, flag, environment or default.
func (o *configOptions) path(args []string) string {
	for _, p := range append(args, o.file, o.env.Getenv("SUREFOOT_CONFIG")) {
		if p != "" {
			return p
		}
	}
	return config.DefaultPath
}

// read returns the bytes of the file and the name to call it by.
func (o *configOptions) read(path string) (string, []byte, error) {
	if path == "-" {
		data, err := io.ReadAll(o.env.In)
		return "stdin", data, err
	}
	data, err := config.Read(path)
	return path, data, err
}

func newConfigCheckCommand(o *configOptions) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "tell every mistake in the site file at once",
		Long: `Tell every mistake in the site file at once: as file:line:column: path: message, with the lines
concerned and what to write instead. It is checked as every node of it would read it, or as --node
alone. Nothing is started. If the root is on this machine, what the entries under files stand for is
looked at there: what is wrong with it is a warning, and no mistake of the file.`,
		Example: "  surefoot config check site.yaml\n  surefoot config check --json site.yaml | jq -r '.problems[].message'",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			name, data, err := o.read(o.path(args))
			if err != nil {
				return err
			}
			summary, err := o.check(name, data)
			var problems *config.Errors
			if err != nil && !errors.As(err, &problems) {
				return err
			}
			warnings := config.Warnings(name, data)
			if asJSON {
				err = printCheckJSON(o.env, name, summary, problems, warnings)
			} else {
				err = printCheck(o.env, name, summary, problems, warnings)
			}
			if err == nil && problems != nil {
				err = &Error{Code: ExitProblems}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (o *configOptions) check(name string, data []byte) (config.Summary, error) {
	if o.node == "" {
		return config.CheckWith(name, data, config.Options{Interfaces: o.interfaces, Read: config.ReadTable})
	}
	c, err := config.Parse(name, data, config.Options{Node: o.node, Interfaces: o.interfaces, Read: config.ReadTable})
	if err != nil {
		return config.Summary{}, err
	}
	return c.Summary(), nil
}

func printCheck(env *Env, name string, s config.Summary, problems *config.Errors, warnings []config.Problem) error {
	if len(warnings) > 0 {
		text := (&config.Errors{File: name, Problems: warnings}).Text()
		if _, err := fmt.Fprintln(env.Out, text); err != nil {
			return err
		}
	}
	if problems != nil {
		_, err := fmt.Fprintf(env.Out, "%s\n%s in %s\n", problems.Text(), problems.Count(), name)
		return err
	}
	also := ""
	if len(warnings) > 0 {
		also = ", with " + plural(len(warnings), "warning")
	}
	_, err := fmt.Fprintf(env.Out, "%s: ok (%s)%s\n", name, s, also)
	return err
}

// checkJSON is what `config check --json` prints. Fields are only ever added.
type checkJSON struct {
	File     string           `json:"file"`
	OK       bool             `json:"ok"`
	Summary  *config.Summary  `json:"summary,omitempty"` // only of a file that is right
	Problems []config.Problem `json:"problems"`
	More     bool             `json:"more,omitempty"` // the check ended there: there may be others
	Warnings []config.Problem `json:"warnings,omitempty"`
}

func printCheckJSON(env *Env, name string, s config.Summary, problems *config.Errors, warnings []config.Problem) error {
	out := checkJSON{File: name, OK: problems == nil, Problems: []config.Problem{}, Warnings: warnings}
	if problems != nil {
		out.Problems, out.More = problems.Problems, problems.More
	} else {
		out.Summary = &s
	}
	e := json.NewEncoder(env.Out)
	e.SetEscapeHTML(false)
	return e.Encode(out)
}

func newConfigShowCommand(o *configOptions) *cobra.Command {
	var effective bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "print the site file, or with --effective all that it means",
		Long: `Print the site file. With --effective, print it as the node reads it: every default filled in and
every server named. That is a site file again, and means the same. On a machine that is none of
the nodes, it is as the first node reads it.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return o.show(effective) },
	}
	cmd.Flags().BoolVar(&effective, "effective", false, "fill in every default")
	return cmd
}

func (o *configOptions) show(effective bool) error {
	name, data, err := o.read(o.path(nil))
	if err != nil {
		return err
	}
	if effective {
		c, err := config.Parse(name, data, config.Options{Node: o.node, Interfaces: o.interfaces, Read: config.ReadTable})
		if err != nil { // perhaps only since this machine is none of the nodes
			if c, err = config.Parse(name, data, config.Options{Node: o.node, Interfaces: o.interfaces, AnyNode: true, Read: config.ReadTable}); err != nil {
				return err
			}
			fmt.Fprintf(o.env.Err, "as node %s; --node NAME for another\n", c.Node.Name)
		}
		data = append([]byte(fmt.Sprintf("# %s as node %s reads it\n", name, c.Node.Name)), c.YAML()...)
	}
	if !bytes.HasSuffix(data, []byte("\n")) {
		data = append(data, '\n')
	}
	_, err = o.env.Out.Write(data)
	return err
}

func newConfigExampleCommand(o *configOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "example",
		Short: "print a complete, commented site file",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(o.env.Out, config.Example())
			return err
		},
	}
}

func newConfigSchemaCommand(o *configOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "print the JSON Schema of the site file",
		Long: `Print the JSON Schema (draft 2020-12) of the site file. Editors that speak the YAML language server's
language take it from a first line like this:

  # yaml-language-server: $schema=surefoot.schema.json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := o.env.Out.Write(config.Schema())
			return err
		},
	}
}

func newConfigExplainCommand(o *configOptions) *cobra.Command {
	return &cobra.Command{
		Use:     "explain [PATH]",
		Short:   "say what a key of the site file means",
		Long:    "Say what a key of the site file means: how it is written, what holds without it, and an example.\nWithout a path, list the keys at the top.",
		Example: "  surefoot config explain boot.when.arch\n  surefoot config explain networks",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				_, err := io.WriteString(o.env.Out, config.Overview())
				return err
			}
			k, near := config.Explain(args[0])
			if k == nil {
				return noSuchKey(args[0], near)
			}
			_, err := io.WriteString(o.env.Out, k.Text())
			return err
		},
	}
}

func noSuchKey(path string, near []string) error {
	e := &Error{Err: fmt.Errorf("explain %q: the site file has no such key", path), Machine: "no-such-key"}
	for _, n := range near {
		e.Hints = append(e.Hints, "surefoot config explain "+n)
	}
	if len(near) == 0 {
		e.Hints = []string{"surefoot config explain   lists the keys at the top"}
	}
	return e
}
