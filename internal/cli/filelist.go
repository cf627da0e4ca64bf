package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/journal"
	"surefoot/internal/publish"
)

// fileListJSON is what `file list --json` prints. Fields are only ever added.
type fileListJSON struct {
	publish.State
	Version string         `json:"version,omitempty"` // whose files these are
	Files   []publish.Item `json:"files"`
}

func newFileListCommand(o *fileOptions) *cobra.Command {
	var version string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "the versions below the root, and the files of the one that is served",
		Long: `List the versions below the root, the newest first, and the files of the one that is served, or of
--version, as their manifest has them. Two trees with the same digest hold the same names and bytes.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, _, err := o.open(cmd)
			if err != nil {
				return err
			}
			defer r.Close()
			st, err := r.State()
			if err != nil {
				return err
			}
			out := fileListJSON{State: st, Version: version, Files: []publish.Item{}}
			if version == "" {
				out.Version = st.Current
			}
			if out.Version != "" && !st.Has(out.Version) {
				return &Error{Err: fmt.Errorf("there is no version %q below %s", out.Version, r.Dir()), Hints: []string{"there are " + orNone(strings.Join(st.IDs(), ", "))}, Machine: "not-found"}
			}
			if out.Version != "" {
				m, err := r.Manifest(out.Version)
				if err != nil {
					return err
				}
				out.Files = m.Files
			}
			if o.json {
				return o.printJSON(out)
			}
			o.printList(out)
			return nil
		},
	}
	cmd.Flags().StringVar(&version, "version", "", "the version whose files are listed (default: the one that is served)")
	return cmd
}

func (o *fileOptions) printList(l fileListJSON) {
	w := o.env.Out
	if l.Current == "" {
		fmt.Fprint(w, wrap(fmt.Sprintf("%s has no versions: its files are served as they lie there (%s). `surefoot file publish DIR --adopt` makes versions of it.",
			l.Root, orNone(few(l.Loose))), ""))
	} else {
		fmt.Fprint(w, wrap(fmt.Sprintf("%s serves version %s", l.Root, l.Current), ""))
		if len(l.Loose) > 0 {
			fmt.Fprint(w, wrap(fmt.Sprintf("not served, since they lie beside the versions: %s", few(l.Loose)), "  "))
		}
	}
	if len(l.Versions) > 0 {
		room := columns - len("  previous  2026-11-22 10:00:00  FILES  100 bytes  01234567  ") // for notes
		widest := 0
		for _, v := range l.Versions {
			widest = max(widest, min(len(v.ID), 24))
		}
		room -= widest
		t := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
		fmt.Fprintln(t, "\nVERSION\tSTATE\tPUBLISHED\tFILES\tSIZE\tDIGEST\tNOTE")
		for _, v := range l.Versions {
			state := ""
			switch {
			case v.Current:
				state = "current"
			case v.Previous:
				state = "previous"
			}
			if v.Error != "" {
				fmt.Fprintf(t, "%s\t%s\t-\t-\t-\t-\t%s\n", fit(v.ID, 24), state, "no manifest")
				continue
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%.8s\t%s\n", fit(v.ID, 24), state, v.Time.Local().Format(time.DateTime), v.Files, journal.Size(v.Bytes), v.Digest, cut(v.Note, room))
		}
		_ = t.Flush()
		for _, v := range l.Versions {
			if v.Error != "" {
				fmt.Fprint(w, "\n"+wrap(v.ID+": "+v.Error, ""))
			}
		}
	}
	if len(l.Files) == 0 {
		return
	}
	fmt.Fprintf(w, "\nfiles of %s\n", l.Version)
	t := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	fmt.Fprintln(t, "\nSIZE\tSHA256\tNAME")
	for _, f := range l.Files {
		name := fit(plainName(f.Name), 64)
		if f.Link != "" {
			name = fit(plainName(f.Name), 40) + " -> " + fit(plainName(f.Link), 20)
		}
		if f.SHA256 == "" {
			fmt.Fprintf(t, "-\t-\t%s\n", name)
			continue
		}
		fmt.Fprintf(t, "%s\t%.12s\t%s\n", journal.Size(f.Size), f.SHA256, name)
	}
	_ = t.Flush()
}

// plainName writes out what a terminal might act on.
func plainName(name string) string {
	if q := fmt.Sprintf("%q", name); q[1:len(q)-1] != name {
		return q
	}
	return name
}

// cut ends a text that is longer than n characters.
func cut(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:n-3]) + "..."
	}
	return text
}

func few(names []string) string {
	if len(names) > 6 {
		return strings.Join(names[:6], ", ") + fmt.Sprintf(" and %d more", len(names)-6)
	}
	return strings.Join(names, ", ")
}
