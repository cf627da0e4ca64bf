// Package notifier tells people and programs of alerts: by webhook, Alertmanager, e-mail, syslog
// or a program. Each has a queue of its own with a bound, a time-out, and retries that wait
// longer each time; what fails is counted and shown. It decides nothing about alerts.
package notifier

import (
	"context"
	"time"

	"surefoot/internal/alert"
)

// Message is what is told at once: alerts that began, ended, or still are.
type Message struct {
	Node, Site string
	At         time.Time
	Notes      []alert.Note
}

// Notifier is one way to tell. Tell must respect the end of ctx.
type Notifier interface {
	Name() string // for logs, metrics and status; without secrets
	Tell(ctx context.Context, m Message) error
}

// refresher is a notifier that wants to be told of everything that is, again and again.
type refresher interface {
	Refresh() time.Duration
}
