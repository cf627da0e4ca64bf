package notifier

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"surefoot/internal/alert"
)

// Webhook posts JSON to a URL.
type Webhook struct {
	URL       string
	TokenFile string // of a bearer token; "" for none
}

// Name is the host of the URL: the path may hold a secret.
func (w Webhook) Name() string { return "webhook " + hostOf(w.URL) }

// document is what webhooks and programs get. Fields are only ever added.
type document struct {
	Version int           `json:"version"`
	Node    string        `json:"node"`
	Site    string        `json:"site"`
	At      time.Time     `json:"at"`
	Alerts  []alertOfNote `json:"alerts"`
}

type alertOfNote struct {
	alert.Alert
	Repeated bool `json:"repeated,omitempty"`
}

func (m Message) document() []byte {
	d := document{Version: 1, Node: m.Node, Site: m.Site, At: m.At}
	for _, n := range m.Notes {
		d.Alerts = append(d.Alerts, alertOfNote{n.Alert, n.Repeated})
	}
	b, _ := json.Marshal(d) // plain values
	return b
}

// Tell posts the message.
func (w Webhook) Tell(ctx context.Context, m Message) error {
	return post(ctx, w.URL, w.TokenFile, m.document())
}

func post(ctx context.Context, to, tokenFile string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "surefoot")
	if tokenFile != "" {
		token, err := secret(tokenFile)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if ue, ok := err.(*url.Error); ok {
			err = ue.Err // it would say the whole URL
		}
		return fmt.Errorf("post to %s: %w", hostOf(to), err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("post to %s: it answers %s: %s", hostOf(to), resp.Status, strings.TrimSpace(string(text)))
	}
	return nil
}

func hostOf(raw string) string {
	if u, err := url.Parse(raw); err == nil {
		return u.Host
	}
	return "?"
}

// secret reads a secret from its file, each time: it may be exchanged.
func secret(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}
