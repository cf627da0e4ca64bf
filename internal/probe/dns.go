package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// DNSOptions say what to ask whom, and what to expect.
type DNSOptions struct {
	Name    string
	Server  string   // host or host:port; "": the first of /etc/resolv.conf
	Types   []string // A, AAAA, SRV, ...; none: A and AAAA
	Expect  []string // the values that have to be all of the answer, over all types; none: any
	Timeout time.Duration
	NoTCP   bool // do not ask once more by TCP
}

// Record is one record of an answer.
type Record struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
	TTL   uint32 `json:"ttl"` // seconds
}

// DNS looks a name up, by UDP and then by TCP, which a server needs for answers that do not fit
// (RFC 7766). The answer counts as good when it holds a record of one of the types.
func DNS(ctx context.Context, o DNSOptions) Result {
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if len(o.Types) == 0 {
		o.Types = []string{"A", "AAAA"}
	}
	res := Result{Target: "dns " + clean(o.Name), Kind: KindDNS, Start: time.Now()}
	server, f := nameServer(ctx, o.Server, &res)
	if f != nil {
		res.finish(f)
		return res
	}
	res.Server = server.String()
	q := &lookup{opts: o, server: server, res: &res, start: time.Now()}
	f = q.run(ctx)
	res.Response = time.Since(q.start)
	res.Trace = q.trace.packets()
	res.finish(f)
	return res
}

// nameServer finds whom to ask.
func nameServer(ctx context.Context, s string, res *Result) (netip.AddrPort, *Fault) {
	port := uint64(53)
	if s == "" {
		c, err := dns.ClientConfigFromFile("/etc/resolv.conf")
		if err != nil || len(c.Servers) == 0 {
			return netip.AddrPort{}, &Fault{
				Step: StepResolve, Code: LocalError, Text: "/etc/resolv.conf names no server",
				Hint: []string{"--server ADDRESS asks one"},
			}
		}
		s = c.Servers[0]
	} else if h, p, err := net.SplitHostPort(s); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return netip.AddrPort{}, &Fault{Step: StepResolve, Code: LocalError, Text: fmt.Sprintf("%s is no port", quote(p))}
		}
		s, port = h, n
	}
	a, f := resolve(ctx, s, res)
	return netip.AddrPortFrom(a, uint16(port)), f
}

type lookup struct {
	opts   DNSOptions
	server netip.AddrPort
	res    *Result
	trace  trace
	start  time.Time
}

func (q *lookup) run(ctx context.Context) *Fault {
	var problem *Fault
	for _, t := range q.opts.Types {
		kind, ok := dns.StringToType[strings.ToUpper(t)]
		if !ok {
			return &Fault{Step: StepRequest, Code: LocalError, Text: fmt.Sprintf("%s is no type of DNS record", quote(t))}
		}
		m, err := q.exchange(ctx, "udp", kind)
		if err == nil && m.Truncated {
			m, err = q.exchange(ctx, "tcp", kind)
		}
		if err != nil {
			return q.fault(ctx, err)
		}
		q.nsid(m)
		if f := q.take(m, kind); f != nil && problem == nil {
			problem = f
		}
	}
	if !q.opts.NoTCP {
		q.tcp(ctx)
	}
	switch {
	case len(q.res.Records) == 0 && problem != nil:
		return problem
	case len(q.res.Records) == 0:
		return &Fault{
			Step: StepAnswer, Code: NotResolved, Text: fmt.Sprintf("%s answers that %s exists and has no %s", q.server, clean(q.opts.Name), strings.Join(q.opts.Types, " or ")),
			Hint: []string{"a server that answers by health leaves out the dead: are all of them?"},
		}
	}
	return q.expected()
}

func (q *lookup) exchange(ctx context.Context, network string, kind uint16) (*dns.Msg, error) {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(q.opts.Name), kind)
	m.SetEdns0(1232, false)
	m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID}) // RFC 5001: who are you?
	what := fmt.Sprintf("%s %s by %s", clean(q.opts.Name), dns.TypeToString[kind], strings.ToUpper(network))
	q.trace.add(Packet{At: time.Since(q.start), Sent: true, What: what})
	c := &dns.Client{Net: network, Timeout: q.opts.Timeout}
	r, _, err := c.ExchangeContext(ctx, m, q.server.String())
	if err != nil {
		q.trace.add(Packet{At: time.Since(q.start), What: errnoText(err), Peer: q.server.String()})
		return nil, err
	}
	said := dns.RcodeToString[r.Rcode]
	if r.Truncated {
		said += ", truncated"
	}
	if r.Authoritative {
		said += ", authoritative"
	}
	q.trace.add(Packet{At: time.Since(q.start), What: fmt.Sprintf("%s, %s", said, plural(len(r.Answer), "record")), Peer: q.server.String()})
	if q.res.FirstBlock == 0 {
		q.res.FirstBlock = time.Since(q.start)
	}
	return r, nil
}

// take keeps the records of an answer.
func (q *lookup) take(m *dns.Msg, kind uint16) *Fault {
	switch m.Rcode {
	case dns.RcodeSuccess:
	case dns.RcodeNameError:
		return &Fault{
			Step: StepAnswer, Code: NotResolved, Text: fmt.Sprintf("%s answers that there is no name %s", q.server, clean(q.opts.Name)),
			Hint: []string{"a misspelt name, or a server that does not know the zone: is it delegated or forwarded to who does?"},
		}
	default:
		return &Fault{Step: StepAnswer, Code: ServerError, Text: fmt.Sprintf("%s answers %s", q.server, dns.RcodeToString[m.Rcode]), Hint: rcodeHint(m.Rcode)}
	}
	for _, rr := range m.Answer {
		h := rr.Header()
		value := clip(strings.TrimSpace(strings.TrimPrefix(rr.String(), h.String())))
		if h.Rrtype != kind && h.Rrtype != dns.TypeCNAME {
			continue
		}
		q.res.Records = append(q.res.Records, Record{Name: clip(h.Name), Type: dns.TypeToString[h.Rrtype], Value: value, TTL: h.Ttl})
	}
	return nil
}

func rcodeHint(rcode int) []string {
	switch rcode {
	case dns.RcodeRefused:
		return []string{"the server does not serve this name to this client: another zone, or an access list"}
	case dns.RcodeServerFailure:
		return []string{"the server could not find out: the one that it asks does not answer, or the zone is broken"}
	}
	return nil
}

// nsid notes which server of several behind the address it was, if it says so.
func (q *lookup) nsid(m *dns.Msg) {
	e := m.IsEdns0()
	if e == nil || q.res.DataFrom != "" {
		return
	}
	for _, o := range e.Option {
		if n, ok := o.(*dns.EDNS0_NSID); ok && n.Nsid != "" {
			q.res.DataFrom = nsidText(n.Nsid)
		}
	}
}

func nsidText(hexadecimal string) string {
	var b []byte
	for i := 0; i+1 < len(hexadecimal); i += 2 {
		n, err := strconv.ParseUint(hexadecimal[i:i+2], 16, 8)
		if err != nil {
			return clip(hexadecimal)
		}
		b = append(b, byte(n))
	}
	return clip(string(b))
}

// tcp asks once more by TCP, which no client needs until an answer does not fit.
func (q *lookup) tcp(ctx context.Context) {
	kind := dns.StringToType[strings.ToUpper(q.opts.Types[0])]
	if _, err := q.exchange(ctx, "tcp", kind); err != nil && ctx.Err() == nil {
		q.res.Notes = append(q.res.Notes, fmt.Sprintf("no answer by TCP (%s): answers that do not fit a UDP packet will be lost", errnoText(err)))
	}
}

// expected compares the answer with what it has to be.
func (q *lookup) expected() *Fault {
	if len(q.opts.Expect) == 0 {
		return nil
	}
	var got []string
	for _, r := range q.res.Records {
		if r.Type != "CNAME" {
			got = append(got, strings.ToLower(r.Value))
		}
	}
	var missing, extra []string
	for _, e := range q.opts.Expect {
		if !slices.Contains(got, strings.ToLower(e)) {
			missing = append(missing, e)
		}
	}
	for _, g := range got {
		if !slices.ContainsFunc(q.opts.Expect, func(e string) bool { return strings.EqualFold(e, g) }) {
			extra = append(extra, g)
		}
	}
	if len(missing)+len(extra) == 0 {
		return nil
	}
	text := "the answer is " + strings.Join(got, ", ")
	if len(missing) > 0 {
		text += "; missing: " + strings.Join(missing, ", ")
	}
	if len(extra) > 0 {
		text += "; not expected: " + strings.Join(extra, ", ")
	}
	return &Fault{
		Step: StepContent, Code: WrongRecords, Text: text,
		Hint: []string{"an old answer may still be kept somewhere: see the TTLs; a server that answers by health leaves out the dead"},
	}
}

func (q *lookup) fault(ctx context.Context, err error) *Fault {
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		return &Fault{Step: StepRequest, Code: Interrupted, Text: "interrupted"}
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return &Fault{
			Step: StepRequest, Code: NoAnswer, Text: fmt.Sprintf("no answer from %s in %s", q.server, short(q.opts.Timeout)),
			Hint: []string{fmt.Sprintf("the host is down, a firewall drops UDP %d, or the server ignores this client (its limits, its access list)", q.server.Port())},
		}
	}
	return connFault(StepRequest, q.server, err)
}
