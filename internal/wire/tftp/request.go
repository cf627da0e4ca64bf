package tftp

import (
	"bytes"
	"fmt"
	"strings"
)

// Request is an RRQ or a WRQ.
type Request struct {
	Op      Op
	File    string // as sent: any bytes but NUL, possibly empty
	Mode    string // as sent; IsOctet and IsNetascii compare it
	Options []Option
}

// IsOctet reports whether the mode is octet; modes are case-insensitive (RFC 1350 section 5).
func (r Request) IsOctet() bool { return strings.EqualFold(r.Mode, "octet") }

// IsNetascii reports whether the mode is netascii.
func (r Request) IsNetascii() bool { return strings.EqualFold(r.Mode, "netascii") }

// ParseRequest reads an RRQ or WRQ. File name and mode must be there and end in NUL; of the options
// it takes the whole pairs up to the first empty name, since some senders pad their requests and
// an option that is not understood is to be ignored (RFC 2347). Nothing of b is kept. The error
// wraps ErrOpcode for any other packet and ErrMalformed for a request that cannot be read.
func ParseRequest(b []byte) (Request, error) {
	op, ok := PeekOp(b)
	if !ok {
		return Request{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	}
	if op != OpRRQ && op != OpWRQ {
		return Request{}, fmt.Errorf("%w: %s where a request belongs", ErrOpcode, op)
	}
	r := Request{Op: op}
	rest := b[2:]
	if r.File, rest, ok = cutString(rest); !ok {
		return Request{}, fmt.Errorf("%w: the file name does not end", ErrMalformed)
	}
	if r.Mode, rest, ok = cutString(rest); !ok {
		return Request{}, fmt.Errorf("%w: the mode does not end", ErrMalformed)
	}
	r.Options, _ = parseOptions(rest)
	return r, nil
}

// AppendRequest appends an RRQ or WRQ to b. A string ends at its first NUL, if it has one.
func AppendRequest(b []byte, r Request) []byte {
	b = append(b, byte(r.Op>>8), byte(r.Op))
	b = appendString(b, r.File)
	b = appendString(b, r.Mode)
	return appendOptions(b, r.Options)
}

// parseOptions reads pairs of strings. clean is false when bytes were left over: half a pair, or
// whatever follows an empty name.
func parseOptions(b []byte) (opts []Option, clean bool) {
	for len(b) > 0 {
		name, rest, ok := cutString(b)
		if !ok || name == "" {
			return opts, false
		}
		value, rest, ok := cutString(rest)
		if !ok {
			return opts, false
		}
		opts = append(opts, Option{Name: name, Value: value})
		b = rest
	}
	return opts, true
}

func appendOptions(b []byte, opts []Option) []byte {
	for _, o := range opts {
		b = appendString(b, o.Name)
		b = appendString(b, o.Value)
	}
	return b
}

func cutString(b []byte) (s string, rest []byte, ok bool) {
	i := bytes.IndexByte(b, 0)
	if i < 0 {
		return "", nil, false
	}
	return string(b[:i]), b[i+1:], true
}

func appendString(b []byte, s string) []byte {
	if i := strings.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	return append(append(b, s...), 0)
}
