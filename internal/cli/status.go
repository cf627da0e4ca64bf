package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/config"
	"surefoot/internal/journal"
	"surefoot/internal/web"
)

// socketFlag adds --socket, with which a command finds the node that it talks to.
func socketFlag(cmd *cobra.Command, env *Env, socket *string) {
	def := config.DefaultSocket
	if s := env.Getenv("SUREFOOT_SOCKET"); s != "" {
		def = s
	}
	cmd.Flags().StringVar(socket, "socket", def, "unix socket of the node ($SUREFOOT_SOCKET)")
}

// daemonError gives an error of the API its exit code.
func daemonError(err error) error {
	var u *web.UnreachableError
	if !errors.As(err, &u) {
		return err
	}
	if u.Denied() {
		return &Error{Code: ExitNotPermitted, Err: err, Hints: u.Hint(), Machine: "not-permitted"}
	}
	return &Error{Code: ExitNoDaemon, Err: err, Hints: u.Hint(), Machine: "no-daemon"}
}

func newStatusCommand(env *Env) *cobra.Command {
	var socket string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "what this node does, and how it is",
		Long: `Show what the running node does: its roles, where they listen, its rules, warnings with their
fixes, and the last boots. Exit status 3 if it is not ready or has a warning.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runStatus(cmd.Context(), env, web.Dial(socket), asJSON)
		},
	}
	socketFlag(cmd, env, &socket)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func runStatus(ctx context.Context, env *Env, c *web.Client, asJSON bool) error {
	st, err := c.Status(ctx)
	if err != nil {
		return daemonError(err)
	}
	if asJSON {
		enc := json.NewEncoder(env.Out)
		enc.SetIndent("", "  ")
		err = enc.Encode(st)
	} else {
		var stories []journal.Story
		if stories, err = c.Stories(ctx, journal.Query{Limit: 10, Latest: true}); err != nil {
			return daemonError(err)
		}
		printStatus(env.Out, st, stories)
	}
	if err == nil && (!st.Ready || len(st.Warnings) > 0) {
		return &Error{Code: ExitProblems}
	}
	return err
}

func printStatus(w io.Writer, st web.Status, stories []journal.Story) {
	state := "ready"
	if !st.Ready {
		state = "NOT READY: " + strings.Join(st.NotReady, ", ")
	}
	fmt.Fprint(w, wrap(fmt.Sprintf("node %s of site %s: %s", st.Node, st.Site, state), ""))
	path := st.Config.Path
	if path == "" {
		path = "embedded defaults"
	}
	fmt.Fprintf(w, "surefoot %s, up %s\nconfiguration: %s, read at %s\n", st.Version,
		time.Since(st.Started).Round(time.Second), path, st.Config.LoadedAt.Local().Format(time.DateTime))
	if f := st.Files; f != nil && f.Version != "" {
		fmt.Fprintf(w, "files: version %s below %s\n", f.Version, f.Root)
	} else if f != nil {
		fmt.Fprintf(w, "files: %s\n", f.Root)
	}
	if st.Config.LastError != "" {
		fmt.Fprintf(w, "\nlast reload refused at %s, the configuration before it goes on:\n%s\n",
			st.Config.LastErrorAt.Local().Format(time.TimeOnly), indent(st.Config.LastError))
	}
	for _, x := range st.Warnings {
		fmt.Fprint(w, "\n"+wrap("warning: "+x.Title, "")+wrap(x.Text, "  ")+wrap("fix: "+x.Fix, "  "))
	}
	printTables(w, st)
	if st.Shared != nil {
		printShared(w, st.Shared)
	}
	printPools(w, st.Pools)
	if st.Leases != "" {
		fmt.Fprintf(w, "leases in %s\n", st.Leases)
	}
	k := st.Counters
	fmt.Fprint(w, "\n"+wrap(fmt.Sprintf("since the start: %d offers, %d replies on 4011, %d files (%s), %d failed, %d packets ignored",
		k["offers"], k["boot_replies"], k["files_delivered"], journal.Size(k["bytes"]), k["transfers_failed"], k["packets_ignored"]), "")+"\n")
	printStories(w, stories)
}

// printTables prints what stands in the site file, and how this node's part of it is.
func printTables(w io.Writer, st web.Status) {
	t := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	fmt.Fprintln(t, "\nROLE\tSTATE\tLISTENS")
	for _, r := range st.Roles {
		for i, l := range r.Listen {
			if i > 0 {
				r.Name, r.State = "", ""
			}
			fmt.Fprintf(t, "%s\t%s\t%s\n", r.Name, r.State, l)
		}
		if len(r.Listen) == 0 {
			fmt.Fprintf(t, "%s\t%s\t-\n", r.Name, r.State)
		}
	}
	fmt.Fprintln(t, "\nNODE\tADDRESS\tROLES")
	for _, n := range st.Nodes {
		self := ""
		if n.Self {
			self = " (this one)"
		}
		fmt.Fprintf(t, "%s%s\t%s\t%s\n", n.Name, self, n.Address, strings.Join(n.Roles, ", "))
	}
	if len(st.Health) > 0 {
		fmt.Fprintln(t, "\nSERVER\tSTATE\tSINCE\tRESPONSE")
	}
	for _, s := range st.Health {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", fit(s.Name, 24), s.State, since(s.Since, time.Now()), response(s.Response))
	}
	fmt.Fprintln(t, "\nRULE\tFILE\tFROM")
	for _, r := range st.Rules {
		fmt.Fprintf(t, "%s\t%s\t%s\n", fit(r.Name, 24), fit(r.File, 40), fit(strings.Join(r.From, ", "), 30))
	}
	fmt.Fprintln(t, "\nNETWORK\tSUBNET\tDELIVER")
	for _, n := range st.Networks {
		fmt.Fprintf(t, "%s\t%s\t%s\n", fit(n.Name, 24), n.Subnet, n.Deliver)
	}
	_ = t.Flush()
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n  ")
}
