package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"surefoot/internal/boot"
	"surefoot/internal/probe"
)

// Probing says whom /probe may ask.
type Probing struct {
	On      bool
	Any     bool          // whoever the caller names; else the servers of the site file alone
	Servers []boot.Server // of the site file
}

const (
	maxProbes = 8 // at the same time
	// probeTime is how long a probe takes where the scraper does not say; scrapeMargin is what is
	// left of its patience for the answer, as in blackbox_exporter.
	probeTime    = 10 * time.Second
	maxProbeTime = time.Minute
	scrapeMargin = 500 * time.Millisecond
)

// module is what a probe is to be like.
type module struct {
	scheme string // tftp, http or dns
	style  probe.Style
}

func modules() map[string]module {
	return map[string]module{
		"tftp_edk2":     {"tftp", probe.EDK2},
		"tftp_pxelinux": {"tftp", probe.PXELINUX},
		"tftp_ipxe":     {"tftp", probe.IPXE},
		"tftp_plain":    {"tftp", probe.Plain},
		"http":          {"http", probe.EDK2},
		"dns":           {"dns", ""},
	}
}

// errNotAllowed is a target outside the site file.
var errNotAllowed = errors.New("this node probes the servers of its site file alone (status: {probe: any} lets it probe everything)")

// probe runs one probe and answers with its metrics: the multi-target exporter pattern
// (/probe?target=...&module=...; F37).
func (s *Server) probe(w http.ResponseWriter, r *http.Request) {
	var may Probing
	if s.deps.Probing != nil {
		may = s.deps.Probing()
	}
	if !may.On {
		http.Error(w, "probing is off; status: {probe: true} in the site file turns it on", http.StatusNotFound)
		return
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		http.Error(w, "a page of another site may not make this node probe", http.StatusForbidden)
		return
	}
	limit, err := scrapeLimit(r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	run, err := s.prepare(r.URL.Query(), may, limit)
	switch {
	case errors.Is(err, errNotAllowed):
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case s.probing <- struct{}{}:
		defer func() { <-s.probing }()
	default:
		w.Header().Set("Retry-After", "1")
		http.Error(w, fmt.Sprintf("%d probes run already", maxProbes), http.StatusServiceUnavailable)
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit + 5*time.Second))
	ctx, cancel := context.WithTimeout(r.Context(), limit+time.Second) // it ends by itself before
	defer cancel()
	began := time.Now()
	res := run(ctx)
	promhttp.HandlerFor(probeMetrics(res, time.Since(began), limit), promhttp.HandlerOpts{}).ServeHTTP(w, r)
}

// scrapeLimit is how long a probe may take, by the scraper's own patience in seconds.
func scrapeLimit(header string) (time.Duration, error) {
	if header == "" {
		return probeTime, nil
	}
	f, err := strconv.ParseFloat(header, 64)
	if err != nil || !(f > 0) {
		return 0, fmt.Errorf("X-Prometheus-Scrape-Timeout-Seconds %q is not a number of seconds", header)
	}
	d := time.Duration(min(f, maxProbeTime.Seconds()) * float64(time.Second))
	if d > 2*scrapeMargin {
		d -= scrapeMargin
	}
	return d, nil
}

// prepare reads target and module, and says what to run.
func (s *Server) prepare(q url.Values, may Probing, limit time.Duration) (func(context.Context) probe.Result, error) {
	name := q.Get("module")
	if name == "" {
		name = "tftp_edk2"
	}
	m, ok := modules()[name]
	if !ok {
		return nil, fmt.Errorf("module %q is none of %s", name, strings.Join(probeModules(), ", "))
	}
	target := q.Get("target")
	if target == "" {
		return nil, errors.New("target: say what to probe, as in target=tftp://HOST/FILE")
	}
	// A part is left for the server's silence to be noticed and named before time is up.
	silence := limit * 8 / 10
	if m.scheme == "dns" {
		return prepareDNS(q, target, may, silence)
	}
	if !strings.Contains(target, "://") {
		target = m.scheme + "://" + target
	}
	t, err := probe.ParseTarget(target)
	if err != nil {
		return nil, err
	}
	if t.Scheme != m.scheme {
		return nil, fmt.Errorf("module %s probes %s://, not %s://", name, m.scheme, t.Scheme)
	}
	if t.Host, ok = may.allowed(t.Host, t.Port, t.Scheme); !ok {
		return nil, errNotAllowed
	}
	o := probe.Options{As: m.style, Timeout: silence, MaxTime: limit, SHA256: q.Get("sha256"), Contains: q.Get("contains")}
	return func(ctx context.Context) probe.Result { return probe.Run(ctx, t, o) }, nil
}

// prepareDNS reads dns://SERVER[:PORT]/NAME and type=A,AAAA.
func prepareDNS(q url.Values, target string, may Probing, silence time.Duration) (func(context.Context) probe.Result, error) {
	server, name, ok := strings.Cut(strings.TrimPrefix(target, "dns://"), "/")
	if !ok || server == "" || name == "" {
		return nil, errors.New("target: SERVER/NAME or dns://SERVER[:PORT]/NAME is wanted")
	}
	host, port := server, uint16(53)
	if h, p, err := net.SplitHostPort(server); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("target: %q is no port", p)
		}
		host, port = h, uint16(n)
	}
	if host, ok = may.allowed(strings.Trim(host, "[]"), port, "dns"); !ok {
		return nil, errNotAllowed
	}
	o := probe.DNSOptions{Name: name, Server: net.JoinHostPort(host, strconv.Itoa(int(port))), Timeout: silence / 2}
	if t := q.Get("type"); t != "" {
		o.Types = strings.Split(t, ",")
	}
	if e := q.Get("expect"); e != "" {
		o.Expect = strings.Split(e, ",")
	}
	o.NoTCP = true
	return func(ctx context.Context) probe.Result { return probe.DNS(ctx, o) }, nil
}

// allowed turns the name of a server of the site file into its address, and refuses a host that the
// site file does not have, or another port of one that it has.
func (p Probing) allowed(host string, port uint16, scheme string) (string, bool) {
	addr, _ := netip.ParseAddr(host)
	for _, srv := range p.Servers {
		at := srv.TFTP
		if scheme == "http" {
			at = srv.HTTP
		}
		if scheme == "dns" {
			at = netip.AddrPortFrom(srv.Addr(), 53)
		}
		if !at.IsValid() || at.Port() != port {
			continue
		}
		if strings.EqualFold(host, srv.Name) {
			return at.Addr().String(), true
		}
		if addr.IsValid() && at.Addr() == addr.Unmap() {
			return host, true
		}
	}
	return host, p.Any
}

// probeModules lists the modules, for people.
func probeModules() []string {
	var out []string
	for name := range modules() {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
