package watch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/health"
)

// memory keeps drains, or refuses to.
type memory struct {
	drains map[string]health.Drain
	err    error
}

func (m *memory) Load(context.Context) ([]health.Drain, error) {
	var out []health.Drain
	for _, d := range m.drains {
		out = append(out, d)
	}
	return out, m.err
}

func (m *memory) Save(_ context.Context, d health.Drain) error {
	if m.err == nil {
		m.drains[d.Server] = d
	}
	return m.err
}

func (m *memory) Remove(_ context.Context, server string) error {
	delete(m.drains, server)
	return m.err
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s servers
		store := &memory{drains: map[string]health.Drain{}}
		cfg := site(2)
		cfg.Servers["boot2"] = boot.Server{Name: "boot2", Node: true}
		w := run(t, cfg, Deps{Probe: s.probe, Sink: &s, Drains: store})
		time.Sleep(30 * time.Second)

		out, err := w.Drain(t.Context(), "s1", 0, "work", true)
		if err != nil || !out.DryRun || !out.Changed || w.Down("s1", "f", boot.ByTFTP) || len(store.drains) != 0 || len(out.Effects) != 1 || !strings.HasSuffix(out.Effects[0], "machines are sent to s2") {
			t.Errorf("a dry run gives %+v, %v", out, err)
		}
		out, err = w.Drain(t.Context(), "s1", time.Hour, "work", false)
		if err != nil || !w.Down("s1", "f", boot.ByTFTP) || store.drains["s1"].Reason != "work" || out.NotKept != "" || !slices.Equal(out.Others, []string{"boot2"}) {
			t.Errorf("drained: %+v, %v", out, err)
		}
		if rep := w.Servers(); rep[1].State != Drained || rep[1].Health != health.Up || rep[1].Drain.Reason != "work" {
			t.Errorf("report %+v", rep[1])
		}
		out, _ = w.Drain(t.Context(), "s2", 0, "", false)
		if w.Down("s1", "f", boot.ByTFTP) || w.Down("s2", "f", boot.ByTFTP) || len(w.Snapshot().Findings()) != 1 || !strings.Contains(out.Effects[0], "nobody else is alive") {
			t.Errorf("both drained, and machines get nothing: %+v", out)
		}
		if out, err = w.Resume(t.Context(), "s2", false); err != nil || !out.Changed || !w.Down("s1", "f", boot.ByTFTP) || len(store.drains) != 1 {
			t.Errorf("resumed: %+v, %v", out, err)
		}
		if out, err = w.Resume(t.Context(), "s2", false); err != nil || out.Changed {
			t.Errorf("resumed twice: %+v, %v", out, err)
		}
		var unknown *UnknownServerError
		if _, err = w.Drain(t.Context(), "s9", 0, "", false); !errors.As(err, &unknown) || !strings.Contains(err.Error(), "s1, s2") {
			t.Errorf("a stranger: %v", err)
		}

		again := run(t, cfg, Deps{Probe: s.probe, Drains: store}) // a restart
		if !again.Down("s1", "f", boot.ByTFTP) || again.Down("s2", "f", boot.ByTFTP) {
			t.Error("a restart forgets")
		}
		time.Sleep(time.Hour)
		w.Refresh()
		if w.Down("s1", "f", boot.ByTFTP) || len(store.drains) != 0 {
			t.Errorf("an hour is over, and %v", store.drains)
		}
		var reasons []boot.Reason
		for _, c := range s.changes {
			if c.Test == "" {
				reasons = append(reasons, c.Reason)
			}
		}
		if want := []boot.Reason{boot.ServerDrained, boot.ServerDrained, boot.ServerResumed, boot.ServerResumed}; !slices.Equal(reasons, want) {
			t.Errorf("changes %q", reasons)
		}
	})
}

// TestDrainIsNotKept: a drain holds although nothing can be written, and it is said.
func TestDrainIsNotKept(t *testing.T) {
	for name, d := range map[string]Drains{"nowhere": nil, "full": &memory{drains: map[string]health.Drain{}, err: errors.New("disk full")}} {
		t.Run(name, func(t *testing.T) {
			w := run(t, site(2), Deps{Drains: d, Probe: (&servers{}).probe})
			if w.NotKept() != nil {
				t.Error("nothing is drained, and it is told that it is not kept")
			}
			out, err := w.Drain(t.Context(), "s1", 0, "", false)
			if err != nil || out.NotKept == "" || !w.Down("s1", "f", boot.ByTFTP) || w.NotKept() == nil {
				t.Errorf("%+v, %v", out, err)
			}
		})
	}
}

func TestDrainFile(t *testing.T) {
	dir := t.TempDir()
	f := NewDrainFile(dir)
	ctx := t.Context()
	if all, err := f.Load(ctx); err != nil || len(all) != 0 {
		t.Errorf("at first %v, %v", all, err)
	}
	for _, d := range []health.Drain{{Server: "a", Since: start}, {Server: "b", Since: start, Until: start.Add(time.Hour), Reason: "work"}, {Server: "a", Since: start.Add(1), Reason: "more"}} {
		if err := f.Save(ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	all, err := NewDrainFile(dir).Load(ctx)
	if err != nil || len(all) != 2 || all[0].Server != "b" || !all[0].Until.Equal(start.Add(time.Hour)) || all[1].Reason != "more" {
		t.Errorf("%+v, %v", all, err)
	}
	if err := f.Remove(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	if err := f.Remove(ctx, "nobody"); err != nil {
		t.Fatal(err)
	}
	if all, _ := f.Load(ctx); len(all) != 1 {
		t.Errorf("%+v", all)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("files left: %v", left)
	}
	if err := os.WriteFile(filepath.Join(dir, "drains.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Load(ctx); err == nil {
		t.Error("a broken file is read")
	}
	if err := f.Save(ctx, health.Drain{Server: "c"}); err != nil {
		t.Errorf("a broken file cannot be replaced: %v", err)
	}
	if err := NewDrainFile(filepath.Join(dir, "nothing")).Save(ctx, health.Drain{Server: "c"}); err == nil {
		t.Error("a directory that is not there takes a file")
	}
}
