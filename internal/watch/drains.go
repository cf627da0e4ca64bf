package watch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/health"
)

// Drains keeps drains over a restart.
type Drains interface {
	Load(ctx context.Context) ([]health.Drain, error)
	Save(ctx context.Context, d health.Drain) error
	Remove(ctx context.Context, server string) error
}

// DrainResult is what a drain or its end does, or would do.
type DrainResult struct {
	Server  string        `json:"server"`
	Drain   *health.Drain `json:"drain,omitempty"` // absent: it is drained no more
	DryRun  bool          `json:"dry_run"`
	Changed bool          `json:"changed"`            // false: it was so already
	Effects []string      `json:"effects"`            // in words, for each file
	NotKept string        `json:"not_kept,omitempty"` // why a restart would forget it
	Others  []string      `json:"others,omitempty"`   // nodes that do not know of it
}

// UnknownServerError names a server that is not in the site file.
type UnknownServerError struct {
	Name string
	Have []string
}

func (e *UnknownServerError) Error() string {
	return fmt.Sprintf("the site has no server or node %.80q (it has %s)", e.Name, strings.Join(e.Have, ", "))
}

// Drain takes a server out of new answers, until it is resumed or for a while. With dry it only
// says what would come of it.
func (w *Watcher) Drain(ctx context.Context, server string, span time.Duration, reason string, dry bool) (DrainResult, error) {
	now := w.deps.Now()
	d := health.Drain{Server: server, Since: now, Reason: reason}
	if span > 0 {
		d.Until = now.Add(span)
	}
	return w.redrain(ctx, server, &d, dry)
}

// Resume ends a drain.
func (w *Watcher) Resume(ctx context.Context, server string, dry bool) (DrainResult, error) {
	return w.redrain(ctx, server, nil, dry)
}

// redrain sets or ends (nil) a drain: kept first, so that a restart in between forgets nothing.
func (w *Watcher) redrain(ctx context.Context, server string, d *health.Drain, dry bool) (DrainResult, error) {
	out, err := w.planDrain(server, d, dry)
	if err != nil || dry || !out.Changed && d == nil {
		return out, err
	}
	keepErr := w.keepDrain(ctx, server, d)
	if keepErr != nil {
		out.NotKept = keepErr.Error()
		w.deps.Log.Warn("a drain is not kept over a restart", "role", Role, "server", server, "err", keepErr)
	}
	w.mu.Lock()
	w.keepErr = keepErr
	if d == nil {
		delete(w.drains, server)
	} else {
		w.drains[server] = *d
	}
	now := w.deps.Now()
	w.publish(now)
	w.mu.Unlock()
	w.tell(drainChange(server, d, now))
	return out, nil
}

// errNoState is why nothing is kept where there is no place for it.
var errNoState = errors.New("there is no state directory")

func (w *Watcher) keepDrain(ctx context.Context, server string, d *health.Drain) error {
	switch {
	case w.deps.Drains == nil:
		return errNoState
	case d == nil:
		return w.deps.Drains.Remove(ctx, server)
	}
	return w.deps.Drains.Save(ctx, *d)
}

func drainChange(server string, d *health.Drain, now time.Time) Change {
	c := Change{Time: now, Server: server, Reason: boot.ServerResumed, Text: "it is drained no more"}
	if d != nil {
		c.Reason, c.Text = boot.ServerDrained, "until it is resumed"
		if !d.Until.IsZero() {
			c.Text = "until " + d.Until.Format(time.RFC3339)
		}
		if d.Reason != "" {
			c.Text += ": " + d.Reason
		}
	}
	return c
}

// planDrain says what a drain or its end does to each file that the server hands out.
func (w *Watcher) planDrain(server string, d *health.Drain, dry bool) (DrainResult, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.cfg.Servers[server]; !ok {
		return DrainResult{}, &UnknownServerError{Name: server, Have: w.serverNames()}
	}
	now := w.deps.Now()
	next := map[string]health.Drain{}
	for name, x := range w.drains {
		if name != server && x.Active(now) {
			next[name] = x
		}
	}
	was, drained := w.drains[server]
	out := DrainResult{Server: server, Drain: d, DryRun: dry, Changed: (d != nil) != (drained && was.Active(now)), Effects: []string{}}
	if d != nil {
		next[server] = *d
		out.Changed = out.Changed || was.Reason != d.Reason || !was.Until.Equal(d.Until)
	}
	after := health.Build(w.input(now, next))
	for _, g := range w.cfg.Groups {
		if slices.Contains(g.Servers, server) {
			out.Effects = addEffect(out.Effects, g, effect(g, after, server))
		}
	}
	if len(out.Effects) == 0 {
		out.Effects = append(out.Effects, "no rule sends machines to "+server+" for a file")
	}
	for _, name := range w.serverNames() {
		if s := w.cfg.Servers[name]; s.Node && name != w.cfg.Node {
			out.Others = append(out.Others, name)
		}
	}
	return out, nil
}

// addEffect adds what becomes of a file: once for both protocols, where it is the same for both.
func addEffect(list []string, g health.Group, text string) []string {
	head := fmt.Sprintf("rule %s, %s", g.Rule, g.File)
	switch line := head + ": " + text; {
	case slices.Contains(list, line):
		return list
	case slices.ContainsFunc(list, func(s string) bool { return strings.HasPrefix(s, head+": ") }):
		return append(list, fmt.Sprintf("%s by %s: %s", head, g.By, text))
	default:
		return append(list, line)
	}
}

// effect says who is named for a file.
func effect(g health.Group, s *health.Snapshot, server string) string {
	var named []string
	for _, name := range g.Servers {
		if !s.Down(name, g.File, g.By) {
			named = append(named, name)
		}
	}
	switch _, drained := s.Drained(server); {
	case len(named) == 0:
		return "every server looks dead, so all are named: " + strings.Join(g.Servers, ", ")
	case drained && slices.Contains(named, server):
		return "nobody else is alive, so machines are still sent to " + strings.Join(named, ", ")
	}
	return "machines are sent to " + strings.Join(named, ", ")
}

// serverNames lists the servers in order. The caller holds the lock.
func (w *Watcher) serverNames() []string {
	var out []string
	for name := range w.cfg.Servers {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// loadDrains brings back what was kept.
func (w *Watcher) loadDrains(ctx context.Context) {
	if w.deps.Drains == nil {
		return
	}
	all, err := w.deps.Drains.Load(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keepErr = err
	if err != nil {
		w.deps.Log.Warn("drains of before are not known", "role", Role, "err", err)
	}
	for _, d := range all {
		if _, newer := w.drains[d.Server]; !newer {
			w.drains[d.Server] = d
		}
	}
}

// endDrains forgets the drains whose time is over.
func (w *Watcher) endDrains() {
	now := w.deps.Now()
	var over []string
	w.mu.Lock()
	for name, d := range w.drains {
		if !d.Active(now) {
			over = append(over, name)
			delete(w.drains, name)
		}
	}
	w.mu.Unlock()
	for _, name := range over {
		if err := w.keepDrain(context.Background(), name, nil); err != nil && w.deps.Drains != nil {
			w.deps.Log.Warn("a drain that is over stays in the state directory", "role", Role, "server", name, "err", err)
		}
		w.tell(drainChange(name, nil, now))
	}
}

// NotKept says why drains would be forgotten by a restart; nil: they are kept, or there are none.
func (w *Watcher) NotKept() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.drains) > 0 && w.keepErr == nil && w.deps.Drains == nil {
		return errNoState
	}
	if len(w.drains) == 0 {
		return nil
	}
	return w.keepErr
}
