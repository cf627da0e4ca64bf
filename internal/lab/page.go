package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"
)

// Page shows the status page of the lab's nodes to a browser of this machine, which cannot reach
// into their namespaces: it passes requests on to the status address of the first node that
// lives. It only passes on what reads: a page in a browser must not be able to change a node.
type Page struct {
	lab    *Lab
	server *http.Server
	ln     net.Listener
}

// statusAddr is where a node's status page is, in its own namespace.
const statusAddr = "127.0.0.1:8068"

// ListenPage opens the page at addr. The error is that of the bind, for others to explain.
func (l *Lab) ListenPage(ctx context.Context, addr string) (*Page, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	p := &Page{lab: l, ln: ln}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: "node"})
			r.Out.Host = r.In.Host
		},
		Transport:     &http.Transport{DialContext: p.dial, DisableKeepAlives: true},
		FlushInterval: -1, // the page follows events as they come
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, "the lab's nodes do not answer: "+err.Error(), http.StatusBadGateway)
		},
	}
	p.server = &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				http.Error(w, "the lab's page only shows", http.StatusMethodNotAllowed)
				return
			}
			proxy.ServeHTTP(w, r)
		}),
	}
	go func() { _ = p.server.Serve(ln) }()
	return p, nil
}

// URL is where a browser finds the page.
func (p *Page) URL() string { return "http://" + p.ln.Addr().String() + "/" }

// Close ends the page and every request in progress.
func (p *Page) Close() error { return p.server.Close() }

func (p *Page) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	var d net.Dialer
	err := errors.New("it has none")
	for _, n := range p.lab.nodes {
		if n.proc == nil || !n.proc.Running() {
			continue
		}
		var c net.Conn
		err = p.lab.Inside(n.Name, func() (err error) {
			c, err = d.DialContext(ctx, "tcp4", statusAddr)
			return err
		})
		if err == nil {
			return c, nil
		}
	}
	return nil, fmt.Errorf("no node of the lab is alive: %w", err)
}
