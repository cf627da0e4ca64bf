package conform

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Opcodes (RFC 1350 section 5, 2347).
const (
	opRRQ = iota + 1
	opWRQ
	opDATA
	opACK
	opERROR
	opOACK
)

// packet is what a server sent, taken apart.
type packet struct {
	op, block uint16
	data      []byte // DATA
	code      uint16 // ERROR
	text      string // ERROR
	options   []option
	from      netip.AddrPort
	at        time.Time
}

type option struct{ name, value string }

// lookup returns an option of an OACK; names are compared without case.
func (p packet) lookup(name string) (string, bool) {
	for _, o := range p.options {
		if strings.EqualFold(o.name, name) {
			return o.value, true
		}
	}
	return "", false
}

func (p packet) String() string {
	switch p.op {
	case opDATA:
		return fmt.Sprintf("DATA %d (%d bytes)", p.block, len(p.data))
	case opACK:
		return fmt.Sprintf("ACK %d", p.block)
	case opERROR:
		return fmt.Sprintf("ERROR %d %.120q", p.code, p.text)
	case opOACK:
		var b strings.Builder
		b.WriteString("OACK")
		for _, o := range p.options {
			b.WriteString(" " + o.name + "=" + o.value)
		}
		return b.String()
	}
	return fmt.Sprintf("opcode %d", p.op)
}

// parse reads a packet of a server as strictly as the RFCs write it.
func parse(b []byte) (packet, error) {
	if len(b) < 4 {
		return packet{}, fmt.Errorf("a packet of %d bytes: %x", len(b), b)
	}
	p := packet{op: binary.BigEndian.Uint16(b)}
	word, rest := binary.BigEndian.Uint16(b[2:]), b[4:]
	switch p.op {
	case opDATA:
		p.block, p.data = word, bytes.Clone(rest)
	case opACK:
		p.block = word
	case opERROR:
		p.code = word
		text, tail, ok := bytes.Cut(rest, []byte{0})
		if !ok || len(tail) > 0 {
			return packet{}, fmt.Errorf("the text of an ERROR does not end in one NUL: %q", rest)
		}
		p.text = string(text)
	case opOACK:
		words := strings.Split(string(b[2:]), "\x00")
		if len(words)%2 == 0 || words[len(words)-1] != "" {
			return packet{}, fmt.Errorf("an OACK that is not made of pairs that end in NUL: %q", b[2:])
		}
		for i := 0; i+1 < len(words); i += 2 {
			p.options = append(p.options, option{words[i], words[i+1]})
		}
	default:
		return packet{}, fmt.Errorf("opcode %d: %x", p.op, b[:min(len(b), 32)])
	}
	return p, nil
}

// request builds an RRQ or WRQ; words are option names and values in turn.
func request(op uint16, file, mode string, words ...string) []byte {
	b := binary.BigEndian.AppendUint16(nil, op)
	for _, w := range append([]string{file, mode}, words...) {
		b = append(append(b, w...), 0)
	}
	return b
}

func rrq(file, mode string, words ...string) []byte { return request(opRRQ, file, mode, words...) }

// short builds a packet of opcode and one number: an ACK, or the start of DATA and ERROR.
func short(op, word uint16, rest ...byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, op)
	return append(binary.BigEndian.AppendUint16(b, word), rest...)
}

func ackOf(block uint16) []byte { return short(opACK, block) }

func errorOf(code uint16, text string) []byte {
	return short(opERROR, code, append([]byte(text), 0)...)
}
