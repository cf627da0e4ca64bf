package leasedb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
	"time"

	"surefoot/internal/lease"
)

// A record on disk says for itself whose it is, how long it is and whether it is whole, so that it
// can be found in a file that SQLite cannot read any more (salvage.go):
//
//	magic[4] length[2] crc32c[4] | addr serial state start expires id mac arch flags scope node host relay circuit class
//
// The magic ends in the version of what follows. Unknown bytes at the end are left alone: a later
// version may add fields.
const (
	magic  = "sfL\x01"
	header = len(magic) + 2 + 4
)

const flagOwn = 1

// table is CRC-32C, for which processors have an instruction.
var table = crc32.MakeTable(crc32.Castagnoli)

// errRecord is the answer to bytes that are no record.
var errRecord = errors.New("no whole record")

// appendRecord writes a record.
func appendRecord(b []byte, r *lease.Record) []byte {
	at := len(b)
	b = append(b, magic...)
	b = append(b, 0, 0, 0, 0, 0, 0)
	b = appendAddr(b, r.Addr)
	b = binary.AppendUvarint(b, r.Serial)
	b = append(b, byte(r.State))
	b = appendTime(b, r.Start)
	b = appendTime(b, r.Expires)
	b = append(b, byte(r.ID.Kind), r.ID.HType, r.ID.Len)
	b = append(b, r.ID.B[:min(int(r.ID.Len), len(r.ID.B))]...)
	b = append(b, r.MAC[:]...)
	b = binary.BigEndian.AppendUint16(b, r.Arch)
	var flags byte
	if r.Own {
		flags |= flagOwn
	}
	b = append(b, flags)
	b = appendText(b, r.Scope)
	b = appendText(b, r.Node)
	b = appendText(b, r.Host)
	b = appendAddr(b, r.Relay)
	b = appendText(b, r.Circuit)
	b = appendText(b, r.Class)
	body := b[at+header:]
	binary.BigEndian.PutUint16(b[at+len(magic):], uint16(len(body)))
	binary.BigEndian.PutUint32(b[at+len(magic)+2:], crc32.Checksum(body, table))
	return b
}

func appendAddr(b []byte, a netip.Addr) []byte {
	raw := a.AsSlice() // nil of the zero value
	b = append(b, byte(len(raw)))
	return append(b, raw...)
}

// appendTime keeps whole seconds; 0 is the zero value.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	return binary.AppendVarint(b, t.Unix())
}

// appendText bounds what should have been bounded before, so that a record stays in its page.
func appendText(b []byte, s string) []byte {
	s = s[:min(len(s), maxText)]
	b = append(b, byte(len(s)))
	return append(b, s...)
}

// maxText is what a text of a record takes at the most.
const maxText = 127

// words are the texts that many records share, so that 200,000 of them do not hold 200,000 copies.
type words map[string]string

func (w words) of(b []byte) string {
	if s, ok := w[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(w) < 1024 {
		w[s] = s
	}
	return s
}

// parseKey reads of the record at the beginning of b whose it is, and how many bytes it takes.
func parseKey(b []byte) (netip.Addr, uint64, int, error) {
	p, n, err := whole(b)
	if err != nil {
		return netip.Addr{}, 0, 0, err
	}
	a, serial := p.addr(), p.uvarint()
	if p.short || !a.IsValid() {
		return netip.Addr{}, 0, 0, errRecord
	}
	return a, serial, n, nil
}

// whole returns the fields of the record at the beginning of b, if it is whole.
func whole(b []byte) (reader, int, error) {
	if len(b) < header || !bytes.HasPrefix(b, []byte(magic)) {
		return reader{}, 0, errRecord
	}
	n := header + int(binary.BigEndian.Uint16(b[len(magic):]))
	if len(b) < n || crc32.Checksum(b[header:n], table) != binary.BigEndian.Uint32(b[len(magic)+2:]) {
		return reader{}, 0, errRecord
	}
	return reader{b: b[header:n]}, n, nil
}

// parseRecord reads the record at the beginning of b, and returns how many bytes it took.
func parseRecord(b []byte, w words) (lease.Record, int, error) {
	var r lease.Record
	p, n, err := whole(b)
	if err != nil {
		return r, 0, err
	}
	r.Addr = p.addr()
	r.Serial = p.uvarint()
	r.State = lease.State(p.byte())
	r.Start, r.Expires = p.time(), p.time()
	r.ID.Kind, r.ID.HType, r.ID.Len = lease.Kind(p.byte()), p.byte(), p.byte()
	copy(r.ID.B[:], p.take(min(int(r.ID.Len), len(r.ID.B))))
	copy(r.MAC[:], p.take(len(r.MAC)))
	if two := p.take(2); len(two) == 2 {
		r.Arch = binary.BigEndian.Uint16(two)
	}
	r.Own = p.byte()&flagOwn != 0
	r.Scope, r.Node, r.Host = w.of(p.text()), w.of(p.text()), string(p.text())
	r.Relay = p.addr()
	r.Circuit, r.Class = string(p.text()), w.of(p.text())
	if p.short || !r.Addr.IsValid() {
		return lease.Record{}, 0, errRecord
	}
	return r, n, nil
}

// reader takes fields from the front; what is not there is zero, and short says so.
type reader struct {
	b     []byte
	short bool
}

func (p *reader) take(n int) []byte {
	if n > len(p.b) {
		p.b, p.short = nil, true
		return nil
	}
	out := p.b[:n]
	p.b = p.b[n:]
	return out
}

func (p *reader) byte() byte {
	if b := p.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (p *reader) text() []byte { return p.take(int(p.byte())) }

func (p *reader) addr() netip.Addr {
	a, _ := netip.AddrFromSlice(p.text()) // none is the zero value
	return a
}

func (p *reader) uvarint() uint64 {
	v, n := binary.Uvarint(p.b)
	p.take(max(n, 0))
	p.short = p.short || n <= 0
	return v
}

func (p *reader) time() time.Time {
	v, n := binary.Varint(p.b)
	p.take(max(n, 0))
	p.short = p.short || n <= 0
	if v == 0 {
		return time.Time{}
	}
	return time.Unix(v, 0).UTC()
}
