package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"surefoot/internal/alert"
	"surefoot/internal/alert/notifier"
	"surefoot/internal/journal"
	"surefoot/internal/store"
)

// Alerting is what the node says of alerts.
type Alerting interface {
	Alerts() []alert.Alert
	Silences() []store.Silence
	Silence(context.Context, store.Silence) (store.Silence, error)
	Unsilence(ctx context.Context, id string) error
	Notifiers() []notifier.Status
}

// Alerts is what is to be told now, and who is told. Fields are only ever added.
type Alerts struct {
	Alerts    []alert.Alert      `json:"alerts"`
	Silences  []store.Silence    `json:"silences"`
	Notifiers []notifier.Status  `json:"notifiers"`
	Past      []store.AlertEvent `json:"past,omitempty"`
}

// pastAPI adds history and alerts.
func (s *Server) pastAPI(mux *http.ServeMux, control bool) {
	mux.HandleFunc("GET /api/v1/history", s.history)
	mux.HandleFunc("GET /api/v1/changes", s.changes)
	mux.HandleFunc("GET /api/v1/past-stories", s.pastStories)
	mux.HandleFunc("GET /api/v1/alerts", s.alerts)
	if control {
		mux.HandleFunc("POST /api/v1/silences", s.silence)
		mux.HandleFunc("DELETE /api/v1/silences/{id}", s.unsilence)
	}
}

// noHistory is the answer of a node that keeps none.
const noHistory = "this node keeps no history: the site file names no file for it (history: {file: PATH}), and systemd no state directory"

// asked reads a question for the past, and answers what is wrong with it.
func (s *Server) asked(w http.ResponseWriter, r *http.Request) (q store.Query, ok bool) {
	if s.deps.History == nil {
		http.Error(w, noHistory, http.StatusNotFound)
		return q, false
	}
	v := r.URL.Query()
	q = store.Query{Name: v.Get("name"), Until: time.Now(), Limit: 10_000}
	q.Since = q.Until.Add(-24 * time.Hour)
	var err error
	for name, to := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if text := v.Get(name); text != "" && err == nil {
			*to, err = time.Parse(time.RFC3339Nano, text)
		}
	}
	q.Step = store.StepFor(q.Until.Sub(q.Since))
	if text := v.Get("step"); text != "" && err == nil {
		q.Step, err = time.ParseDuration(text)
	}
	if text := v.Get("limit"); text != "" && err == nil {
		q.Limit, err = strconv.Atoi(text)
	}
	if err == nil {
		err = q.Check()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
	return q, err == nil
}

// answer writes what a store says, or why it cannot.
func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		http.Error(w, "the history cannot be read: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	writeJSON(w, v)
}

func (s *Server) history(w http.ResponseWriter, r *http.Request) {
	if q, ok := s.asked(w, r); ok {
		h, err := AskHistory(r.Context(), s.deps.History, q)
		answer(w, h, err)
	}
}

func (s *Server) changes(w http.ResponseWriter, r *http.Request) {
	if q, ok := s.asked(w, r); ok {
		list, err := s.deps.History.Changes(r.Context(), q)
		answer(w, map[string][]store.Change{"changes": list}, err)
	}
}

func (s *Server) pastStories(w http.ResponseWriter, r *http.Request) {
	if q, ok := s.asked(w, r); ok {
		list, err := PastStories(r.Context(), s.deps.History, store.StoryQuery{Machine: q.Name, Since: q.Since, Until: q.Until, Limit: q.Limit})
		answer(w, Stories{Stories: list}, err)
	}
}

// PastStories asks a store for stories, the one that moved last in front.
func PastStories(ctx context.Context, r store.Reader, q store.StoryQuery) ([]journal.Story, error) {
	list, err := r.Stories(ctx, q)
	if err != nil {
		return nil, err
	}
	out := make([]journal.Story, len(list))
	for i, s := range list {
		if err := json.Unmarshal(s.Body, &out[i]); err != nil {
			return nil, fmt.Errorf("story %s in the history: %w", s.ID, err)
		}
	}
	return out, nil
}

func (s *Server) alerts(w http.ResponseWriter, r *http.Request) {
	if s.deps.Alerting == nil {
		http.Error(w, "this node has no alerts", http.StatusNotFound)
		return
	}
	out := Alerts{Alerts: s.deps.Alerting.Alerts(), Silences: s.deps.Alerting.Silences(), Notifiers: s.deps.Alerting.Notifiers()}
	if r.URL.Query().Has("since") {
		q, ok := s.asked(w, r)
		if !ok {
			return
		}
		past, err := s.deps.History.Alerts(r.Context(), q)
		if err != nil {
			answer(w, nil, err)
			return
		}
		out.Past = past
	}
	writeJSON(w, out)
}

// silence makes one from the query: match=label=value (several), until, comment, who.
func (s *Server) silence(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	x := store.Silence{Match: map[string]string{}, Comment: v.Get("comment"), Who: v.Get("who")}
	var err error
	if x.Until, err = time.Parse(time.RFC3339Nano, v.Get("until")); err != nil {
		http.Error(w, "until: "+err.Error(), http.StatusBadRequest)
		return
	}
	for _, m := range v["match"] {
		name, value, ok := strings.Cut(m, "=")
		if !ok || name == "" {
			http.Error(w, fmt.Sprintf("match %q is not LABEL=VALUE", m), http.StatusBadRequest)
			return
		}
		x.Match[name] = value
	}
	if len(x.Match) == 0 {
		http.Error(w, "a silence needs something that it is for: match=LABEL=VALUE", http.StatusBadRequest)
		return
	}
	if s.deps.Alerting == nil {
		http.Error(w, "this node has no alerts", http.StatusNotFound)
		return
	}
	x, err = s.deps.Alerting.Silence(r.Context(), x)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	writeJSON(w, x)
}

// ErrNoSilence says that there is no silence with this id.
var ErrNoSilence = errors.New("there is no silence of that name")

func (s *Server) unsilence(w http.ResponseWriter, r *http.Request) {
	if s.deps.Alerting == nil {
		http.Error(w, "this node has no alerts", http.StatusNotFound)
		return
	}
	err := s.deps.Alerting.Unsilence(r.Context(), r.PathValue("id"))
	switch {
	case errors.Is(err, ErrNoSilence):
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	default:
		writeJSON(w, struct{}{})
	}
}

// The client's side.

func pastQuery(q store.Query) url.Values {
	v := url.Values{"name": {q.Name}, "since": {q.Since.Format(time.RFC3339Nano)}, "until": {q.Until.Format(time.RFC3339Nano)}}
	if q.Step > 0 {
		v.Set("step", q.Step.String())
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return v
}

// History asks for the course of tests.
func (c *Client) History(ctx context.Context, q store.Query) (h History, err error) {
	err = c.get(ctx, "/api/v1/history?"+pastQuery(q).Encode(), &h)
	return h, err
}

// PastStories asks for stories of the history.
func (c *Client) PastStories(ctx context.Context, q store.StoryQuery) ([]journal.Story, error) {
	var out Stories
	v := pastQuery(store.Query{Name: q.Machine, Since: q.Since, Until: q.Until, Step: 24 * time.Hour, Limit: q.Limit})
	err := c.get(ctx, "/api/v1/past-stories?"+v.Encode(), &out)
	return out.Stories, err
}

// Alerts asks what is to be told; with a time, also what was since.
func (c *Client) Alerts(ctx context.Context, since time.Time) (a Alerts, err error) {
	path := "/api/v1/alerts"
	if !since.IsZero() {
		path += "?" + pastQuery(store.Query{Since: since, Until: time.Now(), Step: 24 * time.Hour}).Encode()
	}
	err = c.get(ctx, path, &a)
	return a, err
}

// Silence makes a silence, and returns it with its name.
func (c *Client) Silence(ctx context.Context, s store.Silence) (store.Silence, error) {
	v := url.Values{"until": {s.Until.Format(time.RFC3339Nano)}, "comment": {s.Comment}, "who": {s.Who}}
	for name, value := range s.Match {
		v.Add("match", name+"="+value)
	}
	resp, err := c.do(ctx, http.MethodPost, "/api/v1/silences?"+v.Encode(), nil)
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	err = decode(resp, &s)
	return s, err
}

// Unsilence ends a silence.
func (c *Client) Unsilence(ctx context.Context, id string) error {
	resp, err := c.do(ctx, http.MethodDelete, "/api/v1/silences/"+url.PathEscape(id), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return decode(resp, &struct{}{})
}
