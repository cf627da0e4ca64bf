package alert

import (
	"maps"
	"slices"
	"strings"
	"time"

	"surefoot/internal/store"
)

// Code names a rule; docs/alerts.md explains each.
type Code string

// The rules.
const (
	ServerDown     Code = "server-down"
	AllDown        Code = "all-servers-down"
	Slow           Code = "slow"
	Flapping       Code = "flapping"
	ContentDiffers Code = "content-differs"
	ContentChanged Code = "content-changed"
	NobodyAnswers  Code = "nobody-answers"
	DeafTo         Code = "deaf"
	RogueService   Code = "rogue-pxe"
	BootsFail      Code = "boots-fail"
	TwoMasters     Code = "vip-two-masters"
	ForeignVRRP    Code = "vip-foreign"
	StoreSilent    Code = "store-silent"
	HalfHeard      Code = "half-heard"
	ClocksDiffer   Code = "clocks-differ"
	OwnLow         Code = "own-addresses-low"
	OwnNone        Code = "own-addresses-none"
	NodeTwice      Code = "node-twice"
	PoolNearlyFull Code = "pool-nearly-full"
	PoolEmpty      Code = "pool-empty"
	LeasesRefused  Code = "leases-refused"
	Starvation     Code = "starvation"

	ExpectationsFull Code = "lb-expectations-full"
)

// Codes lists the rules, for documents and help texts.
func Codes() []Code {
	return []Code{ServerDown, AllDown, Slow, Flapping, ContentDiffers, ContentChanged, NobodyAnswers, DeafTo, RogueService, BootsFail, StoreSilent, HalfHeard, ClocksDiffer, OwnLow, OwnNone, NodeTwice, PoolNearlyFull, PoolEmpty, LeasesRefused, Starvation, TwoMasters, ForeignVRRP, ExpectationsFull}
}

// Severity is how much it matters.
type Severity string

// The severities.
const (
	Critical Severity = "critical" // machines do not boot, or soon will not
	Warning  Severity = "warning"  // somebody should look today
	Info     Severity = "info"     // somebody may want to know
)

// State is where an alert stands.
type State string

// The states. Resolved ones are told once and forgotten.
const (
	Pending  State = "pending" // true, but not yet for long enough
	Firing   State = "firing"
	Resolved State = "resolved"
)

// Alert is something that somebody has to be told, with what proves it and what to do.
type Alert struct {
	Key      string            `json:"key"` // code and labels: the same trouble is one alert
	Code     Code              `json:"code"`
	Severity Severity          `json:"severity"`
	State    State             `json:"state"`
	Title    string            `json:"title"`
	Evidence []string          `json:"evidence"` // the figures, and the lines that prove it
	Meaning  string            `json:"meaning"`
	Fix      string            `json:"fix"`
	Labels   map[string]string `json:"labels"` // among them code, and what of server, test, file, network there is
	Since    time.Time         `json:"since"`  // true without a break
	FiredAt  time.Time         `json:"fired_at,omitzero"`
	EndedAt  time.Time         `json:"ended_at,omitzero"`
	Silence  string            `json:"silence,omitempty"` // the one that keeps it from being told
}

// Note is an alert to tell: that it began, that it ended, or that it still is.
type Note struct {
	Alert    Alert
	Repeated bool
}

// finding is what a rule has to say of one subject.
type finding struct {
	code     Code
	severity Severity
	labels   []string // names and values in turns
	after    time.Duration
	title    string
	evidence []string
	meaning  string
	fix      string
}

// key is code and labels, in an order.
func (f *finding) key() (string, map[string]string) {
	labels := map[string]string{"code": string(f.code)}
	for i := 0; i+1 < len(f.labels); i += 2 {
		if f.labels[i+1] != "" {
			labels[f.labels[i]] = f.labels[i+1]
		}
	}
	parts := []string{string(f.code)}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if name != "code" {
			parts = append(parts, name+"="+labels[name])
		}
	}
	return strings.Join(parts, " "), labels
}

// Matches reports whether a silence is meant for something with these labels, at a time.
func Matches(s store.Silence, labels map[string]string, now time.Time) bool {
	if !s.Until.After(now) || s.Since.After(now) || len(s.Match) == 0 {
		return false
	}
	for name, want := range s.Match {
		if !like(want, labels[name]) {
			return false
		}
	}
	return true
}

// like compares with a pattern in which * stands for anything.
func like(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return strings.HasSuffix(s, parts[len(parts)-1])
}
