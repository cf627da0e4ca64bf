package tftp

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Option is one option as sent. Names are case-insensitive (RFC 2347).
type Option struct{ Name, Value string }

// The names of the options that Negotiate knows, in lower case.
const (
	OptBlockSize  = "blksize"
	OptTsize      = "tsize"
	OptTimeout    = "timeout"
	OptWindowSize = "windowsize"
)

// Lookup returns the value of the first option of that name.
func Lookup(opts []Option, name string) (string, bool) {
	for _, o := range opts {
		if strings.EqualFold(o.Name, name) {
			return o.Value, true
		}
	}
	return "", false
}

// FormatOptions writes options for people, as in "blksize=1468 tsize=0"; what is not plain text is
// quoted.
func FormatOptions(opts []Option) string {
	var b strings.Builder
	for i, o := range opts {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(plain(o.Name) + "=" + plain(o.Value))
	}
	return b.String()
}

func plain(s string) string {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '=' {
			return strconv.Quote(s)
		}
	}
	return s
}

// Profile is how the blocks of a transfer travel: the part of the options that a sender needs.
type Profile struct {
	BlockSize  int           // bytes of content in every block but the last
	WindowSize int           // blocks sent for one ACK
	Timeout    time.Duration // what the client fixed; 0: the sender's own choice
}

// DefaultProfile is a transfer without options (RFC 1350).
func DefaultProfile() Profile {
	return Profile{BlockSize: DefaultBlockSize, WindowSize: 1}
}

// Limits are the largest values that a server grants; 0 means the largest of the RFC. An option in
// Refuse is as unknown to it as one that it never heard of.
type Limits struct {
	BlockSize, WindowSize int
	Refuse                []string // in lower case
}

// Negotiate answers the options of an RRQ for a file of size bytes (< 0: not known, so tsize is not
// granted). granted are the options of the OACK in the order and spelling of the request; it is
// empty when no OACK is to be sent.
//
// A value above the limit is clamped down, which RFC 2348 and 7440 leave to the server. One below
// the RFC's range or that is not a plain decimal number is as if not asked: a client that gets
// more than it asked for has no buffer for it. timeout cannot be changed by the server (RFC 2349),
// so out of range it is ignored. Of an option asked twice the first counts.
func Negotiate(asked []Option, limits Limits, size int64) (p Profile, granted []Option) {
	p = DefaultProfile()
	seen := map[string]bool{}
	for _, o := range asked {
		name := strings.ToLower(o.Name)
		v, ok := decimal(o.Value)
		if !ok || seen[name] || slices.Contains(limits.Refuse, name) {
			continue
		}
		switch {
		case name == OptBlockSize && v >= MinBlockSize:
			v = min(v, limit(limits.BlockSize, MaxBlockSize))
			p.BlockSize = int(v)
		case name == OptWindowSize && v >= 1:
			v = min(v, limit(limits.WindowSize, MaxWindowSize))
			p.WindowSize = int(v)
		case name == OptTimeout && v >= 1 && v <= 255:
			p.Timeout = time.Duration(v) * time.Second
		case name == OptTsize && size >= 0:
			v = size
		default:
			continue
		}
		seen[name] = true
		granted = append(granted, Option{Name: o.Name, Value: strconv.FormatInt(v, 10)})
	}
	return p, granted
}

func limit(ours, rfc int) int64 {
	if ours <= 0 || ours > rfc {
		return int64(rfc)
	}
	return int64(ours)
}

// decimal reads a number of digits only: no sign, no space, no base.
func decimal(s string) (int64, bool) {
	if s == "" {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
