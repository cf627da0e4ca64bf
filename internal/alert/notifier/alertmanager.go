package notifier

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"strings"
	"time"

	"surefoot/internal/alert"
)

// Alertmanager posts to the v2 API of Prometheus' Alertmanager, which groups, silences and repeats
// by itself. As Prometheus does, it is told what is again and again: what it does not hear of is
// over for it.
type Alertmanager struct {
	URL       string // without /api/v2/alerts
	TokenFile string
}

// Name is the host.
func (a Alertmanager) Name() string { return "alertmanager " + hostOf(a.URL) }

// Refresh is how often it wants to hear what is.
func (a Alertmanager) Refresh() time.Duration { return refresh }

const refresh = time.Minute

// amAlert is a postableAlert of the v2 API.
type amAlert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

var notLabel = regexp.MustCompile(`[^a-zA-Z0-9_]`)

// Tell posts the alerts.
func (a Alertmanager) Tell(ctx context.Context, m Message) error {
	var list []amAlert
	for _, n := range m.Notes {
		x := amAlert{
			Labels: map[string]string{"alertname": string(n.Alert.Code), "severity": string(n.Alert.Severity), "node": m.Node, "site": m.Site},
			Annotations: map[string]string{
				"summary": n.Alert.Title, "description": strings.Join(n.Alert.Evidence, "\n"), "meaning": n.Alert.Meaning, "fix": n.Alert.Fix,
			},
			StartsAt: n.Alert.FiredAt, EndsAt: m.At.Add(5 * refresh), // if this node dies, it is over
		}
		labels := maps.Clone(n.Alert.Labels)
		delete(labels, "code")
		for name, v := range labels {
			x.Labels[notLabel.ReplaceAllString(name, "_")] = v
		}
		if n.Alert.State == alert.Resolved {
			x.EndsAt = n.Alert.EndedAt
		}
		list = append(list, x)
	}
	b, err := json.Marshal(list)
	if err != nil {
		return err
	}
	return post(ctx, strings.TrimRight(a.URL, "/")+"/api/v2/alerts", a.TokenFile, b)
}
