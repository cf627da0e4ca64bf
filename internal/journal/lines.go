package journal

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"surefoot/internal/boot"
)

// lineLog writes log lines: one at info for each finished exchange, warn for what failed, debug for
// the rest. Lines of one kind and reason are throttled, and it is said how many were held back.
type lineLog struct {
	log *slog.Logger

	mu   sync.Mutex // guards seen
	seen map[lineKey]*throttle
}

type lineKey struct {
	role   string
	kind   boot.Kind
	reason boot.Reason
}

type throttle struct {
	start time.Time
	count int // in this period
}

const (
	throttlePeriod = 10 * time.Second
	throttleLines  = 50 // of one kind in a period
)

func newLineLog(log *slog.Logger) *lineLog { return &lineLog{log: log, seen: map[lineKey]*throttle{}} }

func levelOf(ev *boot.Event) slog.Level {
	switch ev.Kind {
	case boot.OfferSent, boot.BootReplySent, boot.ScriptSent, boot.TransferEnd:
		if ev.Reason.Good() {
			return slog.LevelInfo
		}
		return slog.LevelWarn
	case boot.Ignored:
		if state, ok := refusals[ev.Reason]; ok && state == Stuck {
			return slog.LevelWarn
		}
	}
	return slog.LevelDebug
}

// event writes the line of one event. id is its story, "" if it has none.
func (l *lineLog) event(ev *boot.Event, id string) {
	level := levelOf(ev)
	if !l.log.Enabled(context.Background(), level) || level > slog.LevelDebug && l.held(ev) {
		return
	}
	l.log.LogAttrs(context.Background(), level, string(ev.Kind), attrs(ev, id)...)
}

// held reports whether the line is one too many.
func (l *lineLog) held(ev *boot.Event) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := lineKey{ev.Role, ev.Kind, ev.Reason}
	t := l.seen[k]
	if t == nil {
		t = &throttle{start: ev.Time}
		l.seen[k] = t
	}
	t.count++
	return t.count > throttleLines
}

// tick ends periods and says what was held back in them.
func (l *lineLog) tick(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, t := range l.seen {
		if now.Sub(t.start) < throttlePeriod {
			continue
		}
		if held := t.count - throttleLines; held > 0 {
			l.log.Info("log lines held back", "role", k.role, "event", string(k.kind), "reason", string(k.reason), "count", held)
		}
		delete(l.seen, k)
	}
}

// story writes the line of a story whose next step did not come.
func (l *lineLog) story(s *Story) {
	if s.State != Stuck {
		return
	}
	l.log.Warn("boot is stuck", "mac", s.Machine(), "boot", s.ID, "where", s.Where)
}

func attrs(ev *boot.Event, id string) []slog.Attr {
	var out []slog.Attr
	add := func(key, value string) {
		if value != "" {
			out = append(out, slog.String(key, value))
		}
	}
	add("role", ev.Role)
	add("if", ev.If)
	add("mac", ev.MAC.String())
	client := ev.Peer
	if client == "" && known(ev.IP) {
		client = ev.IP.String()
	}
	add("client", client)
	if ev.Arch != nil {
		add("arch", ev.Arch.String())
	}
	add("firmware", string(ev.Firmware))
	add("rule", ev.Rule)
	add("file", ev.File)
	add("server", ev.Server)
	if ev.Bytes > 0 {
		out = append(out, slog.Int64("bytes", ev.Bytes))
	}
	if ev.Retransmits > 0 {
		out = append(out, slog.Int("retransmits", ev.Retransmits))
	}
	if ev.Dur > 0 {
		out = append(out, slog.Duration("dur", ev.Dur.Round(time.Microsecond)))
	}
	add("reason", string(ev.Reason))
	if !ev.Reason.Good() {
		add("detail", ev.Detail)
	}
	add("boot", id)
	return out
}
