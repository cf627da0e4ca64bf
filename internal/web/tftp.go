package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"surefoot/internal/journal"
	"surefoot/internal/journal/transfers"
)

// TFTP is what this node's TFTP server does and did. Fields are only ever added.
type TFTP struct {
	Limits TFTPLimits `json:"limits"`
	transfers.Report
}

// TFTPLimits are what bounds the server at present.
type TFTPLimits struct {
	MaxTransfers int           `json:"max_transfers"` // at the same time; 0: this node serves no TFTP
	PerClient    int           `json:"per_client"`    // of them of one client address
	PerNetwork   int           `json:"per_network"`   // of them of one network
	Queue        int           `json:"queue"`         // requests that may wait for a place
	QueueTime    time.Duration `json:"queue_time"`    // how long
}

// transfers asks the journal.
func (s *Server) transfers(q journal.TransferQuery) TFTP {
	out := TFTP{Report: s.deps.Journal.Transfers(q)}
	if s.deps.TFTPLimits != nil {
		out.Limits = s.deps.TFTPLimits()
	}
	return out
}

func (s *Server) tftp(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	q := journal.TransferQuery{Client: v.Get("client"), File: v.Get("file"), Failed: v.Has("failed"), Limit: 50, Top: 10}
	if number(w, r, "limit", &q.Limit) && number(w, r, "top", &q.Top) {
		writeJSON(w, s.transfers(q))
	}
}

// Transfers asks what TFTP does and did.
func (c *Client) Transfers(ctx context.Context, q journal.TransferQuery) (TFTP, error) {
	v := url.Values{}
	for name, text := range map[string]string{"client": q.Client, "file": q.File} {
		if text != "" {
			v.Set(name, text)
		}
	}
	for name, n := range map[string]int{"limit": q.Limit, "top": q.Top} {
		if n > 0 {
			v.Set(name, fmt.Sprint(n))
		}
	}
	if q.Failed {
		v.Set("failed", "1")
	}
	var out TFTP
	err := c.get(ctx, "/api/v1/tftp?"+v.Encode(), &out)
	return out, err
}
