package dnsboot

import (
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"surefoot/internal/boot"
)

// Outcome is what became of a query.
type Outcome struct {
	Reason boot.Reason
	Reply  *dns.Msg     // nil: no answer
	Zone   string       // "" outside of all
	Name   *boot.Name   // the steered name that the answer is made of, if it is
	Client netip.Prefix // who the answer is for: of the client subnet option, else of the sender
	Turn   uint64       // of the name's rotation
	Server string       // named first
	// FailOpen: every server looks dead, and all were named.
	FailOpen bool
	fqdn     string
}

// asker is one query with what is known of its sender.
type asker struct {
	q    *dns.Msg
	from netip.Addr
	tcp  bool
	now  time.Time
	edns edns
}

// Answer answers a query. It is complete but for what the transport adds: limits of rate.
func (z *Zones) Answer(q *dns.Msg, from netip.Addr, tcp bool, now time.Time) Outcome {
	a := &asker{q: q, from: from.Unmap().WithZone(""), tcp: tcp, now: now}
	r := new(dns.Msg).SetReply(q)
	out := Outcome{Reply: r}
	if q.Response { // RFC 1035 4.1.1; an answer to an answer is how loops begin
		return Outcome{Reason: boot.NotRequest}
	}
	fault := a.edns.read(q)
	switch {
	case q.Opcode != dns.OpcodeQuery:
		out.fail(dns.RcodeNotImplemented, boot.NotImplemented)
	case fault || len(q.Question) != 1 || len(q.Answer) > 0: // RFC 9619: exactly one question
		out.fail(dns.RcodeFormatError, boot.Malformed)
	case a.edns.version != 0: // RFC 6891 section 6.1.3
		out.fail(dns.RcodeBadVers, boot.BadVersion)
	default:
		out.Client = a.client()
		z.ask(a, &out)
	}
	a.finish(z, &out)
	return out
}

func (o *Outcome) fail(rcode int, why boot.Reason) {
	o.Reply.Rcode, o.Reason = rcode, why
}

// ask looks the question up.
func (z *Zones) ask(a *asker, o *Outcome) {
	q := a.q.Question[0]
	name := dns.CanonicalName(q.Name)
	zn := z.zoneOf(name)
	o.fqdn = name
	switch {
	case zn == nil || q.Qclass != dns.ClassINET && q.Qclass != dns.ClassANY:
		o.fail(dns.RcodeRefused, boot.OutsideZone)
		return
	case q.Qtype == dns.TypeAXFR || q.Qtype == dns.TypeIXFR:
		o.Zone = zn.apex
		o.fail(dns.RcodeRefused, boot.TransferRefused)
		return
	}
	o.Zone, o.Reply.Authoritative = zn.apex, true
	e := z.names[name]
	if e == nil {
		o.Reply.Rcode, o.Reason = dns.RcodeNameError, boot.NoSuchName
		o.Reply.Ns = []dns.RR{zn.soa}
		return
	}
	z.fill(a, e, o)
	if len(o.Reply.Answer) > 0 {
		o.Reason = boot.Answered
		return
	}
	o.Reason = boot.NoRecord
	o.Reply.Ns = []dns.RR{zn.soa}
}
