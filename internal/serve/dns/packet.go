package dnsboot

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/miekg/dns"

	"surefoot/internal/boot"
)

// worker is what one goroutine needs to answer queries, one after another.
type worker struct {
	question question
	servers  []boot.Server
	out      []byte
}

// answer turns a packet into the packet that answers it, nil for none, and tells of it. The answer
// is good until the next one.
func (s *Server) answer(w *worker, in []byte, from netip.Addr, tcp bool) (reply []byte) {
	now := s.deps.Now()
	from = from.Unmap().WithZone("")
	defer func() {
		if r := recover(); r != nil {
			s.deps.Log.Error("fault while answering", "role", Role, "client", from, "panic", r, "packet", fmt.Sprintf("%x", in), "stack", string(debug.Stack()))
			s.tell(now, from, Outcome{Reason: boot.Panicked}, dns.TypeNone)
			reply = nil
		}
	}()
	switch {
	case len(in) < headerLen:
		s.tell(now, from, Outcome{Reason: boot.Malformed}, dns.TypeNone)
		return nil
	case in[2]&0x80 != 0: // never answered, or two servers would talk for ever
		s.tell(now, from, Outcome{Reason: boot.NotRequest}, dns.TypeNone)
		return nil
	}
	if !tcp {
		switch why := s.limit.Load().take(now, from); why {
		case boot.RateLimited:
			s.tell(now, from, Outcome{Reason: why}, dns.TypeNone)
			return nil
		case boot.RateSlipped:
			s.tell(now, from, Outcome{Reason: why}, dns.TypeNone)
			return w.slip(in)
		}
	}
	z := s.zones.Load()
	if out, o, ok := z.quick(in, from, now, w); ok {
		s.tell(now, from, o, w.question.qtype)
		return out
	}
	return s.answerSlowly(w, z, in, from, tcp, now)
}

func (s *Server) answerSlowly(w *worker, z *Zones, in []byte, from netip.Addr, tcp bool, now time.Time) []byte {
	q := new(dns.Msg)
	if err := q.Unpack(in); err != nil {
		s.tell(now, from, Outcome{Reason: boot.Malformed}, dns.TypeNone)
		return w.header(in, dns.RcodeFormatError, false)
	}
	o := z.Answer(q, from, tcp, now)
	qtype := dns.TypeNone
	if len(q.Question) > 0 {
		qtype = q.Question[0].Qtype
	}
	var out []byte
	if o.Reply != nil {
		var err error
		if out, err = o.Reply.PackBuffer(w.out[:cap(w.out)]); err != nil {
			s.deps.Log.Error("an answer cannot be written", "role", Role, "client", from, "err", err)
			o.Reason, out = boot.Panicked, w.header(in, dns.RcodeServerFailure, false)
		}
	}
	s.tell(now, from, o, qtype)
	return out
}

// header is an answer of a header alone.
func (w *worker) header(in []byte, rcode int, truncated bool) []byte {
	w.out = append(w.out[:0], in[:2]...)
	flags := 0x80 | in[2]&0x79 // QR; opcode and RD as asked
	if truncated {
		flags |= 2
	}
	w.out = append(w.out, flags, byte(rcode), 0, 0, 0, 0, 0, 0, 0, 0)
	return w.out
}

// slip is the answer to a query beyond the limit: the question, and nothing but the word that there
// would be more by TCP.
func (w *worker) slip(in []byte) []byte {
	out := w.header(in, dns.RcodeSuccess, true)
	w.question.len = 0
	if binary.BigEndian.Uint16(in[4:]) == 1 && w.question.read(in) {
		out[5] = 1
		out = append(out, in[headerLen:w.question.end]...)
		w.out = out
	}
	return out
}

// tell emits the event of a query.
func (s *Server) tell(now time.Time, from netip.Addr, o Outcome, qtype uint16) {
	if s.deps.Emit == nil {
		return
	}
	ev := boot.Event{
		Time: now, Node: s.cfg.Node, Role: Role, Kind: boot.NameAsked, IP: from,
		Detail: o.fqdn, Options: typeLabel(qtype), Server: o.Server, Reason: o.Reason,
	}
	if o.Name != nil {
		ev.Rule, ev.File = o.Name.Rule, o.Name.File
	}
	if o.FailOpen {
		ev.Detail += ": every server looks dead, so all are named"
	}
	if n, ok := s.zones.Load().site.Locate(boot.Client{Addr: clientAddr(o.Client, from)}); ok {
		ev.Network = n.Name
	}
	s.deps.Emit(ev)
}

func clientAddr(p netip.Prefix, from netip.Addr) netip.Addr {
	if p.IsValid() {
		return p.Addr()
	}
	return from
}

// typeLabel names the types that our zones know; a metric has no label that strangers choose.
func typeLabel(t uint16) string {
	switch t {
	case dns.TypeA, dns.TypeAAAA, dns.TypeSRV, dns.TypeSOA, dns.TypeNS, dns.TypeTXT, dns.TypeANY, dns.TypeAXFR:
		return dns.TypeToString[t]
	case dns.TypeNone:
		return "unknown"
	}
	return "other"
}
