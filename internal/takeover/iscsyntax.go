package takeover

import (
	"fmt"
	"strings"
)

// stmt is a statement of dhcpd.conf or dhcpd.leases: words, and perhaps a block.
type stmt struct {
	line  int
	words []word
	block []stmt
	has   bool // it has a block, maybe an empty one
}

// word is one of a statement; quoted ones are what stood within the quotes, octal escapes undone.
type word struct {
	text   string
	quoted bool
}

// at is a word's text, "" if there are fewer.
func (s stmt) at(i int) string {
	if i < len(s.words) {
		return s.words[i].text
	}
	return ""
}

// is reports whether the statement begins with these words.
func (s stmt) is(words ...string) bool {
	for i, w := range words {
		if i >= len(s.words) || s.words[i].quoted || !strings.EqualFold(s.words[i].text, w) {
			return false
		}
	}
	return true
}

// rest are the words from one on, without the commas.
func (s stmt) rest(from int) []string {
	var out []string
	for i := from; i < len(s.words); i++ {
		if s.words[i].text != "," || s.words[i].quoted {
			out = append(out, s.words[i].text)
		}
	}
	return out
}

func (s stmt) String() string {
	var out []string
	for _, w := range s.words {
		if w.quoted {
			out = append(out, fmt.Sprintf("%q", w.text))
		} else {
			out = append(out, w.text)
		}
	}
	return strings.Join(out, " ")
}

// maxNest bounds blocks in blocks: shared-network, subnet, pool, group, host, class, if.
const maxNest = 50

// iscReader reads the syntax that dhcpd.conf and dhcpd.leases share (dhcpd.conf(5), dhcpd.leases(5)).
type iscReader struct {
	data []byte
	i    int
	line int
	bad  func(line int, what string) // told of what is no statement
}

// statements reads up to the end of a block, or of the file.
func (r *iscReader) statements(depth int) []stmt {
	var out []stmt
	var cur stmt
	end := func() {
		if len(cur.words) > 0 {
			out = append(out, cur)
		}
		cur = stmt{}
	}
	for {
		w, c, line, ok := r.next()
		switch {
		case !ok:
			if len(cur.words) > 0 {
				r.bad(cur.line, "the file ends within: "+cur.String())
			}
			if depth > 0 {
				r.bad(line, "the file ends within a block")
			}
			return out
		case c == ';':
			end()
		case c == '{':
			if depth == maxNest {
				r.bad(line, "blocks nest too deep")
				r.i = len(r.data)
				return out
			}
			if len(cur.words) == 0 {
				cur.line = line
			}
			cur.block, cur.has = r.statements(depth+1), true
			if len(cur.words) == 0 {
				r.bad(line, "a block without a name")
				out = append(out, cur.block...)
				cur = stmt{}
				continue
			}
			end()
		case c == '}':
			if len(cur.words) > 0 {
				r.bad(cur.line, "no semicolon after: "+cur.String())
				end()
			}
			if depth > 0 {
				return out
			}
			r.bad(line, "a } without its {")
		default:
			if len(cur.words) == 0 {
				cur.line = line
			}
			cur.words = append(cur.words, w)
		}
	}
}

// next returns a word, or one of ; { }.
func (r *iscReader) next() (w word, c byte, line int, ok bool) {
	for r.i < len(r.data) {
		switch ch := r.data[r.i]; {
		case ch == '\n':
			r.line++
			r.i++
		case ch <= ' ':
			r.i++
		case ch == '#':
			for r.i < len(r.data) && r.data[r.i] != '\n' {
				r.i++
			}
		case ch == ';' || ch == '{' || ch == '}':
			r.i++
			return w, ch, r.line, true
		case ch == ',':
			r.i++
			return word{text: ","}, 0, r.line, true
		case ch == '"':
			line := r.line
			return word{r.quoted(), true}, 0, line, true
		default:
			from := r.i
			for r.i < len(r.data) && r.data[r.i] > ' ' && !strings.ContainsRune(";{},\"#", rune(r.data[r.i])) {
				r.i++
			}
			return word{text: string(r.data[from:r.i])}, 0, r.line, true
		}
	}
	return w, 0, r.line, false
}

// quoted reads a string with the escapes of C that dhcpd writes: \ooo for what is not printable.
func (r *iscReader) quoted() string {
	var b []byte
	for r.i++; r.i < len(r.data); r.i++ {
		c := r.data[r.i]
		switch {
		case c == '"':
			r.i++
			return string(b)
		case c == '\n':
			r.line++
			b = append(b, c)
		case c == '\\' && r.i+1 < len(r.data):
			r.i++
			switch e := r.data[r.i]; {
			case e >= '0' && e <= '7':
				n, digits := 0, 0
				for digits < 3 && r.i < len(r.data) && r.data[r.i] >= '0' && r.data[r.i] <= '7' {
					n = 8*n + int(r.data[r.i]-'0')
					digits++
					r.i++
				}
				r.i--
				b = append(b, byte(n))
			case e == 'n':
				b = append(b, '\n')
			case e == 't':
				b = append(b, '\t')
			case e == 'r':
				b = append(b, '\r')
			case e == 'b':
				b = append(b, '\b')
			case e == '\n':
				r.line++
			default:
				b = append(b, e)
			}
		default:
			b = append(b, c)
		}
	}
	r.bad(r.line, "a quote is never closed")
	return string(b)
}
