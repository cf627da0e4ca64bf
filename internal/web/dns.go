package web

import (
	"context"
	"net/http"
	"net/url"
)

// dns explains an answer of the DNS server; without a name it lists the names.
func (s *Server) dns(w http.ResponseWriter, r *http.Request) {
	if s.deps.DNS == nil {
		http.Error(w, "this node has no DNS server", http.StatusNotFound)
		return
	}
	q := r.URL.Query()
	out, err := s.deps.DNS(q.Get("name"), q.Get("type"), q.Get("from"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeJSON(w, out)
}

// DNS asks the node's DNS server to explain an answer, or without a name to list its names.
func (c *Client) DNS(ctx context.Context, name, qtype, from string, out any) error {
	v := url.Values{"name": {name}, "type": {qtype}, "from": {from}}
	return c.get(ctx, "/api/v1/dns?"+v.Encode(), out)
}
