package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/bdm"
	"surefoot/internal/config"
	"surefoot/internal/journal"
	"surefoot/internal/store"
	"surefoot/internal/web"
)

const bdmListLong = `List boot media: those that this node saw booting, in memory and in its history, and those that were
built on this machine. Where it is known what a medium holds (it was built or changed here), its
servers are compared with those of the site file: "stale" says that it names a server which the
site file knows no more; exit status 3 then. Only what this node sees is known: a machine that
asked another node is in that node's list.`

// bdmSeen is a medium in the list.
type bdmSeen struct {
	ID       string     `json:"id"`
	Version  string     `json:"version,omitempty"`
	Built    string     `json:"built,omitempty"`
	LastBoot time.Time  `json:"last_boot,omitzero"`
	Machines []string   `json:"machines,omitempty"` // that booted from it
	Boots    int        `json:"boots"`
	Known    bool       `json:"known"` // what it holds is known here
	Servers  []string   `json:"servers,omitempty"`
	Path     string     `json:"path,omitempty"`
	Stale    *bdm.Stale `json:"stale,omitempty"`
}

type bdmListOptions struct {
	*bdmOptions
	past  pastSource
	since string
	state string
}

func newBDMListCommand(b *bdmOptions) *cobra.Command {
	o := &bdmListOptions{bdmOptions: b}
	cmd := &cobra.Command{
		Use: "list", Short: "media seen booting, and whether their servers are out of date", Long: bdmListLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			since, err := parseWhen(o.since, time.Now())
			if err != nil {
				return usageError(cmd, fmt.Errorf("--since: %w", err))
			}
			return o.run(cmd.Context(), since)
		},
	}
	o.addFlags(cmd)
	return cmd
}

func (o *bdmListOptions) addFlags(cmd *cobra.Command) {
	o.past.addFlags(cmd, o.env)
	cmd.Flags().StringVar(&o.since, "since", "90d", "how far back to look in the history: 24h, 30d, or a time")
	cmd.Flags().StringVar(&o.state, "state", "", "state directory in which it is remembered what was built (default: that of the site file)")
}

func (o *bdmListOptions) run(ctx context.Context, since time.Time) error {
	cfg, err := o.site()
	if err != nil {
		return err
	}
	state := o.state
	if state == "" && cfg != nil {
		state = cfg.State
	}
	if state == "" {
		state = config.DefaultState
	}
	entries, err := bdm.Entries(state)
	if err != nil {
		fmt.Fprintf(o.env.Err, "note: %v\n", err)
	}
	stories, err := o.stories(ctx, since)
	if err != nil {
		var e *Error // nobody answers; what was built is known all the same
		if len(entries) == 0 || !errors.As(err, &e) {
			return err
		}
		fmt.Fprintf(o.env.Err, "note: boots are not known: %v\n", err)
		err = nil
	}
	list := mediaOf(stories, entries)
	stale := false
	for i := range list {
		if s := &list[i]; cfg != nil && s.Known {
			e := entries[s.ID]
			choice, _ := bdm.Choose(&cfg.Site, "")
			diff := bdm.Compare(&e.Settings, &cfg.Site, vipAddrs(cfg), choice)
			s.Stale = &diff
			stale = stale || len(diff.Gone) > 0
		}
	}
	if o.json {
		err = o.printJSON(map[string][]bdmSeen{"media": list})
	} else {
		o.print(list)
	}
	if err == nil && stale {
		err = &Error{Code: ExitProblems}
	}
	return err
}

// stories are those of media: in memory and in the history.
func (o *bdmListOptions) stories(ctx context.Context, since time.Time) ([]journal.Story, error) {
	var live []journal.Story
	var liveErr error
	if o.past.file == "" {
		live, liveErr = web.Dial(o.past.socket).Stories(ctx, journal.Query{Limit: 10_000})
	}
	q := store.StoryQuery{Since: since, Until: time.Now().Add(time.Minute), Limit: 10_000}
	past, err := asking(o.past, func(c *web.Client) ([]journal.Story, error) { return c.PastStories(ctx, q) },
		func(r store.Reader) ([]journal.Story, error) { return web.PastStories(ctx, r, q) })
	if err != nil && (liveErr != nil || o.past.file != "") { // a node without a history has stories in memory
		return nil, err
	}
	seen := map[string]bool{}
	var out []journal.Story
	for _, s := range append(live, past...) {
		if s.Media != nil && !seen[s.ID] {
			seen[s.ID] = true
			out = append(out, s)
		}
	}
	return out, nil
}

// mediaOf makes the list, the one that booted last in front.
func mediaOf(stories []journal.Story, entries map[string]bdm.Entry) []bdmSeen {
	byID := map[string]*bdmSeen{}
	at := func(id string) *bdmSeen {
		if byID[id] == nil {
			byID[id] = &bdmSeen{ID: id}
		}
		return byID[id]
	}
	for id, e := range entries {
		s := at(id)
		s.Known, s.Version, s.Built, s.Servers, s.Path = true, e.Settings.Version, e.Settings.Built, e.Settings.Servers, e.Path
	}
	for _, story := range stories {
		s := at(story.Media.ID)
		s.Boots++
		if m := story.Machine(); m != "" && !slices.Contains(s.Machines, m) {
			s.Machines = append(s.Machines, m)
		}
		if story.Started.After(s.LastBoot) {
			s.LastBoot, s.Version = story.Started, cmp.Or(story.Media.Version, s.Version)
		}
	}
	var out []bdmSeen
	for _, s := range byID {
		slices.Sort(s.Machines)
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b bdmSeen) int { return cmp.Or(b.LastBoot.Compare(a.LastBoot), cmp.Compare(a.ID, b.ID)) })
	return out
}

func vipAddrs(cfg *config.Config) []netip.Addr {
	var out []netip.Addr
	for _, v := range cfg.VIPs {
		out = append(out, v.Address.Addr())
	}
	return out
}

func (o *bdmListOptions) print(list []bdmSeen) {
	if len(list) == 0 {
		fmt.Fprintln(o.env.Out, "no boot medium was seen here, and none was built here")
		return
	}
	for i, s := range list {
		if i > 0 {
			fmt.Fprintln(o.env.Out)
		}
		fmt.Fprintf(o.env.Out, "%s  %s\n", s.ID, o.verdict(s))
		boots := "never seen booting"
		if s.Boots > 0 {
			boots = fmt.Sprintf("%s, %s of %s", s.LastBoot.Local().Format(time.DateTime), plural(s.Boots, "boot"), plural(len(s.Machines), "machine"))
		}
		o.row("last boot", "%s", boots)
		if len(s.Machines) > 0 {
			shown := s.Machines[:min(len(s.Machines), 8)]
			o.row("machines", "%s%s", strings.Join(shown, ", "), more(len(s.Machines)-len(shown)))
		}
		built := "surefoot " + orNone(s.Version)
		if s.Built != "" {
			built = s.Built + " by " + built
		}
		o.row("built", "%s", built)
		if s.Known {
			o.row("servers", "%s", strings.Join(s.Servers, ", "))
			o.row("file", "%s", s.Path)
		}
		if s.Stale != nil && len(s.Stale.Gone) > 0 {
			o.row("STALE", "the site file knows %s no more: surefoot bdm set, or build and hand out another", strings.Join(s.Stale.Gone, ", "))
		}
		if s.Stale != nil && len(s.Stale.Lacking) > 0 {
			o.row("lacks", "%s, which a new image would have", strings.Join(s.Stale.Lacking, ", "))
		}
	}
}

func (o *bdmListOptions) verdict(s bdmSeen) string {
	switch {
	case !s.Known:
		return "built elsewhere: what it holds is not known here"
	case s.Stale == nil:
		return "not compared: there is no site file"
	case len(s.Stale.Gone) > 0:
		return "stale"
	case len(s.Stale.Lacking) > 0:
		return "works, older than the site file"
	}
	return "up to date"
}

func more(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// remember keeps what was built or changed, where there is a state directory of the site. It is no
// reason to fail: the image is there.
func (o *bdmOptions) remember(cfg *config.Config, state, path string, m *bdm.Image) {
	if state == "" {
		if cfg == nil {
			return
		}
		state = cfg.State
	}
	err := bdm.Remember(state, bdm.Entry{Settings: m.Settings, Form: m.Form, Path: path, Changed: time.Now().UTC().Truncate(time.Second)})
	if err == nil {
		return
	}
	var p *os.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("there is no %s", state)
	case errors.As(err, &p):
		err = p
	}
	fmt.Fprintf(o.env.Err, "note: surefoot bdm list will not know what this image holds: %v\n", err)
}
