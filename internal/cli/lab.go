package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/lab"
)

const labLong = `A boot site on this machine, in network namespaces: a DHCP server that is not Surefoot's, Surefoot
nodes beside it, and emulated PCs whose real firmware boots through them. It touches no network
of this machine, and needs root.

  surefoot lab run                    build one, boot a PC before your eyes, keep it until Ctrl-C
  surefoot lab boot --firmware uefi   boot another PC in it, from another terminal
  surefoot lab kill n1                end a node as a power failure would
  surefoot lab down                   take it down
  surefoot lab                        show the labs of this machine`

func newLabCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "a boot site on this machine, with emulated PCs, to try things",
		Long:  labLong,
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return listLabs(env, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(newLabRunCommand(env), newLabBootCommand(env), newLabKillCommand(env), newLabDownCommand(env))
	return cmd
}

func listLabs(env *Env, asJSON bool) error {
	labs, err := lab.List("")
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(env.Out).Encode(map[string]any{"labs": labs})
	}
	if len(labs) == 0 {
		return noLab()
	}
	w := tabwriter.NewWriter(env.Out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "LAB\tNODE\tADDRESS\tSTATE\tSOCKET")
	for _, l := range labs {
		for _, n := range l.Nodes {
			state := "runs"
			switch {
			case !l.Owner.Alive():
				state = "left behind (surefoot lab down removes it)"
			case !n.Process.Alive():
				state = "dead"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.ID, n.Name, n.Addr, state, n.Socket)
		}
	}
	return w.Flush()
}

func noLab() error {
	return &Error{
		Code: ExitNoDaemon, Machine: "no-lab", Err: lab.ErrNoLab,
		Hints: []string{labCommand("lab run") + " builds one"},
	}
}

// labCommand writes a command as the reader can type it: this program, with sudo where needed.
func labCommand(args string) string {
	name := "surefoot"
	if exe, err := os.Executable(); err == nil {
		name = exe
		if wd, err := os.Getwd(); err == nil {
			if rel, err := filepath.Rel(wd, exe); err == nil && !strings.HasPrefix(rel, "..") {
				name = "./" + rel
			}
		}
	}
	if os.Getenv("SUDO_USER") != "" || os.Geteuid() != 0 {
		name = "sudo " + name
	}
	return name + " " + args
}

// labFlag adds the flag that says which lab, for machines that run several.
func labFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("lab", "", "which lab, if several run")
}

func newLabBootCommand(env *Env) *cobra.Command {
	var o bootOptions
	cmd := &cobra.Command{
		Use:   "boot",
		Short: "boot an emulated PC in the running lab",
		Args:  cobra.NoArgs,
	}
	id := labFlag(cmd)
	o.addFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := lab.Needs(false); err != nil {
			return labError(err)
		}
		m, err := o.machine(byte(2 + time.Now().UnixNano()%250)) // number 1 is that of lab run
		if err != nil {
			return usageError(cmd, err)
		}
		which, err := pickLab(*id)
		if err != nil {
			return err
		}
		l, err := lab.Open("", which.ID)
		if err != nil {
			return labError(err)
		}
		defer l.Close()
		return bootOne(cmd.Context(), env, l, m)
	}
	return cmd
}

func newLabKillCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kill NODE",
		Short: "end a node of the running lab at once (SIGKILL)",
		Args:  cobra.ExactArgs(1),
	}
	id := labFlag(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		l, err := pickLab(*id)
		if err != nil {
			return err
		}
		if err := l.KillNode(args[0]); err != nil {
			return err
		}
		_, err = fmt.Fprintf(env.Out, "killed node %s of lab %s\n", args[0], l.ID)
		return err
	}
	return cmd
}

const labDownLong = `Take a lab down: its machines, nodes, servers and namespaces. Without --lab it is the only one that
runs; where several run, each may be somebody else's, so that one has to be named. What killed
labs left behind is removed in any case.`

func newLabDownCommand(env *Env) *cobra.Command {
	var id string
	var all bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "take a lab down, and remove what killed ones left behind",
		Long:  labDownLong,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), 30*time.Second)
			defer cancel()
			return takeDown(ctx, env, id, all)
		},
	}
	cmd.Flags().StringVar(&id, "lab", "", "which lab, as surefoot lab shows it")
	cmd.Flags().BoolVar(&all, "all", false, "every lab of this machine")
	return cmd
}

func takeDown(ctx context.Context, env *Env, id string, all bool) error {
	gone, err := lab.Sweep(ctx, "")
	if err != nil {
		return labError(err)
	}
	for _, g := range gone {
		say(env.Out, "removed what lab %s had left behind", g)
	}
	labs, err := lab.List("")
	if err != nil {
		return err
	}
	chosen, err := chooseLabs(labs, id, all)
	if err != nil {
		return err
	}
	if len(chosen) == 0 && len(gone) == 0 {
		return noLab()
	}
	for _, l := range chosen {
		if err := l.TakeDown(ctx); err != nil {
			return labError(err)
		}
		say(env.Out, "lab %s is down", l.ID)
	}
	return nil
}

// chooseLabs says which labs are meant. Of several, one has to be named: the others may be
// somebody else's.
func chooseLabs(labs []lab.State, id string, all bool) ([]lab.State, error) {
	var chosen []lab.State
	var ids []string
	for _, l := range labs {
		ids = append(ids, l.ID)
		if id == "" || l.ID == id {
			chosen = append(chosen, l)
		}
	}
	if len(chosen) > 1 && !all {
		return nil, &Error{
			Code: ExitUsage, Machine: "several-labs", Err: fmt.Errorf("%d labs run on this machine: %s", len(ids), strings.Join(ids, ", ")),
			Hints: []string{"--lab NAME says which; surefoot lab shows them"},
		}
	}
	return chosen, nil
}

// pickLab returns the lab that is meant; of several, one has to be named here as well.
func pickLab(id string) (*lab.State, error) {
	labs, err := lab.List("")
	if err != nil {
		return nil, err
	}
	labs = slices.DeleteFunc(labs, func(l lab.State) bool { return !l.Owner.Alive() })
	chosen, err := chooseLabs(labs, id, false)
	if err != nil {
		return nil, err
	}
	if len(chosen) == 0 {
		return nil, noLab()
	}
	return &chosen[0], nil
}

// labError gives what the lab reports the exit code that it deserves.
func labError(err error) error {
	var needs *lab.NeedsError
	switch {
	case errors.Is(err, lab.ErrNoLab):
		return noLab()
	case errors.As(err, &needs) && needs.NotRoot:
		return &Error{Code: ExitNotPermitted, Machine: "not-root", Err: err, Hints: []string{"run it with sudo"}}
	case errors.Is(err, os.ErrPermission):
		return &Error{Code: ExitNotPermitted, Machine: "not-permitted", Err: err, Hints: []string{"run it with sudo"}}
	}
	return err
}

// say prints one line of a lab's progress.
func say(w io.Writer, format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
