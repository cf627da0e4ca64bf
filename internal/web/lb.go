package web

import (
	"context"
	"net/http"
	"net/url"
)

// balance lists the services of the load balancer; with a client it explains whom that one gets.
func (s *Server) balance(w http.ResponseWriter, r *http.Request) {
	if s.deps.Balance == nil {
		http.Error(w, "this node has no load balancer", http.StatusNotFound)
		return
	}
	q := r.URL.Query()
	out, err := s.deps.Balance(q.Get("service"), q.Get("from"), q.Get("file"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeJSON(w, out)
}

// Balance asks the node to list its services (of this name, if one is given), or with a client's address
// to explain whom it gets.
func (c *Client) Balance(ctx context.Context, service, from, file string, out any) error {
	v := url.Values{"service": {service}, "from": {from}, "file": {file}}
	return c.get(ctx, "/api/v1/lb?"+v.Encode(), out)
}
