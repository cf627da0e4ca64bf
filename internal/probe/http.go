package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// HTTP downloads once by HTTP: HEAD and GET as UEFI HTTP boot does it, GET alone for the other
// styles. It follows no redirect: not all firmware does.
func HTTP(ctx context.Context, t Target, o Options) Result {
	o = o.withDefaults()
	res := Result{Target: t.String(), As: o.As, Start: time.Now()}
	addr, f := resolve(ctx, t.Host, &res)
	if f != nil {
		res.finish(f)
		return res
	}
	server := netip.AddrPortFrom(addr, t.Port)
	res.Server, res.DataFrom = server.String(), server.String()
	ctx, cancel := context.WithTimeoutCause(ctx, o.MaxTime, errTooSlow)
	defer cancel()
	h := &httpDownload{target: t, server: server, opts: o, res: &res, content: newContent(o), start: time.Now(), size: -1}
	f = h.run(ctx)
	if res.Response = h.took; h.took == 0 {
		res.Response = time.Since(h.start)
	}
	res.Size, res.Trace = h.content.size, h.trace.packets()
	if f == nil {
		res.SHA256 = h.content.sum()
		f = h.content.check(o, h.size)
	}
	if f == nil {
		f = res.slow(o)
	}
	res.finish(f)
	return res
}

type httpDownload struct {
	target  Target
	server  netip.AddrPort
	opts    Options
	res     *Result
	content *content
	trace   trace
	start   time.Time
	told    time.Time
	size    int64 // announced; -1: not known
	half    *half // nil: not asked for
	took    time.Duration
}

func (h *httpDownload) note(sent bool, what string) {
	h.trace.add(Packet{At: time.Since(h.start), Sent: sent, What: what})
}

func (h *httpDownload) run(ctx context.Context) *Fault {
	idle, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	silence := time.AfterFunc(h.opts.Timeout, func() { stop(errSilent) })
	defer silence.Stop()
	tr := &http.Transport{
		Proxy: nil, DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, "tcp", h.server.String())
			if err != nil {
				return nil, err
			}
			return told{c, h.opts.opened(c.LocalAddr(), h.server)}, nil
		},
	}
	defer tr.CloseIdleConnections()
	methods := []string{http.MethodGet}
	if habitsOf(h.opts.As).head {
		methods = []string{http.MethodHead, http.MethodGet}
	}
	alive := func() { silence.Reset(h.opts.Timeout) }
	for _, m := range methods {
		if f := h.exchange(idle, tr, m, alive); f != nil {
			return f
		}
	}
	if h.opts.Range {
		h.took = time.Since(h.start)
		return h.resume(idle, tr, alive)
	}
	return nil
}

// told is a connection whose end somebody wants to know of.
type told struct {
	net.Conn
	closed func()
}

func (c told) Close() error {
	defer c.closed()
	return c.Conn.Close()
}

var errSilent = errors.New("no answer in time")

// request makes a request for the file.
func (h *httpDownload) request(ctx context.Context, method string) (*http.Request, *Fault) {
	url := "http://" + h.server.String() + h.target.File
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, &Fault{Step: StepRequest, Code: LocalError, Text: fmt.Sprintf("%s %s: %v", method, clean(url), err)}
	}
	if h.target.Host != h.server.Addr().String() {
		req.Host = (Target{Scheme: "http", Host: h.target.Host, Port: h.target.Port}).hostPort()
	}
	req.Header.Set("User-Agent", habitsOf(h.opts.As).agent+" (surefoot probe)")
	return req, nil
}

func (h *httpDownload) exchange(ctx context.Context, tr *http.Transport, method string, alive func()) *Fault {
	req, f := h.request(ctx, method)
	if f != nil {
		return f
	}
	h.note(true, method+" "+escaped(h.target.File))
	started := time.Now()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return h.fault(ctx, StepRequest, err)
	}
	defer resp.Body.Close()
	alive()
	h.note(false, fmt.Sprintf("%s, %d bytes, %s", clean(resp.Status), resp.ContentLength, clean(resp.Header.Get("Content-Type"))))
	if resp.StatusCode != http.StatusOK {
		f := &Fault{Step: StepRequest, Code: ServerError, Text: fmt.Sprintf("the server answered %s to %s", clean(resp.Status), method)}
		if to := resp.Header.Get("Location"); to != "" {
			f.Text += " (moved to " + quote(to) + ")"
			f.Hint = []string{"not all boot firmware follows a redirect: name the final address"}
		}
		return f
	}
	if resp.ContentLength >= 0 {
		h.size = resp.ContentLength
	}
	if method == http.MethodHead {
		return nil
	}
	if h.opts.Range && h.size > 1 {
		h.half = newHalf(h.size / 2)
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := resp.Body.Read(buf)
		if n > 0 {
			if h.content.size == 0 {
				h.res.FirstBlock = time.Since(started)
			}
			h.half.write(h.content.size, buf[:n])
			_, _ = h.content.Write(buf[:n])
			alive()
			h.progress()
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return h.fault(ctx, StepTransfer, err)
		}
	}
}

func (h *httpDownload) progress() {
	if now := time.Now(); h.opts.Progress != nil && now.Sub(h.told) >= 100*time.Millisecond {
		h.told = now
		h.opts.Progress(h.content.size, max(h.size, 0))
	}
}

// fault sorts the errors of a connection.
func (h *httpDownload) fault(ctx context.Context, step Step, err error) *Fault {
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, errTooSlow):
		return &Fault{Step: StepTransfer, Code: TooSlow, Text: fmt.Sprintf("%d bytes in %s, then the time for one download was over", h.content.size, short(h.opts.MaxTime))}
	case errors.Is(cause, errSilent) && step == StepRequest:
		return &Fault{
			Step: step, Code: NoAnswer, Text: fmt.Sprintf("no answer from %s in %s", h.server, short(h.opts.Timeout)),
			Hint: []string{fmt.Sprintf("the host is down, or a firewall drops TCP %d", h.server.Port())},
		}
	case errors.Is(cause, errSilent):
		return &Fault{Step: step, Code: Stalled, Text: fmt.Sprintf("after %d bytes nothing new came for %s", h.content.size, short(h.opts.Timeout))}
	case cause != nil:
		return &Fault{Step: step, Code: Interrupted, Text: "interrupted"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &Fault{Step: StepContent, Code: ShortFile, Text: fmt.Sprintf("the connection ended after %d of %d bytes", h.content.size, h.size)}
	}
	return connFault(step, h.server, err)
}
