package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"surefoot/internal/lb/vip"
)

// VIPs is the answer to a question for the service addresses.
type VIPs struct {
	Node string       `json:"node"`
	Time time.Time    `json:"time"`
	VIPs []vip.Report `json:"vips"`
}

// MoveRequest asks for an address to be moved away.
type MoveRequest struct {
	To     string        `json:"to,omitempty"`
	For    time.Duration `json:"for_ns"` // 0: the priority is as before
	DryRun bool          `json:"dry_run,omitempty"`
}

// HoldRequest asks for the next stop to be a restart.
type HoldRequest struct {
	For time.Duration `json:"for_ns"`
}

// RoleRequest says what another program made of the node.
type RoleRequest struct {
	Name   string `json:"name,omitempty"` // "": every address that others move
	Master bool   `json:"master"`
}

// RoleResult is what it was about.
type RoleResult struct {
	Names  []string `json:"vips"`
	Master bool     `json:"master"`
}

// vipAPI adds what there is of service addresses; control adds what changes them.
func (s *Server) vipAPI(mux *http.ServeMux, control bool) {
	if s.deps.VIPs == nil {
		return
	}
	mux.HandleFunc("GET /api/v1/vips", func(w http.ResponseWriter, _ *http.Request) {
		out := VIPs{Node: s.deps.Status().Node, Time: time.Now(), VIPs: s.deps.VIPs()}
		if out.VIPs == nil {
			out.VIPs = []vip.Report{}
		}
		writeJSON(w, out)
	})
	if !control {
		return
	}
	mux.HandleFunc("POST /api/v1/vips/{name}/move", func(w http.ResponseWriter, r *http.Request) {
		var q MoveRequest
		if !readRequest(w, r, &q) {
			return
		}
		out, err := s.deps.MoveVIP(r.PathValue("name"), q.To, q.For, q.DryRun)
		answerVIP(w, out, err)
	})
	mux.HandleFunc("POST /api/v1/vips-hold", func(w http.ResponseWriter, r *http.Request) {
		var q HoldRequest
		if !readRequest(w, r, &q) {
			return
		}
		answerVIP(w, struct{}{}, s.deps.HoldVIPs(q.For))
	})
	mux.HandleFunc("POST /api/v1/vips-role", func(w http.ResponseWriter, r *http.Request) {
		var q RoleRequest
		if !readRequest(w, r, &q) {
			return
		}
		names, err := s.deps.RoleVIPs(q.Name, q.Master)
		answerVIP(w, RoleResult{names, q.Master}, err)
	})
}

func readRequest(w http.ResponseWriter, r *http.Request, q any) bool {
	dec := json.NewDecoder(io.LimitReader(r.Body, 4096))
	dec.DisallowUnknownFields()
	if err := dec.Decode(q); err != nil {
		http.Error(w, fmt.Sprintf("the request cannot be read: %v", err), http.StatusBadRequest)
		return false
	}
	return true
}

// answerVIP answers with what came of a wish, or with why it cannot be had.
func answerVIP(w http.ResponseWriter, out any, err error) {
	if err == nil {
		writeJSON(w, out)
		return
	}
	refusal := &vip.Refusal{Text: err.Error()}
	errors.As(err, &refusal)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusConflict)
	writeJSON(w, refusal)
}

// VIPs asks how the node stands with the service addresses.
func (c *Client) VIPs(ctx context.Context) (VIPs, error) {
	var out VIPs
	err := c.get(ctx, "/api/v1/vips", &out)
	return out, err
}

// MoveVIP moves an address away from the node. What cannot be had is a *vip.Refusal.
func (c *Client) MoveVIP(ctx context.Context, name string, q MoveRequest) (vip.MoveResult, error) {
	var out vip.MoveResult
	err := c.postVIP(ctx, "/api/v1/vips/"+url.PathEscape(name)+"/move", q, &out)
	return out, err
}

// RoleVIPs tells the node what another program made of it.
func (c *Client) RoleVIPs(ctx context.Context, q RoleRequest) (RoleResult, error) {
	var out RoleResult
	err := c.postVIP(ctx, "/api/v1/vips-role", q, &out)
	return out, err
}

// HoldVIPs makes the node's next stop a restart.
func (c *Client) HoldVIPs(ctx context.Context, span time.Duration) error {
	return c.postVIP(ctx, "/api/v1/vips-hold", HoldRequest{For: span}, &struct{}{})
}

func (c *Client) postVIP(ctx context.Context, path string, q, out any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body, err := json.Marshal(q)
	if err != nil {
		return err
	}
	resp, err := c.do(ctx, http.MethodPost, path, strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusConflict {
		refusal := &vip.Refusal{}
		if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(refusal); err != nil {
			return fmt.Errorf("the node's refusal: %w", err)
		}
		return refusal
	}
	return decode(resp, out)
}
