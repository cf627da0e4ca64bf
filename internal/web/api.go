package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"surefoot/internal/journal"
)

// Stories is the answer to a question for stories.
type Stories struct {
	Stories []journal.Story `json:"stories"` // the one that moved last in front
}

// api is what both sockets have; control adds what changes something.
func (s *Server) api(control bool) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/status", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.status()) })
	mux.HandleFunc("GET /api/v1/stories", s.stories)
	mux.HandleFunc("GET /api/v1/stories/{machine}", s.stories)
	mux.HandleFunc("GET /api/v1/tftp", s.tftp)
	mux.HandleFunc("GET /api/v1/dns", s.dns)
	mux.HandleFunc("GET /api/v1/lb", s.balance)
	mux.HandleFunc("GET /api/v1/follow", s.follow)
	s.pastAPI(mux, control)
	mux.HandleFunc("GET /ready", s.ready)
	mux.HandleFunc("GET /health", s.health)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.deps.Gatherer, promhttp.HandlerOpts{}))
	s.watchAPI(mux, control)
	s.vipAPI(mux, control)
	s.leaseAPI(mux, control)
	mux.HandleFunc("GET /probe", s.probe)
	if control {
		mux.HandleFunc("POST /api/v1/reload", s.reload)
	}
	return mux
}

func (s *Server) status() Status {
	st := s.deps.Status()
	if st.Counters == nil {
		st.Counters = s.deps.Journal.Counters()
	}
	return st
}

func (s *Server) stories(w http.ResponseWriter, r *http.Request) {
	q := journal.Query{Machine: r.PathValue("machine"), Limit: 50}
	if q.Machine == "" {
		q.Machine = r.URL.Query().Get("mac")
	}
	q.Steps = q.Machine != "" || r.URL.Query().Has("steps")
	q.Latest = r.URL.Query().Has("latest")
	if !number(w, r, "limit", &q.Limit) {
		return
	}
	out := Stories{Stories: s.deps.Journal.Stories(q)}
	if out.Stories == nil {
		out.Stories = []journal.Story{}
	}
	writeJSON(w, out)
}

// number reads a number of the query, if it is there, and refuses one that is out of bounds.
func number(w http.ResponseWriter, r *http.Request, name string, to *int) bool {
	text := r.URL.Query().Get(name)
	if text == "" {
		return true
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 10000 {
		http.Error(w, name+" must be a number from 1 to 10000", http.StatusBadRequest)
		return false
	}
	*to = n
	return true
}

// follow streams what happens to machines.
func (s *Server) follow(w http.ResponseWriter, r *http.Request) {
	machine := r.URL.Query().Get("mac")
	stream(s, w, r, s.deps.Journal.Follow, func(u journal.Update) bool { return machine == "" || u.Story.Is(machine) })
}

// stream writes updates as JSON lines, or as server-sent events to a browser.
func stream[T any](s *Server, w http.ResponseWriter, r *http.Request, follow func(context.Context) <-chan T, wanted func(T) bool) {
	select {
	case s.following <- struct{}{}:
		defer func() { <-s.following }()
	default:
		http.Error(w, fmt.Sprintf("%d others follow already", maxFollowers), http.StatusServiceUnavailable)
		return
	}
	sse := strings.Contains(r.Header.Get("Accept"), "text/event-stream")
	w.Header().Set("Content-Type", "application/jsonl")
	if sse {
		w.Header().Set("Content-Type", "text/event-stream")
	}
	w.Header().Set("Cache-Control", "no-store")
	rc := http.NewResponseController(w)
	updates := follow(r.Context()) // before the reader is told that it follows
	_ = rc.Flush()
	beat := time.NewTicker(15 * time.Second) // finds readers that are gone
	defer beat.Stop()
	for {
		var line []byte
		select {
		case u, ok := <-updates:
			if !ok {
				return
			}
			if !wanted(u) {
				continue
			}
			b, err := json.Marshal(u)
			if err != nil {
				continue
			}
			line = append(b, '\n')
			if sse {
				line = append(append([]byte("data: "), line...), '\n')
			}
		case <-beat.C:
			line = []byte("\n")
			if sse {
				line = []byte(": still here\n\n")
			}
		}
		_ = rc.SetWriteDeadline(time.Now().Add(10 * time.Second))
		if _, err := w.Write(line); err != nil || rc.Flush() != nil {
			return
		}
	}
}

// reload makes the node read its configuration again.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	if s.deps.Reload == nil {
		http.Error(w, "this node cannot reload", http.StatusNotImplemented)
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // a role may have to drain first
	// Who asked may go away; a reload is done whole or not at all.
	if err := s.deps.Reload(context.WithoutCancel(r.Context())); err != nil {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		writeJSON(w, map[string]string{"error": err.Error()})
		return
	}
	writeJSON(w, s.status())
}

// ready answers 200 only if everything serves; balancers and systemd timers ask it.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if not := s.deps.Ready(); len(not) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("not ready: " + strings.Join(not, ", ") + "\n"))
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}

// health answers 200 while the process works, but 503 while it drains, so that whoever looks
// sends nobody here any more.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if s.deps.Status().Draining {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("draining\n"))
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

func writeJSON(w http.ResponseWriter, v any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // the reader is gone: nobody to tell
}

// errNotLocal is the answer to a page that another site tries to read through a browser.
var errNotLocal = errors.New("this host name is not ours")
