package web

import (
	"context"
	"net/http"
	"net/url"
)

// BalanceQuery asks for the services of the load balancer, or with a client whom that one gets.
type BalanceQuery struct {
	Service string // "": all, or the one that To says, or the first
	From    string // the client's address
	To      string // the address, with or without a port, that it asks
	File    string // what it asks a relay for
}

// balance lists the services of the load balancer; with a client it explains whom that one gets.
func (s *Server) balance(w http.ResponseWriter, r *http.Request) {
	if s.deps.Balance == nil {
		http.Error(w, "this node has no load balancer", http.StatusNotFound)
		return
	}
	v := r.URL.Query()
	out, err := s.deps.Balance(BalanceQuery{Service: v.Get("service"), From: v.Get("from"), To: v.Get("to"), File: v.Get("file")})
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeJSON(w, out)
}

// Balance asks the node to list its services, or to explain.
func (c *Client) Balance(ctx context.Context, q BalanceQuery, out any) error {
	v := url.Values{"service": {q.Service}, "from": {q.From}, "to": {q.To}, "file": {q.File}}
	return c.get(ctx, "/api/v1/lb?"+v.Encode(), out)
}
