package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"surefoot/internal/files"
	"surefoot/internal/journal"
	"surefoot/internal/publish"
)

const filePublishLong = `Copy DIR below the root as a new version, write its manifest of hashes, and then, by one rename, make
it the version that is served. The next request for a file gets it, without a reload; transfers under
way keep what they began. Whatever goes wrong on the way, what was served is served still.

  surefoot file publish ./new                             the root is that of the site file
  surefoot file publish ./new --root /srv/boot --dry-run  say what would be done
  surefoot file publish ./new --note "PVS 7.41" --keep 5  remove all but the five newest versions
  surefoot file publish ./new --adopt                     files that lie in the root become the first version

DIR may hold files, folders and relative links that stay within it. On several nodes publish the same
DIR on each; surefoot file verify --all-nodes shows that all of them hand out the same bytes.`

func newFilePublishCommand(o *fileOptions) *cobra.Command {
	var po publish.Options
	cmd := &cobra.Command{
		Use:   "publish DIR",
		Short: "make a copy of a folder the version that is served",
		Long:  filePublishLong,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if po.Keep < 0 {
				return usageError(cmd, fmt.Errorf("--keep %d: how many versions are to stay, 0 for all", po.Keep))
			}
			r, _, err := o.open(cmd)
			if err != nil {
				return err
			}
			defer r.Close()
			bar := newProbeBar(o.env.Err)
			po.Progress = bar.show
			p, err := r.Publish(cmd.Context(), args[0], po)
			bar.clear()
			if err != nil {
				return err
			}
			if o.json {
				return o.printJSON(p)
			}
			o.printPublished(p)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&po.ID, "id", "", "name of the version (default: the time)")
	f.StringVar(&po.Note, "note", "", "a text that lists show with it")
	f.IntVar(&po.Keep, "keep", 0, "how many versions stay, the newest; the previous one always does (default: all)")
	f.BoolVar(&po.Adopt, "adopt", false, "make the files that lie in a root without versions its first version")
	f.BoolVar(&po.DryRun, "dry-run", false, "say what would be done, and do nothing")
	return cmd
}

func (o *fileOptions) printPublished(p publish.Published) {
	words := map[bool][]string{
		false: {"published", "served", "adopted", "removed"},
		true:  {"would publish", "to serve", "to adopt", "to remove"},
	}[p.DryRun]
	fmt.Fprint(o.env.Out, wrap(fmt.Sprintf("%s version %s: %s, %s%s", words[0], p.ID, plural(p.Files, "file"), journal.Size(p.Bytes), digestText(p.Digest)), ""))
	o.row(words[1], "%s/%s -> %s/%s", p.Root, files.CurrentLink, files.VersionsDir, p.ID)
	if p.Adopted != "" {
		o.row(words[2], "%s: the files that lay in the root", p.Adopted)
	}
	if p.Previous != "" {
		o.row("previous", "%s (surefoot file rollback brings it back)", p.Previous)
	}
	if p.Same {
		o.row("same", "its files are those of %s, byte for byte", p.Previous)
	}
	if len(p.Removed) > 0 {
		o.row(words[3], "%s", strings.Join(p.Removed, ", "))
	}
	if len(p.Left) > 0 {
		o.row("left", "%s: changed meanwhile, so they stay in the root, and are not served", few(p.Left))
	}
}

func digestText(digest string) string {
	if digest == "" {
		return ""
	}
	return fmt.Sprintf(", digest %.12s", digest)
}
