package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/config"
	"surefoot/internal/files"
	"surefoot/internal/probe"
	"surefoot/internal/publish"
)

const fileVerifyLong = `Read every file that is served here and compare it with its manifest; then download every file from
each server by TFTP, as a machine would, and compare what came: so that all nodes are seen to hand out
the same bytes. A root without versions has no manifest: then its own files are the measure.

  surefoot file verify                                    the files here
  surefoot file verify --all-nodes                        and what each node of the site hands out
  surefoot file verify --from boot2 --from 10.0.0.7:1069  and these servers, by name or address
  surefoot file verify --all-nodes ARDBP32.BIN "efi/*"    only files of these names

Names that the site file gives to files are asked for as well; texts made for each client have no one
content and are left out. Exit status 3 says that something differs.`

// fileVerifyJSON is what `file verify --json` prints. Fields are only ever added.
type fileVerifyJSON struct {
	OK bool `json:"ok"`
	publish.Reference
	Checked int                 `json:"checked"` // names asked of each server
	Skipped []string            `json:"skipped,omitempty"`
	Servers []publish.Delivered `json:"servers"`
}

type fileVerifyOptions struct {
	*fileOptions
	from     []string
	allNodes bool
	version  string
	timeout  time.Duration
}

func newFileVerifyCommand(o *fileOptions) *cobra.Command {
	v := &fileVerifyOptions{fileOptions: o}
	cmd := &cobra.Command{
		Use:   "verify [NAME-PATTERN]...",
		Short: "compare the files with their manifest, and with what servers deliver",
		Long:  fileVerifyLong,
		RunE:  func(cmd *cobra.Command, args []string) error { return v.run(cmd, args) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&v.from, "from", nil, "server to download from: a name of the site file, or HOST[:PORT] (may be repeated)")
	f.BoolVar(&v.allNodes, "all-nodes", false, "download from every node of the site file that serves TFTP")
	f.StringVar(&v.version, "version", "", "compare with this version (default: the one that is served here)")
	f.DurationVar(&v.timeout, "timeout", 10*time.Second, "how long a server may send nothing new")
	return cmd
}

func (o *fileVerifyOptions) run(cmd *cobra.Command, patterns []string) error {
	r, cfg, err := o.open(cmd)
	if err != nil {
		return err
	}
	defer r.Close()
	servers, err := o.servers(cfg)
	if err != nil {
		return usageError(cmd, err)
	}
	ctx := cmd.Context()
	bar := newFileBar(o.env.Err)
	out := fileVerifyJSON{Servers: []publish.Delivered{}}
	out.Reference, err = r.Verify(ctx, o.version, bar.of("reading "+r.Dir()))
	bar.clear()
	if err != nil {
		return err
	}
	var entries []files.Entry
	fold := true
	if cfg != nil {
		entries, fold = cfg.Files, cfg.Fold
	}
	want, skipped := out.Wanted(patterns, entries, fold)
	if len(want) == 0 && len(patterns) > 0 {
		return &Error{Err: fmt.Errorf("no file below %s is called %s", r.Dir(), strings.Join(patterns, " or ")), Hints: []string{"surefoot file list shows what there is"}, Machine: "not-found"}
	}
	if len(want) == 0 && len(servers) > 0 { // all servers would be found to serve the same nothing
		return &Error{
			Code: ExitProblems, Err: fmt.Errorf("there is no file below %s that the servers' could be compared with", r.Dir()),
			Hints: []string{"surefoot file list shows what there is"}, Machine: "nothing-to-compare",
		}
	}
	out.Local.Differences = slices.DeleteFunc(out.Local.Differences, func(d publish.Difference) bool { return !publish.Match(patterns, d.File) })
	out.Local.OK = len(out.Local.Differences) == 0
	out.Checked, out.Skipped, out.OK = len(want), skipped, out.Local.OK
	if !o.json {
		o.printLocal(out, len(patterns) > 0)
	}
	for _, s := range servers {
		d, err := o.download(ctx, s, want, bar)
		if err != nil {
			return err
		}
		out.Servers = append(out.Servers, d)
		out.OK = out.OK && d.OK
		if !o.json {
			o.printDelivered(d, len(want))
		}
	}
	if o.json {
		if err := o.printJSON(out); err != nil {
			return err
		}
	} else if len(skipped) > 0 && len(servers) > 0 {
		fmt.Fprint(o.env.Out, wrap("not compared, since their text is made for each client: "+few(skipped), ""))
	}
	if !out.OK {
		return &Error{Code: ExitProblems}
	}
	return nil
}

func (o *fileVerifyOptions) download(ctx context.Context, s publish.Server, want []publish.Wanted, bar *fileBar) (publish.Delivered, error) {
	defer bar.clear()
	return publish.Download(ctx, s, want, probe.Options{Timeout: o.timeout}, bar.of("downloading from "+s.Name))
}

// servers resolves whom the flags mean.
func (o *fileVerifyOptions) servers(cfg *config.Config) ([]publish.Server, error) {
	var out []publish.Server
	add := func(s publish.Server) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	if o.timeout <= 0 {
		return nil, errors.New("--timeout: more than 0")
	}
	if o.allNodes {
		if cfg == nil {
			return nil, errors.New("--all-nodes: which nodes there are says the site file: --config instead of --root")
		}
		for _, n := range cfg.Nodes {
			if at := cfg.Site.Servers[n.Name].TFTP; at.IsValid() {
				add(serverAt(n.Name, at))
			}
		}
		if len(out) == 0 {
			return nil, errors.New("--all-nodes: no node of the site file serves TFTP")
		}
	}
	for _, from := range o.from {
		if cfg != nil {
			if s, ok := cfg.Site.Servers[from]; ok {
				if !s.TFTP.IsValid() {
					return nil, fmt.Errorf("--from %s: it serves no TFTP", from)
				}
				add(serverAt(from, s.TFTP))
				continue
			}
		}
		s := publish.Server{Name: from, Host: from, Port: config.DefaultTFTPPort}
		if host, port, err := net.SplitHostPort(from); err == nil {
			n, err := strconv.ParseUint(port, 10, 16)
			if err != nil || n == 0 || host == "" {
				return nil, fmt.Errorf("--from %q is not NAME, HOST or HOST:PORT", from)
			}
			s.Host, s.Port = host, uint16(n)
		}
		add(s)
	}
	return out, nil
}

func serverAt(name string, at netip.AddrPort) publish.Server {
	return publish.Server{Name: name, Host: at.Addr().String(), Port: at.Port()}
}

func (o *fileVerifyOptions) printLocal(v fileVerifyJSON, some bool) {
	what := fmt.Sprintf("here, %s", v.Root)
	if v.Version != "" {
		what += " version " + v.Version
	}
	of := plural(v.Files, "file")
	switch {
	case !v.Manifest && v.Local.OK:
		of += ", the measure for others: without versions there is no manifest"
	case v.Local.OK && some:
		of += ", and those of these names are as their manifest says"
	case v.Local.OK:
		of += ", all as their manifest says"
	default:
		of = fmt.Sprintf("%s, %d not as they should be", of, len(v.Local.Differences))
	}
	fmt.Fprint(o.env.Out, wrap(fmt.Sprintf("%s: %s (digest %.12s)", what, of, v.Digest), ""))
	printDifferences(o.env.Out, v.Local.Differences)
}

func (o *fileVerifyOptions) printDelivered(d publish.Delivered, of int) {
	name := d.Name
	if at := d.Server.String(); at != name {
		name += " (" + at + ")"
	}
	if d.OK {
		fmt.Fprint(o.env.Out, wrap(fmt.Sprintf("%s: %s downloaded, all the same bytes, in %s", name, plural(d.Files, "file"), d.Took.Round(time.Millisecond)), ""))
		return
	}
	fmt.Fprint(o.env.Out, wrap(fmt.Sprintf("%s: %d of %s DIFFER", name, len(d.Differences), plural(of, "file")), ""))
	printDifferences(o.env.Out, d.Differences)
}

// printDifferences names file, what is wrong, and both hashes.
func printDifferences(w io.Writer, list []publish.Difference) {
	notAsked := 0
	for _, d := range list {
		if d.Kind == publish.NotAsked {
			notAsked++
			continue
		}
		wrapped(w, fmt.Sprintf("  %-13s ", d.Kind), 16, plainName(d.File))
		for _, x := range []struct{ name, value string }{{"expected", d.Expected}, {"found", d.Found}, {"because", d.Text}} {
			if x.value != "" {
				wrapped(w, fmt.Sprintf("    %-10s  ", x.name), 16, x.value)
			}
		}
	}
	if notAsked > 0 {
		fmt.Fprintf(w, "  %-13s %s more: the server did not answer any more\n", publish.NotAsked, plural(notAsked, "file"))
	}
}

// fileBar is the progress line of what takes long; there is none unless stderr is a terminal.
type fileBar struct {
	w     io.Writer // nil: no terminal
	shown int
	begun time.Time
}

func newFileBar(w io.Writer) *fileBar {
	if f, ok := w.(*os.File); ok {
		if fi, err := f.Stat(); err == nil && fi.Mode()&os.ModeCharDevice != 0 {
			return &fileBar{w: w}
		}
	}
	return &fileBar{}
}

// of tells of progress with something, once it takes a second.
func (b *fileBar) of(what string) publish.Progress {
	b.begun = time.Now()
	return func(done, total int64) {
		if b.w == nil || total == 0 || time.Since(b.begun) < time.Second {
			return
		}
		line := fmt.Sprintf("\r%s: %3d %% of %d bytes ", what, 100*done/total, total)
		b.shown = max(b.shown, len(line))
		fmt.Fprint(b.w, line)
	}
}

func (b *fileBar) clear() {
	if b.shown > 0 {
		fmt.Fprint(b.w, "\r"+strings.Repeat(" ", b.shown)+"\r")
		b.shown = 0
	}
}
