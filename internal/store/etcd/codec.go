package etcd

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"surefoot/internal/lease"
)

// A record in the store, some 60 bytes; scope and address stand in its key:
//
//	version serial state start expires id mac arch flags node relay host circuit class
//
// Bytes behind these are left alone, so that a later version may add fields without a new number.
const recordVersion = 1

const flagOwn = 1

var errRecord = errors.New("not a record that this version knows")

func appendRecord(b []byte, r *lease.Record) []byte {
	b = append(b, recordVersion)
	b = binary.AppendUvarint(b, r.Serial)
	b = append(b, byte(r.State))
	b = binary.AppendVarint(b, r.Start.Unix())
	b = binary.AppendVarint(b, r.Expires.Unix())
	key := r.ID.B[:min(int(r.ID.Len), len(r.ID.B))]
	b = append(b, byte(r.ID.Kind), r.ID.HType, r.ID.Len)
	b = append(b, key...)
	b = append(b, r.MAC[:]...)
	b = binary.BigEndian.AppendUint16(b, r.Arch)
	var flags byte
	if r.Own {
		flags |= flagOwn
	}
	b = append(b, flags)
	b = appendText(b, r.Node)
	b = appendText(b, string(r.Relay.AsSlice()))
	b = appendText(b, r.Host)
	b = appendText(b, r.Circuit)
	return appendText(b, r.Class)
}

// appendText bounds a text to what its length can say.
func appendText(b []byte, s string) []byte {
	s = s[:min(len(s), 255)]
	b = append(b, byte(len(s)))
	return append(b, s...)
}

func parseRecord(b []byte, scope string, a netip.Addr) (lease.Record, error) {
	p := fields{b: b}
	if p.byte() != recordVersion {
		return lease.Record{}, errRecord
	}
	r := lease.Record{Scope: scope, Addr: a, Serial: p.uvarint(), State: lease.State(p.byte())}
	r.Start, r.Expires = time.Unix(p.varint(), 0).UTC(), time.Unix(p.varint(), 0).UTC()
	r.ID.Kind, r.ID.HType, r.ID.Len = lease.Kind(p.byte()), p.byte(), p.byte()
	copy(r.ID.B[:], p.take(min(int(r.ID.Len), len(r.ID.B))))
	copy(r.MAC[:], p.take(len(r.MAC)))
	if two := p.take(2); len(two) == 2 {
		r.Arch = binary.BigEndian.Uint16(two)
	}
	r.Own = p.byte()&flagOwn != 0
	r.Node = string(p.text())
	r.Relay, _ = netip.AddrFromSlice(p.text()) // none is the zero value
	r.Host, r.Circuit, r.Class = string(p.text()), string(p.text()), string(p.text())
	if p.short || r.Serial == 0 || r.State > lease.Declined {
		return lease.Record{}, errRecord
	}
	return r, nil
}

// fields takes them from the front; what is not there is zero, and short says so.
type fields struct {
	b     []byte
	short bool
}

func (p *fields) take(n int) []byte {
	if n < 0 || n > len(p.b) {
		p.b, p.short = nil, true
		return nil
	}
	out := p.b[:n]
	p.b = p.b[n:]
	return out
}

func (p *fields) byte() byte {
	if b := p.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (p *fields) text() []byte { return p.take(int(p.byte())) }

func (p *fields) uvarint() uint64 {
	v, n := binary.Uvarint(p.b)
	p.skip(n)
	return v
}

func (p *fields) varint() int64 {
	v, n := binary.Varint(p.b)
	p.skip(n)
	return v
}

func (p *fields) skip(n int) {
	p.take(max(n, 0))
	p.short = p.short || n <= 0
}
