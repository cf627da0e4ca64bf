package tftp

import "bytes"

// Netascii is a position in a translation to netascii (RFC 764: a line ends in CR LF, a bare CR
// becomes CR NUL). The zero value is the beginning. It is a small value: a copy of it, kept
// together with the position in the source, restarts the translation from there, which is how a
// block is sent again.
type Netascii struct {
	owed byte // second byte of a pair whose first one filled the destination
	owes bool
}

// Encode translates from src into dst until one of them is used up. It returns how many bytes it
// wrote and read. More may follow only if dst was filled.
func (n *Netascii) Encode(dst, src []byte) (wrote, read int) {
	for wrote < len(dst) {
		if n.owes {
			dst[wrote] = n.owed
			wrote++
			n.owes = false
			continue
		}
		if read == len(src) {
			break
		}
		c := src[read]
		read++
		switch c {
		case '\n':
			dst[wrote], n.owed, n.owes = '\r', '\n', true
		case '\r':
			dst[wrote], n.owed, n.owes = '\r', 0, true
		default:
			dst[wrote] = c
		}
		wrote++
	}
	return wrote, read
}

// NetasciiDecoder is a position in a translation from netascii. The zero value is the beginning.
type NetasciiDecoder struct{ cr bool }

// Append appends what src means: CR LF is a line end, CR NUL a CR. A CR before anything else, which
// netascii does not allow, stays as it is. last says that nothing follows.
func (d *NetasciiDecoder) Append(dst, src []byte, last bool) []byte {
	for _, c := range src {
		switch {
		case d.cr && c == '\n':
			dst = append(dst, '\n')
			d.cr = false
			continue
		case d.cr && c == 0:
			dst = append(dst, '\r')
			d.cr = false
			continue
		case d.cr:
			dst = append(dst, '\r')
		}
		if d.cr = c == '\r'; !d.cr {
			dst = append(dst, c)
		}
	}
	if d.cr && last {
		dst = append(dst, '\r')
		d.cr = false
	}
	return dst
}

// NetasciiSize returns how many bytes p becomes in netascii.
func NetasciiSize(p []byte) int64 {
	return int64(len(p) + bytes.Count(p, []byte{'\n'}) + bytes.Count(p, []byte{'\r'}))
}
