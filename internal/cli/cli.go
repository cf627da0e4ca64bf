// Package cli is the command line: one file per noun. It parses, calls a room, prints, and turns
// errors into exit codes and hints. It decides nothing.
//
// stdout is the answer and stderr everything else; a noun alone shows and never changes anything.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/spf13/cobra"
)

// Env is the world as a command sees it, so that tests can give it another one.
type Env struct {
	In     io.Reader
	Out    io.Writer
	Err    io.Writer
	Getenv func(string) string
}

// Exit codes, the same for every command. 2 stays free: a crashing Go program exits with 2.
// Unknown codes mean failure.
const (
	ExitOK           = 0
	ExitFailed       = 1
	ExitProblems     = 3 // ran fine and found problems
	ExitNotPermitted = 4
	ExitNoDaemon     = 5
	ExitUsage        = 64
	ExitInterrupted  = 130
)

const exitHelp = `EXIT STATUS
  0 done   1 failed   3 ran fine and found problems   4 not permitted
  5 daemon not reachable   64 wrong usage   130 interrupted
  Any other code means failure.`

// Error is an error with what the person at the keyboard needs besides its text. The zero Code
// counts as ExitFailed.
type Error struct {
	Code    int
	Err     error    // nil: nothing is printed, the command has said it all on stdout
	Hints   []string // commands or settings that help, one a line
	Machine string   // a stable word for --json, "" for "failed"
}

func (e *Error) Error() string {
	if e.Err == nil {
		return "problems found"
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Hinter is implemented by errors of other rooms that know their own remedy.
type Hinter interface{ Hint() []string }

// Main runs one command and returns its exit code.
func Main(ctx context.Context, args []string, env Env) int {
	root := newRootCommand(&env)
	root.SetArgs(args)
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return ExitOK
	}
	var e *Error
	if cmd == root && !errors.As(err, &e) { // the root does nothing itself: there is no such command
		err = usageError(root, err)
	}
	if m := monitorOf(args); m != nil {
		return m.failed(&env, err)
	}
	return report(&env, err, wantsJSON(cmd, err, args), ctx.Err() != nil)
}

// wantsJSON reports whether --json was given. Flags that stand behind a mistake were not read.
func wantsJSON(cmd *cobra.Command, err error, args []string) bool {
	if f := cmd.Flags().Lookup("json"); f != nil && f.Value.String() == "true" {
		return true
	}
	var e *Error
	return errors.As(err, &e) && e.Code == ExitUsage && slices.Contains(args, "--json")
}

// report prints an error with its hints, as JSON where --json was given, and returns the code.
func report(env *Env, err error, asJSON, interrupted bool) int {
	code, machine, hints, silent := ExitFailed, "failed", []string(nil), false
	var e *Error
	switch {
	case errors.As(err, &e):
		if e.Code != 0 {
			code = e.Code
		}
		if e.Machine != "" {
			machine = e.Machine
		}
		hints, silent = e.Hints, e.Err == nil
	case errors.Is(err, context.Canceled) && interrupted:
		code, machine = ExitInterrupted, "interrupted"
	case errors.Is(err, fs.ErrPermission): // EPERM and EACCES as well
		code, machine = ExitNotPermitted, "not-permitted"
	}
	if len(hints) == 0 {
		hints = hintsOf(err, nil)
	}
	if silent {
		return code
	}
	if asJSON {
		out := map[string]any{"error": map[string]any{"code": machine, "message": err.Error(), "hint": hints}}
		_ = json.NewEncoder(env.Out).Encode(out)
		return code
	}
	fmt.Fprintf(env.Err, "surefoot: %v\n", err)
	for _, hint := range hints {
		fmt.Fprintf(env.Err, "hint: %s\n", hint)
	}
	return code
}

// hintsOf collects the hints of an error and of all that it wraps, each once.
func hintsOf(err error, found []string) []string {
	if h, ok := err.(Hinter); ok { // errors.As would stop at the first of several joined ones
		for _, hint := range h.Hint() {
			if !slices.Contains(found, hint) {
				found = append(found, hint)
			}
		}
	}
	switch x := err.(type) {
	case interface{ Unwrap() error }:
		return hintsOf(x.Unwrap(), found)
	case interface{ Unwrap() []error }:
		for _, inner := range x.Unwrap() {
			found = hintsOf(inner, found)
		}
	}
	return found
}

// usageError is what a wrong flag or argument becomes.
func usageError(cmd *cobra.Command, err error) error {
	e := &Error{Code: ExitUsage, Err: err, Machine: "usage"}
	if word, ok := unknownCommand(err); ok {
		for _, name := range cmd.SuggestionsFor(word) {
			e.Hints = append(e.Hints, fmt.Sprintf("did you mean %s %s?", cmd.CommandPath(), name))
		}
	}
	e.Hints = append(e.Hints, fmt.Sprintf("%s --help shows what it takes", cmd.CommandPath()))
	return e
}

// unknownCommand finds the word that cobra took for a command and knows not, in the only place
// where cobra tells it: its text.
func unknownCommand(err error) (string, bool) {
	var word string
	n, _ := fmt.Sscanf(err.Error(), "unknown command %q for", &word)
	return word, n == 1
}
