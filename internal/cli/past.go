package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/journal"
	"surefoot/internal/store"
	"surefoot/internal/store/sqlite"
	"surefoot/internal/web"
)

// defaultHistory is where the unit keeps the history.
const defaultHistory = "/var/lib/surefoot/history.db"

// pastSource is where a command reads the history: from the node that runs, else from its file.
type pastSource struct{ socket, file string }

func (p *pastSource) addFlags(cmd *cobra.Command, env *Env) {
	socketFlag(cmd, env, &p.socket)
	cmd.Flags().StringVar(&p.file, "file", "", "read this history, and ask no node (default, if none runs: "+defaultHistory+")")
}

// asking runs one question: of the node, or, if none runs, of the file.
func asking[T any](p pastSource, node func(*web.Client) (T, error), file func(store.Reader) (T, error)) (T, error) {
	var none T
	path := p.file
	if path == "" {
		got, err := node(web.Dial(p.socket))
		var u *web.UnreachableError
		if !errors.As(err, &u) || u.Denied() {
			return got, daemonError(err)
		}
		path = defaultHistory
		if _, statErr := os.Stat(path); errors.Is(statErr, fs.ErrNotExist) {
			e := daemonError(err).(*Error)
			e.Hints = append(e.Hints, "or name the file of a node that does not run: --file PATH")
			return none, e
		}
	}
	db, err := sqlite.OpenRead(path)
	if err != nil {
		return none, err
	}
	defer db.Close()
	return file(db)
}

// parseWhen takes a span before now (24h, 7d), or a time.
func parseWhen(text string, now time.Time) (time.Time, error) {
	if d, err := parseSpan(text); err == nil {
		return now.Add(-d), nil
	}
	for _, form := range []string{time.RFC3339, time.DateTime, "2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(form, text, time.Local); err == nil {
			return t, nil
		}
	}
	if t, err := time.ParseInLocation("15:04", text, time.Local); err == nil {
		y, m, d := now.Date()
		return time.Date(y, m, d, t.Hour(), t.Minute(), 0, 0, time.Local), nil
	}
	return time.Time{}, fmt.Errorf("%q is neither a span (90m, 24h, 7d) nor a time (15:04, 2006-01-02, 2006-01-02 15:04)", text)
}

// parseSpan takes a duration that may be in days.
func parseSpan(text string) (time.Duration, error) {
	var days int
	if n, err := fmt.Sscanf(text, "%dd", &days); n == 1 && err == nil && text == fmt.Sprintf("%dd", days) && days > 0 && days < 100_000 {
		return time.Duration(days) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	if err == nil && d <= 0 {
		err = fmt.Errorf("%s is no span", text)
	}
	return d, err
}

// runPast prints stories of the history.
func (o *storyOptions) runPast(cmd *cobra.Command, env *Env, machine string) error {
	now := time.Now()
	since, err := parseWhen(o.since, now)
	if err != nil {
		return usageError(cmd, fmt.Errorf("--since: %w", err))
	}
	q := store.StoryQuery{Machine: machine, Since: since, Until: now.Add(time.Minute), Limit: o.limit}
	ctx := cmd.Context()
	stories, err := asking(pastSource{socket: o.socket}, func(c *web.Client) ([]journal.Story, error) { return c.PastStories(ctx, q) },
		func(r store.Reader) ([]journal.Story, error) { return web.PastStories(ctx, r, q) })
	if err != nil {
		return err
	}
	if len(stories) == 0 && !o.json {
		fmt.Fprintf(env.Out, "the history has no story since %s\n", since.Local().Format(time.DateTime))
		return nil
	}
	return o.print(env, machine, stories)
}

// askHistory asks for the course of tests.
func askHistory(ctx context.Context, p pastSource, q store.Query) (web.History, error) {
	return asking(p, func(c *web.Client) (web.History, error) { return c.History(ctx, q) },
		func(r store.Reader) (web.History, error) { return web.AskHistory(ctx, r, q) })
}
