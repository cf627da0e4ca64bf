package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"surefoot/internal/watch"
)

// Monitor is what knows the servers' health.
type Monitor interface {
	Report(q watch.Query) watch.Report
	Follow(ctx context.Context, test string) <-chan watch.Update
	Drain(ctx context.Context, server string, span time.Duration, reason string, dry bool) (watch.DrainResult, error)
	Resume(ctx context.Context, server string, dry bool) (watch.DrainResult, error)
}

// DrainRequest asks for a drain or, without its first two fields, for its end.
type DrainRequest struct {
	For    time.Duration `json:"for_ns,omitempty"` // 0: until it is resumed
	Reason string        `json:"reason,omitempty"`
	DryRun bool          `json:"dry_run,omitempty"`
}

// maxReason is the longest reason that a drain may have, in bytes.
const maxReason = 500

// watchAPI adds what there is of the servers' health; control adds drains.
func (s *Server) watchAPI(mux *http.ServeMux, control bool) {
	if s.deps.Monitor == nil {
		return
	}
	mux.HandleFunc("GET /api/v1/watch", s.watched)
	mux.HandleFunc("GET /api/v1/watch/follow", func(w http.ResponseWriter, r *http.Request) {
		test := r.URL.Query().Get("test")
		stream(s, w, r, func(ctx context.Context) <-chan watch.Update { return s.deps.Monitor.Follow(ctx, test) },
			func(watch.Update) bool { return true })
	})
	if !control {
		return
	}
	mux.HandleFunc("POST /api/v1/servers/{name}/drain", func(w http.ResponseWriter, r *http.Request) {
		s.redrain(w, r, func(ctx context.Context, name string, q DrainRequest) (watch.DrainResult, error) {
			return s.deps.Monitor.Drain(ctx, name, q.For, q.Reason, q.DryRun)
		})
	})
	mux.HandleFunc("POST /api/v1/servers/{name}/resume", func(w http.ResponseWriter, r *http.Request) {
		s.redrain(w, r, func(ctx context.Context, name string, q DrainRequest) (watch.DrainResult, error) {
			return s.deps.Monitor.Resume(ctx, name, q.DryRun)
		})
	})
}

// watched reports what the monitor knows.
func (s *Server) watched(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	q := watch.Query{Server: v.Get("server"), Test: v.Get("test"), Diagnoses: v.Has("diagnoses")}
	if text := v.Get("samples"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			http.Error(w, "samples must be a number", http.StatusBadRequest)
			return
		}
		q.Samples = n
	}
	writeJSON(w, s.deps.Monitor.Report(q))
}

func (s *Server) redrain(w http.ResponseWriter, r *http.Request, do func(context.Context, string, DrainRequest) (watch.DrainResult, error)) {
	var q DrainRequest
	dec := json.NewDecoder(io.LimitReader(r.Body, 4096))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&q); err != nil && !errors.Is(err, io.EOF) {
		http.Error(w, fmt.Sprintf("the request cannot be read: %v", err), http.StatusBadRequest)
		return
	}
	if q.For < 0 || len(q.Reason) > maxReason {
		http.Error(w, fmt.Sprintf("for_ns must not be negative, and the reason may have %d bytes", maxReason), http.StatusBadRequest)
		return
	}
	out, err := do(context.WithoutCancel(r.Context()), r.PathValue("name"), q)
	var unknown *watch.UnknownServerError
	switch {
	case errors.As(err, &unknown):
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		writeJSON(w, unknown)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		writeJSON(w, out)
	}
}
