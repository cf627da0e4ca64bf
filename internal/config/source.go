package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSize bounds a site file in bytes: room for 50,000 reservations.
const maxSize = 4 << 20

func readAtMost(r io.Reader, n int64) ([]byte, error) { return io.ReadAll(io.LimitReader(r, n)) }

// source is the text of a site file: as it was for excerpts, and as the lexer gets it.
type source struct {
	name  string
	lines []string // as written
	text  string   // with \n line ends and without tabs, every character at its own place
}

// newSource makes a source from bytes and reports what no YAML reader should be asked to guess.
// It returns nil if there is no point in reading on.
func (d *decoder) newSource(name string, data []byte) bool {
	d.src = &source{name: name}
	start := at{line: 1, col: 1}
	switch {
	case len(data) > maxSize:
		d.report(start, faultf("the file is larger than %d MiB", maxSize>>20).do("is it a site file? An example: surefoot config example"))
		return false
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		d.report(start, faultf("the file is written in UTF-16").do("save it as UTF-8 (in Notepad: Save as, Encoding)"))
		return false
	}
	// A byte order mark at the start is allowed (YAML 1.2, 5.2), and Notepad writes one.
	text := string(bytes.TrimPrefix(data, []byte("\ufeff")))
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	d.src.lines = strings.Split(text, "\n")
	ok := true
	isJSON := strings.HasPrefix(strings.TrimSpace(text), "{") && json.Valid([]byte(text))
	clean := make([]string, len(d.src.lines))
	for i, line := range d.src.lines {
		if f, col := badLine(line, isJSON); f != nil {
			d.report(at{line: i + 1, col: col}, f)
			ok = false
		}
		clean[i] = strings.ReplaceAll(line, "\t", " ")
	}
	d.src.text = strings.Join(clean, "\n")
	if ok && emptyDocument(clean) {
		d.report(start, faultf("the file is empty").do("surefoot config example prints a complete one to start from"))
		return false
	}
	return ok
}

// badLine finds a character that must not be in a line, and its column.
func badLine(line string, isJSON bool) (*fault, int) {
	col, quote, escaped, indent := 0, rune(0), false, true
	for i, r := range line {
		col++
		switch {
		case r == utf8.RuneError && !utf8.FullRuneInString(line[i:]), r == utf8.RuneError && line[i] != 0xef:
			return faultf("byte 0x%02x is not UTF-8", line[i]).do("save the file as UTF-8"), col
		case r == '\ufeff':
			return faultf("a byte order mark in the middle of the file").do("delete this character (U+FEFF)"), col
		case r == '\t' && isJSON:
		case r == '\t' && indent:
			return faultf("a tab in the indentation, where YAML wants spaces").do("replace every tab by spaces, in the whole file"), col
		case r == '\t' && quote != 0:
			return faultf("a tab within quotes").do(`write \t within double quotes`), col
		case r != '\t' && unicode.IsControl(r):
			return faultf("control character U+%04X", r).do("delete it: is this a text file?"), col
		}
		if r != ' ' && r != '\t' {
			indent = false
		}
		if r == '#' && quote == 0 && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			return nil, 0
		}
		quote, escaped = step(quote, escaped, r)
	}
	return nil, 0
}

// step follows quotes through a line: quote is the open one, 0 outside.
func step(quote rune, escaped bool, r rune) (rune, bool) {
	switch {
	case escaped:
		return quote, false
	case quote == '"' && r == '\\':
		return quote, true
	case quote == 0 && (r == '"' || r == '\''):
		return r, false
	case quote == r:
		return 0, false
	}
	return quote, false
}

func emptyDocument(lines []string) bool {
	for _, l := range lines {
		l = strings.TrimSpace(l)
		if l != "" && l[0] != '#' && l != "---" && l != "..." {
			return false
		}
	}
	return true
}

// excerptWidth is how much of a long line an excerpt shows, in characters.
const excerptWidth = 86

// excerpt shows a line with the one before and a caret below the column.
func (s *source) excerpt(line, col int) string {
	if line < 1 || line > len(s.lines) || (len(s.lines) == 1 && s.lines[0] == "") {
		return ""
	}
	var b strings.Builder
	if line > 1 && strings.TrimSpace(s.lines[line-2]) != "" {
		before, _ := clip(s.lines[line-2], 1)
		fmt.Fprintf(&b, " %3d | %s\n", line-1, before)
	}
	text, caret := clip(s.lines[line-1], col)
	fmt.Fprintf(&b, ">%3d | %s\n", line, text)
	fmt.Fprintf(&b, "%*s | %s^\n", 4, "", strings.Repeat(" ", max(0, caret-1)))
	return b.String()
}

// clip makes a line printable and no longer than excerptWidth around a column, and says where
// that column is then.
func clip(line string, col int) (string, int) {
	runes := []rune(strings.TrimRight(line, " \t"))
	for i, r := range runes {
		if r == '\t' {
			runes[i] = ' '
		} else if !unicode.IsPrint(r) || r == utf8.RuneError {
			runes[i] = '?'
		}
	}
	if len(runes) <= excerptWidth {
		return string(runes), col
	}
	from := max(0, min(col-1-excerptWidth/2, len(runes)-excerptWidth))
	to := min(len(runes), from+excerptWidth)
	out, caret := string(runes[from:to]), col-from
	if from > 0 {
		out, caret = "..."+out, caret+3
	}
	if to < len(runes) {
		out += "..."
	}
	return out, caret
}
