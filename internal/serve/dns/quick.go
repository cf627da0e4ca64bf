package dnsboot

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"surefoot/internal/boot"
)

// headerLen is that of a DNS message.
const headerLen = 12

// question is the first question of a message, as it stands in the packet.
type question struct {
	name          [256]byte // lower case
	len           int
	qtype, qclass uint16
	end           int // where it ends in the packet
}

// read reads the question. It takes no compressed name: in a question there is nothing to point to.
func (q *question) read(in []byte) bool {
	off := headerLen
	for {
		if off >= len(in) {
			return false
		}
		n := int(in[off])
		if n > 63 || off+1+n > len(in) || q.len+1+n > 255 {
			return false
		}
		q.name[q.len] = in[off]
		for i, b := range in[off+1 : off+1+n] {
			if 'A' <= b && b <= 'Z' {
				b += 'a' - 'A'
			}
			q.name[q.len+1+i] = b
		}
		q.len += 1 + n
		off += 1 + n
		if n == 0 {
			break
		}
	}
	if off+4 > len(in) {
		return false
	}
	q.qtype, q.qclass = binary.BigEndian.Uint16(in[off:]), binary.BigEndian.Uint16(in[off+2:])
	q.end = off + 4
	return true
}

// quick answers what nearly every query asks, an address of a steered name, without unpacking it
// and without garbage. Everything that is out of the ordinary it leaves to Answer, whose answers
// are the same: a test compares them.
func (z *Zones) quick(in []byte, from netip.Addr, now time.Time, w *worker) ([]byte, Outcome, bool) {
	none := func() ([]byte, Outcome, bool) { return nil, Outcome{}, false }
	// A query, one question, nothing else but for one record that may be an OPT.
	if len(in) < headerLen || in[2]&0xf8 != 0 || binary.BigEndian.Uint16(in[4:]) != 1 ||
		binary.BigEndian.Uint32(in[6:]) != 0 || binary.BigEndian.Uint16(in[10:]) > 1 {
		return none()
	}
	q := &w.question
	q.len = 0
	if !q.read(in) || q.qclass != dns.ClassINET || q.qtype != dns.TypeA && q.qtype != dns.TypeAAAA {
		return none()
	}
	e := z.wire[string(q.name[:q.len])]
	if e == nil || e.name == nil {
		return none()
	}
	size, do := minUDP, byte(0)
	if in[11] == 1 {
		var ok bool
		if size, do, ok = plainOPT(in[q.end:]); !ok {
			return none()
		}
	} else if len(in) != q.end {
		return none()
	}
	l := z.live(e.name, now)
	if !l.only4 || len(l.Servers) == 0 {
		return none()
	}
	o := Outcome{
		Reason: boot.NoRecord, Zone: e.zone.apex, fqdn: e.fqdn,
		Client: netip.PrefixFrom(from, from.BitLen()),
	}
	out := append(w.out[:0], in[:q.end]...)
	out[2], out[3] = 0x84|in[2]&1, in[3]&0x10 // QR, AA, RD as asked; CD as asked, no error
	out[6], out[7], out[8], out[9], out[10] = 0, 0, 0, 0, 0
	if q.qtype == dns.TypeA {
		most := len(l.Servers)
		if e.name.Answers > 0 {
			most = min(most, e.name.Answers)
		}
		if q.end+16*most+11 > size {
			return none()
		}
		o.Reason, o.Name, o.FailOpen = boot.Answered, &e.name.Name, l.FailOpen
		if e.name.Order == boot.OrderRotate {
			o.Turn = e.name.turn.Add(1) - 1
		}
		w.servers, _ = l.Arrange(e.name.Name, o.Client, o.Turn, z.site, w.servers[:0:cap(w.servers)])
		o.Server = w.servers[0].Name
		for _, srv := range w.servers {
			a := srv.Addr().As4()
			out = append(out, 0xc0, headerLen, 0, byte(dns.TypeA), 0, 1)
			out = binary.BigEndian.AppendUint32(out, z.ttl)
			out = append(out, 0, 4, a[0], a[1], a[2], a[3])
		}
		binary.BigEndian.PutUint16(out[6:], uint16(len(w.servers)))
	} else {
		if q.end+2+len(e.zone.soaTail)+11 > size {
			return none()
		}
		apex := headerLen + q.len - e.zone.apexLen
		out = append(out, 0xc0|byte(apex>>8), byte(apex))
		out = append(out, e.zone.soaTail...)
		out[9] = 1
	}
	if in[11] == 1 {
		out = append(out, 0, 0, byte(dns.TypeOPT), maxUDP>>8, maxUDP&0xff, 0, 0, do, 0, 0, 0)
	}
	w.out = out
	return out, o, true
}

// plainOPT reads an OPT record that wants nothing but a size, and no more of the packet after it.
func plainOPT(b []byte) (size int, do byte, ok bool) {
	if len(b) < 11 || b[0] != 0 || binary.BigEndian.Uint16(b[1:]) != dns.TypeOPT || b[5] != 0 || b[6] != 0 ||
		len(b) != 11+int(binary.BigEndian.Uint16(b[9:])) {
		return 0, 0, false
	}
	for opt := b[11:]; len(opt) > 0; {
		if len(opt) < 4 {
			return 0, 0, false
		}
		n := 4 + int(binary.BigEndian.Uint16(opt[2:]))
		// dig sends a cookie with each query (RFC 7873); a server without them ignores it.
		if n > len(opt) || binary.BigEndian.Uint16(opt) != dns.EDNS0COOKIE {
			return 0, 0, false
		}
		opt = opt[n:]
	}
	return min(max(int(binary.BigEndian.Uint16(b[3:])), minUDP), maxUDP), b[7] & 0x80, true
}
