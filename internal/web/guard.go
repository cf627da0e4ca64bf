package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// csp forbids the page everything but itself: names of files and machines come from strangers.
const csp = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guard adds the security headers, and refuses host names of others: a site that makes its name
// point at this address could otherwise read the page through a visitor's browser.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", csp)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if !s.ours(r.Host) {
			http.Error(w, errNotLocal.Error()+": use the address", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ours reports whether a Host header is an address, localhost, or a name of the node.
func (s *Server) ours(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.Trim(name, "[]"), ".")
	if _, err := netip.ParseAddr(name); err == nil || strings.EqualFold(name, "localhost") {
		return true
	}
	if !s.cfg.Status.Addr().IsLoopback() {
		return true // somebody chose to show it on a network, by whatever name
	}
	node := s.deps.Status().Node
	return strings.EqualFold(name, node) || strings.HasPrefix(strings.ToLower(name), strings.ToLower(node)+".")
}
