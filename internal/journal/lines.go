package journal

import (
	"context"
	"fmt"
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
	case boot.AddressGiven, boot.AddressEnded:
		return slog.LevelInfo
	case boot.AddressRefused, boot.AddressInUse:
		return slog.LevelWarn
	case boot.OfferSent, boot.BootReplySent, boot.ScriptSent, boot.TransferEnd:
		switch {
		case ev.Reason == boot.TsizeProbe:
			return slog.LevelDebug // half an exchange: the client comes back
		case ev.Reason.Good():
			return slog.LevelInfo
		}
		return slog.LevelWarn
	case boot.HealthChanged, boot.VIPChanged:
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

// label is what joins the lines of a machine: the story, and the MAC that TFTP does not know.
type label struct {
	boot string // "" if the event is part of no story
	mac  boot.MAC
}

// event writes the line of one event.
func (l *lineLog) event(ev *boot.Event, of label) {
	level := levelOf(ev)
	if !l.log.Enabled(context.Background(), level) ||
		level > slog.LevelDebug && l.held(lineKey{ev.Role, ev.Kind, ev.Reason}, ev.Time) {
		return
	}
	l.log.LogAttrs(context.Background(), level, string(ev.Kind), attrs(ev, of)...)
}

// held reports whether the line is one too many.
func (l *lineLog) held(k lineKey, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.seen[k]
	if t == nil {
		t = &throttle{start: now}
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
func (l *lineLog) story(s *Story, now time.Time) {
	level, text := slog.LevelInfo, "boot ended"
	if s.State == Stuck {
		level, text = slog.LevelWarn, "boot stuck"
	}
	if l.held(lineKey{kind: boot.Kind(text)}, now) {
		return
	}
	l.log.Log(context.Background(), level, text, "mac", s.MAC.String(), "client", s.IP, "file", s.File, "where", s.Where, "boot", s.ID)
}

func attrs(ev *boot.Event, of label) []slog.Attr {
	var out []slog.Attr
	add := func(key, value string) {
		if value != "" {
			out = append(out, slog.String(key, value))
		}
	}
	add("role", ev.Role)
	add("if", ev.If)
	mac := ev.MAC
	if mac.IsZero() {
		mac = of.mac
	}
	add("mac", mac.String())
	client := ev.Peer
	if client == "" && known(ev.IP) {
		client = ev.IP.String()
	}
	add("client", client)
	if ev.XID != 0 {
		add("xid", fmt.Sprintf("%08x", ev.XID))
	}
	if ev.Arch != nil {
		add("arch", ev.Arch.String())
	}
	add("firmware", string(ev.Firmware))
	add("rule", ev.Rule)
	add("file", ev.File)
	add("version", ev.Version)
	add("template", ev.Template)
	add("quirk", ev.Quirk)
	add("server", ev.Server)
	add("backend", ev.Backend)
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
	if !ev.Reason.Good() || ev.Kind == boot.HealthChanged || ev.Kind == boot.VIPChanged {
		add("detail", ev.Detail)
	}
	add("boot", of.boot)
	return out
}
